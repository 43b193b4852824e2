"""Rules on single fields, and what stays byte for byte beside them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.dialects.messages.rewrite.support import body_of, call, result, result_of, rewritten, said, user
from turnout.settings.rewriting import parse_path

SCOPED = {"type": "ephemeral", "scope": "global"}


@pytest.mark.parametrize(
    ("rules", "before", "after", "named"),
    [
        ({"drop": ["metadata"]}, {"metadata": {"user_id": "u"}}, {}, "drop metadata"),
        ({"drop": "metadata"}, {"metadata": 1}, {}, "drop metadata"),
        ({"drop": ["a.b.c"]}, {"a": {"b": {"c": 1, "d": 2}}}, {"a": {"b": {"d": 2}}}, "drop a.b.c"),
        ({"drop": ["a.b.c"]}, {"a": {"b": {"c": 1}}}, {}, "drop a.b.c"),
        ({"drop": ["a[*].b"]}, {"a": [{"b": 1}, {"c": 2}]}, {"a": [{}, {"c": 2}]}, "drop a[*].b"),
        ({"drop": ["a[*]"]}, {"a": [1, 2]}, {"a": []}, "drop a[*]"),
        ({"set": {"temperature": 1.0}}, {}, {"temperature": 1.0}, "set temperature"),
        ({"set": {"temperature": 1.0}}, {"temperature": 0}, {"temperature": 1.0}, "set temperature"),
        ({"set": {"a.b": {"c": [1]}}}, {}, {"a": {"b": {"c": [1]}}}, "set a.b"),
        ({"set": {"a[*].b": 1}}, {"a": [{}, {"b": 2}]}, {"a": [{"b": 1}, {"b": 1}]}, "set a[*].b"),
        ({"rename": {"max_tokens": "max_completion_tokens"}}, {}, None, "rename max_tokens"),
        ({"rename": {"a.b": "c"}}, {"a": {"b": 1, "d": 2}}, {"a": {"c": 1, "d": 2}}, "rename a.b"),
        ({"clamp": {"temperature": [0, 1]}}, {"temperature": 1.7}, {"temperature": 1.0}, "clamp temperature"),
        ({"clamp": {"temperature": [0.01, 1]}}, {"temperature": 0}, {"temperature": 0.01}, "clamp temperature"),
        ({"clamp": {"top_k": [1, 40]}}, {"top_k": 100}, {"top_k": 40}, "clamp top_k"),
        ({"map": {"e.f": {"max": "high"}}}, {"e": {"f": "max"}}, {"e": {"f": "high"}}, "map e.f"),
    ],
)
def test_a_rule(rules: dict[str, Any], before: dict[str, Any], after: dict[str, Any] | None, named: str) -> None:
    found = rewritten(body_of(**before), **rules)
    if after is not None:
        assert json.loads(found.body) == body_of(**after)
    else:
        assert list(json.loads(found.body)) == ["model", "messages", "max_completion_tokens"]
    assert found.rules == (named,)


@pytest.mark.parametrize(
    "rules",
    [
        {"drop": ["metadata", "a.b", "a[*].b", "messages[*].content[*].cache_control.scope", "model.x"]},
        {"set": {"max_tokens": 32000, "missing[*].b": 1, "model.b": 2}},
        {"rename": {"metadata": "about", "a.b": "c", "max_tokens": "model"}},
        {"clamp": {"max_tokens": [1, 64000], "model": [0, 1], "temperature": [0, 1]}},
        {"map": {"model": {"other": "x"}, "max_tokens": {"32000": "x"}}},
    ],
)
def test_a_rule_that_finds_nothing_leaves_the_very_same_bytes(rules: dict[str, Any]) -> None:
    body = b' {"model" : "some-model",\n "max_tokens": 32000, "messages": [{"role":"user","content":"hi"}] } '
    found = rewritten(body, **rules)
    assert found.body is body
    assert found.rules == ()


def test_a_deep_rule_keeps_every_other_value_byte_for_byte() -> None:
    """A18: the marker stays, its foreign part goes, and odd but valid JSON around it stays as it came."""
    odd = '{"n": 1e400, "big": 123456789012345678901234567890, "dup": 1, "dup": 2, "s": "\\u00e9\\ud83d\\ude00 \\/"}'
    untouched = f'{{"role": "assistant", "content": [{{"type":"tool_use","id":"a","name":"B","input":{odd}}}]}}'
    marker = '{"type":"ephemeral","scope":"global"}'
    marked = f'{{"role":"user","content":[{{"type":"text","text":"\\u0041","cache_control":{marker}}}]}}'
    body = f'{{"model":"some-model", "messages":[{marked}, {untouched}], "metadata": {{"x" : 1}}}}'.encode()
    found = rewritten(body, drop=["messages[*].content[*].cache_control.scope"])
    assert untouched.encode() in found.body
    assert b'"metadata": {"x" : 1}' in found.body
    assert b'{"type":"text","text":"\\u0041","cache_control":{"type":"ephemeral"}}' in found.body


def test_a_shallow_rule_keeps_the_messages_byte_for_byte() -> None:
    body = b'{"model":"some-model","metadata":1,"messages": [ {"role" : "user","content":[{"type":"odd" }]} ] }'
    found = rewritten(body, drop=["metadata"])
    assert b'[ {"role" : "user","content":[{"type":"odd" }]} ]' in found.body


def test_tool_inputs_are_data_and_never_searched() -> None:
    body = body_of(messages=[user(result("a", [said("x", cache_control=SCOPED)]), said("y", cache_control=SCOPED))])
    body["messages"].insert(0, {"role": "assistant", "content": [call("a", cache_control=SCOPED)]})
    found = result_of(body, cache_fields=["type"])
    assert found["messages"][0]["content"][0]["input"] == {"cache_control": SCOPED}
    inner, outer = found["messages"][1]["content"][0]["content"][0], found["messages"][1]["content"][1]
    assert inner["cache_control"] == outer["cache_control"] == {"type": "ephemeral"}


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "a[", "a[0]", "a[*]b", "[*]", "a b", "a[*].", "a.[*]"])
def test_what_is_no_path(text: str) -> None:
    with pytest.raises(ValueError, match="is not a path"):
        parse_path(text)


def test_paths() -> None:
    assert parse_path("messages[*].content[*].cache_control.scope") == (
        "messages", "*", "content", "*", "cache_control", "scope",
    )  # fmt: skip
    assert parse_path("a[*][*]") == ("a", "*", "*")
