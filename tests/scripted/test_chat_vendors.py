"""What single vendors of Chat Completions refuse, and how they say it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.scripted.chat_bodies import (
    Body,
    call,
    calling,
    function,
    image,
    plain,
    result,
    said,
    text,
    turn,
    user,
)
from tests.scripted.test_chat_strict import refusal, takes
from turnout.testing.chat import CHAT_VENDORS, ChatProblem, Thought
from turnout.testing.chat.check import check_body, check_request
from turnout.testing.chat.signing import SKIPS_VALIDATION, signed_call
from turnout.testing.chat.whole import detail, unsigned_detail
from turnout.testing.wire import RecordedRequest

NAMED = {"type": "function", "function": {"name": "Bash"}}
OFF = {"thinking": {"type": "disabled"}}
REASONS = {"model": "gpt-6-sol", "max_tokens": None, "stop": None, "reasoning_effort": "none"}
NO_TOOLS = {"tools": None, "tool_choice": None, "messages": [user("a")]}
UNSIGNED = {"google": {"thought_signature": SKIPS_VALIDATION}}
SIGNED = {"google": {"thought_signature": signed_call("Bash", {"command": "go"})}}


def in_turn(*calls: Body, **more: Any) -> Body:
    """A turn under way: calls and their results."""
    return {"messages": [user("a"), calling(*calls, **more), *(result(each["id"]) for each in calls)]}


def schema(**properties: Any) -> Body:
    return {"tools": [function(parameters={"type": "object", "properties": properties})]}


REFUSED: dict[str, tuple[str, Body, int, str]] = {
    "openai max_tokens": ("openai", {**REASONS, "max_tokens": 5}, 400,
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."),
    "openai stop": ("openai", {**REASONS, "stop": ["a"]}, 400, "'stop' is not supported with this model."),
    "openai top_p": ("openai", {**REASONS, "top_p": 0.5}, 400, "'top_p' is not supported with this model."),
    "openai temperature": ("openai", {**REASONS, "temperature": 0.2}, 400,
        "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value"),
    "openai effort": ("openai", {**REASONS, "reasoning_effort": "minimal"}, 400,
        "Unsupported value: 'reasoning_effort' does not support 'minimal' with this model. Supported values are"),
    "openai effort with tools": ("openai", {**REASONS, "reasoning_effort": "low"}, 400,
        "Function tools with reasoning_effort are not supported for gpt-6-sol in /v1/chat/completions."),
    "openai tools with no effort said": ("openai", {**REASONS, "reasoning_effort": None}, 400, "Function tools"),
    "openai astra is never idle": ("openai", {**REASONS, "model": "gpt-6-astra"}, 400, "does not support 'none'"),
    "openai 4.1 has no effort": ("openai", {"reasoning_effort": "low"}, 400, "Unknown parameter: 'reasoning_effort'."),
    "plain max_completion_tokens": ("plain", {"max_completion_tokens": 5}, 400, "'max_completion_tokens'"),
    "plain effort": ("plain", {"reasoning_effort": "low"}, 400, "Unknown parameter: 'reasoning_effort'."),
    "plain text in parts": ("plain", {"messages": [user([text()])]}, 400, "expected a string, but got an array"),
    "plain developer": ("plain", {"messages": [{"role": "developer", "content": "a"}, user("a")]}, 400, "'developer'"),
    "plain strict": ("plain", {"tools": [function(strict=False)]}, 400, "'tools[0].function.strict'"),
    "plain silent tool": ("plain", {"messages": [user("a"), calling(call("c1")), result("c1", "")]}, 400, "non-empty"),
    "plain empty answer": ("plain", in_turn(call("c1"), content=""), 400, "messages[1].content"),
    "plain thoughts": ("plain", {"messages": [user("a"), said("b", reasoning_content="c")]}, 400, "reasoning_content"),
    "gemini field": ("gemini", {"logit_bias": {}}, 400, 'Unknown name \\"logit_bias\\": Cannot find field.'),
    "gemini nested field": ("gemini", {"messages": [{**user("a"), "name": "b"}]}, 400, "at 'messages[0]': Cannot find"),
    "gemini const": ("gemini", schema(a={"const": "b"}), 400,
        "Unknown name \\\"const\\\" at 'tools[0].function_declarations[0].parameters.properties[0].value': Cannot"),
    "gemini reference": ("gemini", schema(a={"$ref": "#/$defs/a"}), 400, '\\"$ref\\"'),
    "gemini extra properties": ("gemini", schema(a={"type": "object", "additionalProperties": False}), 400, "Unknown"),
    "gemini types": ("gemini", schema(a={"type": ["string", "null"]}), 400, "Invalid value at"),
    "gemini format": ("gemini", schema(a={"type": "string", "format": "uri"}), 400, "only 'enum' and 'date-time'"),
    "gemini enum": ("gemini", schema(a={"type": "integer", "enum": [1]}), 400, "enum: only allowed for STRING type"),
    "gemini items": ("gemini", schema(a={"type": "array"}), 400, "items: missing field."),
    "gemini deep items": ("gemini", schema(a={"type": "array", "items": {"const": 1}}), 400, "value.items': Cannot"),
    "gemini choices": ("gemini", schema(a={"anyOf": [{"type": "string"}, {"const": 1}]}), 400, "value.any_of[1]'"),
    "gemini properties": ("gemini", schema(a={"type": "string", "properties": {}}), 400, "only allowed for OBJECT"),
    "gemini no properties": ("gemini", schema(), 400, "properties: should be non-empty for OBJECT type"),
    "gemini required": ("gemini", {"tools": [function(parameters={"type": "object", "required": ["a"]})]}, 400,
        "required[0]: property is not defined"),
    "gemini unsigned": ("gemini", in_turn(call("c1")), 400,
        "Function call is missing a thought_signature in functionCall parts."),
    "gemini signed later": ("gemini", in_turn(call("c1"), call("c2", extra_content=SIGNED)), 400, "missing a thought"),
    "gemini other call": ("gemini", in_turn(call("c1", arguments="{}", extra_content=SIGNED)), 400, "Corrupted"),
    "gemini effort": ("gemini", {"reasoning_effort": "none"}, 400, "INVALID_ARGUMENT"),
    "deepseek no thoughts": ("deepseek", in_turn(call("c1")), 400,
        "The `reasoning_content` in the thinking mode must be passed back to the API."),
    "deepseek last word": ("deepseek", {"messages": [*turn("deepseek")[:-1], said("b"), user("c")]}, 400, "passed"),
    "deepseek choice": ("deepseek", {"tool_choice": NAMED}, 400, "Thinking mode does not support this tool_choice"),
    "deepseek image": ("deepseek", {"messages": [user([image()])]}, 400,
        "Failed to deserialize the JSON body into the target type: messages[0]: unknown variant `image_url`, expected"),
    "deepseek order": ("deepseek", {"messages": [user("a"), calling(call("c1"), reasoning_content="b")]}, 400,
        "(insufficient tool messages following tool_calls message)"),
    "deepseek stray": ("deepseek", {"messages": [user("a"), result("c1")]}, 400, "a response to a preceding message"),
    "moonshot no thoughts": ("moonshot", in_turn(call("c1")), 400,
        "thinking is enabled but reasoning_content is missing in assistant tool call message at index 1"),
    "moonshot empty thoughts": ("moonshot", in_turn(call("c1"), reasoning_content=""), 400, "is missing"),
    "moonshot required": ("moonshot", {"tool_choice": "required", **OFF}, 400, "'required'"),
    "moonshot choice": ("moonshot", {"tool_choice": NAMED}, 400,
        "tool_choice 'specified' is incompatible with thinking enabled"),
    "moonshot temperature": ("moonshot", {"temperature": 0.6}, 400,
        "invalid temperature: only 1 is allowed for this model"),
    "moonshot code": ("moonshot", {"model": "kimi-k2.7-code", **OFF}, 400,
        "invalid thinking: only type=enabled is allowed for this model"),
    "moonshot both": ("moonshot", {"model": "kimi-k3", "thinking": {"type": "enabled"}, "reasoning_effort": "low"}, 400,
        "cannot specify both 'thinking' and 'reasoning_effort'"),
    "moonshot k2 images": ("moonshot", {"model": "kimi-k2", "messages": [user([image()])]}, 400, "'image_url'"),
    "zai choice": ("zai", {"tool_choice": "none"}, 400, '"code": "1210"'),
    "zai system alone": ("zai", {"messages": [{"role": "system", "content": "a"}]}, 400,
        '"code": "1214", "message": "The messages parameter is illegal. Please check the documentation."'),
    "zai temperature": ("zai", {"temperature": 1.5}, 400, '"code": "1210"'),
    "zai stops": ("zai", {"stop": ["a", "b"]}, 400, '"code": "1210"'),
    "groq null": ("groq", in_turn(call("c1")), 400, "'messages.1' : for 'role:assistant' the following must be"),
    "groq n": ("groq", {"n": 2}, 400, "Expected a value <= 1, but got 2"),
    "groq name": ("groq", {"messages": [{**user("a"), "name": "b"}]}, 400,
        "for 'role:user' the following must be satisfied[('messages.0' : property 'name' is unsupported)]"),
    "groq field": ("groq", {"store": False}, 400, "property 'store' is unsupported"),
    "cerebras parallel": ("cerebras", {"parallel_tool_calls": False}, 400, '"code": "wrong_api_format"'),
    "cerebras thoughts": ("cerebras", {"messages": [user("a"), said("b", reasoning_content="c")]}, 400,
        "property 'messages.1.assistant.reasoning_content' is unsupported"),
    "mistral id": ("mistral", in_turn(call("call_abc")), 400,
        "Tool call id was call_abc but must be a-z, A-Z, 0-9, with a length of 9."),
    "mistral user after tool": ("mistral", {"messages": [*turn("mistral")[:-1], user("b")]}, 400,
        "Unexpected role 'user' after role 'tool'"),
    "mistral last": ("mistral", {"messages": [user("a"), said("b")]}, 400, "Expected last role User or Tool"),
    "mistral limit": ("mistral", {"max_completion_tokens": 5}, 422,
        '"type": "extra_forbidden", "loc": ["body", "max_completion_tokens"]'),
    "mistral thoughts": ("mistral", {"messages": [user("a"), said("b", reasoning_content="c"), user("d")]}, 422,
        '"loc": ["body", "messages", 1, "assistant", "reasoning_content"]'),
    "mistral stream_options": ("mistral", {"stream_options": {"include_usage": True}}, 422, "stream_options"),
    "moonshot more of thinking": ("moonshot", {"thinking": {"type": "enabled", "budget_tokens": 5}}, 400,
        "Unknown parameter: 'thinking.budget_tokens'."),
    "minimax effort": ("minimax", {"reasoning_effort": "low"}, 400,
        "invalid params, Unknown parameter: 'reasoning_effort'. (2013)"),
    "minimax pieces": ("minimax", in_turn(call("c1"), reasoning_details=[unsigned_detail("a")] * 2), 400, "signature"),
    "minimax m2 images": ("minimax", {"model": "MiniMax-M2.7", "messages": [user([image()])]}, 400, "'image_url'"),
    "qwen whole answer": ("qwen", {"stream": False}, 400,
        "parameter.enable_thinking must be set to false for non-streaming calls"),
    "qwen effort": ("qwen", {"reasoning_effort": "high"}, 400, "'low', 'medium', and 'xhigh'."),
    "qwen effort of an older one": ("qwen", {"model": "qwen3.7-max", "reasoning_effort": "low"}, 400, "'reasoning_eff"),
    "qwen switch": ("qwen", {"enable_thinking": "no"}, 400, "'enable_thinking': expected a boolean"),
    "qwen images": ("qwen", {"model": "qwen3-coder-plus", "messages": [user([image()])]}, 400, "'image_url'"),
    "xai stop": ("xai", {"model": "grok-4.6"}, 400,
        '{"code": "invalid-argument", "error": "Model does not support parameter stop."}'),
    "xai penalty": ("xai", {"model": "grok-4.6", "stop": None, "frequency_penalty": 0}, 400, "frequency_penalty."),
    "xai effort": ("xai", {"model": "grok-4.5", "stop": None, "reasoning_effort": "none"}, 400, "'medium', and 'high'"),
    "fireworks field": ("fireworks", {"store": False}, 400, "Extra inputs are not permitted, field: 'store'"),
    "fireworks nested": ("fireworks", {"messages": [{**user("a"), "name": "b"}]}, 400, "field: 'messages.0.name'"),
    "fireworks adaptive": ("fireworks", {"thinking": {"type": "adaptive"}}, 400, "'enabled', and 'disabled'"),
    "openrouter pieces": ("openrouter", in_turn(call("c1"), reasoning_details=[
        {"type": "reasoning.text", "text": "a", "index": 0}, {"type": "reasoning.text", "signature": "b", "index": 0}]),
        400, "Invalid `signature` in `thinking` block"),
    "openrouter changed": ("openrouter",
        in_turn(call("c1"), reasoning_details=[{**detail(Thought("a"), 0), "text": "b"}]), 400, "Invalid `signature`"),
    "openrouter shortened": ("openrouter",
        in_turn(call("c1"), reasoning_details=[{**detail(Thought("a", True), 0), "data": "AAAA"}]), 400, "Invalid"),
    "openrouter unsealed": ("openrouter",
        in_turn(call("c1"), reasoning_details=[{**detail(Thought("a", True), 0), "data": "!"}]), 400, "Invalid"),
    "openrouter twice": ("openrouter", in_turn(call("c1"), reasoning_details=[detail(Thought("a"), 0)] * 2), 400,
        "Invalid `signature`"),
    "ollama effort": ("ollama", {"reasoning_effort": "xhigh"}, 400, "'none', 'low', 'medium', and 'high'."),
    "ollama address": ("ollama", {"messages": [user([image("https://example.com/a.png")])]}, 400, "only base64 data"),
    "lmstudio choice": ("lmstudio", {"tool_choice": NAMED}, 400,
        '{"error": "Invalid tool_choice type: \'object\'. Supported string values: none, auto, required"}'),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_vendor_refuses(what: str) -> None:
    name, change, status, part = REFUSED[what]
    told, body = refusal(name, plain(name, **change))
    assert told == status
    assert part in json.dumps(body)


TAKEN: dict[str, tuple[str, Body]] = {
    "openai that reasons": ("openai", {**REASONS, "max_completion_tokens": 5, "temperature": 1}),
    "openai effort without tools": ("openai", {**REASONS, **NO_TOOLS, "reasoning_effort": "high"}),
    "openai effort of an older one": ("openai", {**REASONS, "model": "gpt-5.2", "reasoning_effort": "low"}),
    "plain usage": ("plain", {"stream_options": {"include_usage": True}}),
    "plain image": ("plain", {"messages": [user([text(), image()])]}),
    "gemini signed": ("gemini", in_turn(call("c1", extra_content=SIGNED), call("c2"))),
    "gemini without": ("gemini", in_turn(call("c1", extra_content=UNSIGNED))),
    "gemini 2.5": ("gemini", {**in_turn(call("c1")), "model": "gemini-2.5-flash", "reasoning_effort": "none"}),
    "gemini bare tool": ("gemini", {"tools": [function(parameters={"type": "object"})]}),
    "gemini choices": ("gemini", schema(a={"anyOf": [{"type": "string"}, {"type": "integer", "format": "int64"}]})),
    "deepseek at rest": ("deepseek", {**in_turn(call("c1")), "tool_choice": NAMED, **OFF}),
    "deepseek empty thought": ("deepseek", in_turn(call("c1"), reasoning_content="")),
    "deepseek turn without calls": ("deepseek", {"messages": [user("a"), said("b"), user("c")]}),
    "deepseek flash sees": ("deepseek", {"model": "deepseek-v4-flash", "messages": [user([image()])]}),
    "moonshot at rest": ("moonshot", {**in_turn(call("c1")), "tool_choice": NAMED, **OFF}),
    "moonshot blank thought": ("moonshot", in_turn(call("c1"), reasoning_content=" ")),
    "moonshot effort": ("moonshot", {"model": "kimi-k3", "reasoning_effort": "max"}),
    "minimax what it ignores": ("minimax", {"tool_choice": NAMED, "parallel_tool_calls": False}),
    "minimax whole": ("minimax", in_turn(call("c1"), reasoning_details=[unsigned_detail("a")])),
    "qwen at rest": ("qwen", {"stream": False, "enable_thinking": False}),
    "qwen budget": ("qwen", {"enable_thinking": True, "thinking_budget": 1024}),
    "qwen whole answer of a coder": ("qwen", {"model": "qwen3-coder-plus", "stream": False}),
    "xai effort": ("xai", {"model": "grok-4.6", "stop": None, "reasoning_effort": "xhigh"}),
    "fireworks thoughts": ("fireworks", in_turn(call("c1"), reasoning_content="b")),
    "groq empty": ("groq", in_turn(call("c1"), content="")),
    "mistral any": ("mistral", {"tool_choice": "any"}),
    "openrouter whole": ("openrouter",
        in_turn(call("c1"), reasoning_details=[detail(Thought("a"), 0), detail(Thought("b", True), 1)])),
    "openrouter of others": ("openrouter", in_turn(call("c1"))),
    "lmstudio required": ("lmstudio", {"tool_choice": "required"}),
    "llamacpp effort": ("llamacpp", {"reasoning_effort": "whatever", "top_k": 5}),
}  # fmt: skip


@pytest.mark.parametrize("what", TAKEN)
def test_what_a_vendor_takes(what: str) -> None:
    name, change = TAKEN[what]
    check_body(CHAT_VENDORS[name], plain(name, **change))


def test_a_flavour_can_be_changed() -> None:
    """An old server that cannot count the tokens of a stream."""
    plain_one = CHAT_VENDORS["plain"]
    old = replace(plain_one, fields=(plain_one.fields or frozenset()) - {"stream_options"})
    with pytest.raises(ChatProblem, match="stream_options"):
        check_body(old, plain("plain", stream_options={"include_usage": True}))


ABSENCES = {"null": {"content": None}, "empty": {"content": ""}, "absent": {}}


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("plain", {"null"}),
        ("openai", {"null", "empty", "absent"}),
        ("gemini", {"null", "absent"}),
        ("groq", {"empty", "absent"}),
        ("zai", {"null", "empty"}),
    ],
)
def test_what_may_stand_for_the_text_of_an_answer_that_calls(name: str, taken: set[str]) -> None:
    bare = {"role": "assistant", "tool_calls": [call("c1", **({"extra_content": SIGNED} if name == "gemini" else {}))]}
    bodies = {how: plain(name, messages=[user("a"), {**bare, **said}, result("c1")]) for how, said in ABSENCES.items()}
    assert {how for how, body in bodies.items() if takes(name, body)} == taken


def request_of(body: Any, kind: str = "application/json") -> RecordedRequest:
    return RecordedRequest("POST", "/v1/chat/completions", [("content-type", kind)], json.dumps(body).encode())


def test_too_many_tokens() -> None:
    body = plain("openai", messages=[user("a" * 4000)])
    with pytest.raises(ChatProblem) as caught:
        check_request(replace(CHAT_VENDORS["openai"], window=1000), request_of(body))
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "messages")
    assert "This model's maximum context length is 1000 tokens. However, your messages resulted in" in caught.value.said


def test_groq_counts_the_answer_too() -> None:
    """Limits are per minute, and 413."""
    body = plain("groq", max_tokens=6000)
    vendor = replace(CHAT_VENDORS["groq"], per_minute=6000)
    with pytest.raises(ChatProblem) as caught:
        check_request(vendor, request_of(body))
    told = vendor.say(caught.value)
    error = told.body["error"]
    assert (told.status, error["type"], error["code"]) == (413, "tokens", "rate_limit_exceeded")
    assert "tokens per minute (TPM): Limit 6000, Requested 6" in error["message"]
    check_request(vendor, request_of({**body, "max_tokens": 5000}))


@pytest.mark.parametrize("request_", [request_of([]), request_of(plain("plain"), "text/plain")], ids=["list", "text"])
def test_a_body_that_is_none(request_: RecordedRequest) -> None:
    with pytest.raises(ChatProblem, match="could not parse"):
        check_request(CHAT_VENDORS["plain"], request_)
