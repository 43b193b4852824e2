"""What the client gets in the place of mitmproxy's own HTML error pages."""

from __future__ import annotations

from mitmproxy import http

from turnout.errors import error_body


def local_error(status: int, message: str) -> http.Response:
    """An answer in Anthropic's error shape for faults found below the addon (bad HTTP, no connection)."""
    kind = "invalid_request_error" if status < 500 else "api_error"
    if status == 413:
        kind = "request_too_large"
    return http.Response.make(status, error_body("anthropic", kind, message), {"content-type": "application/json"})
