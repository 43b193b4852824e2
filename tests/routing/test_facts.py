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
