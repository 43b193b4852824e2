"""Keeps secrets out of everything mitmproxy stores or shows once an exchange is over."""

from __future__ import annotations

from mitmproxy import http

from turnout.settings.secret import MASK, SECRET_HEADERS


def mask_request(request: http.Request) -> None:
    """Replace the values of secret headers. Call it when the request has left: the wire copy is not affected."""
    for name in SECRET_HEADERS:
        if name in request.headers:
            request.headers[name] = MASK
