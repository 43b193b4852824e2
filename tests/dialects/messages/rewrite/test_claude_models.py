"""Routes from one model of Anthropic's to another: the target gets what Claude Code would have sent it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.dialects.messages.rewrite.support import (
    assistant,
    body_of,
    call,
    result,
    result_of,
    rewritten,
    said,
    thought,
    user,
)
from tests.dialects.messages.shapes import AUTO_BETAS, NEWEST, SHAPES, Shape, filler, shape
from turnout.dialects.messages.rewrite import Rewritten, Subject
from turnout.settings.claude import claude
from turnout.settings.rewriting import Rewrite
from turnout.testing.strict import Refusal, check_messages
from turnout.testing.wire import RecordedRequest

OLDER = (
    *("claude-haiku-4-5-20251001", "claude-sonnet-4-5", "claude-opus-4-5", "claude-sonnet-4-6", "claude-opus-4-6"),
    *("claude-opus-4-7", "claude-opus-4-8", "claude-opus-5", "claude-sonnet-5", "claude-fable-5", "claude-fable-5-1"),
)
NEWER = ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5", "claude-fable-5-2", "claude-mythos-5-2")
ALWAYS_THINK = (*NEWER, "claude-fable-5", "claude-fable-5-1")
HEADERS = (("content-type", "application/json"), ("anthropic-version", "2023-06-01"))


def refusal(done: Rewritten, version: str = "2023-06-01") -> str | None:
    """What Anthropic says to the request; None when it takes it."""
    headers = [("content-type", "application/json"), ("anthropic-version", version)]
    if done.betas:
        headers.append(("anthropic-beta", ",".join(done.betas)))
    try:
        check_messages(RecordedRequest("POST", "/v1/messages", headers, done.body))
    except Refusal as error:
        return error.message
    return None


def moved(sent: Shape, model: str) -> Rewritten:
    return rewritten(sent.body, Rewrite(), Subject(model, sent.model, sent.betas))


OF_TODAY = [each for each in SHAPES if each.name.startswith("newest") or "haiku" in each.name]


@pytest.mark.parametrize("model", (*OLDER, *NEWER))
@pytest.mark.parametrize("sent", OF_TODAY, ids=lambda sent: sent.name)
def test_every_model_takes_what_was_meant_for_another(sent: Shape, model: str) -> None:
    if not sent.name.startswith("newest"):  # of the time before these had a beta
        sent = Shape(sent.name, sent.body, (*sent.betas, "advanced-tool-use-2025-11-20"))
    done = moved(sent, model)
    assert refusal(done) is None
    again = rewritten(done.body, Rewrite(), Subject(model, model, done.betas))
    assert again.body is done.body, "what is sent needs no further change"


def test_without_any_change_nothing_but_the_asked_model_takes_it() -> None:
    """Else the test above would prove nothing."""
    sent = shape("newest turn")
    as_it_is = [model for model in OLDER if refusal(Rewritten(sent.sent_to(model), sent.betas, ())) is None]
    assert as_it_is == [] and refusal(Rewritten(sent.sent_to(NEWEST), sent.betas, ())) is None


@pytest.mark.parametrize(
    ("model", "max_tokens", "thinking", "effort"),
    [
        ("claude-haiku-4-5-20251001", 32_000, {"type": "enabled", "budget_tokens": 31_999, "display": "omitted"}, None),
        ("claude-sonnet-4-5", 32_000, {"type": "enabled", "budget_tokens": 31_999, "display": "omitted"}, None),
        ("claude-opus-4-5", 32_000, {"type": "enabled", "budget_tokens": 31_999, "display": "omitted"}, "medium"),
        ("claude-sonnet-4-6", 32_000, {"type": "adaptive", "display": "omitted"}, "medium"),
        ("claude-opus-4-6", 64_000, {"type": "adaptive", "display": "omitted"}, "medium"),
        ("claude-opus-4-8", 64_000, {"type": "adaptive", "display": "omitted"}, "medium"),
        ("claude-opus-5", 64_000, {"type": "adaptive", "display": "omitted"}, "medium"),
        ("claude-fable-5-2", 128_000, {"type": "adaptive", "display": "omitted"}, "medium"),
    ],
)
def test_a_new_session_for_an_older_model(model: str, max_tokens: int, thinking: Any, effort: str | None) -> None:
    """As Claude Code 2.1.332 sends it to these itself."""
    body = json.loads(moved(shape("newest"), model).body)
    assert (body["max_tokens"], body["thinking"]) == (max_tokens, thinking)
    assert body.get("output_config", {}).get("effort") == effort


@pytest.mark.parametrize(
    ("model", "most"),
    [
        ("claude-opus-4-1-20250805", 32_000),
        ("claude-opus-4-20250514", 32_000),
        ("claude-sonnet-4-20250514", 64_000),
        ("claude-3-7-sonnet-20250219", 64_000),
        ("claude-3-5-haiku-20241022", 8192),
        ("claude-3-haiku-20240307", 4096),
    ],
)
def test_retired_models_are_asked_for_what_they_write(model: str, most: int) -> None:
    body = json.loads(moved(shape("newest"), model).body)
    assert body["max_tokens"] == most
    assert body.get("thinking", {"budget_tokens": 0})["budget_tokens"] < most


def test_the_one_model_that_can_think_between_tools_alone() -> None:
    sent = shape("newest turn")
    asked = Shape(sent.name, {**sent.body, "thinking": {"type": "between_tools"}}, sent.betas)
    for model, expected in (("claude-sonnet-5-5", {"type": "between_tools"}), ("claude-haiku-5-5", None)):
        done = moved(asked, model)
        assert (json.loads(done.body).get("thinking"), refusal(done)) == (expected, None)


@pytest.mark.parametrize("model", ["claude-haiku-4-5", "claude-opus-4-6", "claude-opus-4-7"])
def test_models_without_system_entries_get_user_text(model: str) -> None:
    done = moved(shape("newest turn"), model)
    body = json.loads(done.body)
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert filler(90, "aside") in body["messages"][0]["content"][-1]["text"]
    assert not any("mid-conversation" in beta or "per-turn" in beta for beta in done.betas)


def test_models_with_system_entries_keep_those_that_say_something() -> None:
    """An entry that only told the effort of a turn is empty without it, and goes."""
    body = json.loads(moved(shape("newest turn"), "claude-opus-5").body)
    assert [message["role"] for message in body["messages"]] == ["user", "system", "assistant", "user"]
    assert all(message.keys() == {"role", "content"} for message in body["messages"])


@pytest.mark.parametrize("model", NEWER)
def test_the_generation_that_knows_it_keeps_the_effort_of_a_turn(model: str) -> None:
    sent = shape("newest turn")
    assert json.loads(moved(sent, model).body)["messages"] == sent.body["messages"]


def test_tools_of_the_conversation_join_those_of_the_request() -> None:
    body = json.loads(moved(shape("newest changes"), "claude-haiku-4-5").body)
    names = [tool["name"] for tool in body["tools"]]
    assert names[-2:] == ["DeferredToolPlaceholder", "late_tool"] and "mcp__server__tool_6" not in names
    assert "late_tool" in str(body["messages"]) and "can no longer be used" in str(body["messages"])


def test_what_auto_mode_asks_stays_with_anthropic() -> None:
    done = moved(shape("newest auto"), "claude-opus-5")
    assert "safeguards" in json.loads(done.body) and set(AUTO_BETAS) - set(done.betas) == {
        "per-turn-control-2026-07-01"
    }


@pytest.mark.parametrize("model", ALWAYS_THINK)
@pytest.mark.parametrize(
    "fields",
    [
        {"thinking": {"type": "disabled"}, "max_tokens": 64},
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        {"thinking": {"type": "disabled"}, "tool_choice": {"type": "tool", "name": "Bash"}},
        {"tool_choice": {"type": "any"}, "max_tokens": 100},
        {"temperature": 0.2, "top_p": 0.5, "top_k": 3},
        {"messages": [user("Say it in JSON."), assistant("{")]},
        {"thinking": {"type": "between_tools"}},
    ],
    ids=lambda fields: ",".join(fields),
)
def test_what_older_models_take_becomes_what_those_take_that_always_think(model: str, fields: Any) -> None:
    tools = [{"name": "Bash", "description": "d", "input_schema": {"type": "object"}}]
    for asked in ("claude-haiku-4-5", "claude-sonnet-4-5"):
        assert refusal(rewritten(body_of(tools=tools, **fields), None, Subject(model, asked))) is None


@pytest.mark.parametrize("thinking", [None, {"type": "disabled"}])
def test_a_small_answer_gets_room_for_thought(thinking: Any) -> None:
    body = body_of(max_tokens=64, thinking=thinking)
    found = result_of(body, Subject("claude-haiku-5-5", "claude-haiku-4-5"))
    assert "thinking" not in found and found["max_tokens"] == 9024
    assert found.get("output_config") == (None if thinking is None else {"effort": "low"})


@pytest.mark.parametrize("size", [0, 20_000, None])
def test_room_is_made_only_where_there_is_little(size: int | None) -> None:
    """0 warms the cache; a count of tokens has none."""
    body = body_of(max_tokens=size, thinking={"type": "disabled"})
    assert result_of(body, Subject("claude-haiku-5-5", "claude-haiku-4-5")).get("max_tokens") == size


def test_a_vendor_that_always_thinks_leaves_room_as_well() -> None:
    body = body_of(max_tokens=64, thinking={"type": "disabled"})
    assert result_of(body, thinking={"disabled": "drop"})["max_tokens"] == 9024
    assert result_of(body, thinking={"disabled": "drop"}, max_tokens=4096)["max_tokens"] == 4096


@pytest.mark.parametrize(
    ("asked", "model", "sent", "given"),
    [
        ("claude-opus-5-5", "claude-haiku-4-5", 128_000, 32_000),
        ("claude-opus-5-5", "claude-haiku-4-5", 100_000, 64_000),
        ("claude-opus-5-5", "claude-haiku-4-5", 50_000, 50_000),
        ("claude-opus-5-5", "claude-sonnet-4-6", 100_000, 100_000),
        ("claude-opus-5", "claude-opus-5-5", 64_000, 64_000),
        ("claude-opus-5-5", "claude-opus-5-5", 999_999, 999_999),
    ],
)
def test_no_more_output_is_asked_of_a_model_than_it_gives(asked: str, model: str, sent: int, given: int) -> None:
    assert result_of(body_of(max_tokens=sent), Subject(model, asked))["max_tokens"] == given


def test_a_smaller_limit_of_the_provider_counts() -> None:
    body = body_of(max_tokens=128_000)
    assert result_of(body, Subject("claude-haiku-4-5", NEWEST), max_tokens=8192)["max_tokens"] == 8192
    assert result_of(body, Subject("claude-haiku-4-5", NEWEST), max_tokens=200_000)["max_tokens"] == 32_000


@pytest.mark.parametrize(
    ("model", "effort", "given"),
    [
        ("claude-opus-4-6", "xhigh", "high"),
        ("claude-opus-4-6", "max", "max"),
        ("claude-opus-4-5", "max", "high"),
        ("claude-haiku-4-5", "low", None),
        ("claude-opus-4-8", "xhigh", "xhigh"),
    ],
)
def test_efforts_are_those_the_model_takes(model: str, effort: str, given: str | None) -> None:
    found = result_of(body_of(output_config={"effort": effort}), Subject(model, NEWEST))
    assert found.get("output_config", {}).get("effort") == given


def test_opus_5_disables_thinking_up_to_a_high_effort() -> None:
    body = body_of(thinking={"type": "disabled"}, output_config={"effort": "max"})
    assert result_of(body, Subject("claude-opus-5", "claude-opus-4-8"))["output_config"] == {"effort": "high"}


def test_an_answer_that_was_begun_goes_on_behind_a_word_of_the_user() -> None:
    messages = [user("Say it in JSON."), assistant("{")]
    found = result_of(body_of(messages=messages), Subject("claude-opus-4-6", "claude-haiku-4-5"))
    assert found["messages"][:2] == messages and found["messages"][2]["role"] == "user"
    kept = result_of(body_of(messages=messages), Subject("claude-sonnet-4-5", "claude-haiku-4-5"))
    assert kept["messages"] == messages


def test_a_begun_answer_that_the_asked_model_refuses_too_is_the_clients() -> None:
    messages = [user("Say it in JSON."), assistant("{")]
    assert result_of(body_of(messages=messages), Subject("claude-opus-4-6", NEWEST))["messages"] == messages


def test_a_later_version_takes_no_sampling_that_a_rule_sets() -> None:
    """`anthropic-version: 2026-10-21` refuses it on any model, even at its default."""
    new, old = (Subject("m", "m", version=version) for version in ("2026-10-21", "2023-06-01"))
    assert "temperature" not in result_of(body_of(), new, set={"temperature": 0.5})
    assert result_of(body_of(), old, set={"temperature": 0.5})["temperature"] == 0.5
    other = Subject("m", "m", version="2026-10-21", signs_as="other")
    assert result_of(body_of(), other, set={"temperature": 0.5})["temperature"] == 0.5


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
def test_the_conversation_of_a_later_sdk_reaches_older_models(version: str) -> None:
    sent = shape("newest turn")
    done = rewritten(sent.body, Rewrite(), Subject("claude-haiku-4-5", NEWEST, sent.betas, version=version))
    assert refusal(done, version) is None


def test_the_provider_outranks_the_model() -> None:
    sent = shape("newest turn")
    found = result_of(sent.body, Subject("claude-haiku-4-5", NEWEST, sent.betas), system_role="hoist")
    assert [message["role"] for message in found["messages"]] == ["user", "assistant", "user"]
    assert "system-reminder" not in str(found["system"])


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("claude-opus-5-5", 128_000),
        ("us.anthropic.claude-opus-4-6-v1", 64_000),
        ("anthropic/claude-haiku-4.5", 32_000),
        ("claude-sonnet-4-5@20250929", 32_000),
        ("CLAUDE-FABLE-5-2", 128_000),
        ("claude-sonnet-4-20250514", None),
        ("claude-3-7-sonnet-20250219", None),
    ],
)
def test_names_of_all_forms_are_known(name: str, output: int | None) -> None:
    row = claude(name)
    assert row is not None and row.output == output


@pytest.mark.parametrize("name", ["glm-5", "opus", "claude", "my-claude-proxy/glm-5", "claude-via-proxy"])
def test_other_names_say_nothing(name: str) -> None:
    assert claude(name) is None


def test_models_to_come_are_taken_for_new_ones() -> None:
    found = result_of(
        body_of(thinking={"type": "enabled", "budget_tokens": 9000}, temperature=0.5),
        Subject("claude-opus-6", "claude-haiku-4-5"),
    )
    assert found["thinking"] == {"type": "adaptive"} and "temperature" not in found


def test_a_conversation_grows_at_its_end_alone() -> None:
    """What an older model got for one turn begins what it gets for the next: nothing is moved, nothing said anew."""
    first = shape("newest")
    more = [assistant(thought("t"), said("A"), call("toolu_1")), user(result("toolu_1"), said("B"))]
    then = {**first.body, "messages": [*first.body["messages"], *more]}
    for model in OLDER:
        subject = Subject(model, NEWEST, first.betas)
        before, after = (result_of(body, subject) for body in (first.body, then))
        assert after["messages"][: len(before["messages"])] == before["messages"]
        assert {name: after[name] for name in after if name != "messages"} == {
            name: before[name] for name in before if name != "messages"
        }
