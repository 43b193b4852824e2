"""What a 400 of a Chat Completions server teaches, in terms of the Messages request (D2)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from turnout.dialects.chat.refusals import lessons_told
from turnout.dialects.error_body import read_error_body
from turnout.dialects.messages.refusals import Lesson, Lessons, Overflow, read_refusal
from turnout.settings.rewriting import overlaid


def taught(message: str, status: int = 400, **members: Any) -> set[Lesson]:
    body = msgspec.json.encode({"error": {"message": message, "type": "invalid_request_error", **members}})
    refusal = read_refusal(status, read_error_body(body), lessons_told)
    return set(refusal.lessons) if isinstance(refusal, Lessons) else set()


CASES = [
    ("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
     ("chat.output_limit", "max_completion_tokens")),
    ("Unknown parameter: 'max_completion_tokens'.", ("chat.output_limit", "max_tokens")),
    ("Unknown parameter: 'stream_options'.", ("chat.stream_usage", "off")),
    ("Unknown parameter: 'stream_options.include_usage'.", ("chat.stream_usage", "off")),
    ("Unrecognized request argument supplied: parallel_tool_calls", ("chat.parallel_switch", "off")),
    ("Unknown parameter: 'reasoning_effort'.", ("chat.efforts", "none at all")),
    ("Unsupported value: 'reasoning_effort' does not support 'xhigh' with this model. Supported values are: 'low', "
     "'medium', and 'high'.", ("chat.efforts", "low medium high")),
    ("Unrecognized request argument supplied: thinking", ("chat.thinking_switch", "none")),
    ("Unsupported parameter: 'stop' is not supported with this model.", ("drop", "stop_sequences")),
    ("Unsupported parameter: 'temperature' is not supported with this model.", ("drop", "temperature")),
    ("Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported.",
     ("drop", "temperature")),
    ("Unknown parameter: 'response_format'.", ("drop", "output_config.format")),
    ("This response_format type is unavailable now", ("drop", "output_config.format")),
    ("This model does not support response format `json_schema`.", ("drop", "output_config.format")),
    ("Invalid value: 'max'. Supported values are: 'low', 'medium', and 'high'.", ("chat.efforts", "low medium high")),
    ("reasoning_effort is not supported with this model", ("chat.efforts", "none at all")),
    ("Model grok-4 does not support parameter reasoningEffort.", ("chat.efforts", "none at all")),
    ("property 'parallel_tool_calls' is unsupported", ("chat.parallel_switch", "off")),
    ("Invalid JSON payload received. Unknown name \"additionalProperties\" at "
     "'tools[0].function_declarations[0].parameters': Cannot find field.", ("chat.schemas", "plain")),
    ("Invalid value: 'file'. Supported values are: 'text' and 'image_url'.", ("chat.documents", "text")),
    ("Unknown parameter: 'tool_choice'.", ("drop", "tool_choice")),
    ("Invalid content type. image_url is only supported by certain models.", ("images", "note")),
    ("max_tokens is too large: 64000. This model supports at most 16384 completion tokens, whereas you provided 64000.",
     ("max_tokens", 16384)),
    ("tool_choice 'required' is not supported by this model", ("tool_choice.any", "auto")),
]  # fmt: skip


@pytest.mark.parametrize(("message", "lesson"), CASES)
def test_what_a_wording_teaches(message: str, lesson: tuple[str, str | int]) -> None:
    found = taught(message)
    assert Lesson(*lesson) in found
    for each in found:
        assert each.is_sound and overlaid({}, each.table).model_fields_set == {each.rule.partition(".")[0]}


def test_unknown_fields_of_messages() -> None:
    body = {"detail": [{"type": "extra_forbidden", "loc": ["body", "messages", 2, "assistant", "reasoning_content"],
                        "msg": "Extra inputs are not permitted"}]}  # fmt: skip
    refusal = read_refusal(422, read_error_body(msgspec.json.encode(body)), lessons_told)
    assert refusal == Lessons((Lesson("chat.thoughts", "none"),))


def test_thoughts_that_have_to_be_given_back() -> None:
    found = taught("The `reasoning_content` in the thinking mode must be passed back to the API.")
    assert found == {Lesson("thoughts", "with_calls"), Lesson("chat.thoughts", "reasoning_content")}


def test_a_strict_tool() -> None:
    found = taught("Unknown parameter: 'tools[0].function.strict'.")
    assert found == {Lesson("chat.strict", "absent"), Lesson("drop", "tools[*].strict")}


def test_too_long() -> None:
    message = "This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens."
    body = msgspec.json.encode({"error": {"message": message, "code": "context_length_exceeded"}})
    assert read_refusal(400, read_error_body(body), lessons_told) == Overflow(130001, 128000)


@pytest.mark.parametrize("message", ["Something went wrong.", "Rate limit reached for gpt-6 on requests per min"])
def test_what_teaches_nothing(message: str) -> None:
    assert taught(message) == set()


@pytest.mark.parametrize(
    ("lesson", "line"),
    [
        (Lesson("chat.efforts", "low high"), 'rewrite.models."m".chat.efforts = ["low", "high"]'),
        (Lesson("chat.efforts", "none at all"), 'rewrite.models."m".chat.efforts = []'),
        (Lesson("chat.stream_usage", "off"), 'rewrite.models."m".chat.stream_usage = false'),
        (Lesson("chat.output_limit", "max_tokens"), 'rewrite.models."m".chat.output_limit = "max_tokens"'),
    ],
)
def test_the_line_that_makes_it_permanent(lesson: Lesson, line: str) -> None:
    assert lesson.line("m") == line
