"""One frame of an answer: which event of the Messages API it is, however its sender has dressed it.

Clients go by the event line, and by the `type` in the data: the SDKs pass over a frame without an event line, and fail
on data that is no JSON. Other servers leave out the one or the other, or write `event: message`, the name that
server-sent events without a name have.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from turnout.dialects.error_body import tells_error
from turnout.wire.splice import UNREADABLE, any_text_of, any_top_level, text_of, top_level
from turnout.wire.sse import Event, parse_event

Fields = Mapping[str, msgspec.Raw]

MESSAGE_EVENTS = frozenset(
    (
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    )
)
"""Events of which an answer consists; pings and errors come between them."""
KNOWN_EVENTS = MESSAGE_EVENTS | {"ping", "error"}
"""All of the Messages API."""

STOP_FRAME = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


@dataclass(frozen=True, slots=True)
class Recognised:
    """An event, as far as it is one of the Messages API."""

    kind: str
    """Its type; for an event of another kind the name it came with, or ""."""
    data: bytes
    fields: Fields | None
    """The top level of the data; None when that is no JSON object."""
    frame: bytes
    """As clients can read it: the frame as it came, or with the event line that it lacked."""

    @property
    def is_lost(self) -> bool:
        """No client can read it: the data is not what it has to be."""
        return self.fields is None and (self.kind in MESSAGE_EVENTS or bool(self.data)) and self.kind not in _APART


_APART = ("ping", "error")
"""Clients do not read the data of the one, and take any for the other."""


def recognise(frame: bytes) -> Recognised | None:
    """The event of one frame; None for a frame without one (comments, blank lines)."""
    event = parse_event(frame)
    if event is None:
        return None
    data = event.data
    fields = any_top_level(data) if _is_text(data) else None
    told = text_of(fields["type"]) if fields is not None and "type" in fields else None
    kind = told if told in KNOWN_EVENTS else "" if event.name == "message" else event.name
    if event.name == "error" or (told not in KNOWN_EVENTS and fields is not None and tells_error(data)):
        kind = "error"
    assert kind is not None
    if kind in KNOWN_EVENTS and event.name != kind:
        named = b"event: " + kind.encode() + b"\n" + frame
        frame = named if parse_event(named) == Event(kind, data) else frame_of(kind, data)
    return Recognised(kind, data, fields, frame)


def _is_text(data: bytes) -> bool:
    """What lies deeper than the top level has not been looked at."""
    try:
        return data.isascii() or data.decode() != ""
    except ValueError:
        return False


def frame_of(kind: str, data: bytes) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + data.replace(b"\n", b"\ndata: ") + b"\n\n"


def stop_reason_of(fields: Fields | None) -> str:
    """Why the model stopped, as a message_delta tells it; "" where it tells nothing."""
    raw = fields.get("delta") if fields is not None else None
    delta = top_level(raw) if raw is not None else None
    reason = delta.get("stop_reason") if delta is not None else None
    return (text_of(reason) or "") if reason is not None else ""


# --- deltas: nearly all that an answer consists of ---


class TextDelta(msgspec.Struct, tag="text_delta", gc=False):
    text: str


class ThinkingDelta(msgspec.Struct, tag="thinking_delta", gc=False):
    thinking: str


class SignatureDelta(msgspec.Struct, tag="signature_delta", gc=False):
    signature: str


class InputDelta(msgspec.Struct, tag="input_json_delta", gc=False):
    partial_json: str


class UsualDelta(msgspec.Struct, tag="content_block_delta", gc=False):
    """A delta with all that belongs to it."""

    index: int
    delta: TextDelta | ThinkingDelta | SignatureDelta | InputDelta


_USUAL: msgspec.json.Decoder[Any] = msgspec.json.Decoder(UsualDelta)
_SPACED = b"event: content_block_delta\ndata: "
_TIGHT = b"event:content_block_delta\ndata:"


def usual_delta(frame: bytes) -> UsualDelta | None:
    """The delta, when this is exactly one frame in the form in which nearly all come; a look at any other costs little.

    To decode it whole takes half a microsecond, and finds what no client could read.
    """
    if frame.startswith(_SPACED):
        begin = len(_SPACED)
    elif frame.startswith(_TIGHT):
        begin = len(_TIGHT)
    else:
        return None
    if frame.find(b"\n", begin) != len(frame) - 2 or b"\r" in frame:
        return None
    return delta_in(frame[begin:])


def delta_in(data: bytes) -> UsualDelta | None:
    """The delta in the data of an event; None for one of another kind."""
    try:
        found: UsualDelta = _USUAL.decode(data)
    except UNREADABLE:
        return None
    return found


_VALUE = re.compile(rb'"(?:text|thinking|signature|partial_json)" ?: ?"')
_PLAIN = rb"[ !#-\[\]-~]*"
_REST = re.compile(_PLAIN + rb'(?:\\["\\/bfnrt]' + _PLAIN + rb')*"\}\}\n\n').fullmatch

NO_LIKENESS = b"\0"


def likeness(frame: bytes) -> bytes:
    """All of a usual delta up to its text: what most of those that follow begin with as well.

    NO_LIKENESS for one whose text is not its last member.
    """
    value = _VALUE.search(frame)
    return frame[: value.end()] if value is not None and _REST(frame, value.end()) else NO_LIKENESS


def is_like(frame: bytes, begin: bytes) -> bool:
    """Whether a frame is, but for its text, the delta whose `likeness` this is: the same without decoding.

    Only where the text is of ASCII, so that it can be seen to be whole.
    """
    return frame.startswith(begin) and _REST(frame, len(begin)) is not None


DELTA_MEMBERS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
    "citations_delta": "citation",
}
"""What a delta of each type brings."""


class Delta(NamedTuple):
    """What an event adds to a block, in whatever form."""

    kind: str
    fields: Fields
    value: str
    """The text that it brings; for other things than texts, their JSON."""


def delta_of(fields: Fields) -> Delta | None:
    """The delta of an event; None for one that brings nothing that a client could take."""
    members = any_top_level(fields.get("delta", b""))
    if members is None:
        return None
    kind = _text_in(members, "type") or next((kind for kind, name in DELTA_MEMBERS.items() if name in members), "")
    if not kind:
        return None
    name = DELTA_MEMBERS.get(kind)
    if name is None:
        return Delta(kind, members, "")
    raw = members.get(name, b"")
    value = any_text_of(raw) if name != "citation" else None
    if value is None and name in ("citation", "partial_json") and top_level(raw) is not None:
        value = bytes(raw).decode("utf-8", "replace")
    return Delta(kind, members, value) if value is not None else None


def _text_in(fields: Fields, name: str) -> str:
    return (text_of(fields[name]) or "") if name in fields else ""


def index_of(fields: Fields) -> int | None:
    """The provider's number for a block; None where it gives none."""
    told = bytes(fields.get("index", b""))
    return int(told) if told.isdigit() and len(told) < 10 else None
