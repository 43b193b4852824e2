"""The events of a first party: passed on byte for byte, and followed only to know whether the answer is whole."""

from __future__ import annotations

from collections.abc import Callable

from turnout.dialects.messages.blocks import CALLS
from turnout.dialects.messages.events import STOP_FRAME, Fields, Recognised, UsualDelta, stop_reason_of
from turnout.wire.splice import text_of, top_level
from turnout.wire.sse import with_data


class Verbatim:
    """One streamed reply, event by event; the same steps as `completion.Completion`. No input makes it raise.

    `start` makes the data of message_start what the client is to read.
    """

    torn = ""

    def __init__(self, start: Callable[[bytes], bytes] | None = None) -> None:
        self._start = start
        self._open: dict[bytes, str] = {}
        """The kinds of the open blocks, by their index as it is written."""
        self._finished = False

    @property
    def whole(self) -> bool:
        """All is there but message_stop."""
        return self._finished and not self._open

    @property
    def calling(self) -> bool:
        """A call is open."""
        return not CALLS.isdisjoint(self._open.values())

    def begins(self, event: Recognised) -> bool:
        """Whether this is the first event of an answer."""
        raw = event.fields.get("message") if event.kind == "message_start" and event.fields is not None else None
        return raw is not None and top_level(raw) is not None

    def takes(self, delta: UsualDelta) -> bool:
        """Whether a delta may be passed on without a further look."""
        return not self._finished

    def keeps(self, delta: UsualDelta) -> bool:
        """Whether all deltas of this type have to be taken, for what they bring."""
        return False

    def take(self, event: Recognised) -> bytes:
        """What is passed on for this event."""
        if event.fields is None:
            return event.frame
        if event.kind.startswith("content_block_"):
            self._follow(event.kind, event.fields)
        elif event.kind == "message_delta":
            self._finished = stop_reason_of(event.fields) != ""
        elif event.kind == "message_start" and self._start is not None:
            new = self._start(event.data)
            return event.frame if new is event.data else with_data(event.frame, event.data, new)
        return event.frame

    def end(self) -> bytes:
        """What the client needs at the end of a connection, where the answer is whole."""
        return STOP_FRAME

    def _follow(self, kind: str, fields: Fields) -> None:
        self._finished = False
        index = bytes(fields.get("index", b""))
        if kind == "content_block_start":
            block = top_level(fields.get("content_block", b"")) or {}
            self._open[index] = (text_of(block["type"]) or "") if "type" in block else ""
        elif kind == "content_block_stop":
            self._open.pop(index, None)
