"""Reading the body of an error, whatever its vendor's shape for it: once, for all who ask what it says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec

from turnout.dialects.error_body.body import ErrorBody, Placed
from turnout.dialects.error_body.envelope import ERROR_KEYS, is_error, opened
from turnout.dialects.error_body.message import messages_in
from turnout.dialects.error_body.texts import Texts
from turnout.dialects.error_body.wrapped import Embedded
from turnout.wire.splice import UNREADABLE, top_level

__all__ = ["MOST_BYTES", "ErrorBody", "Placed", "read_error_body", "tells_error"]

MOST_BYTES = 65_536
"""Error bodies are shorter; what is longer is not searched for all its texts."""

_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def tells_error(body: bytes) -> bool:
    """Whether the body of a success is an error all the same: it has a shape that no success has.

    Looks at the top level only. Never raises.
    """
    fields = _top_level(body)
    return bool(fields) and is_error({name: _value(fields, name) for name in fields if name in ERROR_KEYS}, fields)


def read_error_body(body: bytes) -> ErrorBody:
    """All that an error body says. Never raises.

    Read generously: that it is an error is known, by its status or by `tells_error`. Of a gateway that passes on an
    error inside its own, the inner one is told.
    """
    document, is_json = _decoded(body)
    embedded = Embedded()
    envelope = _envelope(document)
    told = opened(envelope, embedded) if envelope else ErrorBody()
    texts = Texts(embedded)
    if len(body) <= MOST_BYTES and (is_json or not document.lstrip().startswith("<")):
        texts.collect(document)
    return replace(
        told,
        body=body,
        structured=bool(envelope),
        shaped=isinstance(document, dict) and _is_shaped(document),
        whole_message=_whole_message(document, told) if is_json else _plain(document),
        texts=tuple(texts.texts),
        names=tuple(texts.names),
        param=texts.param,
        placed=tuple(texts.placed),
        counts=texts.counts,
    )


def _decoded(body: bytes) -> tuple[Any, bool]:
    """The JSON of a body, and True; its text, and False, where it is none."""
    try:
        return msgspec.json.decode(body), True
    except UNREADABLE:
        pass
    text = body.decode("utf-8", "replace")
    try:  # Python's JSON: with NaN, with halves of surrogate pairs, with bytes that are no text
        return json.loads(json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8", "replace")), True
    except UNREADABLE:
        return text, False


def _envelope(document: Any) -> dict[str, Any]:
    """The object that is the error. Gemini's OpenAI layer wraps it in a list."""
    first = document[0] if isinstance(document, list) and document else document
    return first if isinstance(first, dict) else {}


def _is_shaped(document: dict[str, Any]) -> bool:
    error = document.get("error")
    if document.get("type") != "error" or not isinstance(error, dict):
        return False
    type, message = error.get("type"), error.get("message")
    return isinstance(type, str) and type != "" and isinstance(message, str)


def _whole_message(document: Any, told: ErrorBody) -> str:
    if told.message and (told.inner or not isinstance(document, list)):  # of a list only the first entry is an envelope
        return told.message
    return messages_in(document)


def _plain(text: str) -> str:
    """A text that is neither a page nor broken JSON."""
    text = text.strip()
    return "" if text[:1] in ("<", "{", "[") else text


def _top_level(body: bytes) -> dict[str, msgspec.Raw]:
    """The top-level fields, undecoded, of an object or of the first in a list."""
    start = body[:64].lstrip()
    if start.startswith(b"{"):
        return top_level(body) or {}
    try:
        items = _LIST.decode(body) if start.startswith(b"[") else []
    except UNREADABLE:
        return {}
    return (top_level(items[0]) or {}) if items else {}


def _value(fields: dict[str, msgspec.Raw], name: str) -> Any:
    try:
        return msgspec.json.decode(fields[name])
    except UNREADABLE:
        return None
