"""A complete error answer, told in a stream of Messages that has already begun."""

from __future__ import annotations

from turnout.dialects.error_body import read_error_body
from turnout.errors import TYPE_OF_STATUS, error_event


def told_as_event(status: int, body: bytes) -> bytes:
    """The last event of that stream. What is no error in Anthropic's shape is told by its status."""
    if not read_error_body(body).shaped:
        kind = TYPE_OF_STATUS.get(status, "api_error")
        return error_event("anthropic", kind, f"The answer was an error with status {status}.")
    return b"event: error\ndata: " + b" ".join(body.splitlines()) + b"\n\n"  # a line end would end its data
