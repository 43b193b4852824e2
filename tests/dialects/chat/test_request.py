"""The fields of a request, one by one, and what is no request at all."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tests.dialects.chat.openai_types import check_chat
from tests.dialects.messages.shapes import Body, call, result, user
from turnout.dialects.chat.request import ChatRequest, chat_request
from turnout.errors import InvalidRequest
from turnout.settings.chat import ChatForm

ALL = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
HELLO = [{"role": "user", "content": "Hello"}]


def asked(form: ChatForm | None = None, **fields: Any) -> ChatRequest:
    body = {"model": "m", "max_tokens": 100, "messages": HELLO} | fields
    done = chat_request(json.dumps(body).encode(), form or ChatForm())
    check_chat(json.loads(done.translated.body))
    return done


def fields(form: ChatForm | None = None, **more: Any) -> Body:
    """What a request becomes, beside what every one has."""
    chat = json.loads(asked(form, **more).translated.body)
    return {name: value for name, value in chat.items() if name not in ("model", "max_tokens", "messages")}


def test_the_plainest_request() -> None:
    """D2: a model of a name of one's own."""
    done = asked(ChatForm(output_limit="max_completion_tokens"))
    said = b'[{"role":"user","content":"Hello"}]'
    assert done.translated.body == b'{"model":"m","max_completion_tokens":100,"messages":' + said + b"}"
    assert done.translated.lost == () and done.call_ids == frozenset()


@pytest.mark.parametrize(
    "given, form, told",
    [
        ({"max_tokens": 0}, {}, {}),
        ({"stop_sequences": list("abcde")}, {}, {"stop": list("abcd")}),
        ({"stop_sequences": []}, {}, {}),
        ({"temperature": 0.5, "top_p": 1, "top_k": 5}, {}, {"temperature": 0.5, "top_p": 1, "top_k": 5}),
        ({"stream": True}, {}, {"stream": True, "stream_options": {"include_usage": True}}),
        ({"stream": True}, {"stream_usage": False}, {"stream": True}),
        ({"stream": False, "temperature": None}, {}, {}),
        ({"temperature": 0.5}, {"extra": {"temperature": 1, "n": 1}}, {"temperature": 1, "n": 1}),
    ],
)
def test_fields(given: Body, form: Body, told: Body) -> None:
    assert fields(ChatForm(**form), **given) == told


def test_a_warm_up_asks_for_one_token() -> None:
    assert json.loads(asked(max_tokens=0).translated.body)["max_tokens"] == 1


FORMAT = {"type": "json_schema", "schema": {"type": "object", "additionalProperties": False}}


@pytest.mark.parametrize("given", [{"output_config": {"format": FORMAT}}, {"output_format": FORMAT}])
def test_the_form_of_the_answer(given: Body) -> None:
    told = fields(**given)["response_format"]["json_schema"]
    assert told == {"name": "answer", "schema": FORMAT["schema"], "strict": True}
    plain = fields(ChatForm(schemas="plain"), **given)["response_format"]["json_schema"]
    assert plain["schema"] == {"properties": {}, "type": "object"}


@pytest.mark.parametrize(
    ("thinking", "form", "lost"),
    [
        ({"type": "adaptive"}, {}, ("thinking",)),
        ({"type": "enabled", "budget_tokens": 2000}, {}, ("thinking",)),
        ({"type": "disabled"}, {}, ()),
        ({"type": "adaptive"}, {"efforts": ["low"]}, ()),
        ({"type": "adaptive"}, {"thinking_switch": "thinking"}, ()),
    ],
)
def test_a_wish_to_think_is_not_lost_in_silence(thinking: Body, form: Body, lost: tuple[str, ...]) -> None:
    assert asked(ChatForm(**form), thinking=thinking).translated.lost == lost


def test_what_is_lost_is_told() -> None:
    more = {
        "metadata": {"user_id": "a"},
        "speed": "fast",
        "thread": None,
        "tools": [{"type": "bash_20250124", "name": "bash"}],
    }
    done = asked(**more)
    assert done.translated.lost == ("metadata", "speed", "tools")
    assert json.loads(done.translated.body).keys() == {"model", "max_tokens", "messages"}


def test_the_ids_of_all_calls_are_told() -> None:
    """As the client knows them; a result does not make one."""
    turns = [{"role": "assistant", "content": [call("toolu_1"), call("tc64_Yjox")]}]
    done = asked(messages=[*HELLO, *turns, user(result("toolu_1", "a"), result("toolu_9", "b"))])
    assert done.call_ids == {"toolu_1", "tc64_Yjox"}


def effort_of(thinking: Body | None, effort: str | None, efforts: tuple[str, ...] = ALL, switch: str = "none") -> Body:
    given = {"thinking": thinking} if thinking else {}
    given |= {"output_config": {"effort": effort}} if effort else {}
    return fields(ChatForm.model_validate({"efforts": efforts, "thinking_switch": switch}), **given)


ON, OFF = {"type": "adaptive"}, {"type": "disabled"}


def budget(tokens: int) -> Body:
    return {"type": "enabled", "budget_tokens": tokens}


@pytest.mark.parametrize(
    "thinking, effort, efforts, told",
    [
        (None, None, ALL, None),
        (None, "max", ALL, "max"),
        (None, "max", ("low", "medium", "high"), "high"),
        (None, "high", (), None),
        (None, "medium", ("low", "high"), "high"),
        (None, "low", ("none", "max"), "max"),
        (None, "so so", ALL, None),
        (ON, None, ALL, "medium"),
        (ON, "low", ALL, "low"),
        (budget(4096), None, ALL, "high"),
        (budget(4095), None, ALL, "medium"),
        (budget(2047), None, ALL, "low"),
        (budget(1023), None, ALL, "minimal"),
        (budget(-1), None, ALL, "minimal"),
        (budget(31999), "low", ALL, "low"),
        (OFF, None, ALL, "none"),
        (OFF, "high", ALL, "none"),
        ({"type": "between_tools"}, None, ("minimal", "low"), "minimal"),
        (OFF, None, ("low", "high"), None),
    ],
)
def test_efforts(thinking: Body | None, effort: str | None, efforts: tuple[str, ...], told: str | None) -> None:
    assert effort_of(thinking, effort, efforts).get("reasoning_effort") == told


@pytest.mark.parametrize(
    "thinking, switch, told",
    [
        (None, "thinking", {}),
        (ON, "thinking", {"thinking": {"type": "enabled"}}),
        (OFF, "thinking", {"thinking": {"type": "disabled"}}),
        (ON, "enable_thinking", {"enable_thinking": True}),
        (budget(2000), "enable_thinking", {"enable_thinking": True, "thinking_budget": 2000}),
        (OFF, "enable_thinking", {"enable_thinking": False}),
        (budget(2000) | OFF, "enable_thinking", {"enable_thinking": False}),
        (ON, "thinking_budget_tokens", {"thinking_budget_tokens": -1}),
        (budget(2000), "thinking_budget_tokens", {"thinking_budget_tokens": 2000}),
        (OFF, "thinking_budget_tokens", {"thinking_budget_tokens": 0}),
        (budget(2000), "none", {}),
    ],
)
def test_thinking_is_turned_on_and_off(thinking: Body | None, switch: str, told: Body) -> None:
    assert effort_of(thinking, None, (), switch) == told


def test_a_switch_says_alone_that_thinking_is_off() -> None:
    """DeepSeek knows neither `none` nor `minimal`, and Moonshot takes no effort beside its switch."""
    assert effort_of(OFF, "high", ALL, "thinking") == {"thinking": {"type": "disabled"}}


MISFITS: dict[str, Any] = {
    "no JSON": b"{",
    "a list": b"[]",
    "not UTF-8": b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}',
    "an input that is not UTF-8": b'{"model":"m","messages":[{"role":"assistant","content":[{"type":"tool_use",'
    b'"id":"a","name":"n","input":{"a":"\xff"}}]}]}',
    "a schema that is not UTF-8": b'{"model":"m","messages":[{"role":"user","content":"a"}],"tools":[{"name":"n",'
    b'"input_schema":{"type":"object","properties":{"a":{"title":"\xff"}}}}]}',
    "no model": {"messages": HELLO},
    "no messages": {"model": "m"},
    "messages that are none": {"model": "m", "messages": "Hello"},
    "nothing said": {"model": "m", "system": "a", "messages": [{"role": "user", "content": ""}]},
    "another role": {"model": "m", "messages": [{"role": "tool", "content": "a"}]},
    "a number": {"model": "m", "messages": [{"role": "user", "content": 1}]},
    "a block without type": {"model": "m", "messages": [user({"text": "a"})]},
    "a text without text": {"model": "m", "messages": [user({"type": "text"})]},
    "a call without name": {
        "model": "m",
        "messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "a"}]}],
    },
    "an input that is none": {
        "model": "m",
        "messages": [{"role": "assistant", "content": [call("a") | {"input": "b"}]}],
    },
    "a result of nothing": {"model": "m", "messages": [user({"type": "tool_result"})]},
    "a tool without name": {"model": "m", "messages": HELLO, "tools": [{"input_schema": {}}]},
    "a word for a number": {"model": "m", "messages": HELLO, "max_tokens": "many"},
    "deep nesting": b'{"model":"m","messages":[{"role":"user","content":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}",
}


@pytest.mark.parametrize("given", MISFITS.values(), ids=MISFITS)
def test_what_is_no_request_is_refused(given: Any) -> None:
    body = given if isinstance(given, bytes) else json.dumps(given).encode()
    with pytest.raises(InvalidRequest, match="^The request body "):
        chat_request(body, ChatForm())


def test_odd_values_pass() -> None:
    """Numbers that no machine has, and characters beyond the first plane."""
    odd = {"a": 10**30, "b": "\U0001f600", "c": 1e-9}
    turns = [*HELLO, {"role": "assistant", "content": [call("a", **odd)]}, user(result("a", "\U0001f600"))]
    tool = {"name": "t", "input_schema": {"type": "object", "properties": {"a": {"type": "number", "minimum": 10**30}}}}
    for schemas in ("keep", "plain"):
        form = ChatForm.model_validate({"schemas": schemas})
        done = chat_request(json.dumps({"model": "m", "messages": turns, "tools": [tool]}).encode(), form)
        arguments = json.loads(done.translated.body)["messages"][1]["tool_calls"][0]["function"]["arguments"]
        assert json.loads(arguments) == odd


def test_the_input_of_a_call_keeps_its_bytes() -> None:
    """Whatever spaces it has, and however its texts are escaped."""
    body = rb'{"model":"m","messages":[{"role":"user","content":"\u00e9\/"},{"role":"assistant","content":['
    body += rb'{"type":"tool_use","id":"a","name":"n","input":{ "x" : "\u00e9\"" }}]}]}'
    chat = chat_request(body, ChatForm()).translated.body
    assert '"content":"é/"'.encode() in chat
    arguments = msgspec.json.decode(chat)["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert arguments == r'{ "x" : "\u00e9\"" }'
