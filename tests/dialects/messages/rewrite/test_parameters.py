"""Thinking, effort, max_tokens, tools, cache markers and betas."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.dialects.messages.rewrite.support import MODEL, assistant, body_of, result_of, rewritten, said, user
from turnout.dialects.messages.rewrite import Subject

ADAPTIVE = {"type": "adaptive"}
EFFORT = {"effort": "high"}
SAFE = {"thinking": {"adaptive": "enabled", "between_tools": "disabled"}}


def enabled(budget: int, **more: Any) -> dict[str, Any]:
    return {"type": "enabled", "budget_tokens": budget, **more}


@pytest.mark.parametrize(
    ("fields", "rules", "thinking", "max_tokens"),
    [
        ({"thinking": ADAPTIVE}, SAFE, enabled(16000), 32000),
        ({"thinking": ADAPTIVE, "output_config": EFFORT}, SAFE, enabled(30976), 32000),
        ({"thinking": ADAPTIVE, "output_config": {"effort": "low"}}, SAFE, enabled(8000), 32000),
        ({"thinking": ADAPTIVE, "max_tokens": 4096}, SAFE, enabled(3072), 4096),
        ({"thinking": ADAPTIVE, "max_tokens": 2047}, SAFE, None, 2047),
        ({"thinking": {"type": "between_tools"}}, SAFE, {"type": "disabled"}, 32000),
        ({"thinking": {"type": "disabled"}}, SAFE, {"type": "disabled"}, 32000),
        ({"thinking": enabled(31999)}, SAFE, enabled(30976), 32000),
        ({"thinking": enabled(31999)}, {**SAFE, "max_tokens": 8192}, enabled(7168), 8192),
        ({"thinking": enabled(31999)}, {"thinking_budget": 10000}, enabled(10000), 32000),
        ({"thinking": enabled(31999), "max_tokens": 31999}, {}, enabled(31999), 31999),
        ({"thinking": ADAPTIVE}, {"thinking": {"adaptive": "drop"}}, None, 32000),
        ({"thinking": ADAPTIVE}, {"thinking": {"adaptive": "keep"}}, ADAPTIVE, 32000),
        ({"max_tokens": 64000}, {"max_tokens": 8192}, None, 8192),
        ({"max_tokens": 0}, {"clamp": {"max_tokens": [1, 100]}}, None, 1),
    ],
)
def test_thinking_fits_the_provider(fields: Any, rules: Any, thinking: Any, max_tokens: int) -> None:
    found = result_of(body_of(**fields), **rules)
    assert found.get("thinking") == thinking
    assert found["max_tokens"] == max_tokens


@pytest.mark.parametrize(
    ("asked", "sent", "thinking", "expected", "effort"),
    [
        ("claude-haiku-4-5", "claude-opus-5-5", enabled(31999), ADAPTIVE, "high"),
        ("claude-haiku-4-5", "claude-opus-4-8", enabled(9000), ADAPTIVE, "low"),
        ("claude-haiku-4-5", "claude-opus-4-6", enabled(9000), enabled(9000), None),
        ("claude-opus-5-5", "claude-haiku-4-5-20251001", ADAPTIVE, enabled(31999), None),
        ("claude-opus-5-5", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", ADAPTIVE, enabled(31999), None),
        ("claude-opus-5-5", "claude-3-5-haiku-20241022", ADAPTIVE, None, None),
        ("claude-opus-5-5", "claude-3-7-sonnet-20250219", ADAPTIVE, enabled(16000), None),
        ("claude-opus-5-5", "claude-opus-5-5", enabled(2000), enabled(2000), None),
        ("claude-opus-5-5", "glm-5", ADAPTIVE, ADAPTIVE, None),
    ],
)
def test_another_claude_gets_the_thinking_of_its_generation(
    asked: str, sent: str, thinking: Any, expected: Any, effort: str | None
) -> None:
    found = result_of(body_of(thinking=thinking), Subject(sent, asked))
    assert found.get("thinking") == expected
    assert found.get("output_config", {}).get("effort") == effort


def test_a_newer_claude_gets_no_sampling_parameters_meant_for_an_older_one() -> None:
    body = body_of(temperature=0.2, top_k=3)
    found = result_of(body, Subject("claude-opus-5-5", "claude-haiku-4-5"))
    assert "temperature" not in found
    assert "top_k" not in found
    assert rewritten(body, None, Subject("claude-haiku-4-5", "claude-haiku-4-5")).rules == ("model",)


@pytest.mark.parametrize(
    ("model", "fields", "thinking", "effort", "max_tokens"),
    [
        ("claude-sonnet-4-5", {"max_tokens": 1000}, enabled(32000), None, 33024),
        ("claude-sonnet-4-5", {"max_tokens": 64000}, enabled(32000), None, 64000),
        ("claude-opus-5-5", {"max_tokens": 1000}, ADAPTIVE, "high", 1000),
        ("claude-sonnet-4-5", {"thinking": enabled(2000)}, enabled(2000), None, 32000),
        ("claude-opus-5-5", {"output_config": {"effort": "low"}}, None, "low", 32000),
        ("claude-sonnet-4-5", {"tool_choice": {"type": "any"}}, None, None, 32000),
        ("claude-3-5-haiku-20241022", {}, None, None, 32000),
    ],
)
def test_a_reasoning_suffix_asks_for_thinking_unless_the_client_did(
    model: str, fields: Any, thinking: Any, effort: str | None, max_tokens: int
) -> None:
    """E9, E10."""
    found = result_of(body_of(**fields, temperature=0.5), Subject(model, model, effort="high"))
    assert found.get("thinking") == thinking
    assert found.get("output_config", {}).get("effort") == effort
    assert found["max_tokens"] == max_tokens
    assert ("temperature" in found) == (thinking is None or "thinking" in fields)


def test_a_reasoning_suffix_brings_its_betas() -> None:
    """E5."""
    found = rewritten(body_of(), None, Subject("claude-opus-5-5", "x", ("mine-2026-01-01",), effort="low"))
    assert found.betas == ("mine-2026-01-01", "interleaved-thinking-2025-05-14", "effort-2025-11-24")


def test_a_reasoning_suffix_reaches_a_foreign_provider_as_a_budget() -> None:
    found = result_of(body_of(max_tokens=100), Subject("glm-5", "claude-opus-5-5", effort="medium"), **SAFE)
    assert found["thinking"] == enabled(16000)
    assert found["max_tokens"] == 17024


TOOL = {"name": "Bash", "description": "d", "input_schema": {"type": "object"}}
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}


@pytest.mark.parametrize(
    ("fields", "rules", "expected"),
    [
        ({"tools": [TOOL, SEARCH]}, {"server_tools": []}, {"tools": [TOOL]}),
        ({"tools": [TOOL, SEARCH]}, {"server_tools": ["web_search*"]}, {"tools": [TOOL, SEARCH]}),
        ({"tools": [TOOL, SEARCH]}, {"refused_tools": ["web_search_20250305"]}, {"tools": [TOOL]}),
        (
            {"tools": [SEARCH], "tool_choice": {"type": "tool", "name": "web_search"}},
            {"server_tools": []},
            {},
        ),
        (
            {"tools": [TOOL, SEARCH], "tool_choice": {"type": "tool", "name": "web_search"}},
            {"server_tools": []},
            {"tools": [TOOL]},
        ),
        (
            {"tools": [{**TOOL, "type": "custom", "strict": True, "defer_loading": True}]},
            {"tool_fields": ["name", "description", "input_schema"]},
            {"tools": [TOOL]},
        ),
        ({"tool_choice": {"type": "any"}}, {"tool_choice": {"any": "auto"}}, {"tool_choice": {"type": "auto"}}),
        (
            {"tool_choice": {"type": "tool", "name": "B", "disable_parallel_tool_use": True}},
            {"tool_choice": {"tool": "auto"}},
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        ),
        ({"tool_choice": {"type": "none"}}, {"tool_choice": {"none": "drop"}}, {}),
        (
            {"tool_choice": {"type": "tool", "name": "B"}, "thinking": ADAPTIVE},
            {"tool_choice": {"tool": "without_thinking"}},
            {"tool_choice": {"type": "tool", "name": "B"}, "thinking": {"type": "disabled"}},
        ),
    ],
)
def test_tools_fit_the_provider(fields: Any, rules: Any, expected: Any) -> None:
    assert result_of(body_of(**fields), **rules) == body_of(**expected)


LONG = {"type": "ephemeral", "ttl": "1h", "scope": "global"}


@pytest.mark.parametrize(
    ("known", "expected"), [(["type"], {"type": "ephemeral"}), (["type", "ttl"], {"type": "ephemeral", "ttl": "1h"})]
)
def test_a_breakpoint_keeps_what_the_provider_knows_of_it(known: list[str], expected: Any) -> None:
    """A18."""
    body = body_of(system=[said("P", cache_control=LONG)], tools=[{**TOOL, "cache_control": LONG}])
    found = result_of(body, cache_fields=known)
    assert found["system"][0]["cache_control"] == found["tools"][0]["cache_control"] == expected


def test_markers_go_where_nothing_of_them_is_known() -> None:
    body = body_of(system=[said("P", cache_control=LONG)], messages=[user(said("U", cache_control=LONG))])
    found = rewritten(body, None, Subject(MODEL, MODEL, ("prompt-caching-scope-2026-01-05",)), cache_fields=[])
    assert b"cache_control" not in found.body
    assert found.betas == ()


def test_breakpoints_for_clients_that_set_none() -> None:
    """E6."""
    mark = {"type": "ephemeral"}
    messages = [user("A"), assistant("B"), user("C"), assistant("D"), user(said("E"), said("F"))]
    body = body_of(system="P", messages=messages)
    found = result_of(body, auto_cache=True)
    assert found["system"] == [said("P", cache_control=mark)]
    assert found["messages"] == [
        user("A"), assistant("B"), user(said("C", cache_control=mark)), assistant("D"),
        user(said("E"), said("F", cache_control=mark)),
    ]  # fmt: skip
    assert rewritten(found, auto_cache=True).rules == ()


@pytest.mark.parametrize(
    "marked",
    [
        {"cache_control": {"type": "ephemeral"}},
        {"system": [said("P", cache_control={"type": "ephemeral"})]},
        {"tools": [{**TOOL, "cache_control": {"type": "ephemeral"}}]},
        {"messages": [user(said("U", cache_control={"type": "ephemeral"}))]},
    ],
)
def test_a_client_with_breakpoints_of_its_own_gets_no_others(marked: Any) -> None:
    """E6."""
    assert rewritten(body_of(**marked), auto_cache=True).rules == ()


CONTEXT = "context-management-2025-06-27"
EDITS = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}


@pytest.mark.parametrize(
    ("rules", "betas", "left"),
    [
        ({}, (CONTEXT, "x-2026-01-01"), True),
        ({"keep_betas": []}, (), False),
        ({"keep_betas": ["x-*"]}, ("x-2026-01-01",), False),
        ({"keep_betas": ["context-management-*"]}, (CONTEXT,), True),
        ({"drop_betas": [CONTEXT]}, ("x-2026-01-01",), False),
        ({"drop": ["context_management"]}, ("x-2026-01-01",), False),
    ],
)
def test_a_beta_and_its_field_go_together(rules: Any, betas: tuple[str, ...], left: bool) -> None:
    subject = Subject(MODEL, MODEL, (CONTEXT, "x-2026-01-01"))
    found = rewritten(body_of(context_management=EDITS), None, subject, **rules)
    assert found.betas == betas
    assert ("context_management" in json.loads(found.body)) == left


def test_a_field_goes_although_its_beta_was_not_even_sent() -> None:
    assert "speed" not in result_of(body_of(speed="fast"), keep_betas=["context-management-*"])


CLEAR = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}
OTHER = {"type": "clear_tool_uses_20250919"}


@pytest.mark.parametrize(
    ("fields", "model", "rules", "left"),
    [
        ({"thinking": ADAPTIVE}, "claude-3-5-haiku-20241022", {}, None),
        ({"thinking": ADAPTIVE, "max_tokens": 500}, "claude-haiku-4-5", {}, None),
        ({"thinking": ADAPTIVE}, "claude-haiku-4-5", {}, CLEAR),
        ({"thinking": ADAPTIVE}, "m", {"thinking": {"adaptive": "drop"}}, None),
        ({"thinking": ADAPTIVE}, "m", {"thinking": {"adaptive": "disabled"}}, None),
        ({"tool_choice": {"type": "tool", "name": "B"}}, "m", {"tool_choice": {"tool": "without_thinking"}}, None),
    ],
)
def test_an_edit_of_thinking_goes_with_the_thinking(fields: Any, model: str, rules: Any, left: Any) -> None:
    subject = Subject(model, "claude-opus-4-8", (CONTEXT,))
    found = rewritten(body_of(**fields, context_management=CLEAR), None, subject, **rules)
    assert json.loads(found.body).get("context_management") == left
    assert found.betas == ((CONTEXT,) if left else ())


def test_other_edits_stay_when_thinking_goes() -> None:
    edits = {"edits": [*CLEAR["edits"], OTHER]}
    found = result_of(body_of(thinking=ADAPTIVE, context_management=edits), thinking={"adaptive": "drop"})
    assert found["context_management"] == {"edits": [OTHER]}


@pytest.mark.parametrize(
    ("model", "kept"),
    [("claude-haiku-4-5", False), ("claude-opus-4-5-20251101", True), ("claude-opus-4-6", True), ("glm-5", True)],
)
def test_an_older_claude_gets_no_effort(model: str, kept: bool) -> None:
    subject = Subject(model, "claude-opus-4-8", ("effort-2025-11-24",))
    found = rewritten(body_of(output_config=EFFORT), None, subject)
    assert (json.loads(found.body).get("output_config") == EFFORT) == kept
    assert bool(found.betas) == kept


def test_the_table_of_a_provider_outranks_what_a_name_tells() -> None:
    """A server may serve anything under a name of Claude's."""
    found = rewritten(body_of(thinking=enabled(2000)), None, Subject("claude-opus-5-5", "claude-haiku-4-5"), **SAFE)
    assert json.loads(found.body)["thinking"] == enabled(2000)


@pytest.mark.parametrize("rules", [{"set": {"max_tokens": 4096}}, {"clamp": {"max_tokens": [1, 4096]}}])
def test_a_budget_fits_max_tokens_that_a_rule_sets(rules: Any) -> None:
    assert result_of(body_of(thinking=enabled(10000)), **rules)["thinking"] == enabled(3072)


def test_a_budget_is_limited_where_tokens_are_only_counted() -> None:
    body = body_of(thinking=ADAPTIVE, max_tokens=None)
    assert result_of(body, **SAFE, thinking_budget=2000)["thinking"] == enabled(2000)


def test_breakpoints_for_a_client_whose_own_did_not_stay() -> None:
    """E6: a marker at the top level goes where the provider does not know it."""
    body = body_of(cache_control={"type": "ephemeral"})
    found = result_of(body, auto_cache=True, drop=["cache_control"])
    assert found["messages"] == [user(said("hello", cache_control={"type": "ephemeral"}))]


@pytest.mark.parametrize("rules", [{"cache_fields": []}, {"drop": ["messages[*].content[*].cache_control"]}])
def test_breakpoints_that_a_rule_refuses_are_not_set(rules: Any) -> None:
    body = body_of()
    assert b"cache_control" not in rewritten(body, auto_cache=True, **rules).body


def test_an_edit_of_thinking_goes_with_thinking_that_a_rule_drops() -> None:
    body = body_of(thinking=ADAPTIVE, context_management=CLEAR)
    assert "context_management" not in result_of(body, drop=["thinking"])
