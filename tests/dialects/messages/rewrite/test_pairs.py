"""A beta and its half of the body go together, and what nobody has described goes to nobody else."""

from __future__ import annotations

import json
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
    user,
)
from tests.dialects.messages.shapes import AUTO_BETAS, PLACEHOLDER, entry
from turnout.dialects.messages.rewrite import Subject
from turnout.settings.rewriting import profiles

TOOL = {"name": "Bash", "description": "d", "input_schema": {"type": "object"}}
MARK = {"type": "ephemeral"}
SAFE: dict[str, Any] = profiles()["safe"]
CLAUDE: dict[str, Any] = profiles()["claude"]
ENTRY = "messages[*].output_config"


def subject(*betas: str) -> Subject:
    return Subject(MODEL, MODEL, betas)


PAIRS = [
    ("per-turn-control-2026-07-01", {"messages": [user("U"), entry([said("S")])]}, "'output_config'"),
    ("mid-conversation-output-config-2026-07-01", {"messages": [user("U"), entry("S")]}, "'output_config'"),
    (
        "mid-conversation-system-clear-at-2026-08-21",
        {"messages": [user("U"), {**system("S"), "clear_at": "never"}]},
        "clear_at",
    ),
    ("advanced-tool-use-2025-11-20", {"tools": [{**TOOL, "defer_loading": True}]}, "defer_loading"),
    ("tool-search-tool-2025-10-19", {"tools": [TOOL, PLACEHOLDER]}, "DeferredToolPlaceholder"),
    (
        "advanced-tool-use-2025-11-20",
        {
            "messages": [
                user("U"),
                assistant(call("a")),
                user(result("a", [{"type": "tool_reference", "tool_name": "T"}])),
            ]
        },
        "tool_reference",
    ),
    ("dangerous-tool-use-2026-09-03", {"safeguards": [{"type": "dangerous_tool_use"}]}, "safeguards"),
    ("afk-mode-2026-01-31", {"safeguards": [{"type": "dangerous_tool_use"}]}, "safeguards"),
    ("thinking-display-updates-2026-08-18", {"thinking": {"type": "adaptive", "display": "updates"}}, "updates"),
    ("thinking-binding-controls-2026-08-01", {"thinking": {"type": "adaptive", "block_binding": {}}}, "block_binding"),
    ("extended-cache-ttl-2025-04-11", {"system": [said("P", cache_control={**MARK, "ttl": "1h"})]}, "ttl"),
    ("prompt-caching-scope-2026-01-05", {"system": [said("P", cache_control={**MARK, "scope": "global"})]}, "scope"),
    ("effort-2025-11-24", {"output_config": {"effort": "high"}}, "effort"),
    ("structured-outputs-2025-12-15", {"output_config": {"format": {"type": "json_schema"}}}, "format"),
    ("context-management-2025-06-27", {"context_management": {"edits": []}}, "context_management"),
    ("cache-diagnosis-2026-04-07", {"diagnostics": {"previous_message_id": "msg_1"}}, "diagnostics"),
    ("mcp-client-2025-11-20", {"mcp_servers": [{"type": "url"}]}, "mcp_servers"),
]


@pytest.mark.parametrize(("beta", "fields", "half"), PAIRS)
def test_without_the_beta_its_half_of_the_body_goes(beta: str, fields: Any, half: str) -> None:
    body = body_of(**fields)
    assert half.strip("'") in json.dumps(body)
    found = rewritten(body, None, subject(beta, "other-2026-01-01"), drop_betas=[beta.rpartition("-20")[0] + "-*"])
    if beta.startswith(("mid-conversation-output", "tool-search", "afk")):  # another beta may stand for the same
        found = rewritten(body, None, subject(beta, "other-2026-01-01"), keep_betas=["other-*"])
    assert half not in str(json.loads(found.body)) and found.betas == ("other-2026-01-01",)


@pytest.mark.parametrize(("beta", "fields", "half"), PAIRS)
def test_with_the_beta_it_stays_also_where_a_list_tells_what_is_taken(beta: str, fields: Any, half: str) -> None:
    name = beta.rpartition("-20")[0] + "-*"
    rules = {"fields": ["model", "messages", "max_tokens", "system", "tools", "thinking.type"], "keep_betas": [name]}
    found = rewritten(body_of(**fields), None, subject(beta), **rules, message_fields=["role", "content"])
    assert half in str(json.loads(found.body)) and found.betas == (beta,)


PATHS = {
    "'output_config'": ENTRY,
    "clear_at": "messages[*].clear_at",
    "defer_loading": "tools[*].defer_loading",
    "safeguards": "safeguards",
    "block_binding": "thinking.block_binding",
    "effort": "output_config.effort",
    "format": "output_config.format",
    "context_management": "context_management",
    "diagnostics": "diagnostics",
}


@pytest.mark.parametrize(("beta", "fields", "half"), [pair for pair in PAIRS if pair[2] in PATHS])
def test_the_half_that_a_rule_drops_takes_its_beta_along(beta: str, fields: Any, half: str) -> None:
    assert rewritten(body_of(**fields), None, subject(beta), drop=[PATHS[half]]).betas == ()


def test_five_minutes_of_a_marker_need_no_beta_where_a_list_names_them() -> None:
    body = body_of(system=[said("P", cache_control={**MARK, "ttl": "5m"})])
    rules = {"cache_fields": ["type", "ttl"], "keep_betas": []}
    assert result_of(body, subject("extended-cache-ttl-2025-04-11"), **rules)["system"] == body["system"]


@pytest.mark.parametrize(
    ("rules", "fields"),
    [
        ({"tool_fields": ["name", "description", "input_schema", "defer_loading"]},
         {"tools": [{**TOOL, "defer_loading": True}]}),
        ({"fields": ["model", "messages", "max_tokens", "context_management"]}, {"context_management": {"edits": []}}),
        ({"message_fields": ["role", "content", "output_config"]}, {"messages": [user("U"), entry("S")]}),
        ({"blocks": ["tool_result", "tool_use", "tool_reference"]},
         {"messages": [user("U"), assistant(call("a")),
                       user(result("a", [{"type": "tool_reference", "tool_name": "T"}]))]}),
    ],
)  # fmt: skip
def test_what_a_user_names_stays_without_its_beta(rules: Any, fields: Any) -> None:
    assert result_of(body_of(**fields), subject(), keep_betas=[], **rules) == body_of(**fields)


def test_headers_without_a_half_change_no_body() -> None:
    betas = ("redact-thinking-2026-02-12", "thinking-token-count-2026-05-13", "fallback-credit-2026-06-01")
    found = rewritten(body_of(), None, subject(*betas), keep_betas=[])
    assert json.loads(found.body) == body_of() and found.betas == ()


# --- what nobody has described ---


@pytest.mark.parametrize("profile", [SAFE, CLAUDE])
def test_fields_that_nobody_has_described_stay_here(profile: Any) -> None:
    odd = {"metadata": {"user_id": "u"}, "anything": 1, "user_profile_id": "u", "bill_to": "b", "safeguards": []}
    body = body_of(
        **odd,
        container="container_1",
        diagnostics={"previous_message_id": "msg_1"},
        thread={"type": "continue", "previous_message_id": "msg_1"},
        fallback_credit_token="t",
        thinking={"type": "enabled", "budget_tokens": 2000, "anything": 1},
        messages=[{**user("U"), "id": "m_1", "anything": 1}],
    )
    found = result_of(body, subject(*AUTO_BETAS), **profile)
    assert found.keys() == {"model", "max_tokens", "messages", "thinking"}
    assert found["messages"] == [user("U")] and found["thinking"] == {"type": "enabled", "budget_tokens": 2000}


def test_fields_of_blocks_that_nobody_has_described_stay_here() -> None:
    odd = {"caller": {"type": "direct", "tool_id": "srv_1"}, "citations": [], "anything": 1}
    messages = [
        user(said("U", **odd)),
        assistant({**call("a"), **odd}),
        user({**result("a", [said("x", **odd)]), **odd, "is_error": True, "cache_control": MARK}),
    ]
    found = result_of(body_of(messages=messages, system=[said("P", **odd)]), **SAFE)
    assert found["messages"] == [
        user(said("U")),
        assistant(call("a")),
        user({**result("a", [said("x")]), "is_error": True, "cache_control": MARK}),
    ]
    assert found["system"] == [said("P")]


def test_a_users_words_extend_what_is_taken() -> None:
    rules = {
        "fields": [*SAFE["fields"], "metadata.team", "speed"],
        "message_fields": ["role", "content", "name"],
        "block_fields": [*SAFE["block_fields"], "text.citations"],
        "rename": {"user": "end_user"},
        "map": {"tier": {"a": "b"}},
    }
    body = body_of(
        metadata={"user_id": "u", "team": "t"}, speed="fast", user="x", tier="a",
        messages=[{**user(said("U", citations=[], other=1)), "name": "n", "id": 1}],
    )  # fmt: skip
    found = result_of(body, **{**SAFE, **rules})
    assert found["metadata"] == {"team": "t"} and found["speed"] == "fast"
    assert (found["end_user"], found["tier"]) == ("x", "b")
    assert found["messages"] == [{**user(said("U", citations=[])), "name": "n"}]


# --- system entries ---


@pytest.mark.parametrize("content", [[], "", [said("")], None])
def test_an_entry_that_says_nothing_leaves_nothing_behind(content: Any) -> None:
    use, answer = assistant(call("a")), user(result("a"), said("V"))
    messages = [user(said("U")), entry(content), use, entry(content), answer, entry(content)]
    found = result_of(body_of(messages=messages), subject(*AUTO_BETAS), **SAFE)
    assert found["messages"] == [user(said("U")), use, answer]


def test_an_entry_in_every_form_stands_behind_the_results() -> None:
    messages = [user("U"), assistant(call("a")), entry([said("S", cache_control=MARK)]), user(result("a")), entry("T")]
    found = result_of(body_of(messages=messages), subject(*AUTO_BETAS), **SAFE)
    last = found["messages"][-1]["content"]
    assert [block["type"] for block in last] == ["tool_result", "text", "text"]
    assert "S" in last[1]["text"] and last[1]["cache_control"] == MARK and "T" in last[2]["text"]


def test_an_empty_entry_goes_where_the_role_is_kept() -> None:
    messages = [user("U"), entry([]), assistant("A"), user("V"), entry([], "high")]
    found = result_of(body_of(messages=messages), subject(), drop=[ENTRY])
    assert found["messages"] == [user("U"), assistant("A"), user("V")]


# --- tools of the conversation ---

LATE = {"name": "late", "description": "d", "input_schema": {"type": "object"}, "defer_loading": True}


def added(tool: Any) -> dict[str, Any]:
    return {"type": "tool_addition", "tool": tool}


def removed(name: str) -> dict[str, Any]:
    return {"type": "tool_removal", "tool": {"type": "tool_reference", "name": name}}


def names(*changes: Any, tools: Any = (TOOL,)) -> list[str]:
    body = body_of(messages=[user("U"), *(entry([change]) for change in changes), assistant("A")], tools=list(tools))
    found = result_of(body, subject(*AUTO_BETAS), **SAFE)
    assert "tool_addition" not in str(found) and "tool_removal" not in str(found)
    return [tool["name"] for tool in found.get("tools", [])]


DEFINED = {"type": "tool_definition", "definition": LATE}


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ([added(DEFINED)], ["Bash", "late"]),
        ([added(DEFINED), removed("late")], ["Bash"]),
        ([added(DEFINED), removed("late"), added({"type": "tool_reference", "name": "late"})], ["Bash", "late"]),
        ([removed("Bash")], []),
        ([removed("Bash"), added(DEFINED), added({"type": "tool_reference", "name": "Bash"})], ["Bash", "late"]),
        ([added({"type": "tool_reference", "name": "Bash"})], ["Bash"]),
        ([removed("nobody")], ["Bash"]),
        ([added({"type": "mcp_tool_reference", "server_name": "s", "name": "Bash"})], ["Bash"]),
        ([{"type": "tool_removal", "tool": {"type": "mcp_tool_reference", "server_name": "s", "name": "Bash"}}],
         ["Bash"]),
        ([added(3)], ["Bash"]),
    ],
)  # fmt: skip
def test_tools_come_and_go(changes: Any, left: list[str]) -> None:
    assert names(*changes) == left


def test_what_comes_later_stands_behind() -> None:
    other = {"type": "tool_definition", "definition": {**LATE, "name": "later"}}
    first, both = names(added(DEFINED)), names(added(DEFINED), added(other))
    assert both[: len(first)] == first


def test_a_change_of_tools_is_told_to_the_model() -> None:
    body = body_of(messages=[user("U"), entry([added(DEFINED)]), assistant("A")], tools=[TOOL])
    found = result_of(body, subject(*AUTO_BETAS), **SAFE)
    assert "The tool late can be used from here on" in found["messages"][0]["content"][1]["text"]
    assert result_of(body, subject(*AUTO_BETAS)) == body, "its own API gets them as they are"


def test_what_is_learned_of_the_blocks_settles_the_tools() -> None:
    body = body_of(messages=[user("U"), entry([added(DEFINED)]), assistant("A")], tools=[TOOL])
    found = result_of(body, subject(*AUTO_BETAS), refused_blocks=["tool_addition"])
    assert [tool["name"] for tool in found["tools"]] == ["Bash", "late"]


# --- markers ---


def marked(text: str) -> dict[str, Any]:
    return said(text, cache_control=MARK)


def marks(body: dict[str, Any]) -> list[str]:
    rows = [*body.get("tools", []), *body.get("system", [])]
    for message in body["messages"]:
        for block in message["content"]:
            rows += [*(block["content"] if isinstance(block.get("content"), list) else []), block]
    return [str(row.get("name") or row.get("text") or row.get("tool_use_id")) for row in rows if "cache_control" in row]


@pytest.mark.parametrize(
    ("top", "left"), [(False, ["Bash", "Q", "m3", "a"]), (True, ["Q", "m3", "a"])]
)
def test_of_more_breakpoints_than_four_the_most_useful_stay(top: bool, left: list[str]) -> None:
    body = body_of(
        tools=[{**TOOL, "cache_control": MARK}],
        system=[marked("P"), marked("Q")],
        messages=[user(marked("m1"), marked("m2")), assistant(call("a")),
                  user({**result("a", [marked("m3")]), "cache_control": MARK})],
        cache_control=MARK if top else None,
    )  # fmt: skip
    found = rewritten(body, cache_markers=4)
    assert marks(json.loads(found.body)) == left and found.rules == ("cache_control",)
    assert rewritten(found.body, cache_markers=4).body is found.body
    assert result_of(body) == body, "its own API tells the client"


def test_a_conversation_of_markers_keeps_the_newest() -> None:
    found = result_of(body_of(messages=[user(*(marked(str(at)) for at in range(9)))]), cache_markers=4)
    assert marks(found) == ["5", "6", "7", "8"]


def test_four_breakpoints_are_left_alone() -> None:
    body = body_of(messages=[user(*(marked(str(at)) for at in range(4)), said('"cache_control"'))])
    data = json.dumps(body).encode()
    assert rewritten(data, cache_markers=4).body is data


# --- Claude Code's attribution ---


@pytest.mark.parametrize(
    ("prompt", "left"),
    [
        ("x-anthropic-billing-header: cc_version=2.1.332.fbd; cc_entrypoint=sdk-cli;", None),
        ("x-anthropic-billing-header: cc_version=2; cc_entrypoint=cli;\nYou are here.", "You are here."),
        ("x-anthropic-billing-header: cc_version=2; cch=00000;\n\nYou: a=b;", "You: a=b;"),
        ("x-anthropic-billing-header: cc_version=2; You are here.", "You are here."),
        ([said("x-anthropic-billing-header: a=b;\nYou are here.", cache_control=MARK)],
         [said("You are here.", cache_control=MARK)]),
        ("You are here. x-anthropic-billing-header: a=b;", "You are here. x-anthropic-billing-header: a=b;"),
    ],
)  # fmt: skip
def test_the_attribution_goes_from_a_prompt_of_one_text(prompt: Any, left: Any) -> None:
    assert result_of(body_of(system=prompt), attribution="drop").get("system") == left
