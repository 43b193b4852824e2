"""The answer that a client of Chat Completions gets, streamed and whole (B5)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.dialects.messages.bodies import objects
from turnout.dialects.chat.client.completion import completion_of
from turnout.dialects.chat.client.stream import ChatEncoder
from turnout.testing import events
from turnout.testing.events import Event, folded
from turnout.wire.sse import EventSplitter

Body = dict[str, Any]
DONE = b"data: [DONE]\n\n"


def encoded(answer: list[Event], *, include_usage: bool = True) -> list[bytes]:
    """The frames that the events become."""
    encoder = ChatEncoder(include_usage=include_usage)
    out = b"".join(encoder.frame(event.encode("m")) for event in answer)
    return EventSplitter().feed(out)


def accumulated(frames: list[bytes]) -> Body:
    """What OpenAI's SDK makes of the chunks."""
    state = ChatCompletionStreamState()
    for frame in frames:
        if frame.startswith(b"data: {"):
            state.handle_chunk(ChatCompletionChunk.model_validate_json(frame[6:], strict=True))
    return plain(state.current_completion_snapshot.model_dump())


def whole(answer: list[Event]) -> Body:
    completion = completion_of(json.dumps(folded(answer, "m")).encode())
    return plain(ChatCompletion.model_validate_json(completion, strict=True).model_dump())


def plain(completion: Body) -> Body:
    """Without what the SDK adds, and the time."""
    (choice,) = completion["choices"]
    message = {name: value for name, value in choice["message"].items() if value not in (None, "") and name != "parsed"}
    for each in message.get("tool_calls", []):
        each.pop("index", None)
        each["function"].pop("parsed_arguments", None)
        each["function"]["arguments"] = json.loads(each["function"]["arguments"])
    ended = {name: completion[name] for name in ("id", "model", "usage")}
    return {**ended, "message": message, "finish_reason": choice["finish_reason"]}


words = st.text(min_size=1, max_size=20)
pieces = st.lists(words, min_size=1, max_size=3)


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """Thoughts, texts and calls in any order, one text of each kind: a client of OpenAI knows of no more."""
    blocks: list[list[Event]] = []
    kinds = draw(st.lists(st.sampled_from(["thinking", "text", "tool"]), max_size=4))
    for index, kind in enumerate(kinds):
        if kind == "thinking" and kind not in kinds[:index]:
            blocks.append(events.thinking_block(len(blocks), draw(pieces)))
        elif kind == "text":
            blocks.append(events.text_block(len(blocks), draw(pieces)))
        elif kind == "tool":
            name, input = draw(st.sampled_from(["Read", "Bash"])), draw(objects)
            blocks.append(events.tool_use_block(len(blocks), name, input, id=f"toolu_{index}"))
    reason = draw(st.sampled_from(["end_turn", "max_tokens", "tool_use", "refusal", "stop_sequence", "pause_turn"]))
    begun = events.message_start(cache_read=draw(st.integers(0, 9)), cache_write=draw(st.integers(0, 9)))
    return [begun, events.ping(), *sum(blocks, []), events.message_delta(reason), events.message_stop()]


@settings(max_examples=200)
@given(answers())
def test_a_stream_adds_up_to_the_whole_answer(answer: list[Event]) -> None:
    frames = encoded(answer)
    assert accumulated(frames) == whole(answer)
    assert frames[-1] == DONE and frames.count(DONE) == 1
    assert sum(b"finish_reason\":\"" in frame for frame in frames) == 1


def test_calls_are_counted_from_zero_and_have_arguments() -> None:
    answer = [
        events.message_start(),
        *events.text_block(0, ["I do."]),
        *(event for event in events.tool_use_block(1, "Read", {}, id="a") if "delta" not in event.data),
        *events.tool_use_block(2, "Bash", {"x": 1}, id="b"),
        events.message_delta("tool_use"),
        events.message_stop(),
    ]
    calls = [
        call
        for frame in encoded(answer)[1:-2]
        for call in json.loads(frame[6:])["choices"][0]["delta"].get("tool_calls", [])
    ]
    assert [(call["index"], call.get("id")) for call in calls if "id" in call] == [(0, "a"), (1, "b")]
    assert [call["function"]["arguments"] for call in calls if call["index"] == 0] == ["", "{}"]
    assert "".join(call["function"]["arguments"] for call in calls if call["index"] == 1) == '{"x": 1}'


def test_counts_come_last_and_only_when_they_are_asked_for() -> None:
    answer = events.stream_of("Hello")
    assert not any(b'"usage"' in frame for frame in encoded(answer, include_usage=False))
    *chunks, counts, done = encoded(answer)
    told = json.loads(counts[6:])
    assert done == DONE and told["choices"] == []
    assert told["usage"]["prompt_tokens"] == 25 and told["usage"]["completion_tokens"] == 15
    assert all(json.loads(frame[6:])["usage"] is None for frame in chunks if frame.startswith(b"data:"))


def test_signs_of_life_are_comments() -> None:
    assert encoded([events.ping()]) == [b": ping\n\n"]
    assert ChatEncoder(include_usage=False).frame(b": OPENROUTER\n\n") == b": OPENROUTER\n\n"


def test_an_error_in_the_middle_is_one_that_the_sdk_raises() -> None:
    (frame,) = encoded([events.error("overloaded_error", "Busy")])
    error = json.loads(frame[6:])["error"]
    assert (error["message"], error["type"]) == ("Busy", "server_error")


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"type":"error","error":{"type":"api_error","message":"a"}}', b"\xff"])
def test_what_is_no_message_is_passed_on(body: bytes) -> None:
    assert completion_of(body) is body


@given(st.binary(max_size=60))
def test_no_input_makes_it_raise(data: bytes) -> None:
    encoder = ChatEncoder(include_usage=True)
    for frame in (data, b"data: " + data + b"\n\n", b'event: content_block_start\ndata: {"index":' + data + b"}\n\n"):
        encoder.frame(frame)


@pytest.mark.parametrize("data", ["Overloaded", '{"message":"x"}', '{"type":"error","error":"busy"}', ""])
def test_an_error_of_any_form_is_one_that_the_sdk_raises(data: str) -> None:
    told = ChatEncoder(include_usage=False).frame(f"event: error\ndata: {data}\n\n".encode())
    assert told.startswith(b"data: ") and isinstance(json.loads(told[6:])["error"]["message"], str)


@pytest.mark.parametrize("index", ["[]", "{}", "null"])
def test_an_index_that_is_no_number_is_passed_over(index: str) -> None:
    frame = f'event: content_block_stop\ndata: {{"type":"content_block_stop","index":{index}}}\n\n'
    assert ChatEncoder(include_usage=False).frame(frame.encode()) == b""


def test_a_text_that_begins_with_null_says_nothing() -> None:
    data = '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":null}}'
    assert ChatEncoder(include_usage=False).frame(f"event: content_block_start\ndata: {data}\n\n".encode()) == b""


def test_a_message_without_an_id_is_a_completion() -> None:
    """Other servers leave out what they have no value for, or write null."""
    block = {"type": "text", "text": "x", "id": None, "name": None}
    for more in ({}, {"id": None, "model": None}):
        told = completion_of(json.dumps({"type": "message", "content": [block], **more}).encode())
        assert ChatCompletion.model_validate_json(told, strict=True).choices[0].message.content == "x"
