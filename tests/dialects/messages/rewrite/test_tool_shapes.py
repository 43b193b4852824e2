"""Names of tools that are too long, and schemas that are not flat."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dialects.messages.rewrite.support import assistant, body_of, call, result, result_of, rewritten, user
from turnout.dialects.messages.reply import ForeignReply
from turnout.settings.rewriting import profiles

LONG = "mcp__a_server_with_a_long_name__a_tool_with_a_name_that_goes_on_and_on"
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def tool(name: str, schema: Any = SCHEMA) -> dict[str, Any]:
    return {"name": name, "description": "d", "input_schema": schema}


def test_a_long_name_is_the_same_everywhere_in_the_request() -> None:
    messages = [user("U"), assistant({**call("a"), "name": LONG}), user(result("a"))]
    choice = {"type": "tool", "name": LONG}
    body = body_of(tools=[tool("Bash"), tool(LONG)], tool_choice=choice, messages=messages)
    found = rewritten(body, tool_name_length=64)
    after = json.loads(found.body)
    short = after["tools"][1]["name"]
    assert re.fullmatch(r"[a-zA-Z0-9_-]{64}", short) and short[:55] == LONG[:55]
    assert after["tool_choice"]["name"] == after["messages"][1]["content"][0]["name"] == short
    assert found.tool_names == {short: LONG} and after["tools"][0]["name"] == "Bash"
    again = rewritten(found.body, tool_name_length=64)
    assert again.body is found.body and again.tool_names == {}


def test_names_that_fit_stay() -> None:
    body = json.dumps(body_of(tools=[tool(LONG[:64])])).encode()
    assert rewritten(body, tool_name_length=64).body is body
    assert rewritten(json.dumps(body_of(tools=[tool(LONG)])).encode()).tool_names == {}, "where no rule asks for it"


def test_a_tool_of_the_history_keeps_its_short_name() -> None:
    """It may have left the tools since."""
    messages = [user("U"), assistant({**call("a"), "name": LONG}), user(result("a"))]
    with_it, without = (
        result_of(body_of(messages=messages, tools=tools), tool_name_length=64)
        for tools in ([tool(LONG)], [tool("Bash")])
    )
    assert with_it["messages"] == without["messages"]


@pytest.mark.parametrize("blocks", [["text", "tool_use", "tool_result"], ["tool_use", "tool_result", "tool_reference"]])
def test_a_search_finds_it_by_its_short_name(blocks: list[str]) -> None:
    """Whether the provider knows what a reference is, or is told in words: the model calls what it has read."""
    found = {**result("a"), "content": [{"type": "tool_reference", "tool_name": LONG}]}
    body = body_of(tools=[tool(LONG)], messages=[user("U"), assistant(call("a")), user(found)])
    after = result_of(body, tool_name_length=64, blocks=blocks)
    (told,) = after["messages"][2]["content"][0]["content"]
    assert after["tools"][0]["name"] in (told.get("text"), told.get("tool_name"))


@given(st.lists(st.text(alphabet="ab_", min_size=60, max_size=70), unique=True, max_size=20))
def test_different_names_stay_different(names: list[str]) -> None:
    found = rewritten(body_of(tools=[tool(name) for name in names]), tool_name_length=64)
    sent = [each["name"] for each in json.loads(found.body).get("tools", [])]
    assert len(set(sent)) == len(names) and all(len(name) <= 64 for name in sent)
    assert [found.tool_names.get(name, name) for name in sent] == names


def test_the_answer_names_the_tool_as_the_client_does() -> None:
    reply = ForeignReply("m", tool_names={"short": LONG})
    use = {"type": "tool_use", "id": "toolu_1", "name": "short", "input": {"name": "short"}}
    begun = reply.block(json.dumps(use).encode())
    whole = json.loads(reply.message(json.dumps({"content": [use]}).encode()))
    assert begun is not None and whole["content"] == [{**use, "name": LONG}]
    assert json.loads(begun.block) == {**use, "name": LONG, "input": {}}
    other = json.dumps({**use, "id": "toolu_2", "name": "Bash", "input": {}}).encode()
    assert (found := reply.block(other)) is not None and found.block is other


@pytest.mark.parametrize(
    ("schema", "flat"),
    [
        (SCHEMA, SCHEMA),
        (
            {"anyOf": [{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
                       {"type": "object", "properties": {"b": {"type": "number"}}, "required": ["b"]}]},
            {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "number"}}},
        ),
        (
            {"type": "object", "properties": {"c": {}}, "required": ["c"],
             "oneOf": [{"required": ["a", "c", "d"], "properties": {"a": {}}}, {"required": ["d"]}]},
            {"type": "object", "properties": {"a": {}, "c": {}}, "required": ["c", "d"]},
        ),
        (
            {"allOf": [{"properties": {"a": {}}, "required": ["a"]}, {"$ref": "#/$defs/B"}],
             "$defs": {"B": {"properties": {"b": {}}, "required": ["b"]}}},
            {"$defs": {"B": {"properties": {"b": {}}, "required": ["b"]}},
             "type": "object", "properties": {"b": {}, "a": {}}, "required": ["a", "b"]},
        ),
        (
            {"type": "object", "properties": {"a": {"anyOf": [{}, {}]}}},
            {"type": "object", "properties": {"a": {"anyOf": [{}, {}]}}},
        ),
        ({"anyOf": [True, {"$ref": "#/nowhere"}]}, {"type": "object", "properties": {}}),
        ({"anyOf": 3}, {"type": "object", "properties": {}}),
    ],
)  # fmt: skip
def test_alternatives_at_the_top_become_one_object(schema: Any, flat: Any) -> None:
    found = rewritten(body_of(tools=[tool("Bash", schema)]), flat_schemas=True)
    assert json.loads(found.body)["tools"] == [tool("Bash", flat)]
    assert rewritten(found.body, flat_schemas=True).body is found.body
    assert result_of(body_of(tools=[tool("Bash", schema)]))["tools"] == [tool("Bash", schema)]


def test_whoever_nobody_has_described_gets_short_names_and_flat_schemas() -> None:
    found = result_of(body_of(tools=[tool(LONG, {"anyOf": [SCHEMA]})]), **profiles()["safe"])
    assert len(found["tools"][0]["name"]) == 64 and found["tools"][0]["input_schema"] == SCHEMA
