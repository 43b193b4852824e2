"""Content blocks of providers that are not first party, with all the members that clients of Anthropic read.

Shapes: https://docs.claude.com/en/api/messages. The Python SDK adds deltas to `text` and `thinking` and raises where
they are missing; the TypeScript SDK writes "null". Claude Code (2.1) passes over what a content_block_start holds of
text, thinking and input: it takes the deltas alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from turnout.wire.splice import UNREADABLE, any_text_of, any_top_level, changed, json_object, text_of, top_level

Fields = Mapping[str, msgspec.Raw]

CALLS = frozenset(("tool_use", "server_tool_use", "mcp_tool_use"))
"""Blocks with an id of their own, and an input."""

_TEXTS = {
    "text": ("text",),
    "thinking": ("thinking", "signature"),
    "redacted_thinking": ("data",),
    **dict.fromkeys(CALLS, ("name",)),
}
"""Members that have to be there, and to be texts."""
_TOLD_BY = (("text", "text"), ("thinking", "thinking"), ("input", "tool_use"), ("name", "tool_use"))
"""What kind of block one without a type is: the member that tells it."""
_IN_DELTAS = {"text": "text_delta", "thinking": "thinking_delta", "signature": "signature_delta"}

_UNFIT_FOR_ID = re.compile(r"[^a-zA-Z0-9_-]")
_NOTHING = b'""'


class Begun(NamedTuple):
    """The start of a block in a stream."""

    kind: str
    block: bytes
    deltas: tuple[bytes, ...] = ()
    """What the start held of texts, as the `delta` of events that follow it."""
    given: str = ""
    """The input that a call's start held, as JSON: of use where no delta brings another."""


class Blocks:
    """The blocks of one answer. No input makes it raise.

    `seed` is part of the ids that are invented where the provider gives none. `tool_names` tells which name of a tool
    stands for which of the client's.
    """

    def __init__(self, seed: str, tool_names: Mapping[str, str]) -> None:
        self._seed = seed
        self._tool_names = tool_names
        self._invented = 0
        self._taken: set[str] = set()
        """The ids of this message's calls."""

    def start_over(self) -> None:
        """What comes is the same message once more."""
        self._taken.clear()

    def completed(self, raw: bytes) -> bytes | None:
        """A block of a whole message; None for what is none. One that is complete is the same object."""
        members = top_level(raw)
        if members is None:
            text = text_of(raw)
            return None if text is None else b'{"type":"text","text":' + raw + b"}"
        raw, fields = _call_as_block(raw, members)
        kind, new = self._members(fields)
        if kind in CALLS:
            given = _input(fields.get("input"))
            if given is not None:
                new["input"] = given
        return changed(raw, fields, new)

    def begun(self, raw: bytes) -> Begun | None:
        """A block at its start in a stream; None when that tells of no block."""
        members = any_top_level(raw)
        if members is None:
            return None
        raw, fields = _call_as_block(raw, members)
        kind, new = self._members(fields)
        if not kind:
            return None
        deltas: list[bytes] = []
        for name in _TEXTS.get(kind, ()):
            value = fields.get(name)
            if name in _IN_DELTAS and name not in new and value is not None and bytes(value) != _NOTHING:
                key = name.encode()
                deltas.append(b'{"type":"' + _IN_DELTAS[name].encode() + b'","' + key + b'":' + bytes(value) + b"}")
                new[name] = _NOTHING
        given = ""
        if kind in CALLS:
            held = _input(fields.get("input"))
            told = bytes(fields["input"]) if held is None else held
            if json_object(told):
                given, held = told.decode("utf-8", "replace"), b"{}"
            if held is not None:
                new["input"] = held
        return Begun(kind, changed(raw, fields, new), tuple(deltas), given)

    def _members(self, fields: Fields) -> tuple[str, dict[str, bytes]]:
        """The kind of a block, "" for none, and the members that it needs other than they are."""
        new: dict[str, bytes] = {}
        kind = text_of(fields["type"]) if "type" in fields else None
        if not kind:
            kind = next((kind for name, kind in _TOLD_BY if name in fields), "")
            if kind:
                new["type"] = msgspec.json.encode(kind)
        for name in _TEXTS.get(kind, ()):
            if name not in fields or any_text_of(fields[name]) is None:
                new[name] = _NOTHING
        if kind in CALLS and self._tool_names and "name" in fields:
            known = self._tool_names.get(text_of(fields["name"]) or "")
            new |= {"name": msgspec.json.encode(known)} if known is not None else {}
        return kind, new | self._ids(kind, fields)

    def _ids(self, kind: str, fields: Fields) -> dict[str, bytes]:
        """Ids that the client can send to Anthropic later.

        Kimi's are like `functions.Bash:0`; Anthropic takes ^[a-zA-Z0-9_-]+$, and no id for two calls.
        """
        new: dict[str, bytes] = {}
        if kind in CALLS:
            own = text_of(fields["id"]) if "id" in fields else None
            fit = _UNFIT_FOR_ID.sub("_", own or "")
            while not fit or fit in self._taken:
                self._invented += 1
                fit = f"toolu_{self._seed}_{self._invented}"
            self._taken.add(fit)
            if fit != own:
                new["id"] = msgspec.json.encode(fit)
        of = text_of(fields["tool_use_id"]) if "tool_use_id" in fields else None
        if of is not None and _UNFIT_FOR_ID.search(of):
            new["tool_use_id"] = msgspec.json.encode(_UNFIT_FOR_ID.sub("_", of))
        return new


def _call_as_block(raw: bytes, fields: Fields) -> tuple[bytes, Fields]:
    """A call in the words of OpenAI, `function` and `arguments`, in Anthropic's; any other block as it is."""
    if "input" in fields or ("function" not in fields and "arguments" not in fields):
        return raw, fields
    told = top_level(fields.get("function", raw))
    if told is None or "name" not in told:
        return raw, fields
    call = {"type": msgspec.Raw(b'"tool_use"'), "name": told["name"]}
    call |= {"id": fields["id"]} if "id" in fields else {}
    call |= {"input": told["arguments"]} if "arguments" in told else {}
    return msgspec.json.encode(call), call


def _input(raw: msgspec.Raw | None) -> bytes | None:
    """The input of a call as the object that it has to be; None when it is one. Some servers write it as a text."""
    if raw is None:
        return b"{}"
    text = text_of(raw)
    if text is None:
        return None if top_level(raw) is not None else b"{}"
    try:
        told = text.encode()
    except UNREADABLE:  # half of a surrogate pair
        return b"{}"
    return told if top_level(told) is not None else b"{}"
