"""Replies of providers that are not first party, made what clients of Anthropic expect.

Shapes: https://docs.claude.com/en/api/messages and https://docs.claude.com/en/docs/build-with-claude/streaming. What
is right already keeps its bytes, and a reply with nothing to change is the same object.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from turnout.dialects.messages.blocks import Begun, Blocks
from turnout.dialects.messages.events import Fields
from turnout.dialects.messages.safeguards import RESULTS
from turnout.wire.splice import UNREADABLE, changed, text_of, top_level

_MESSAGE_KEYS = frozenset(
    (
        "id",
        "type",
        "role",
        "model",
        "content",
        "stop_reason",
        "stop_sequence",
        "stop_details",
        "usage",
        "container",
        "context_management",
        "diagnostics",
        "input_transformations",
        RESULTS,
    )
)
_COUNT_KEYS = frozenset(("input_tokens", "context_management"))
_START_KEYS = frozenset(("type", "message"))
_DELTA_KEYS = frozenset(("type", "delta", "usage", "context_management"))
_NO_COUNTS = dict.fromkeys(
    ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"), 0
)
OPENAI_REASONS = {
    "": "end_turn",
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
"""What OpenAI calls the reasons for which a message stops, and where none is told."""
_NULL = b"null"
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def is_count(value: object) -> bool:
    """A JSON true is none, nor is a number that no counter reaches."""
    return type(value) is int and 0 <= value < 2**53


class ForeignReply:
    """One reply of a provider that is not first party: as one message, or event by event. No input makes it raise.

    `model` is the name that the client asked for. `error` makes an error of the provider one of Anthropic's, in JSON.
    `seed` is part of the ids that are invented where the provider gives none; it differs from reply to reply.
    `safeguard_results` is the JSON of those that a reply without any is given; empty: none.
    `tool_names` tells which name of a tool stands for which of the client's.
    """

    def __init__(
        self,
        model: str,
        error: Callable[[bytes], bytes] = lambda data: data,
        seed: str = "",
        safeguard_results: bytes = b"",
        tool_names: Mapping[str, str] | None = None,
    ) -> None:
        self.error = error
        self._model = model
        self._results = {RESULTS: safeguard_results} if safeguard_results else {}
        self._seed = seed or secrets.token_hex(12)
        self._blocks = Blocks(self._seed, tool_names or {})
        self._output_tokens = 0
        """As told so far, for a message_delta that tells none: its count would replace the earlier one."""

    # --- as one message ---

    def message(self, body: bytes) -> bytes:
        """A whole message: own model name, no foreign keys, complete usage and blocks, a reason why it stopped."""
        fields = top_level(body)
        if fields is None:
            return body
        self._blocks.start_over()
        content = self._content(fields.get("content"))
        new = {"content": content, **({} if RESULTS in fields else self._results)}
        called = any(_text(top_level(block) or {}, "type") == "tool_use" for block in _listed(content) or ())
        told = _text(fields, "stop_reason")
        if told != (reason := reason_for(called, told)):
            new["stop_reason"] = msgspec.json.encode(reason)
        return self._message(body, fields, new)

    def count(self, body: bytes) -> bytes:
        """An answer of count_tokens without foreign keys."""
        fields = top_level(body)
        return body if fields is None else changed(body, fields, {}, _COUNT_KEYS)

    def _message(self, body: bytes, fields: Fields, new: dict[str, bytes]) -> bytes:
        new |= {**_typed(fields, "message"), "usage": _usage(fields.get("usage"), _NO_COUNTS)}
        if _text(fields, "model") != self._model:
            new["model"] = msgspec.json.encode(self._model)
        if _text(fields, "role") != "assistant":
            new["role"] = b'"assistant"'
        if not _text(fields, "id"):
            new["id"] = msgspec.json.encode(f"msg_{self._seed}")
        for name in ("stop_reason", "stop_sequence"):
            if name not in fields:
                new.setdefault(name, _NULL)
        return changed(body, fields, new, _MESSAGE_KEYS)

    def _content(self, raw: msgspec.Raw | None) -> bytes:
        if raw is None or bytes(raw) == _NULL:
            return b"[]"
        text = text_of(raw)
        blocks = _listed(raw) if text is None else [bytes(raw)]
        if blocks is None:
            return bytes(raw)
        fit = [block for block in map(self._blocks.completed, blocks) if block is not None]
        return bytes(raw) if fit == blocks and text is None else b"[" + b",".join(fit) + b"]"

    # --- event by event ---

    def start(self, data: bytes, fields: Fields) -> tuple[bytes, list[bytes]]:
        """The data of a message_start, and the blocks that its message holds already, which go out after it.

        The blocks of a stream are counted from nought, so none may be in the message itself.
        """
        raw = fields.get("message")
        message = top_level(raw) if raw is not None else None
        body, members = (b"{}", {}) if raw is None or message is None else (bytes(raw), message)
        self._note_output(members.get("usage"))
        held = _listed(members.get("content")) or []
        empty = {} if not held and bytes(members.get("content", b"")).startswith(b"[") else {"content": b"[]"}
        new = {"message": self._message(body, members, empty), **_typed(fields, "message_start")}
        return changed(data, fields, new, _START_KEYS), held

    def block(self, raw: bytes) -> Begun | None:
        """A content block at its start."""
        return self._blocks.begun(raw)

    def delta(self, data: bytes, fields: Fields, reason: str) -> bytes:
        """The data of a message_delta. `reason`: why the message stopped, as far as that is known."""
        raw = fields.get("delta")
        delta = top_level(raw) if raw is not None else None
        old, members = (b"{}", {}) if raw is None or delta is None else (bytes(raw), delta)
        new = {name: _NULL for name in ("stop_reason", "stop_sequence") if name not in members}
        if reason and _text(members, "stop_reason") != reason:
            new["stop_reason"] = msgspec.json.encode(reason)
        if RESULTS not in members and (reason or _text(members, "stop_reason")):
            new |= self._results
        self._note_output(fields.get("usage"))
        told = {
            **_typed(fields, "message_delta"),
            "delta": changed(old, members, new),
            "usage": _usage(fields.get("usage"), {"output_tokens": self._output_tokens}),
        }
        return changed(data, fields, told, _DELTA_KEYS)

    def _note_output(self, usage: msgspec.Raw | None) -> None:
        told = _decoded(usage)
        if isinstance(told, dict) and is_count(told.get("output_tokens")):
            self._output_tokens = told["output_tokens"]


def reason_for(called: bool, told: str = "") -> str:
    """Why a message stopped, in Anthropic's words, and whatever its provider says: one that calls tools waits for them.

    What nobody knows stays as it was `told`.
    """
    told = OPENAI_REASONS.get(told, told)
    return "tool_use" if called and told == "end_turn" else told


def _listed(raw: bytes | msgspec.Raw | None) -> list[bytes] | None:
    try:
        return None if raw is None else [bytes(item) for item in _LIST.decode(raw)]
    except UNREADABLE:
        return None


def _usage(raw: msgspec.Raw | None, needed: Mapping[str, int]) -> bytes:
    """The usage with every needed count; other members stay, clients pass over those they do not know."""
    fields = top_level(raw) if raw is not None else None
    if raw is None or fields is None:
        return msgspec.json.encode(needed)
    new = {
        name: msgspec.json.encode(value)
        for name, value in needed.items()
        if name not in fields or not is_count(_decoded(fields[name]))
    }
    return changed(bytes(raw), fields, new)


def _typed(fields: Fields, name: str) -> dict[str, bytes]:
    return {} if _text(fields, "type") == name else {"type": msgspec.json.encode(name)}


def _text(fields: Fields, name: str) -> str:
    raw = fields.get(name)
    return (text_of(raw) or "") if raw is not None else ""


def _decoded(raw: msgspec.Raw | None) -> Any:
    try:
        return None if raw is None else msgspec.json.decode(raw)
    except UNREADABLE:
        return None
