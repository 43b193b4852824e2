"""Compressed answers: whether one may be opened at all. mitmproxy opens whatever it is, however large it becomes."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from mitmproxy import http
from mitmproxy.net import encoding

_PIECE = 1 << 20
_BROTLI_SLICE = 16
"""Bytes. Brotli of mitmproxy 11 cannot be told to stop; a slice of this size holds no more than two meta-blocks, and
these no more than 16 MB each (RFC 7932, section 9.2)."""


def opens_within(response: http.Response, limit: int) -> bool:
    """Whether the body, unpacked, has at most `limit` bytes. What cannot be unpacked has none to speak of."""
    body, name = response.raw_content or b"", response.headers.get("content-encoding", "").strip().lower()
    if name in ("", "identity"):
        return len(body) <= limit
    opened = 0
    try:
        for piece in _pieces(body, name):
            opened += piece
            if opened > limit:
                return False
    except Exception:  # each library has errors of its own; mitmproxy shows such a body as it came
        return True
    return True


def _pieces(body: bytes, name: str) -> Iterator[int]:
    """The lengths of what comes out, bit by bit."""
    if name in ("gzip", "x-gzip", "deflate", "deflateraw"):
        yield from _zlib_pieces(body)
    elif name == "br":
        machine: Any = encoding.brotli.Decompressor()
        for start in range(0, len(body), _BROTLI_SLICE):
            yield len(machine.process(body[start : start + _BROTLI_SLICE]))
    elif name == "zstd":
        yield from _zstd_pieces(body)


def _zlib_pieces(body: bytes) -> Iterator[int]:
    while body:
        # As in mitmproxy: deflate may come without the header of zlib, and gzip in several members.
        machine = zlib.decompressobj(47 if body[:1] in (b"\x1f", b"\x78") else -15)
        while body and not machine.eof:
            yield len(machine.decompress(body, _PIECE))
            body = machine.unconsumed_tail
        body = machine.unused_data


def _zstd_pieces(body: bytes) -> Iterator[int]:
    zstd: Any = encoding.zstd  # zstandard in mitmproxy 11, the standard library's in 12
    stream = (
        zstd.ZstdFile(BytesIO(body))
        if hasattr(zstd, "ZstdFile")
        else zstd.ZstdDecompressor().stream_reader(BytesIO(body), read_across_frames=True)
    )
    while piece := stream.read(_PIECE):
        yield len(piece)
