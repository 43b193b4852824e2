"""A streamed answer of Chat Completions, made the events of a Messages stream while it arrives: its frames.

What the chunks in them mean is in `answer`. What is no chunk is passed on as it is, for others to judge: pings, events
of another API, JSON that cannot be read, and all of an answer that is no stream of events.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from turnout.dialects.chat.answer import Answer
from turnout.dialects.chat.chunk import chunk_of
from turnout.dialects.error_body import tells_error
from turnout.dialects.messages.stream import LONGEST_COMPLETED
from turnout.wire.sse import BYTE_ORDER_MARK, EventSplitter, parse_event

_DONE = b"[DONE]"
_COMMENT = b":\n\n"
_BEGINS_EVENTS = b":deir"
"""The first letters of a comment, and of `data`, `event`, `id` and `retry`."""


class ChatDecoder:
    """One streamed answer. `taken`: the ids of calls that the conversation holds already. No input makes it raise."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._answer = Answer(taken)
        self.signatures: Sequence[str] = self._answer.content.signatures
        """Of the thinking blocks so far; of those without one their text."""
        self._splitter = EventSplitter()
        self._seen = False
        self._foreign = False
        """It is no stream of events: an error page, or one JSON object."""

    @property
    def whole(self) -> bool:
        """The provider has said why it stops, or the answer is over."""
        return self._answer.over or self._answer.reason != ""

    def feed(self, data: bytes) -> bytes:
        """The frames that these bytes make; b"" when there is nothing to say yet."""
        if not self._seen and (begin := data.lstrip(BYTE_ORDER_MARK + b"\r\n")):
            self._seen = True
            self._foreign = begin[0] not in _BEGINS_EVENTS
        if self._foreign:
            return data
        if self._answer.over:
            return b""
        if not self._splitter.pending and _is_one_line(data):
            return self._said(data, "", data[5:])
        out = b"".join([self._frame(frame) for frame in self._splitter.feed(data)])
        if self._splitter.pending > LONGEST_COMPLETED and not self._answer.over:
            out += self._answer.tear("an event of the answer is too long")
        return out

    def finish(self) -> bytes:
        """What is left to say when the provider has closed the stream.

        Half a frame is left out; one that lacks its blank line alone is whole.
        """
        tail = self._splitter.flush()
        event = parse_event(tail) if tail else None
        out = b""
        if event is not None and (event.data.strip() == _DONE or chunk_of(event.data) is not None):
            out = self._frame(tail + b"\n\n")
        if not self._answer.over:
            if self._answer.reason:
                return out + self._answer.end()
            self._answer.content.break_off()
        return out

    def _frame(self, frame: bytes) -> bytes:
        if self._answer.over:
            return b""
        if _is_one_line(frame):
            return self._said(frame, "", frame[5:])
        event = parse_event(frame)
        return frame if event is None else self._said(frame, event.name, event.data)

    def _said(self, frame: bytes, name: str, data: bytes) -> bytes:
        """What is said for the event of a frame."""
        chunk = chunk_of(data)
        if name == "error" or (chunk is not None and chunk.error):
            return self._answer.fail(data)
        if chunk is not None:
            return self._answer.take(chunk, data) if chunk.is_one else frame
        return self._no_object(frame, name, data.strip())

    def _no_object(self, frame: bytes, name: str, data: bytes) -> bytes:
        if data == _DONE:
            return self._answer.end() if self._answer.started else b""
        if not data and name in ("", "message"):
            return _COMMENT  # a sign of life, and no event that is lost
        if tells_error(data):  # in a list, as Gemini writes them
            return self._answer.fail(data)
        if self._answer.started and (self._answer.content.calling or b"tool_calls" in data):
            return self._answer.tear("a piece of a tool call cannot be read")
        return frame


def _is_one_line(frame: bytes) -> bool:
    """Whether this is one whole frame of one data line, as nearly all are."""
    return (
        frame.startswith(b"data:") and frame.find(b"\n", 5) == len(frame) - 2 and b"\r" not in frame and frame[-1] == 10
    )
