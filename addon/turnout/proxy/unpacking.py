"""Compressed answers that have come as a whole: mitmproxy opens whatever it is, however large it becomes."""

from __future__ import annotations

from mitmproxy import http

from turnout.wire.compression import TooMuch, Unreadable, unpacked


def unpack(response: http.Response, limit: int) -> bool:
    """Make the answer plain, which every client can read. False when it has more than `limit` bytes.

    One that cannot be opened stays as it came.
    """
    body, encoding = response.raw_content or b"", response.headers.get("content-encoding", "")
    if encoding.strip().lower() in ("", "identity"):
        return len(body) <= limit
    try:
        response.raw_content = unpacked(body, encoding, limit)
    except TooMuch:
        return False
    except Unreadable:
        return True
    del response.headers["content-encoding"]
    if "content-length" in response.headers:
        response.headers["content-length"] = str(len(response.raw_content))
    return True
