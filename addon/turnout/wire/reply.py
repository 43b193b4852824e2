"""Replies of providers that are not first party, made what clients of Anthropic expect.

Shapes: https://docs.claude.com/en/api/messages and https://docs.claude.com/en/docs/build-with-claude/streaming. What
is right already keeps its bytes, and a reply with nothing to change is the same object.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from turnout.wire.safeguards import RESULTS
from turnout.wire.splice import UNREADABLE, replace_value, text_of, top_level

Fields = Mapping[str, msgspec.Raw]

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
_EVENT_KEYS = {
    b"message_start": frozenset(("type", "message")),
    b"message_delta": frozenset(("type", "delta", "usage", "context_management")),
}
_NO_COUNTS = dict.fromkeys(
    ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"), 0
)
_TOOL_USES = frozenset(("tool_use", "server_tool_use", "mcp_tool_use"))
_DATA_LINE = re.compile(rb"(?:\xef\xbb\xbf)?data[:\r\n]")
_UNFIT_FOR_ID = re.compile(r"[^a-zA-Z0-9_-]")

_NULL = b"null"
_NONE: Mapping[str, bytes] = MappingProxyType({})
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


class _Block(msgspec.Struct):
    """What is read of a content block. Foreign, so of any type."""

    type: Any = None
    id: Any = None
    tool_use_id: Any = None


_BLOCK = msgspec.json.Decoder(_Block)


def is_count(value: object) -> bool:
    """A JSON true is none, nor is a number that no counter reaches."""
    return type(value) is int and 0 <= value < 2**53


class ForeignReply:
    """One reply of a provider that is not first party: as one message, or event by event. No input makes it raise.

    `model` is the name that the client asked for. `error` makes an error of the provider one of Anthropic's, in JSON.
    `seed` is part of the ids that are invented where the provider gives none; it differs from reply to reply.
    `safeguard_results` is the JSON of those that a reply without any is given; empty: none.
    """

    def __init__(
        self,
        model: str,
        error: Callable[[bytes], bytes] = lambda data: data,
        seed: str = "",
        safeguard_results: bytes = b"",
    ) -> None:
        self._model = model
        self._results = {RESULTS: safeguard_results} if safeguard_results else {}
        self._error = error
        self._seed = seed or secrets.token_hex(12)
        self._invented = 0
        self._output_tokens = 0
        """As message_start tells it, for a message_delta that tells none: its count would replace the earlier one."""

    def message(self, body: bytes) -> bytes:
        """A whole message: own model name, no foreign keys, complete usage, ids of tools as Anthropic accepts them."""
        fields = top_level(body)
        return body if fields is None else self._message(body, fields, {} if RESULTS in fields else self._results)

    def count(self, body: bytes) -> bytes:
        """An answer of count_tokens without foreign keys."""
        fields = top_level(body)
        return body if fields is None else _changed(body, fields, {}, _COUNT_KEYS)

    def event(self, name: bytes, data: bytes) -> bytes:
        """The data of an event of this name."""
        if name == b"error":
            return self._error(data)
        fields = top_level(data)
        if fields is None:
            return data
        if name == b"content_block_start":
            return self._block_start(data, fields)
        if name == b"message_start":
            return self._start(data, fields)
        return _delta(data, fields, self._output_tokens, self._results) if name == b"message_delta" else data

    def _start(self, data: bytes, fields: Fields) -> bytes:
        raw = fields.get("message")
        message = top_level(raw) if raw is not None else None
        if raw is None or message is None:
            return data
        usage = _decoded(message.get("usage"))
        if isinstance(usage, dict) and is_count(usage.get("output_tokens")):
            self._output_tokens = usage["output_tokens"]
        new = {"message": self._message(bytes(raw), message), **_typed(fields, "message_start")}
        return _changed(data, fields, new, _EVENT_KEYS[b"message_start"])

    def _message(self, body: bytes, fields: Fields, results: Mapping[str, bytes] = _NONE) -> bytes:
        new = {
            **results,
            **_typed(fields, "message"),
            "content": self._content(fields.get("content")),
            "usage": _usage(fields.get("usage"), _NO_COUNTS),
        }
        if _text(fields, "model") != self._model:
            new["model"] = msgspec.json.encode(self._model)
        if _text(fields, "role") != "assistant":
            new["role"] = b'"assistant"'
        if not _text(fields, "id"):
            new["id"] = msgspec.json.encode(f"msg_{self._seed}")
        for name in ("stop_reason", "stop_sequence"):
            if name not in fields:
                new[name] = _NULL
        return _changed(body, fields, new, _MESSAGE_KEYS)

    def _content(self, raw: msgspec.Raw | None) -> bytes:
        if raw is None or bytes(raw) == _NULL:
            return b"[]"
        try:
            blocks = [bytes(block) for block in _LIST.decode(raw)]
        except UNREADABLE:
            return bytes(raw)
        fit = [self._block(block) for block in blocks]
        return bytes(raw) if fit == blocks else b"[" + b",".join(fit) + b"]"

    def _block_start(self, data: bytes, fields: Fields) -> bytes:
        raw = fields.get("content_block")
        return data if raw is None else _changed(data, fields, {"content_block": self._block(bytes(raw))})

    def _block(self, raw: bytes) -> bytes:
        """A content block whose ids the client can send to Anthropic later.

        Kimi's are like `functions.Bash:0`; Anthropic takes ^[a-zA-Z0-9_-]+$.
        """
        try:
            block = _BLOCK.decode(raw)
        except UNREADABLE:
            return raw
        new: dict[str, bytes] = {}
        if isinstance(block.type, str) and block.type in _TOOL_USES:
            fit = _UNFIT_FOR_ID.sub("_", block.id) if isinstance(block.id, str) else ""
            if not fit:
                self._invented += 1
                fit = f"toolu_{self._seed}_{self._invented}"
            if fit != block.id:
                new["id"] = msgspec.json.encode(fit)
        if isinstance(block.tool_use_id, str) and _UNFIT_FOR_ID.search(block.tool_use_id):
            new["tool_use_id"] = msgspec.json.encode(_UNFIT_FOR_ID.sub("_", block.tool_use_id))
        fields = top_level(raw) if new else None
        return raw if fields is None else _changed(raw, fields, new)


def _delta(data: bytes, fields: Fields, output_tokens: int, results: Mapping[str, bytes]) -> bytes:
    raw = fields.get("delta")
    delta = top_level(raw) if raw is not None else None
    old, members = (b"{}", {}) if raw is None or delta is None else (bytes(raw), delta)
    missing = {name: _NULL for name in ("stop_reason", "stop_sequence") if name not in members}
    if RESULTS not in members and _text(members, "stop_reason"):
        missing |= results
    new = {
        **_typed(fields, "message_delta"),
        "delta": _changed(old, members, missing),
        "usage": _usage(fields.get("usage"), {"output_tokens": output_tokens}),
    }
    return _changed(data, fields, new, _EVENT_KEYS[b"message_delta"])


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
    return _changed(bytes(raw), fields, new)


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


def _changed(body: bytes, fields: Fields, new: Mapping[str, bytes], keep: frozenset[str] | None = None) -> bytes:
    """A JSON object with new values, and with no other keys than those of `keep` (None: all).

    Only where keys come or go is it written anew, from the values as they are.
    """
    values = {
        name: msgspec.Raw(value) for name, value in new.items() if name not in fields or bytes(fields[name]) != value
    }
    kept = {name: value for name, value in fields.items() if keep is None or name in keep}
    if len(kept) < len(fields) or not values.keys() <= fields.keys():
        return msgspec.json.encode({**kept, **values})
    for name, value in values.items():
        body = replace_value(body, kept, name, bytes(value))
        kept[name] = value
    return body


def with_data(frame: bytes, old: bytes, new: bytes) -> bytes:
    """The frame of an event with other data, every other byte kept. `old` is its data as it was read."""
    if frame.count(old) == 1:
        return frame.replace(old, new)
    # The data is spread over several lines: it takes the place of the first of them.
    fresh = b"data: " + new.replace(b"\n", b"\ndata: ") + b"\n"
    kept: list[bytes] = []
    for line in frame.splitlines(keepends=True):
        if not _DATA_LINE.match(line):
            kept.append(line)
        elif fresh:
            kept.append(fresh)
            fresh = b""
    return b"".join(kept)
