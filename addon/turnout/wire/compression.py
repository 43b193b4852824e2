"""Compressed request bodies, opened without letting a small one become a huge one."""

from __future__ import annotations

import zlib

from turnout.errors import InvalidRequest, RequestTooLarge

_WINDOW = {"gzip": 31, "x-gzip": 31, "deflate": 47}
"""`wbits` of zlib: gzip, and zlib or gzip by their header."""


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """The plain body. The same object when it is not compressed.

    Raises RequestTooLarge as soon as more than `limit` bytes come out, InvalidRequest for what cannot be opened.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in _WINDOW:
        raise InvalidRequest(f"content-encoding {name!r} is not understood; send gzip, deflate or no encoding.")
    machine = zlib.decompressobj(_WINDOW[name])
    try:
        plain = machine.decompress(body, limit + 1)
    except zlib.error as error:
        raise InvalidRequest(f"The request body is not valid {name}: {error}.") from None
    if len(plain) > limit:
        raise RequestTooLarge(f"Request exceeds the maximum size of {limit} bytes (access.max_body) when unpacked.")
    if not machine.eof:
        raise InvalidRequest(f"The request body ends in the middle of its {name} data.")
    return plain
