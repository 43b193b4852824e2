"""Whatever Messages request Anthropic takes: OpenAI takes what it becomes, and nothing that was said is lost."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dialects.chat.openai_types import check_chat
from tests.dialects.messages.bodies import bodies, json_values
from tests.dialects.messages.shapes import SHAPES, Body
from turnout.dialects.chat.request import chat_request
from turnout.errors import InvalidRequest
from turnout.settings.chat import ChatForm

Case = tuple[Body, tuple[str, ...]]

forms = st.builds(
    ChatForm,
    output_limit=st.sampled_from(["max_tokens", "max_completion_tokens"]),
    efforts=st.sampled_from([(), ("low", "high"), ("none", "minimal", "low", "medium", "high", "xhigh", "max")]),
    thinking_switch=st.sampled_from(["none", "thinking", "enable_thinking", "thinking_budget_tokens"]),
    thoughts=st.sampled_from(["none", "reasoning_content", "reasoning", "reasoning_details"]),
    stream_usage=st.booleans(),
    parallel_switch=st.booleans(),
    call_ids=st.sampled_from(["any", "nine"]),
    no_content=st.sampled_from(["null", "empty", "absent"]),
    documents=st.sampled_from(["file", "text"]),
    schemas=st.sampled_from(["keep", "plain"]),
    strict=st.sampled_from(["absent", "false"]),
)


def translated(body: Body, form: ChatForm, **style: Any) -> Body:
    done = chat_request(json.dumps(body, **style).encode(), form)
    return json.loads(done.translated.body)  # type: ignore[no-any-return]


def unmarked(value: Any) -> Any:
    """Without cache breakpoints, which move on with the conversation."""
    if isinstance(value, dict):
        return {key: unmarked(member) for key, member in value.items() if key != "cache_control"}
    return [unmarked(each) for each in value] if isinstance(value, list) else value


def inputs(body: Body) -> list[Any]:
    return [block["input"] for block in blocks_of(body) if block["type"] == "tool_use"]


def blocks_of(body: Body) -> list[Body]:
    return [b for message in body["messages"] if isinstance(message["content"], list) for b in message["content"]]


@settings(max_examples=80)
@given(bodies(), forms, st.booleans())
def test_openai_takes_it_and_everything_is_said(case: Case, form: ChatForm, ascii: bool) -> None:
    body, _ = case
    chat = translated(body, form, ensure_ascii=ascii)
    check_chat(chat)
    assert chat == translated(body, form, ensure_ascii=ascii), "the same request becomes another"
    calls = [call["function"] for message in chat["messages"] for call in message.get("tool_calls", [])]
    assert [json.loads(call["arguments"]) for call in calls] == inputs(body)
    words = json.dumps(chat["messages"])
    for block in blocks_of(body):
        if block["type"] == "text":
            assert json.dumps(block["text"])[1:-1] in words
    pictures = sum(block["type"] == "image" for block in [*blocks_of(body), *results_of(body)])
    assert words.count('"image_url": {') == pictures, "an image is lost"


def _mutated(value: Any, data: st.DataObject) -> Any:
    """With one member, anywhere, another than it was."""
    keys = [*value] if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    if not keys or data.draw(st.integers(0, 5)) == 0:
        return data.draw(json_values)
    key = data.draw(st.sampled_from([*keys]))
    changed = value.copy()
    changed[key] = _mutated(value[key], data)
    return changed


@settings(max_examples=50)
@given(bodies(), forms, st.data())
def test_anything_else_is_taken_too_or_refused(case: Case, form: ChatForm, data: st.DataObject) -> None:
    try:
        chat = translated(_mutated(case[0], data), form)
    except InvalidRequest:
        return
    check_chat(chat)


def results_of(body: Body) -> list[Body]:
    """The blocks inside the results of tools."""
    contents = [block["content"] for block in blocks_of(body) if block["type"] == "tool_result"]
    return [each for content in contents if isinstance(content, list) for each in content]


@settings(max_examples=50)
@given(bodies(), forms, st.data())
def test_a_longer_conversation_begins_with_the_shorter(case: Case, form: ChatForm, data: st.DataObject) -> None:
    """Cut behind any turn of the user, as requests are; breakpoints aside, which the client itself moves on."""
    body = unmarked(case[0])
    messages = body["messages"]
    ends = [
        place
        for place in range(1, len(messages))
        if messages[place]["role"] == "assistant" and messages[place - 1]["role"] != "assistant"
    ]
    if not ends:
        return
    shorter = deepcopy(body) | {"messages": messages[: data.draw(st.sampled_from(ends))]}
    whole, part = (chat_request(json.dumps(each).encode(), form).translated.body for each in (body, shorter))
    assert whole.startswith(part.removesuffix(b"]}")), "what was cached before is written otherwise"


def test_requests_of_claude_code_are_taken_and_grow() -> None:
    """With their breakpoints: where these move, everything else stays as it was."""
    for shape in SHAPES:
        chat = translated(shape.body, ChatForm())
        check_chat(chat)
        longer = deepcopy(shape.body)
        for block in blocks_of(longer):
            block.pop("cache_control", None)
        longer["messages"] += [
            {"role": "assistant", "content": [{"type": "text", "text": "done"}]},
            {"role": "user", "content": [{"type": "text", "text": "on", "cache_control": {"type": "ephemeral"}}]},
        ]
        if "cache_control" in json.dumps([shape.body.get("system"), shape.body["messages"]]):
            before, after = unmarked(chat["messages"]), unmarked(translated(longer, ChatForm())["messages"])
            assert after[: len(before)] == before, shape.name
