"""What is kept of a request, what is told as a difference, and what counts as asked twice."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.scenarios import SCENARIOS
from tests.e2e.shape import RECORDED
from tests.e2e.structure import differences, structure_of
from tests.e2e.turns import asked_twice, texts, tool_outputs
from tests.e2e.versions import LADDER, PINNED, package
from turnout.testing.wire import RecordedRequest

ENDPOINT = "POST /v1/messages?beta=true"
WORDS = "these words are somebody's own"
MARK = {"cache_control": {"type": "ephemeral"}}


def request(*messages: dict[str, Any], betas: str = "effort-2025-11-24", **fields: Any) -> RecordedRequest:
    body = {"model": "claude-opus-5-5", "messages": list(messages), "tools": [{"name": "Bash"}], **fields}
    headers = [("anthropic-beta", betas), ("User-Agent", WORDS), ("x-app", "cli")]
    return RecordedRequest("POST", "/v1/messages?beta=true", headers, json.dumps(body).encode())


def user(text: str, **fields: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text, **fields}]}


def result(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": content}]}


def test_the_structure_has_switches_and_no_words() -> None:
    identity = json.dumps({"device_id": WORDS, "session_id": WORDS})
    lines = structure_of([request(user(WORDS, **MARK), metadata={"user_id": identity}, max_tokens=5)])[ENDPOINT]
    assert WORDS not in json.dumps(lines)
    assert {
        "beta effort-2025-11-24",
        "header User-Agent",
        "header x-app: cli",
        "max_tokens = 5",
        'messages[user].content[text].cache_control.type = "ephemeral"',
        "messages[user].content[text].text: text",
        "metadata.user_id holds device_id, session_id",
        "tools[].name = Bash",
    } < set(lines)


def test_what_is_new_and_what_is_gone() -> None:
    before = structure_of([request(user("x"), betas="a-2026-01-01", speed="fast")])
    after = structure_of([request(user("y"), betas="a-2026-01-01,b-2026-01-01")])
    assert differences({"tool": before}, {"tool": before}) == []
    assert differences({"tool": before}, {"tool": after}) == [
        "- tool: POST messages: speed: text",
        "+ tool: POST messages: beta b-2026-01-01",
    ]
    assert differences({"tool": before}, {"tool": {"GET /v1/models": ["header Host"]}}) == [
        "+ tool: GET /v1/models",
        f"- tool: {ENDPOINT}",
    ]
    assert differences({}, {"new": before}) == [f"+ new: {ENDPOINT}"]


def test_a_retry_is_a_conversation_that_is_asked_twice() -> None:
    """Also without a thought or an option that was there the first time, and with a marker elsewhere."""
    thought = {"type": "thinking", "thinking": "x", "signature": "y"}
    said = {"type": "text", "text": "said"}
    first = request(user("x"), {"role": "assistant", "content": [thought, said]}, user("y", **MARK), speed="fast")
    again = request(user("x", **MARK), {"role": "assistant", "content": [said]}, user("y"))
    assert len(asked_twice([first, again])) == 1
    assert asked_twice([first, request(user("x"))]) == []
    assert asked_twice([request(user("x")), request(user("x"), tools=[])]) == [], "a title is another request"


def test_what_tools_said_is_without_reminders() -> None:
    reminded = request(result("42\n\n<system-reminder>\nmany tokens left\n</system-reminder>"), user("on"))
    assert tool_outputs(reminded) == ["42"]
    assert texts(reminded) == ["on"]


def test_what_was_recorded_is_of_the_pinned_version() -> None:
    recorded = json.loads(RECORDED.read_text())
    assert recorded["version"] == PINNED
    assert set(recorded["scenarios"]) == set(SCENARIOS)
    assert all(each["difference"] and each["reason"] for each in recorded["explained"])
    assert package().startswith("@anthropic-ai/claude-code-") and len(LADDER) == 5
