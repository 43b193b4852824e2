"""How much of a message may be other than its body: mitmproxy bounds none of it ("FIXME: protect against header size
DoS" in mitmproxy/proxy/layers/http/_http1.py), and reads it before any hook."""

from __future__ import annotations

import re
from typing import Any

import h11
from h11._readers import ChunkedReader
from h11._receivebuffer import ReceiveBuffer

MAX_HEAD = 64 * 1024
"""Bytes of a head, start line included, and of trailers: what h2 allows by itself (`DEFAULT_MAX_HEADER_LIST_SIZE`).
Node allows 16 KB, nginx 32 KB; heads of Claude Code stay below 8 KB."""

MAX_LINES = 256
"""Lines of a head. Apache allows 100; Claude Code sends about 30."""

MAX_BLANK_LINES = 16
"""Empty lines before a head. RFC 9112 §2.2 asks for one to be ignored."""

MAX_CHUNK_LINE = 4096
"""Bytes of a line that gives the size of a chunk. Go's net/http allows as much; without extensions it is below 24."""

MAX_CHUNK_OVERHEAD = 16 * 1024
"""Bytes of a chunked body that may be neither data nor needed to frame it: extensions. Node allows as much."""

_FRAMING = 16
"""Bytes that a chunk may need for its frame. With as many again for each byte of data no sender of small chunks, who
spends 5 on one byte, comes near the limit (the rule is that of Go's net/http/internal/chunked.go)."""

_BLANK_LINE = re.compile(rb"\n\r?\n")


class TooLarge(h11.RemoteProtocolError):
    """More of a head, or of the frame of a body, than is read."""


class BoundedBuffer(ReceiveBuffer):
    """Refuses lines that are too many or too long before objects are made of them. Raises TooLarge."""

    def __init__(self) -> None:
        super().__init__()
        self._blank_lines = 0

    def skip_blank_lines(self) -> None:
        """Drop what stands before a head. mitmproxy takes one empty line for each piece that it receives, and then
        waits for the next piece."""
        while self._starts_blank():
            self._blank_lines += 1
            if self._blank_lines > MAX_BLANK_LINES:
                raise TooLarge(f"more than {MAX_BLANK_LINES} empty lines before a head")
            super().maybe_extract_lines()

    def begins_with(self, pattern: re.Pattern[bytes]) -> bool:
        return pattern.match(self._data) is not None

    def maybe_extract_lines(self) -> list[bytearray] | None:
        if not self._starts_blank():
            # The search goes on where the last one ended, or heads that come byte by byte would cost their square.
            found = _BLANK_LINE.search(self._data, self._multiple_lines_search)
            end = found.end() if found is not None else len(self._data)
            if end > MAX_HEAD:
                raise TooLarge(f"more than {MAX_HEAD // 1024} KB")
            if found is not None and self._data.count(b"\n", 0, end) > MAX_LINES:
                raise TooLarge(f"more than {MAX_LINES} lines")
        lines = super().maybe_extract_lines()
        if lines is not None:
            self._blank_lines = 0
        return lines

    def maybe_extract_next_line(self) -> bytearray | None:
        line = super().maybe_extract_next_line()
        if len(self if line is None else line) > MAX_CHUNK_LINE:
            raise TooLarge(f"a line of more than {MAX_CHUNK_LINE // 1024} KB between chunks")
        return line

    def _starts_blank(self) -> bool:
        return self._data[:1] == b"\n" or self._data[:2] == b"\r\n"


class BoundedChunks(ChunkedReader):
    """A chunked body, of which little may be other than data. Raises TooLarge; RemoteProtocolError as h11 does."""

    def __init__(self) -> None:
        super().__init__()
        self._overhead = 0

    def __call__(self, buf: ReceiveBuffer) -> h11.Data | h11.EndOfMessage | None:
        footer: Any = self._bytes_to_discard
        # Before 0.16, which mitmproxy 11 does not allow, h11 takes any two bytes for a chunk's end (CVE-2025-43859).
        if isinstance(footer, int) and footer and not b"\r\n"[-footer:].startswith(buf._data[:footer]):
            raise h11.RemoteProtocolError("malformed chunk footer")
        before = len(buf)
        part = super().__call__(buf)
        if isinstance(part, h11.EndOfMessage):
            return part
        self._overhead += before - len(buf)
        if part is not None:
            self._overhead = max(0, self._overhead - 3 * len(part.data) - _FRAMING)
        if self._overhead > MAX_CHUNK_OVERHEAD:
            raise TooLarge(f"more than {MAX_CHUNK_OVERHEAD // 1024} KB of a body that are not data")
        return part
