"""What the client gets in the place of mitmproxy's own HTML error pages."""

from __future__ import annotations

from mitmproxy import http

from turnout.errors import error_body

GATE_CLOSED = "Turnout is not in charge of this request, so nothing was sent. Ask again, and see its log."


def local_error(status: int, message: str) -> http.Response:
    """An answer in Anthropic's error shape for faults found below the addon (bad HTTP, no connection)."""
    kind = "invalid_request_error" if status < 500 else "api_error"
    if status == 413:
        kind = "request_too_large"
    return http.Response.make(status, error_body("anthropic", kind, message), {"content-type": "application/json"})


def gate_closed() -> http.Response:
    """The answer to a request that Turnout has not prepared: its script is being replaced, is broken, or was passed
    over by a fault in another addon. The client may come again."""
    answer = local_error(503, GATE_CLOSED)
    answer.headers["x-should-retry"] = "true"
    answer.headers["retry-after"] = "1"
    return answer
