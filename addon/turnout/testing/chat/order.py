"""The order of messages: each call is answered at once, and what single servers ask beyond that."""

from __future__ import annotations

from typing import Any

from turnout.testing.chat.problem import ChatProblem
from turnout.testing.chat.vendor import ChatVendor

_STRAY = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
_UNANSWERED = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
    "The following tool_call_ids did not have response messages: {}"
)


def check_order(own: ChatVendor, messages: list[dict[str, Any]]) -> None:
    """Raises ChatProblem."""
    _check_answered(messages)
    if own.needs_user and all(message["role"] != "user" for message in messages):
        raise ChatProblem("order", ("messages", len(messages) - 1), "a message of the user is required")
    if own.follows is not None:
        _check_following(own.follows, messages)


def _check_answered(messages: list[dict[str, Any]]) -> None:
    """Every call has exactly one tool message, before anybody else speaks."""
    waiting: list[str] = []
    caller = 0
    for position, message in enumerate(messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                raise ChatProblem("order", ("messages", position), _STRAY)
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            raise ChatProblem("order", ("messages", position), _UNANSWERED.format(", ".join(waiting)))
        if message["role"] == "assistant":
            waiting = [call["id"] for call in message.get("tool_calls") or ()]
            caller = position
    if waiting:
        raise ChatProblem("order", ("messages", caller), _UNANSWERED.format(", ".join(waiting)))


def _check_following(follows: Any, messages: list[dict[str, Any]]) -> None:
    before = ""
    for position, message in enumerate(messages):
        role = message["role"]
        if role not in follows[before]:
            said = f"Unexpected role '{role}' after role '{before}'"
            kind = "invalid_request_message_order"
            raise ChatProblem("own", ("messages", position), said, "3230", type=kind)
        before = role
    if before not in ("user", "tool"):
        said = f"Expected last role User or Tool (or Assistant with prefix True) for serving but got {before}"
        raise ChatProblem("own", ("messages",), said, "3230", type="invalid_request_message_order")
