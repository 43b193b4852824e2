"""Exchanging values of a JSON object, every other byte kept, at the cost of looking at its top level only."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
"""What decoding foreign bytes may raise; ValueError for text that is not UTF-8, RecursionError for deep nesting."""

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STRING = msgspec.json.Decoder(str)

_OPEN = re.compile(rb"[ \t\r\n]*\{")
_KEY = re.compile(rb'[ \t\r\n]*"[^"\\]*(?:\\.[^"\\]*)*"[ \t\r\n]*:[ \t\r\n]*')
_COMMA = re.compile(rb"[ \t\r\n]*,")
_CLOSE = re.compile(rb"[ \t\r\n]*\}[ \t\r\n]*\Z")


def top_level(data: bytes | msgspec.Raw) -> dict[str, msgspec.Raw] | None:
    """The members of a JSON object, values undecoded; None when it is not one."""
    try:
        return _FIELDS.decode(data)
    except UNREADABLE:
        return None


def json_object(data: bytes) -> dict[str, Any] | None:
    """A JSON object with everything in it decoded; None when it is not one."""
    try:
        value = msgspec.json.decode(data)
    except UNREADABLE:
        return None
    return value if isinstance(value, dict) else None


def text_of(data: bytes | msgspec.Raw) -> str | None:
    """The text of a JSON string; None when it is not one."""
    try:
        return _STRING.decode(data)
    except UNREADABLE:
        return None


def any_top_level(data: bytes | msgspec.Raw) -> Mapping[str, msgspec.Raw] | None:
    """As `top_level`, also of JSON with halves of surrogate pairs, which msgspec refuses and clients read.

    Servers that cut a text into pieces may cut between the two.
    """
    found = top_level(data)
    if found is not None:
        return found
    value = _any_json(data)
    if not isinstance(value, dict):
        return None
    return {name: msgspec.Raw(json.dumps(member).encode()) for name, member in value.items()}


def any_text_of(data: bytes | msgspec.Raw) -> str | None:
    """As `text_of`, likewise."""
    found = text_of(data)
    value = _any_json(data) if found is None else found
    return value if isinstance(value, str) else None


def _any_json(data: bytes | msgspec.Raw) -> Any:
    try:
        return json.loads(bytes(data))
    except UNREADABLE:
        return None


def replace_value(body: bytes, fields: Mapping[str, msgspec.Raw], key: str, new: bytes) -> bytes:
    """The body with the value of a top-level key exchanged for the JSON `new`.

    `fields` is the top-level decode of exactly this body and holds `key`. A body that names a key twice is written
    anew from `fields`, where the last one counts.
    """
    span = _value_span(body, fields, key)
    if span is None:
        return msgspec.json.encode({**fields, key: msgspec.Raw(new)})
    view = memoryview(body)
    return b"".join((view[: span[0]], new, view[span[1] :]))


def changed(
    body: bytes, fields: Mapping[str, msgspec.Raw], new: Mapping[str, bytes], keep: frozenset[str] | None = None
) -> bytes:
    """A JSON object with new values, and with no other keys than those of `keep` (None: all).

    `fields` is the top-level decode of exactly this body. Only where keys come or go is it written anew, from the
    values as they are. With nothing to change it is the same object.
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


def _value_span(body: bytes, fields: Mapping[str, msgspec.Raw], key: str) -> tuple[int, int] | None:
    """Where the value of a top-level key lies; None when `body` is not exactly the members of `fields` in their order.

    Walks from key to key. The values in between are compared as blocks of memory, which costs a tenth of decoding once
    more and cannot take a nested key, or the content of a string, for the one looked for. When the body has as many
    members as `fields`, no key is named twice, and the keys need no second look.
    """
    view = memoryview(body)
    span = None
    end = 0
    separator = _OPEN
    for name, value in fields.items():
        separated = separator.match(body, end)
        found = _KEY.match(body, separated.end()) if separated else None
        if found is None:
            return None
        start, end = found.end(), found.end() + memoryview(value).nbytes
        if msgspec.Raw(view[start:end]) != value:
            return None
        if name == key:
            span = start, end
        separator = _COMMA
    return span if _CLOSE.match(body, end) else None
