"""Keeps secrets out of everything mitmproxy stores or shows once an exchange is over."""

from __future__ import annotations

from mitmproxy import http

from turnout.settings.secret import MASK, SECRET_HEADERS

_SECRET = frozenset(name.encode() for name in SECRET_HEADERS)
_MASK = MASK.encode()


def mask_request(request: http.Request) -> None:
    """Replace the values of secret headers. Call it when the request has left: the wire copy is not affected."""
    fields = request.headers.fields
    # One pass over the raw fields: every look-up in mitmproxy's headers goes through all of them.
    if any(name.lower() in _SECRET for name, _ in fields):
        request.headers.fields = tuple((name, _MASK if name.lower() in _SECRET else value) for name, value in fields)
