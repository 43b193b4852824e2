"""An answer in the other form: a whole message as the events of a stream, and a stream as one message.

Some gateways answer in one form only, whatever was asked for. Shapes: https://docs.claude.com/en/api/messages and
https://docs.claude.com/en/docs/build-with-claude/streaming.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from turnout.dialects.messages.assembled import assembled
from turnout.wire.splice import UNREADABLE, text_of, top_level

Fields = Mapping[str, msgspec.Raw]

_BLOCKS = msgspec.json.Decoder(list[msgspec.Raw] | None)
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])

_NULL = msgspec.Raw(b"null")
_EMPTY_TEXT = msgspec.Raw(b'""')
_EMPTY_LIST = msgspec.Raw(b"[]")
_EMPTY_OBJECT = msgspec.Raw(b"{}")

_TOLD_AT_THE_END = ("stop_reason", "stop_sequence", "stop_details", "container", "safeguard_results")
"""Members of a message that `message_delta.delta` brings in a stream."""
_BESIDE_THE_DELTA = ("usage", "context_management")
"""Those that message_delta has beside its delta."""

_BEGINS_LIKE_EVENTS = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*(?:event|data|id|retry)?:")


def begins_like_events(body: bytes) -> bool:
    """Whether a body is a stream of events by its first line, whatever it is called."""
    return _BEGINS_LIKE_EVENTS.match(body) is not None


def begins_like_json(body: bytes) -> bool:
    """Whether a body is a JSON object by its first letter."""
    return body[:64].lstrip()[:1] == b"{"


def as_events(message: bytes) -> bytes | None:
    """The stream that adds up to this whole message; None for what is no message.

    Every value keeps its bytes, but for line ends between the parts of one, which are no part of events.
    """
    fields = top_level(message)
    try:
        blocks = [_OBJECT.decode(raw) for raw in _BLOCKS.decode((fields or {})["content"]) or ()]
    except (KeyError, *UNREADABLE):
        return None
    assert fields is not None
    frames = [_start(fields)]
    for index, block in enumerate(blocks):
        frames += _block(index, block)
    return b"".join((*frames, *_end(fields)))


def as_message(stream: bytes) -> bytes | None:
    """The message that a stream adds up to; None unless it came to its end, and every tool input is JSON."""
    answer = assembled(stream, "text/event-stream")
    if answer is None or not answer.complete or answer.error is not None or not answer.message:
        return None
    if any(isinstance(block, dict) and "partial_input" in block for block in answer.message["content"]):
        return None
    return msgspec.json.encode(answer.message)


def _start(fields: Fields) -> bytes:
    """The output is told at the end: what message_start says of it counts until then."""
    later = (*_TOLD_AT_THE_END, *_BESIDE_THE_DELTA)
    message = {name: value for name, value in fields.items() if name not in later}
    message |= {"content": _EMPTY_LIST, "stop_reason": _NULL, "stop_sequence": _NULL}
    if (usage := fields.get("usage")) is not None:
        counts = top_level(usage)
        if counts is not None and "output_tokens" in counts:
            usage = msgspec.Raw(msgspec.json.encode({**counts, "output_tokens": 0}))
        message["usage"] = usage
    return _frame("message_start", {"message": message})


def _end(fields: Fields) -> tuple[bytes, bytes]:
    delta = {name: fields[name] for name in _TOLD_AT_THE_END if name in fields}
    delta = {"stop_reason": _NULL, "stop_sequence": _NULL, **delta}
    beside = {name: fields[name] for name in _BESIDE_THE_DELTA if name in fields}
    return _frame("message_delta", {"delta": delta, **beside}), _frame("message_stop", {})


def _block(index: int, block: Fields) -> Iterator[bytes]:
    begun = dict(block)
    deltas = list(_deltas(block, begun))
    yield _frame("content_block_start", {"index": index, "content_block": begun})
    for delta in deltas:
        yield _frame("content_block_delta", {"index": index, "delta": delta})
    yield _frame("content_block_stop", {"index": index})


def _deltas(block: Fields, begun: dict[str, msgspec.Raw]) -> Iterator[dict[str, object]]:
    """What of a block comes in pieces; it is taken out of `begun`. All other blocks come whole."""
    kind = text_of(block["type"]) if "type" in block else None
    if kind == "text":
        for citation in _listed(block.get("citations")):
            begun["citations"] = _EMPTY_LIST
            yield {"type": "citations_delta", "citation": citation}
        yield from _piece(block, begun, "text", "text_delta")
    elif kind == "thinking":
        yield from _piece(block, begun, "thinking", "thinking_delta")
        yield from _piece(block, begun, "signature", "signature_delta")
    elif kind is not None and kind.endswith("tool_use") and top_level(block.get("input", _NULL)) is not None:
        begun["input"] = _EMPTY_OBJECT
        written = bytes(block["input"]).decode("utf-8", "replace")
        yield {"type": "input_json_delta", "partial_json": written}


def _piece(block: Fields, begun: dict[str, msgspec.Raw], name: str, kind: str) -> Iterator[dict[str, object]]:
    if name in block and text_of(block[name]):
        begun[name] = _EMPTY_TEXT
        yield {"type": kind, name: block[name]}


def _listed(raw: msgspec.Raw | None) -> list[msgspec.Raw]:
    try:
        return (_BLOCKS.decode(raw) or []) if raw is not None else []
    except UNREADABLE:
        return []


def _frame(name: str, data: Mapping[str, object]) -> bytes:
    written = msgspec.json.encode({"type": name, **data})
    # A line end can stand between the parts of a JSON value, but not inside one.
    written = written.translate(_WITHOUT_LINE_ENDS)
    return b"event: " + name.encode() + b"\ndata: " + written + b"\n\n"


_WITHOUT_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")
