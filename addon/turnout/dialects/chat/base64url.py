"""Bytes in the letters that ids and signatures may have: RFC 4648, section 5, without padding."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode


def coded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Raises ValueError for what is not coded so."""
    return b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
