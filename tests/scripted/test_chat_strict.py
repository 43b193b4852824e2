"""The rules of the Chat Completions API: every refusal once in OpenAI's words, and that they hold at every vendor."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scripted.chat_bodies import Body, call, calling, function, image, plain, result, said, text, user
from turnout.testing.chat import CHAT_VENDORS, ChatProblem
from turnout.testing.chat.check import check_body

ALL = sorted(CHAT_VENDORS)
LENIENT = {"ollama", "llamacpp", "vllm", "lmstudio"}
ASK = [user("a")]
MARK = {"cache_control": {"type": "ephemeral"}}
NAMED = {"type": "function", "function": {"name": "Bash"}}
FORCED = {"type": "function", "function": {"name": "Read"}}


def refusal(name: str, body: Body) -> tuple[int, Any]:
    """The status and the body of the answer to what a vendor refuses."""
    with pytest.raises(ChatProblem) as caught:
        check_body(CHAT_VENDORS[name], body)
    told = CHAT_VENDORS[name].say(caught.value)
    return told.status, told.body


def takes(name: str, body: Body) -> bool:
    try:
        check_body(CHAT_VENDORS[name], body)
    except ChatProblem:
        return False
    return True


def answered(*messages: Body) -> list[Body]:
    """After a call `c1`."""
    return [*ASK, calling(call("c1")), *messages]


def parts(*given: Body) -> dict[str, list[Body]]:
    return {"messages": [user(list(given))]}


def odd_call() -> Body:
    made = call("c1")
    return {**made, "function": {**made["function"], "input": {}}}


def schema(**parameters: Any) -> Body:
    return {"tools": [function(parameters=parameters)]}


@pytest.mark.parametrize("name", ALL)
def test_the_classic_api_is_taken(name: str) -> None:
    check_body(CHAT_VENDORS[name], plain(name))


EVERYWHERE: dict[str, tuple[Body, str | None, str | None, str]] = {
    "no model": ({"model": None}, None, None, "you must provide a model parameter"),
    "a mark in the model": ({"model": "gpt-4.1[1m]"}, None, "model_not_found", "`gpt-4.1[1m]` does not exist"),
    "no messages": ({"messages": None}, "messages", "missing_required_parameter", "Missing required parameter"),
    "empty messages": ({"messages": []}, "messages", "empty_array", "Invalid 'messages': empty array."),
    "messages are text": ({"messages": "a"}, "messages", "invalid_type", "expected an array of objects, but got a str"),
    "a message is text": ({"messages": ["a"]}, "messages[0]", "invalid_type", "expected an object"),
    "no role": ({"messages": [{"content": "a"}]}, "messages[0].role", "invalid_value", "Invalid value: 'None'."),
    "a foreign role": ({"messages": [{**user("a"), "role": "human"}]}, "messages[0].role", "invalid_value", "'human'."),
    "no content": ({"messages": [{"role": "user"}]}, "messages[0].content", None, "expected a string, got null."),
    "null content": ({"messages": [*ASK, said(None)]}, "messages[1].content", None, "expected a string, got null."),  # type: ignore[arg-type]
    "empty content": ({"messages": [user("")]}, "messages[0].content", None, "expected non-empty content."),
    "empty parts": (parts(), "messages[0].content", None, "expected non-empty content."),
    "an object as content": ({"messages": [user({})]}, "messages[0].content", "invalid_type", "string or array of obj"),
    "a part is text": ({"messages": [user(["a"])]}, "messages[0].content[0]", "invalid_type", "expected an object"),
    "empty text": (parts(text(""), image()), "messages[0].content[0].text", "invalid_type", "a non-empty string"),
    "a block of the Messages API": (
        parts({"type": "thinking", "thinking": "a"}),
        "messages[0].content[0].type",
        "invalid_value",
        "Invalid value: 'thinking'. Supported values are: 'text', 'image_url', 'input_audio', and 'file'.",
    ),
    "an image in a result": (
        {"messages": answered(result("c1", [image()]))},
        "messages[2].content[0].type",
        "invalid_value",
        "Supported values are: 'text'.",
    ),
    "an image that is none": (
        parts(image("data:text/plain;base64,AAAA")),
        "messages[0].content[0].image_url.url",
        "invalid_image_format",
        "Only image types are supported.",
    ),
    "no address": (
        parts(image("file:///etc/passwd")),
        "messages[0].content[0].image_url.url",
        "invalid_image_url",
        "only base64 data",
    ),
    "an unanswered call": (
        {"messages": answered(user("b"))},
        "messages.[2].role",
        None,
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        "The following tool_call_ids did not have response messages: c1",
    ),
    "a call at the end": ({"messages": answered()}, "messages.[1].role", None, "did not have response messages: c1"),
    "one of two results": (
        {"messages": [*ASK, calling(call("c1"), call("c2")), result("c1"), user("b")]},
        "messages.[3].role",
        None,
        "did not have response messages: c2",
    ),
    "a stray result": (
        {"messages": [*ASK, result("c1")]},
        "messages.[1].role",
        None,
        "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
    ),
    "a second result": ({"messages": answered(result("c1"), result("c1"))}, "messages.[3].role", None, "preceeding"),
    "a result without id": (
        {"messages": answered({"role": "tool", "content": "a"})},
        "messages[2].tool_call_id",
        "missing_required_parameter",
        "Missing required parameter: 'messages[2].tool_call_id'.",
    ),
    "the same id twice": (
        {"messages": [*ASK, calling(call("c1"), call("c1")), result("c1"), result("c1")]},
        "messages[1].tool_calls",
        "invalid_value",
        "duplicate ids",
    ),
    "an empty id": (
        {"messages": [*ASK, calling(call("")), result("")]},
        "messages[1].tool_calls[0].id",
        "empty_string",
        "Expected a string with minimum length 1",
    ),
    "a number as id": (
        {"messages": [*ASK, calling(call(1))]},  # type: ignore[arg-type]
        "messages[1].tool_calls[0].id",
        "invalid_type",
        "expected a string, but got an integer instead.",
    ),
    "no calls": ({"messages": [*ASK, calling()]}, "messages[1].tool_calls", "empty_array", "empty array"),
    "a call without function": (
        {"messages": [*ASK, calling({"id": "c1", "type": "function"})]},
        "messages[1].tool_calls[0].function",
        "missing_required_parameter",
        "Missing",
    ),
    "a tool_use": (
        {"messages": [*ASK, calling({**call("c1"), "type": "tool_use"})]},
        "messages[1].tool_calls[0].type",
        "invalid_value",
        "Supported values are: 'function'.",
    ),
    "arguments that are an object": (
        {"messages": [*ASK, calling(call("c1", arguments={}))]},  # type: ignore[arg-type]
        "messages[1].tool_calls[0].function.arguments",
        "invalid_type",
        "expected a string, but got an object instead.",
    ),
    "arguments that are cut": (
        {"messages": [*ASK, calling(call("c1", arguments='{"a": '))]},
        "messages[1].tool_calls[0].function.arguments",
        "invalid_value",
        "expected the JSON of an object.",
    ),
    "arguments that are a list": (
        {"messages": [*ASK, calling(call("c1", arguments="[]"))]},
        "messages[1].tool_calls[0].function.arguments",
        "invalid_value",
        "expected the JSON of an object.",
    ),
    "a blank in a name": (
        {"tools": [function("a b")]},
        "tools[0].function.name",
        "invalid_value",
        "string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.",
    ),
    "a long name": (
        {"tools": [function("a" * 65)]},
        "tools[0].function.name",
        "string_above_max_length",
        "string too long. Expected a string with maximum length 64, but got a string with length 65 instead.",
    ),
    "a long name that was called": (
        {"messages": [*ASK, calling(call("c1", "a" * 65)), result("c1")]},
        "messages[1].tool_calls[0].function.name",
        "string_above_max_length",
        "string too long.",
    ),
    "no name": (
        {"tools": [{"type": "function", "function": {"description": "a"}}]},
        "tools[0].function.name",
        "missing_required_parameter",
        "Missing",
    ),
    "the same name twice": ({"tools": [function(), function()]}, "tools", "invalid_value", "unique"),
    "no tools": ({"tools": []}, "tools", "empty_array", "Invalid 'tools': empty array."),
    "a tool of the Messages API": (
        {"tools": [{"type": "custom", "function": {"name": "Bash"}}]},
        "tools[0].type",
        "invalid_value",
        "Supported values are: 'function'.",
    ),
    "no object": (
        schema(),
        "tools[0].function.parameters",
        "invalid_function_parameters",
        "Invalid schema for function 'Bash': schema must be a JSON Schema of 'type: \"object\"', got 'type: \"None\"'.",
    ),
    "strict is text": (
        {"tools": [function(strict="yes")]},
        "tools[0].function.strict",
        "invalid_type",
        "expected a boolean",
    ),
    "a choice of the Messages API": (
        {"tool_choice": {"type": "any"}},
        "tool_choice",
        "invalid_value",
        "Supported values are: 'none', 'auto', 'required', and 'function'.",
    ),
    "a function as text": ({"tool_choice": "function"}, "tool_choice", "invalid_value", "Supported values are"),
    "a choice without tools": (
        {"tools": None},
        "tool_choice",
        None,
        "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
    ),
    "a choice that is no tool": ({"tool_choice": FORCED}, "tool_choice", None, "Tool choice 'Read' not found"),
    "five stops": ({"stop": list("abcde")}, "stop", "array_above_max_length", "maximum length 4, but got"),
    "no stops": ({"stop": []}, "stop", "empty_array", "Invalid 'stop': empty array."),
    "an empty stop": ({"stop": [""]}, "stop", "invalid_type", "an array of strings"),
    "stream is text": ({"stream": "yes"}, "stream", "invalid_type", "expected a boolean, but got a string instead."),
    "no room": (
        {"max_tokens": 0},
        "max_tokens",
        "integer_below_min_value",
        "integer below minimum value. Expected a value >= 1, but got 0 instead.",
    ),
    "max_tokens is a fraction": ({"max_tokens": 1.5}, "max_tokens", "invalid_type", "an integer, but got a decimal"),
    "too cold": ({"temperature": -1}, "temperature", "decimal_below_min_value", "Expected a value >= 0, but got -1"),
    "too hot": ({"temperature": 3}, "temperature", "decimal_above_max_value", "Expected a value <= 2, but got 3"),
    "too much": ({"top_p": 2}, "top_p", "decimal_above_max_value", "Expected a value <= 1"),
    "temperature is text": ({"temperature": "1"}, "temperature", "invalid_type", "expected a decimal"),
}  # fmt: skip


@pytest.mark.parametrize("what", EVERYWHERE)
def test_openai_says_what_is_wrong_and_where(what: str) -> None:
    change, param, code, message = EVERYWHERE[what]
    status, body = refusal("openai", plain("openai", **change))
    error = body["error"]
    assert (status, error["param"], error["code"]) == (404 if code == "model_not_found" else 400, param, code)
    assert error["type"] == "invalid_request_error" and message in error["message"]


@pytest.mark.parametrize("name", ALL)
def test_these_rules_hold_everywhere(name: str) -> None:
    assert {what for what, (change, *_) in EVERYWHERE.items() if takes(name, plain(name, **change))} == set()


STRICT: dict[str, tuple[Body, str]] = {
    "top_k": ({"top_k": 5}, "top_k"),
    "system at the top": ({"system": "a"}, "system"),
    "stop_sequences": ({"stop_sequences": ["a"]}, "stop_sequences"),
    "the id of a message": ({"messages": [{**user("a"), "id": "a"}]}, "messages[0].id"),
    "a marked message": ({"messages": [{**user("a"), **MARK}]}, "messages[0].cache_control"),
    "a marked part": (parts(text(**MARK), image()), "messages[0].content[0].cache_control"),
    "a marked tool": ({"tools": [{**function(), **MARK}]}, "tools[0].cache_control"),
    "a signature": ({"messages": [*ASK, said("a", signature="b")]}, "messages[1].signature"),
    "thoughts": ({"messages": [*ASK, said("a", thinking="b")]}, "messages[1].thinking"),
    "is_error": ({"messages": answered({**result("c1"), "is_error": True})}, "messages[2].is_error"),
    "an index": ({"messages": [*ASK, calling(call("c1", index=0)), result("c1")]}, "messages[1].tool_calls[0].index"),
    "more of a function that was called": (
        {"messages": [*ASK, calling(odd_call()), result("c1")]},
        "messages[1].tool_calls[0].function.input",
    ),
    "more of an image": (
        parts({"type": "image_url", "image_url": {**image()["image_url"], "format": "png"}}),
        "messages[0].content[0].image_url.format",
    ),
    "more of a choice": (
        {"tool_choice": {**NAMED, "disable_parallel_tool_use": True}},
        "tool_choice.disable_parallel_tool_use",
    ),
    "more of a function that is chosen": (
        {"tool_choice": {"type": "function", "function": {"name": "Bash", "strict": True}}},
        "tool_choice.function.strict",
    ),
    "defer_loading": ({"tools": [function(defer_loading=True)]}, "tools[0].function.defer_loading"),
    "input_schema": ({"tools": [function(input_schema={})]}, "tools[0].function.input_schema"),
}


@pytest.mark.parametrize("what", STRICT)
def test_what_openai_does_not_know(what: str) -> None:
    change, param = STRICT[what]
    status, body = refusal("openai", plain("openai", **change))
    message = f"Unknown parameter: '{param}'."
    expected = {"message": message, "type": "invalid_request_error", "param": param, "code": "unknown_parameter"}
    assert (status, body) == (400, {"error": expected})


@pytest.mark.parametrize("name", ALL)
def test_unknown_fields_are_taken_by_the_lenient_alone(name: str) -> None:
    taken = {what for what, (change, _) in STRICT.items() if takes(name, plain(name, **change))}
    named = {"more of a choice", "more of a function that is chosen"} if name == "lmstudio" else set()
    known = {"openrouter": {"top_k", "a marked part", "a marked tool"}}
    assert taken == (set(STRICT) - named if name in LENIENT else known.get(name, set()))


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"stream": False, "stream_options": {"include_usage": True}}, None, "only allowed when 'stream' is enabled."),
        ({"stream_options": {"usage": True}}, "unknown_parameter", "Unknown parameter: 'stream_options.usage'."),
        ({"stream_options": {"include_usage": 1}}, "invalid_type", "expected a boolean, but got an integer instead."),
        ({"stream_options": None, "tool_choice": None, "tools": None, "parallel_tool_calls": True}, None,
         "'parallel_tool_calls' is only allowed when 'tools' are specified."),
        ({"parallel_tool_calls": "no"}, "invalid_type", "expected a boolean"),
        ({"n": 0}, "integer_below_min_value", "Expected a value >= 1"),
        ({"n": 129}, "integer_above_max_value", "Expected a value <= 128"),
        ({"max_completion_tokens": 5}, "invalid_parameter_combination", "at the same time is not supported."),
        ({"tools": [function(f"t{at}") for at in range(129)]}, "array_above_max_length", "maximum length 128"),
        ({"messages": [*ASK, calling(call("c" * 41)), result("c" * 41)]}, "string_above_max_length",
         "maximum length 40, but got a string with length 41 instead."),
        (schema(type="object"), "invalid_function_parameters", "In context=(), object schema missing properties."),
        (schema(type="object", properties={"a": {"type": "array"}}), "invalid_function_parameters",
         "In context=('properties', 'a'), array schema missing items."),
        (schema(type="object", properties={}, anyOf=[]), "invalid_function_parameters", "at the top level."),
        (parts({"type": "file", "file": {"file_data": "data:application/pdf;base64,AA"}}),
         "missing_required_parameter", "'messages[0].content[0].file.filename'"),
        (parts({"type": "file", "file": {"file_id": "a", "title": "b"}}), "unknown_parameter", "file.title'"),
        (parts({"type": "file", "file": {"filename": "a.txt", "file_data": "AA"}}), "invalid_value", "of a PDF."),
    ],
)  # fmt: skip
def test_what_openai_refuses_beyond_that(change: Body, code: str | None, message: str) -> None:
    status, body = refusal("openai", plain("openai", **change))
    assert (status, body["error"]["code"]) == (400, code)
    assert message in body["error"]["message"]


def test_what_openai_takes() -> None:
    document = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"}}
    image_in_the_web = image("https://example.com/a.png")
    body = plain("openai", max_tokens=None, max_completion_tokens=5, stream_options={"include_usage": True})
    body["messages"] = [*answered(result("c1", "")), user([text(), document, image_in_the_web])]
    body |= {"tools": [function(strict=True), function("Read")], "tool_choice": FORCED, "parallel_tool_calls": False}
    check_body(CHAT_VENDORS["openai"], body)
