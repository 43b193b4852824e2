"""Errors in Anthropic's shape, read. How they are written is in `errors`."""

from __future__ import annotations

from typing import Literal

import msgspec

from turnout.errors import TYPE_OF_STATUS, error_event
from turnout.wire.splice import UNREADABLE


class _Told(msgspec.Struct):
    type: str
    message: str


class _ErrorAnswer(msgspec.Struct):
    type: Literal["error"]
    error: _Told


_ERROR_ANSWER = msgspec.json.Decoder(_ErrorAnswer)


def shaped_type(body: bytes) -> str | None:
    """The type of an error as Anthropic sends it; None for a body that is none."""
    try:
        return _ERROR_ANSWER.decode(body).error.type
    except UNREADABLE:
        return None


def told_as_event(status: int, body: bytes) -> bytes:
    """A complete error answer as the last event of a stream of Messages that has already begun.

    What is no error in Anthropic's shape is told by its status.
    """
    if shaped_type(body) is None:
        kind = TYPE_OF_STATUS.get(status, "api_error")
        return error_event("anthropic", kind, f"The answer was an error with status {status}.")
    return b"event: error\ndata: " + b" ".join(body.splitlines()) + b"\n\n"  # a line end would end its data
