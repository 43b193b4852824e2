"""A whole answer of Chat Completions as a message of the Messages API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.dialects.chat.answers import Fields, call, completion
from turnout.dialects.chat.message import message_of
from turnout.dialects.chat.seal import Seal, opened


def content(message: Fields, finish: str | None = "stop") -> list[Fields]:
    return list(json.loads(message_of(completion(message, finish)))["content"])


def used(name: str, given: Any, id: str) -> Fields:
    return {"type": "tool_use", "id": id, "name": name, "input": given}


def test_all_of_a_message() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_cache_hit_tokens": 4}
    message = {"content": "Yes", "reasoning_content": "Hm.", "tool_calls": [call(None, '{"x":1}', id="a", name="f")]}

    assert json.loads(message_of(completion(message, "tool_calls", usage=usage))) == {
        "type": "message",
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": ""},
            {"type": "text", "text": "Yes"},
            used("f", {"x": 1}, "a"),
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 5, "cache_read_input_tokens": 4, "output_tokens": 2},
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'"choices"',
        b'{"error":{"message":"no"}}',
        b'{"object":"error","message":"no","code":40303}',
        b'{"type":"message","content":[]}',
        b'{"choices":[]}',
        b'{"choices":null,"base_resp":{"status_code":1004}}',
        b'{"choices":[{"index":0,"text":"legacy"}]}',
        b'{"choices":[{"index":1,"message":{"content":"a"}}]}',
        completion({"content": "a"}, error={"code": 502}),
        completion({"content": "a"}, "error"),
        completion({"content": "a"}, "network_error"),
        completion({"content": "a"}, base_resp={"status_code": 1002}),
    ],
)
def test_what_is_no_answer_is_left_as_it_is(body: bytes) -> None:
    assert message_of(body) is body


@pytest.mark.parametrize("pretty", [{"indent": 1}, {"separators": (" ,\r\n", ": ")}, {"ensure_ascii": False}])
def test_however_the_json_is_written(pretty: Any) -> None:
    body = json.dumps(json.loads(completion({"content": "ü\n\n😀"})), **pretty).encode()

    assert json.loads(message_of(body))["content"] == [{"type": "text", "text": "ü\n\n😀"}]


def test_a_byte_order_mark() -> None:
    assert b'"text":"a"' in message_of(b"\xef\xbb\xbf" + completion({"content": "a"}))


def test_a_half_of_a_surrogate_pair_is_no_letter() -> None:
    assert content({"content": "a\ud83d"}) == [{"type": "text", "text": "a?"}]


@pytest.mark.parametrize(("finish", "reason"), [("length", "max_tokens"), (None, "end_turn"), ("stop", "end_turn")])
def test_reasons(finish: str | None, reason: str) -> None:
    assert json.loads(message_of(completion({"content": "a"}, finish)))["stop_reason"] == reason


def test_calls_are_told_apart_by_their_place() -> None:
    same = call(None, "", name="f")
    blocks = content({"tool_calls": [same, same, call(0, "{}", id="a", name="f")][:2]})

    assert [(block["name"], block["input"]) for block in blocks] == [("f", {}), ("f", {})]
    assert blocks[0]["id"] != blocks[1]["id"]


def test_ids_that_the_conversation_holds_are_not_given_again() -> None:
    body = completion({"tool_calls": [call(None, "{}", id="call_0", name="f")]})

    (block,) = json.loads(message_of(body, ["call_0"]))["content"]
    assert block["id"].startswith("toolu_")


def test_what_has_to_be_given_back() -> None:
    signed = call(None, "{}", id="a", name="f") | {"extra_content": {"google": {"thought_signature": "s"}}}
    hidden = {"type": "reasoning.encrypted", "data": "x"}
    message = {"reasoning": "Hm.", "reasoning_details": [hidden], "tool_calls": [signed]}

    thoughts, block = content(message)
    assert thoughts["thinking"] == "Hm." and block == used("f", {}, "a")
    assert opened(thoughts["signature"]) == Seal([hidden], {"a": signed["extra_content"]})


def test_a_call_that_was_cut_short_is_left_out_where_the_reason_tells_of_it() -> None:
    message = {"content": "a", "tool_calls": [call(None, '{"x":', id="a", name="f")]}

    assert content(message, "length") == [{"type": "text", "text": "a"}]


@pytest.mark.parametrize("arguments", ['{"x":', "ls -l"])
def test_a_call_without_json_makes_no_message(arguments: str) -> None:
    body = completion({"content": "a", "tool_calls": [call(None, arguments, id="a", name="f")]}, "tool_calls")

    assert message_of(body) is body
