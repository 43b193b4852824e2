"""Server-sent events: cutting a byte stream into frames, and reading one frame.

The grammar is https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream: a line ends with
LF, CR LF or CR, and a frame ends with a blank line. Frames are cut without changing a byte; only reading them
looks inside.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LF = 0x0A

# A CR ends a line by itself only when the next byte is known not to be LF. The atomic group keeps CR LF whole.
_BLANK = re.compile(rb"\r\n|\n|\r(?=[^\n])")
_FRAME_END = re.compile(rb"(?>\r\n|\n|\r)(?:\r\n|\n|\r(?=[^\n]))")
_DATA_LINE = re.compile(rb"(?:\xef\xbb\xbf)?data[:\r\n]")
_OPEN_END = 2
"""How many bytes at the end of an unfinished frame matter for finding its end: the last of a line end, and a CR."""


class EventSplitter:
    """Cuts a byte stream into complete SSE frames, byte-exact, whatever the chunking.

    Every frame includes its terminating blank line; a blank line that follows no other line is a frame by itself. All
    frames and the tail together are always the input. A CR at the very end of the input is held back, because
    it may be half of CR LF.
    """

    __slots__ = ("_any_line_end", "_flushed", "_scanned", "_tail")

    def __init__(self) -> None:
        self._tail = bytearray()
        self._flushed = 0
        """How many bytes at the start of `_tail` have left by `flush` and are kept only to recognise the end."""
        self._scanned = 0
        """Length of `_tail` at the last search, so that a frame that comes byte by byte is searched once."""
        self._any_line_end = False
        """A CR has been seen; from then on all three line ends are looked for."""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes."""
        if not self._any_line_end and b"\r" in data:
            self._any_line_end = True
        frames: list[bytes] = []
        start = 0
        if self._tail:
            self._tail += data
            end = self._end(self._tail, 0, max(0, self._scanned - _OPEN_END))
            if end < 0:
                self._scanned = len(self._tail)
                return frames
            data = bytes(self._tail)
            self._tail.clear()
            frames.append(data[self._flushed : end])
            self._flushed = 0
            start = end
        size = len(data)
        while start < size:
            end = self._end(data, start, start)
            if end < 0:
                self._tail += data[start:]
                self._scanned = size - start
                break
            frames.append(data[start:end])
            start = end
        return frames

    def _end(self, buffer: bytes | bytearray, start: int, scan: int) -> int:
        """Where the frame that begins at `start` ends, -1 when it is unfinished; before `scan` no end is looked for."""
        if self._any_line_end:
            found = _BLANK.match(buffer, start) or _FRAME_END.search(buffer, scan)
            return found.end() if found else -1
        if buffer[start] == _LF:
            return start + 1
        at = buffer.find(b"\n\n", scan)
        return at + 2 if at >= 0 else -1

    @property
    def pending(self) -> int:
        """Length of the tail, without copying it."""
        return len(self._tail) - self._flushed

    @property
    def tail(self) -> bytes:
        """The bytes of the unfinished frame that have not been flushed."""
        return bytes(self._tail[self._flushed :])

    def flush(self) -> bytes:
        """Returns the tail and forgets it.

        Feeding may go on: the next frame returned is then the rest of the one whose beginning was flushed.
        """
        tail = self.tail
        if len(self._tail) > _OPEN_END:
            # The dot stands for what is forgotten: the kept bytes are not the beginning of a frame.
            self._tail = bytearray(b"." + self._tail[-_OPEN_END:])
        self._flushed = self._scanned = len(self._tail)
        return tail


@dataclass(frozen=True, slots=True)
class Event:
    """One event: `name` is "" when there is no event line; `data` are the data lines, joined by LF."""

    name: str
    data: bytes


def parse_event(frame: bytes) -> Event | None:
    """The event of one frame; None for a frame with neither data nor event line (comments, blank lines)."""
    name, data = _read(frame)
    if name is None and not data:
        return None
    return Event((name or b"").decode("utf-8", "replace"), b"\n".join(data))


def _read(frame: bytes) -> tuple[bytes | None, list[bytes]]:
    """The value of the last event line, None when there is none, and the values of all data lines.

    A byte order mark is allowed at the beginning of a stream only; a frame does not know its place, so one at its
    beginning is ignored.
    """
    name: bytes | None = None
    data: list[bytes] = []
    for line in frame.removeprefix(BYTE_ORDER_MARK).splitlines():
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return name, data


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
