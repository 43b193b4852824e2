"""What a scripted provider answers to a request that its rules refuse."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Refusal(Exception):
    """An answer of the validator: status, error type and message."""

    status: int
    type: str
    message: str


def require(condition: bool, message: str) -> None:
    """Raises Refusal (400) with this message unless the condition holds."""
    if not condition:
        raise Refusal(400, "invalid_request_error", message)
