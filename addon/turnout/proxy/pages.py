"""What the client gets in the place of mitmproxy's own HTML error pages."""

from __future__ import annotations

from mitmproxy import http

from turnout.dialects.messages.shaped import told_as_event
from turnout.errors import FAILED, Dialect, dialect_of, error_body
from turnout.wire.headers import is_event_stream

GATE_CLOSED = "Turnout is not in charge of this request, so nothing was sent. Ask again, and see its log."

_FAULT = b'{"type":"error","error":{"type":"api_error","message":"%b"}}' % FAILED.encode()
LAST_RESORT = (
    b"HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/json\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(_FAULT), _FAULT)
)
"""Where nothing else works any more."""


_ADVICE = " Disable the validate_inbound_headers option"
_CONNECT = "mitmproxy received an HTTP CONNECT request"


def plain_reason(message: str) -> str:
    """mitmproxy's reason for refusing a request, without advice that would open what is shut here."""
    if message.startswith(_CONNECT):
        return "CONNECT is not served here: this is no proxy for other addresses."
    return message.partition(_ADVICE)[0]


def local_error(status: int, message: str, dialect: Dialect) -> http.Response:
    """An answer in the API's error shape for faults found below the addon (bad HTTP, no connection)."""
    kind = "invalid_request_error" if status < 500 else "api_error"
    if status == 413:
        kind = "request_too_large"
    content = error_body(dialect, kind, message)
    return http.Response.make(status, content, {"content-type": "application/json"})


def as_last_event(answer: http.Response) -> bytes:
    """A complete answer as the rest of a stream that has begun: an error as its event, a stream as it is."""
    content = answer.get_content(strict=False) or b""
    is_stream = answer.status_code < 300 and is_event_stream(answer.headers)
    return content if is_stream else told_as_event(answer.status_code, content)


def gate_closed(path: str) -> http.Response:
    """The answer to a request that Turnout has not prepared: its script is being replaced, is broken, or was passed
    over by a fault in another addon. The client may come again."""
    answer = local_error(503, GATE_CLOSED, dialect_of(path))
    answer.headers["x-should-retry"] = "true"
    answer.headers["retry-after"] = "1"
    return answer
