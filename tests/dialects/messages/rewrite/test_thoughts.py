"""Thoughts that a model wants given back: thinking is turned off where some are missing, or others stand in."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dialects.messages.rewrite.support import (
    MODEL,
    assistant,
    body_of,
    call,
    result,
    result_of,
    rewritten,
    said,
    system,
    thought,
    user,
)
from turnout.dialects.messages.rewrite import Subject
from turnout.dialects.messages.rewrite.thoughts import STAND_IN

FOREIGN = Subject(MODEL, MODEL, signs_as="deepseek")
THINKS = {"type": "enabled", "budget_tokens": 8000}
OFF = {"type": "disabled"}
CALLED = [user("list"), assistant(call("a")), user(result("a"))]
THOUGHT = [user("list"), assistant(thought("hm"), call("a")), user(result("a"))]
TALKED = [user("hello"), assistant("hi"), user("go on")]
LATER = [*CALLED, assistant("done"), user("and now?")]


def of(messages: list[dict[str, Any]], thoughts: str, subject: Subject = FOREIGN, **table: Any) -> dict[str, Any]:
    body = body_of(messages=messages, thinking=THINKS, output_config={"effort": "high"})
    return result_of(body, subject, thoughts=thoughts, **table)


@pytest.mark.parametrize(
    ("messages", "thoughts", "off"),
    [
        (CALLED, "with_calls", True),
        (LATER, "with_calls", True),
        (THOUGHT, "with_calls", False),
        (TALKED, "with_calls", False),
        ([user("hello")], "always", False),
        (TALKED, "always", True),
        (CALLED, "in_turn", True),
        (LATER, "in_turn", False),
        (CALLED, "optional", False),
    ],
)
def test_thinking_is_off_while_thoughts_are_missing(messages: list[dict[str, Any]], thoughts: str, off: bool) -> None:
    """And on again where they are not: after the conversation was compacted, or in another one."""
    found = of(messages, thoughts)
    assert found["thinking"] == (OFF if off else THINKS)
    assert ("output_config" in found) is not off, "an effort asks for thinking as well"
    assert found["messages"] == messages


def test_a_model_that_thinks_by_default_is_told_not_to() -> None:
    found = rewritten(body_of(messages=CALLED), None, FOREIGN, thoughts="with_calls")
    assert b'"thinking":{"type":"disabled"}' in found.body
    assert found.rules == ("thinking by default→disabled",)


@pytest.mark.parametrize(
    "table", [{"thinking": {"disabled": "drop"}}, {"drop": ["thinking"]}], ids=["always thinks", "without a switch"]
)
def test_where_thinking_cannot_be_off_others_stand_in(table: dict[str, Any]) -> None:
    found = of([*CALLED, assistant(thought("so"), said("done")), user("and now?")], "with_calls", **table)
    stand_in = {"type": "thinking", "thinking": STAND_IN, "signature": ""}
    assert found["messages"][1] == assistant(stand_in, call("a"))
    assert found["messages"][3] == assistant(thought("so"), said("done"))
    assert found.get("thinking", THINKS) == THINKS


def test_filled_means_every_answer() -> None:
    found = of([*CALLED, assistant("done"), user("and now?")], "filled")
    assert [block["type"] for block in found["messages"][1]["content"]] == ["thinking", "tool_use"]
    assert [block["type"] for block in found["messages"][3]["content"]] == ["thinking", "text"]
    assert found["thinking"] == THINKS


def test_the_effort_of_claude_is_no_thinking() -> None:
    found = of(CALLED, "in_turn", Subject(MODEL, MODEL))
    assert found["thinking"] == OFF and found["output_config"] == {"effort": "high"}


def test_what_is_no_answer_has_no_thoughts() -> None:
    messages = [system("be brief"), user("hello"), {"role": "assistant", "content": []}, user("go on")]
    assert of(messages, "always")["thinking"] == THINKS


@pytest.mark.parametrize(("stream", "thinking"), [(True, THINKS), (False, OFF), (None, OFF)])
def test_some_think_only_in_a_stream(stream: bool | None, thinking: dict[str, Any]) -> None:
    found = result_of(body_of(stream=stream, thinking=THINKS), FOREIGN, whole_answers="without_thinking")
    assert found["thinking"] == thinking


# --- one rule must not undo what another is there for ---


@pytest.mark.parametrize(
    ("mode", "table", "made"),
    [
        ("between_tools", {"between_tools": "disabled", "disabled": "drop"}, None),
        ("adaptive", {"adaptive": "enabled", "enabled": "drop"}, None),
        ("adaptive", {"adaptive": "enabled", "enabled": "keep"}, "enabled"),
        ("between_tools", {"between_tools": "disabled", "disabled": "enabled"}, "enabled"),
        ("adaptive", {"adaptive": "enabled", "enabled": "adaptive"}, "enabled"),
        ("enabled", {"adaptive": "enabled", "enabled": "adaptive"}, "adaptive"),
        ("disabled", {"adaptive": "enabled"}, "disabled"),
    ],
)
def test_no_mode_becomes_one_that_is_refused_as_well(mode: str, table: dict[str, str], made: str | None) -> None:
    asked = {**THINKS, "type": mode} if mode == "enabled" else {"type": mode}
    assert result_of(body_of(thinking=asked), thinking=table).get("thinking", {}).get("type") == made


def test_a_tool_is_not_forced_where_thinking_cannot_be_off() -> None:
    body = body_of(thinking=THINKS, tool_choice={"type": "tool", "name": "Bash"})
    rules = {"tool_choice": {"tool": "without_thinking"}, "thinking": {"disabled": "drop"}}
    found = result_of(body, **rules)
    assert found["tool_choice"] == {"type": "auto"} and found["thinking"] == THINKS


@pytest.mark.parametrize(
    ("budget", "most", "made"), [(2000, 32000, 4096), (8000, 32000, 8000), (2000, 4000, None), (2000, 5120, 4096)]
)
def test_the_least_budget(budget: int, most: int, made: int | None) -> None:
    body = body_of(thinking={"type": "enabled", "budget_tokens": budget}, max_tokens=most)
    found = result_of(body, least_thinking_budget=4096)
    assert found.get("thinking", {}).get("budget_tokens") == made
