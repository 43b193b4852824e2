"""Compressed bodies as servers make them."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import brotli
from mitmproxy.net import encoding


def pack(data: bytes, encodings: str) -> bytes:
    """In these encodings, applied in their order."""
    for name in encodings.split(","):
        data = _PACKED[name.strip()](data)
    return data


def flushed(data: bytes, name: str) -> bytes:
    """The beginning of a compressed body, out of which all of the data can be read."""
    if name == "br":
        machine: Any = brotli.Compressor()
        return bytes(machine.process(data) + machine.flush())
    if name == "zstd":
        return zstd_flushed(data)
    packer = zlib.compressobj(wbits=31)
    return packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)


def zstd(data: bytes) -> bytes:
    """One frame."""
    library: Any = _zstd()
    packed: bytes = library.compress(data) if hasattr(library, "ZstdFile") else library.ZstdCompressor().compress(data)
    return packed


def zstd_flushed(data: bytes) -> bytes:
    library: Any = _zstd()
    if hasattr(library, "ZstdFile"):
        machine = library.ZstdCompressor()
        return bytes(machine.compress(data, machine.FLUSH_BLOCK))
    packer = library.ZstdCompressor().compressobj()
    return bytes(packer.compress(data) + packer.flush(library.COMPRESSOBJ_FLUSH_BLOCK))


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def _zstd() -> Any:
    return encoding.zstd  # zstandard in mitmproxy 11, the standard library's in 12


_PACKED: dict[str, Any] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd,
}
