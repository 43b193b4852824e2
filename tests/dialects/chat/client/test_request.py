"""What a client of Chat Completions asks, as a request of the Messages API (B5)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dialects.chat.meaning import Meaning, Said, joined, of_chat
from tests.dialects.chat.test_conversation_properties import conversations, forms
from turnout.dialects.chat.client.request import MAX_TOKENS, MessagesRequest, messages_request
from turnout.dialects.chat.request import chat_request
from turnout.errors import InvalidRequest
from turnout.settings.chat import ChatForm

Body = dict[str, Any]
HELLO: list[Body] = [{"role": "user", "content": "Hello"}]
PIXEL = "data:image/png;base64,AAAA"
TOOL = {"type": "function", "function": {"name": "Read", "parameters": {"type": "object", "properties": {}}}}
MEMBERS = (
    *("role", "content", "type", "text", "image_url", "url", "file"),
    *("file_data", "tool_calls", "id", "function", "name", "arguments", "tool_call_id"),
    *("tools", "tool_choice", "allowed_tools", "mode", "stop", "max_tokens", "stream"),
    *("response_format", "json_schema", "schema", "reasoning_effort", "parameters", "stream_options"),
)
NAMED = {"type": "function", "function": {"name": "Read"}}
READ = {"name": "Read", "input_schema": {"type": "object", "properties": {}}}


def asked(**fields: Any) -> MessagesRequest:
    return messages_request(json.dumps({"model": "m", "messages": HELLO, **fields}).encode())


def made(**fields: Any) -> Body:
    """The Messages request without what every one has."""
    body: Body = json.loads(asked(**fields).body)
    assert body.pop("model") == "m"
    return {
        name: value
        for name, value in body.items()
        if (name, value) not in (("max_tokens", MAX_TOKENS), ("messages", [said("user", text("Hello"))]))
    }


def text(words: str) -> Body:
    return {"type": "text", "text": words}


def said(role: str, *blocks: Body) -> Body:
    return {"role": role, "content": [*blocks]}


def call(id: str, arguments: str = "{}") -> Body:
    return {"id": id, "type": "function", "function": {"name": "Read", "arguments": arguments}}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"max_tokens": 5, "max_completion_tokens": 6}, {"max_tokens": 6}),
        ({"stop": "a"}, {"stop_sequences": ["a"]}),
        ({"stop": ["a", " ", "b"]}, {"stop_sequences": ["a", "b"]}),
        ({"stop": None, "temperature": None, "tools": None}, {}),
        ({"temperature": 1.7, "top_p": 0.5}, {"temperature": 1, "top_p": 0.5}),
        ({"temperature": 0}, {"temperature": 0}),
        ({"stream": True, "stream_options": {"include_usage": True}}, {"stream": True}),
        ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        ({"reasoning_effort": "minimal"}, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
        ({"reasoning_effort": "xhigh"}, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}},
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        ),
        ({"response_format": {"type": "text"}}, {}),
        ({"n": 1, "modalities": ["text"], "logprobs": False}, {}),
        ({"tools": [TOOL]}, {"tools": [READ]}),
        ({"tools": [TOOL], "tool_choice": "auto"}, {"tools": [READ]}),
        ({"tools": [TOOL], "tool_choice": "required"}, {"tools": [READ], "tool_choice": {"type": "any"}}),
        ({"tools": [TOOL], "tool_choice": "none"}, {"tools": [READ], "tool_choice": {"type": "none"}}),
        (
            {"tools": [TOOL], "tool_choice": NAMED},
            {"tools": [READ], "tool_choice": {"type": "tool", "name": "Read"}},
        ),
        (
            {"tools": [TOOL], "parallel_tool_calls": False},
            {"tools": [READ], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        ),
        (
            {
                "tools": [TOOL, {"type": "function", "function": {"name": "Write"}}],
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "required", "tools": [NAMED]},
                },
            },
            {"tools": [READ], "tool_choice": {"type": "any"}},
        ),
        ({"tool_choice": "required", "parallel_tool_calls": False}, {}),
    ],
)
def test_fields(fields: Body, expected: Body) -> None:
    assert made(**fields) == expected


def test_a_tool_is_told_whole() -> None:
    function = {"name": "a", "description": "b", "parameters": {"type": "object"}, "strict": True}
    (tool,) = made(tools=[{"type": "function", "function": function}])["tools"]
    assert tool == {"name": "a", "description": "b", "input_schema": {"type": "object"}, "strict": True}
    (bare,) = made(tools=[{"type": "function", "function": {"name": "a"}}])["tools"]
    assert bare["input_schema"] == {"type": "object", "properties": {}}


def test_json_is_asked_for_in_words() -> None:
    fields = made(response_format={"type": "json_object"}, messages=[{"role": "system", "content": "Be."}, *HELLO])
    assert fields == {"system": [text("Be."), text("Answer with one JSON object and nothing else.")]}


def test_a_conversation() -> None:
    image_part = {"type": "image_url", "image_url": {"url": PIXEL}}
    calls = [call("a"), call("b", '{"x": 1.0}')]
    messages: list[Body] = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": [{"type": "text", "text": "See:"}, image_part]},
        {"role": "assistant", "content": None, "tool_calls": calls, "reasoning_content": "Hm"},
        {"role": "tool", "tool_call_id": "b", "content": "two"},
        {"role": "tool", "tool_call_id": "a", "content": ""},
        {"role": "user", "content": "And?"},
        {"role": "system", "content": "Hurry."},
        {"role": "assistant", "content": "", "refusal": "No."},
    ]
    body = json.loads(asked(messages=messages).body)
    assert body["system"] == [text("Be brief."), text("Be kind.")]
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    used = {"type": "tool_use", "name": "Read"}
    assert body["messages"] == [
        said("user", text("See:"), image),
        said(
            "assistant",
            {**used, "id": "a", "input": {}},
            {**used, "id": "b", "input": {"x": 1.0}},
        ),
        said(
            "user",
            {"type": "tool_result", "tool_use_id": "b", "content": [text("two")]},
            {"type": "tool_result", "tool_use_id": "a"},
            text("And?"),
        ),
        said("system", text("Hurry.")),
        said("assistant", text("No.")),
    ]


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            {"type": "image_url", "image_url": {"url": "https://a/b.png", "detail": "low"}},
            {"type": "image", "source": {"type": "url", "url": "https://a/b.png"}},
        ),
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
                "title": "a.pdf",
            },
        ),
        (
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
        ),
    ],
)
def test_parts(part: Body, block: Body) -> None:
    assert json.loads(asked(messages=[{"role": "user", "content": [part]}]).body)["messages"] == [said("user", block)]


@pytest.mark.parametrize("arguments", ["", " ", "{}"])
def test_a_call_without_arguments(arguments: str) -> None:
    messages = [*HELLO, {"role": "assistant", "tool_calls": [call("a", arguments)]}]
    assert json.loads(asked(messages=messages).body)["messages"][1]["content"][0]["input"] == {}


@pytest.mark.parametrize("arguments", ['{"a":', "[1]", "Read it"])
def test_arguments_that_a_model_has_written_badly(arguments: str) -> None:
    messages = [*HELLO, {"role": "assistant", "tool_calls": [call("a", arguments)]}]
    assert json.loads(asked(messages=messages).body)["messages"][1]["content"][0]["input"] == {"arguments": arguments}


def test_what_is_read_of_the_rest() -> None:
    done = asked(seed=1, user="u", prompt_cache_key="k", logit_bias={}, stream_options={"include_usage": True})
    assert done.include_usage and done.lost == ("seed", "logit_bias")
    assert not asked(stream_options={}).include_usage and not asked().include_usage


@pytest.mark.parametrize(
    ("fields", "session"),
    [({}, ""), ({"user": "u"}, "u"), ({"user": "u", "prompt_cache_key": "k"}, "k")],
)
def test_what_names_the_conversation(fields: Body, session: str) -> None:
    assert asked(**fields).session == session


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), values, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(MEMBERS), json_values, max_size=4), st.lists(json_values, max_size=3))
def test_nothing_but_a_refusal_comes_of_nonsense(fields: Body, messages: list[Any]) -> None:
    try:
        body = asked(**{"messages": [*HELLO, *messages], **fields}).body
    except InvalidRequest:
        return
    assert json.loads(body)["messages"]


MISFITS: dict[str, Any] = {
    "no JSON": b"{",
    "not UTF-8": b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}',
    "no model": {"model": None},
    "no messages": {"messages": []},
    "nothing said": {"messages": [{"role": "system", "content": "a"}, {"role": "user", "content": ""}]},
    "another role": {"messages": [{"role": "human", "content": "a"}]},
    "an old role": {"messages": [*HELLO, {"role": "function", "name": "a", "content": "b"}]},
    "a result of nothing": {"messages": [{"role": "tool", "content": "a"}]},
    "sound": {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]},
    "an image of the assistant": {
        "messages": [{"role": "assistant", "content": [{"type": "image_url", "image_url": {"url": PIXEL}}]}]
    },
    "an image in letters": {
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/svg,a"}}]}]
    },
    "a file elsewhere": {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
    "a file of text": {
        "messages": [
            {"role": "user", "content": [{"type": "file", "file": {"file_data": "data:text/plain;base64,YQ=="}}]}
        ]
    },
    "two answers": {"n": 2},
    "probabilities": {"logprobs": True},
    "speech": {"modalities": ["text", "audio"]},
    "old functions": {"functions": []},
    "a tool of another type": {"tools": [{"type": "custom", "custom": {"name": "a"}}]},
    "a call of another type": {
        "messages": [*HELLO, {"role": "assistant", "tool_calls": [{"id": "a", "type": "custom"}]}]
    },
}


@pytest.mark.parametrize("given", MISFITS.values(), ids=MISFITS)
def test_what_cannot_be_given_is_refused(given: Any) -> None:
    with pytest.raises(InvalidRequest):
        if isinstance(given, bytes):
            messages_request(given)
        else:
            asked(**given)


@settings(max_examples=100)
@given(conversations(), forms.filter(lambda form: form.thoughts == "none"))
def test_a_conversation_comes_back_as_it_went(body: Body, form: ChatForm) -> None:
    """What one translation writes the other reads: but for thoughts nothing is lost on the way."""
    told = chat_request(json.dumps(body).encode(), form).translated.body
    again = chat_request(messages_request(told).body, form).translated.body
    assert in_turns(of_chat(json.loads(again))) == in_turns(of_chat(json.loads(told)))


def in_turns(told: Meaning) -> Meaning:
    """Two messages of the user side by side are one to the Messages API."""
    turns: Meaning = []
    for each in told:
        last = turns[-1] if turns else None
        if isinstance(each, Said) and isinstance(last, Said) and each.role == last.role:
            turns[-1] = Said(each.role, joined([*last.pieces, *each.pieces]))
        else:
            turns.append(each)
    return turns


def test_a_schema_that_is_not_given_is_none() -> None:
    for schema in ({}, {"schema": None}):
        assert "output_config" not in made(
            response_format={"type": "json_schema", "json_schema": {"name": "a", **schema}}
        )


def test_parameters_that_are_null_are_none() -> None:
    (tool,) = made(tools=[{"type": "function", "function": {"name": "Read", "parameters": None}}])["tools"]
    assert tool == READ


def test_functions_that_are_null_are_no_reason_to_refuse() -> None:
    assert made(functions=None) == made()


@pytest.mark.parametrize("choice", ["required", NAMED])
def test_who_is_forced_to_call_a_tool_is_not_told_to_think(choice: Any) -> None:
    body = made(tools=[TOOL], tool_choice=choice, reasoning_effort="low")
    assert "thinking" not in body and body["output_config"] == {"effort": "low"}
    assert made(tools=[TOOL], tool_choice="auto", reasoning_effort="low")["thinking"] == {"type": "adaptive"}
