"""Recognising thinking blocks again: a short hash of the signature that a provider put on each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from turnout.wire.splice import UNREADABLE, json_object, top_level
from turnout.wire.sse import EventSplitter, parse_event

FINGERPRINT_LENGTH = 16
"""Hexadecimal digits: 64 bits, far more than the blocks of a working life need to be told apart."""

THINKING_BLOCKS = ("thinking", "redacted_thinking")
"""Types of the blocks that carry a signature."""

SEALED = "chat."
"""How signatures begin that a translation has made, to keep what another API wants back with its thoughts. Those of
Anthropic are base64, without a dot."""

_SEPARATOR = "\n"

REFUSED = _SEPARATOR
"""The mark of a block that was refused where it was taken to belong: it goes nowhere any more."""

_MARK = b'thinking"'
"""In every block and delta of thinking: `"type":"thinking"`, `"redacted_thinking"`, `{"thinking":"…"}`."""


def fingerprint(signature: str, thinking: str) -> str:
    """What a thinking block is recognised by: a hash of its signature, or of its text when it has none.

    `redacted_thinking` carries its `data` in place of a signature.
    """
    return hashlib.sha256((signature or thinking).encode("utf-8", "surrogatepass")).hexdigest()[:FINGERPRINT_LENGTH]


def minted(answer: bytes) -> list[str]:
    """The fingerprints of all thinking blocks in an answer: server-sent events, or one message as JSON.

    A block that came in pieces has one for every form in which a client may send it back. Blocks with neither
    signature nor text have none. Never raises; what cannot be read is passed over.
    """
    if _MARK not in answer:
        return []
    found = _of_message(answer) if answer[:64].lstrip()[:1] == b"{" else _of_events(answer)
    return list(dict.fromkeys(fingerprint(signature, text) for signature, text in found if signature or text))


# --- marks: whose a block is ---


def mark(signer: str, account: str, shape: str) -> str:
    """What is remembered of a block that is bound: who signed it, for which account, and by which rules of rewriting
    the conversation had been changed that it belongs to. Of any other block the signer is enough."""
    return _SEPARATOR.join((signer, account, shape))


def signer_of(mark: str | None) -> str | None:
    """Who signed a block of this mark; None when that is not known."""
    return mark.partition(_SEPARATOR)[0] or None if mark is not None else None


def is_elsewhere(mark: str | None, bound_to: str) -> bool:
    """Whether a block of this mark is bound to something else than blocks of the mark `bound_to` are."""
    if mark is None or not bound_to or mark == bound_to:
        return False
    signer, bound, _ = mark.partition(_SEPARATOR)
    return bool(bound) and signer == signer_of(bound_to)


def thoughts_of(body: bytes) -> list[str]:
    """The fingerprints of the thinking blocks that a request gives back. Decodes all of it."""
    messages = (json_object(body) or {}).get("messages")
    blocks = [block for message in _dicts(messages) for block in _dicts(message.get("content"))]
    thoughts = [block for block in blocks if block.get("type") in THINKING_BLOCKS]
    return [
        fingerprint(_text(block.get("signature")) or _text(block.get("data")), _text(block.get("thinking")))
        for block in thoughts
    ]


def _dicts(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


# --- reading them from an answer ---


class _Block(msgspec.Struct):
    """What is read of a content block, or of a delta. Foreign, so of any type."""

    type: Any = None
    signature: Any = None
    thinking: Any = None
    data: Any = None

    @property
    def seal(self) -> str:
        return _text(self.data if self.type == "redacted_thinking" else self.signature)


class _Event(msgspec.Struct):
    index: Any = None
    content_block: Any = None
    delta: Any = None


_BLOCK = msgspec.json.Decoder(_Block)
_EVENT = msgspec.json.Decoder(_Event)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _of_message(body: bytes) -> Iterator[tuple[str, str]]:
    content = (top_level(body) or {}).get("content")
    try:
        blocks = _LIST.decode(content) if content is not None else []
    except UNREADABLE:
        return
    for raw in blocks:
        try:
            block = _BLOCK.decode(raw)
        except UNREADABLE:
            continue
        if block.type in THINKING_BLOCKS:
            yield block.seal, _text(block.thinking)


@dataclass
class _Traced:
    """A thinking block of a stream."""

    seal: str = ""
    """The signature that content_block_start holds."""
    opening: str = ""
    """The text that content_block_start holds."""
    seals: list[str] = field(default_factory=list)
    """Signature deltas, or the `data` of redacted thinking."""
    parts: list[str] = field(default_factory=list)
    """Text deltas."""

    def forms(self) -> Iterator[tuple[str, str]]:
        """Signature or text as a client may send it back.

        Clients put a block together in different ways: Claude Code (2.1) leaves out what content_block_start holds,
        and of several signature deltas it keeps the last; others join all there is.
        """
        if self.seals:
            joined = "".join(self.seals)
            yield from ((joined, ""), (self.seals[-1], ""), (self.seal + joined, ""))
        else:
            text = "".join(self.parts)
            yield from ((self.seal, ""), ("", text), ("", self.opening + text))


def _of_events(answer: bytes) -> Iterator[tuple[str, str]]:
    splitter = EventSplitter()
    frames = splitter.feed(answer)
    frames.append(splitter.flush())
    traced: dict[int, _Traced] = {}
    deltas: list[bytes] = []
    for frame in frames:
        if b'"thinking_delta"' in frame:
            deltas.append(frame)
        elif b'"signature_delta"' in frame or _MARK in frame:
            _trace(frame, traced)
    # The text is needed only of blocks without a signature of their own. It comes in by far the most frames.
    if not traced or not all(block.seals for block in traced.values()):
        for frame in deltas:
            _trace(frame, traced)
    for block in traced.values():
        yield from block.forms()


def _trace(frame: bytes, traced: dict[int, _Traced]) -> None:
    event = parse_event(frame)
    try:
        told = _EVENT.decode(event.data if event else b"")
    except UNREADABLE:
        return
    part = told.content_block if isinstance(told.content_block, dict) else told.delta
    if not isinstance(part, dict) or type(told.index) is not int:
        return
    kind = part.get("type")
    if kind not in (*THINKING_BLOCKS, "thinking_delta", "signature_delta"):
        return
    block = traced.setdefault(told.index, _Traced())
    seal = _text(part.get("data" if kind == "redacted_thinking" else "signature"))
    text = _text(part.get("thinking"))
    if kind in ("signature_delta", "redacted_thinking"):
        block.seals += [seal] if seal else []
    elif kind == "thinking_delta":
        block.parts.append(text)
    else:
        block.seal = seal or block.seal
        block.opening += text
