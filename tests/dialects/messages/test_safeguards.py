"""Auto mode: results that say that nobody was asked."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from turnout.dialects.messages.reply import ForeignReply
from turnout.dialects.messages.safeguards import NO_VERDICT, RESULTS, asks_about_tool_use
from turnout.wire.splice import top_level

OWN = [{"type": "dangerous_tool_use", "status": {"type": "unsupported"}}]


@pytest.mark.parametrize(
    ("asked", "about_tool_use"),
    [
        (b'[{"type":"dangerous_tool_use","classifier_context":{}}]', True),
        (b'[null,{"type":"new"},{"type":"dangerous_tool_use"}]', True),
        (b"[]", False),
        (b'[{"type":"new"}]', False),
        (b'{"type":"dangerous_tool_use"}', False),
        (b'["dangerous_tool_use"]', False),
        (b'"\\ud800"', False),
        (None, False),
    ],
)
def test_what_a_request_asks_about(asked: bytes | None, about_tool_use: bool) -> None:
    assert asks_about_tool_use(None if asked is None else msgspec.Raw(asked)) is about_tool_use


def _delta(reply: ForeignReply, delta: dict[str, Any]) -> dict[str, Any]:
    """The delta of a message_delta that came with this one."""
    sent = json.dumps({"type": "message_delta", "delta": delta}).encode()
    told: dict[str, Any] = json.loads(reply.delta(sent, top_level(sent) or {}, ""))["delta"]
    return told


@pytest.mark.parametrize(
    ("delta", "given"),
    [
        ({"stop_reason": "end_turn"}, json.loads(NO_VERDICT)),
        ({"stop_reason": None}, None),
        ({}, None),
        ({"stop_reason": "tool_use", RESULTS: OWN}, OWN),
        ({"stop_reason": "tool_use", RESULTS: None}, None),
    ],
)
def test_the_results_come_with_the_reason_to_stop(delta: dict[str, Any], given: Any) -> None:
    reply = ForeignReply("m", safeguard_results=NO_VERDICT)
    start, _ = reply.start(b"{}", {})
    assert RESULTS not in json.loads(start)["message"]
    assert _delta(reply, delta).get(RESULTS) == given


@pytest.mark.parametrize(("message", "given"), [({}, json.loads(NO_VERDICT)), ({RESULTS: OWN}, OWN)])
def test_the_results_of_a_whole_message(message: dict[str, Any], given: Any) -> None:
    reply = ForeignReply("m", safeguard_results=NO_VERDICT)
    assert json.loads(reply.message(json.dumps(message).encode()))[RESULTS] == given


def test_who_was_asked_is_not_answered_for() -> None:
    assert RESULTS not in _delta(ForeignReply("m"), {"stop_reason": "end_turn"})
    assert RESULTS not in json.loads(ForeignReply("m").message(b"{}"))
