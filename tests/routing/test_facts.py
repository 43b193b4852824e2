"""What routes may ask of a request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.errors import InvalidRequest
from turnout.exchange import ClientRequest
from turnout.routing.facts import Facts


def facts(body: bytes | None = None, headers: dict[str, str] | None = None, **fields: Any) -> Facts:
    raw = json.dumps({"model": "opus", **fields}).encode() if body is None else body
    return Facts(ClientRequest("POST", "/v1/messages", headers or {}, raw))


def test_the_model() -> None:
    assert facts(model="claude-x[1m]").model == "claude-x[1m]"


@pytest.mark.parametrize(
    ("value", "stream"), [(True, True), (False, False), (None, False), (1, False), ("true", False)]
)
def test_stream(value: object, stream: bool) -> None:
    assert facts(stream=value).stream is stream


def test_stream_with_space_around_and_without() -> None:
    assert facts(b'{"stream" :\n true , "model":"x"}').stream
    assert not facts().stream


@pytest.mark.parametrize(
    ("value", "thinking"),
    [
        ({"type": "enabled", "budget_tokens": 1024}, True),
        ({"type": "adaptive"}, True),
        ({"type": "disabled"}, False),
        ({"type": None}, False),
        ({}, False),
        (None, False),
        ("enabled", False),
    ],
)
def test_thinking(value: object, thinking: bool) -> None:
    assert facts(thinking=value).thinking is thinking


@pytest.mark.parametrize(
    ("content", "images"),
    [
        ([{"type": "image", "source": {}}], True),
        ([{"type": "tool_result", "content": [{"type": "image"}]}], True),
        ([{"type": "text", "text": '"type":"image"'}], False),
        ("an image", False),
        ([{"type": "image_url"}], False),
    ],
)
def test_images(content: object, images: bool) -> None:
    assert facts(messages=[{"role": "user", "content": content}]).images is images


def test_images_however_the_json_is_spaced() -> None:
    body = b'{"model":"x","messages":[{"content":[{"type"%b:%b"image"}]}]}'
    for before, after in ((b"", b""), (b"", b" "), (b" ", b""), (b"\n ", b"\t")):
        assert facts(body % (before, after)).images
    assert not facts().images and not facts(system=[{"type": "image"}]).images


def test_tools_are_types_and_names() -> None:
    tools = [{"name": "Bash"}, {"type": "web_search_20250305", "name": "web_search"}, {"name": 5}, "odd", None]
    assert facts(tools=tools).tools == ("Bash", "web_search_20250305", "web_search")
    assert facts(tools={"name": "x"}).tools == () and facts().tools == ()


@pytest.mark.parametrize("value", [b'"\xff"', b"[" * 5000 + b"]" * 5000, b'["\\ud800"]'])
def test_values_that_cannot_be_decoded_have_no_facts(value: bytes) -> None:
    """They are the provider's to refuse."""
    body = b'{"model":"x","tools":%b,"thinking":%b}' % (value, value)
    try:
        found = facts(body)
        _ = found.model
    except InvalidRequest:
        return
    assert found.tools == () and found.thinking is False


def test_tokens_are_estimated_from_the_size() -> None:
    assert facts(system="x" * 40_000).tokens == pytest.approx(10_000, rel=0.02)


@pytest.mark.parametrize(
    ("headers", "request_class", "agent"),
    [
        ({}, "", ""),
        ({"x-claude-code-request-class": "main"}, "main", ""),
        ({"x-claude-code-agent-id": "a1"}, "", "subagent"),
        ({"x-claude-code-agent-id": "a1", "x-claude-code-agent-type": "Explore"}, "", "Explore"),
    ],
)
def test_what_claude_code_says_in_headers(headers: dict[str, str], request_class: str, agent: str) -> None:
    found = facts(headers=headers)
    assert (found.request_class, found.agent) == (request_class, agent)


@given(st.binary(max_size=40), st.sampled_from(["stream", "thinking", "tools", "messages"]))
def test_no_body_makes_them_raise_anything_but_an_invalid_request(value: bytes, field: str) -> None:
    for body in (value, b'{"model":"x","%b":%b}' % (field.encode(), value)):
        found = facts(body)
        try:
            _ = found.model, found.stream, found.thinking, found.images, found.tools, found.tokens
        except InvalidRequest as error:
            assert str(error)


SEARCH = {"type": "web_search_20250305", "name": "web_search"}
FETCH = {"type": "web_fetch_20260318", "name": "web_fetch"}
BASH = {"name": "Bash"}


@pytest.mark.parametrize(
    ("fields", "needed"),
    [
        ({}, ()),
        ({"tools": [BASH]}, ()),
        ({"tools": [SEARCH]}, ("web_search_20250305",)),
        ({"tools": [SEARCH, SEARCH, FETCH]}, ("web_search_20250305", "web_fetch_20260318")),
        ({"tools": [{"type": "code_execution_20260521", "name": "c"}]}, ("code_execution_20260521",)),
        ({"tools": [SEARCH, BASH]}, ()),
        ({"tools": [SEARCH, BASH], "tool_choice": {"type": "any"}}, ()),
        ({"tools": [SEARCH, BASH], "tool_choice": {"type": "tool", "name": "Bash"}}, ()),
        ({"tools": [SEARCH, FETCH, BASH], "tool_choice": {"type": "tool", "name": "web_fetch"}}, (FETCH["type"],)),
        # The client runs these by itself.
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, ()),
        ({"tools": [{"name": "web_search_20250305"}]}, ()),
        ({"tools": {"web_search_20250305": 1}}, ()),
        ({"tools": "web_search_20250305"}, ()),
        ({"tools": [SEARCH, None, 5, {"type": 7}], "tool_choice": "web_search"}, ()),
        ({"tools": [SEARCH], "tool_choice": []}, ("web_search_20250305",)),
    ],
)
def test_tools_without_which_an_answer_would_be_made_up(fields: dict[str, Any], needed: tuple[str, ...]) -> None:
    assert facts(**fields).needed_tools == needed


@pytest.mark.parametrize(
    ("fields", "aside"),
    [
        ({}, True),
        ({"tools": []}, True),
        ({"tools": None}, True),
        ({"tools": [SEARCH]}, True),
        ({"tools": [SEARCH, FETCH]}, True),
        ({"tools": [BASH]}, False),
        ({"tools": [SEARCH, BASH]}, False),
        ({"tools": [SEARCH, BASH], "tool_choice": {"type": "tool", "name": "web_search"}}, False),
        ({"tools": "x"}, False),
    ],
)
def test_what_stands_beside_the_conversation(fields: dict[str, Any], aside: bool) -> None:
    """Titles and searches of Claude Code, under the session of the turn that goes on meanwhile."""
    assert facts(**fields).is_aside is aside


RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "x"}]}
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}]}
REMINDER = {"role": "system", "content": [], "output_config": {"effort": "medium"}}


@pytest.mark.parametrize(
    ("messages", "begins"),
    [
        ([{"role": "user", "content": "hello"}], True),
        ([{"role": "user", "content": [{"type": "text", "text": "hello"}]}, REMINDER], True),
        ([CALL, {"role": "user", "content": [RESULT]}], False),
        ([CALL, {"role": "user", "content": [RESULT, {"type": "text", "text": "go on"}]}, REMINDER, REMINDER], False),
        ([CALL, {"role": "user", "content": [RESULT]}, {"role": "assistant", "content": "I will"}], False),
        ([CALL, {"role": "user", "content": [RESULT]}, CALL, {"role": "user", "content": "hello"}], True),
        ([{"role": "user", "content": [{"type": "text", "text": "tool_result"}]}], True),
        ([REMINDER], True),
        ([], True),
        ("x", True),
        ([{"role": "user", "content": [1]}], True),
        (["x"], True),
    ],
)
def test_whether_a_turn_begins(messages: object, begins: bool) -> None:
    """Between a tool's call and what comes after its result, a turn is under way."""
    assert facts(messages=messages).begins_turn is begins


def test_only_the_last_messages_are_decoded() -> None:
    """What lies before them need not even be messages."""
    assert facts(b'{"model":"m","messages":[{"role":1},2,{"role":"user","content":"x"}]}').begins_turn


def test_the_prompt() -> None:
    assert facts().prompt == ""
    assert facts(headers={"x-claude-code-prompt-id": "p" * 100}).prompt == "p" * 64
