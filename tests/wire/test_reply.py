"""Replies of providers that are not first party (A10)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.test_messages import play
from tests.wire.test_sse import cuts, pieces, streams
from turnout.wire.messages import MessageStream
from turnout.wire.reply import ForeignReply

ZERO = {"input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
RIGHT = (
    b'{ "id": "msg_1", "type":"message","role":"assistant", "model":"claude-x", "content": [ {"type":"text"} ],'
    b' "stop_reason":"end_turn","stop_sequence" : null, "usage": {"input_tokens":1, "output_tokens":2,'
    b'"cache_creation_input_tokens":0,"cache_read_input_tokens":0, "service_tier":"x"} }'
)


def reply() -> ForeignReply:
    return ForeignReply("claude-x", lambda data: b'{"type":"error","error":' + (data or b'""') + b"}", seed="s")


def shaped(body: bytes) -> Any:
    return json.loads(reply().message(body))


class TestMessage:
    def test_what_is_right_keeps_every_byte(self) -> None:
        assert reply().message(RIGHT) is RIGHT

    def test_a_value_alone_changes_nothing_around_it(self) -> None:
        body = RIGHT.replace(b'"claude-x"', b'"kimi"').replace(b'"input_tokens":1,', b'"input_tokens": null ,')

        assert reply().message(body) == RIGHT.replace(b'"input_tokens":1,', b'"input_tokens": 0 ,')

    def test_an_equal_model_in_another_spelling_stays(self) -> None:
        body = RIGHT.replace(b'"claude-x"', b'"cl\\u0061ude-x"')

        assert reply().message(body) is body

    def test_foreign_keys_go_and_the_other_values_keep_their_bytes(self) -> None:
        body = RIGHT.replace(b'{ "id"', b'{ "base_resp":{"status_code":0}, "provider":"x", "id"')

        assert reply().message(body) == (
            b'{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[ {"type":"text"} ],'
            b'"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1, "output_tokens":2,'
            b'"cache_creation_input_tokens":0,"cache_read_input_tokens":0, "service_tier":"x"}}'
        )

    def test_what_is_missing_is_completed(self) -> None:
        assert shaped(b"{}") == {
            "id": "msg_s",
            "type": "message",
            "role": "assistant",
            "model": "claude-x",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": ZERO,
        }

    def test_documented_keys_stay(self) -> None:
        more = {
            "stop_details": {"type": "refusal"},
            "container": {},
            "context_management": {"applied_edits": []},
            "diagnostics": None,
            "input_transformations": [],
        }

        assert shaped(json.dumps({**json.loads(RIGHT), **more}).encode()) == json.loads(RIGHT) | more

    @pytest.mark.parametrize(
        ("usage", "expected"),
        [
            (None, ZERO),
            ([], ZERO),
            ({"input_tokens": "7", "output_tokens": True, "x": 1}, ZERO | {"x": 1}),
            ({"input_tokens": -1, "output_tokens": 2**60}, ZERO),
            (
                {"input_tokens": 5, "cache_read_input_tokens": None, "cache_creation": {"a": 1}},
                ZERO | {"input_tokens": 5, "cache_creation": {"a": 1}},
            ),
        ],
    )
    def test_usage_is_complete_and_further_members_stay(self, usage: Any, expected: Any) -> None:
        assert shaped(json.dumps({"usage": usage}).encode())["usage"] == expected

    @pytest.mark.parametrize(
        ("block", "expected"),
        [
            ({"type": "tool_use", "id": "functions.Bash:0"}, {"type": "tool_use", "id": "functions_Bash_0"}),
            ({"type": "tool_use", "id": "ü\n/"}, {"type": "tool_use", "id": "___"}),
            ({"type": "tool_use", "id": ""}, {"type": "tool_use", "id": "toolu_s_1"}),
            ({"type": "tool_use", "id": None}, {"type": "tool_use", "id": "toolu_s_1"}),
            ({"type": "tool_use"}, {"type": "tool_use", "id": "toolu_s_1"}),
            ({"type": "server_tool_use", "id": "a.b"}, {"type": "server_tool_use", "id": "a_b"}),
            ({"type": "x_tool_result", "tool_use_id": "a.b"}, {"type": "x_tool_result", "tool_use_id": "a_b"}),
            ({"type": "tool_use", "id": "call_1-A"}, {"type": "tool_use", "id": "call_1-A"}),
            ({"type": "text", "id": "a.b"}, {"type": "text", "id": "a.b"}),
            ({"type": ["tool_use"], "id": "a.b"}, {"type": ["tool_use"], "id": "a.b"}),
            ("text", "text"),
        ],
    )
    def test_ids_of_tools(self, block: Any, expected: Any) -> None:
        """The client sends them to Anthropic later."""
        assert shaped(json.dumps({"content": [block]}).encode())["content"] == [expected]
        event = json.dumps({"type": "content_block_start", "index": 3, "content_block": block}).encode()
        assert json.loads(reply().event(b"content_block_start", event)) == {
            "type": "content_block_start",
            "index": 3,
            "content_block": expected,
        }

    def test_invented_ids_differ_in_an_answer_and_between_answers(self) -> None:
        body = b'{"content":[{"type":"tool_use"},{"type":"tool_use","id":""}]}'
        ids = [each["id"] for _ in range(2) for each in json.loads(ForeignReply("m").message(body))["content"]]

        assert len(set(ids)) == 4 and all(each.startswith("toolu_") for each in ids)

    def test_arguments_of_tools_keep_their_bytes(self) -> None:
        body = RIGHT.replace(b'{"type":"text"}', b'{"type":"tool_use","id":"a.b", "input": {"x" : 1.50} }')

        assert reply().message(body) == body.replace(b"a.b", b"a_b").replace(b"[ ", b"[").replace(b"} ],", b"}],")

    @pytest.mark.parametrize("body", [b"", b"[1]", b"<html>", b'"x"', b"\xff{}", b'{"a":' + b"[" * 100_000])
    def test_what_is_no_object_stays(self, body: bytes) -> None:
        assert reply().message(body) is body and reply().count(body) is body


def test_an_answer_of_count_tokens() -> None:
    body = b'{ "input_tokens": 5 }'

    assert reply().count(body) is body
    assert reply().count(b'{ "input_tokens": 5, "model": "x", "base_resp": {} }') == b'{"input_tokens":5}'


class TestEvents:
    @pytest.mark.parametrize(
        ("name", "data", "expected"),
        [
            (
                "message_delta",
                b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3},"base_resp":{}}',
                b'{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":3}}',
            ),
            (
                "message_delta",
                b'{"delta":5,"usage":null}',
                b'{"delta":{"stop_reason":null,"stop_sequence":null},"usage":{"output_tokens":0},"type":"message_delta"}',
            ),
            (
                "message_delta",
                b"{}",
                b'{"type":"message_delta","delta":{"stop_reason":null,"stop_sequence":null},"usage":{"output_tokens":0}}',
            ),
            ("message_start", b'{"type":"message_start","message":5}', b'{"type":"message_start","message":5}'),
            ("message_start", b"{}", b"{}"),
            ("content_block_start", b'{"index":0}', b'{"index":0}'),
            ("content_block_stop", b'{"x":0}', b'{"x":0}'),
            ("error", b'"x"', b'{"type":"error","error":"x"}'),
        ],
    )
    def test_data(self, name: str, data: bytes, expected: bytes) -> None:
        assert reply().event(name.encode(), data) == expected

    def test_message_start(self) -> None:
        data = b'{"message":' + RIGHT.replace(b"claude-x", b"kimi") + b',"type":"message_start"}'

        assert reply().event(b"message_start", data) == data.replace(b"kimi", b"claude-x")
        assert json.loads(reply().event(b"message_start", b'{"message":{"provider":"x"},"x":1}')) == {
            "type": "message_start",
            "message": shaped(b"{}"),
        }

    def test_a_delta_without_a_count_does_not_take_back_that_of_the_start(self) -> None:
        answer = reply()
        answer.event(b"message_start", b'{"message":{"usage":{"output_tokens":9}}}')

        assert json.loads(answer.event(b"message_delta", b'{"usage":{}}'))["usage"] == {"output_tokens": 9}

    @pytest.mark.parametrize("name", [b"message_delta", b"message_start", b"content_block_start"])
    def test_what_is_right_is_the_same_object(self, name: bytes) -> None:
        data = {
            b"message_delta": b'{"type":"message_delta", "delta":{"stop_reason":null,"stop_sequence":null},'
            b' "usage":{"output_tokens":1,"input_tokens":null}, "context_management":{}}',
            b"message_start": b'{"type":"message_start", "message": ' + RIGHT + b"}",
            b"content_block_start": b'{"index":0, "content_block":{"type":"tool_use","id":"a-1"}, "x":1}',
        }[name]

        assert reply().event(name, data) is data


def frame(name: str, data: bytes, end: bytes = b"\n") -> bytes:
    return b"event: " + name.encode() + end + b"data: " + data + end + end


ANSWER = [
    ("message_start", b'{"type":"message_start","message":{"id":"1","model":"kimi"},"x":1}'),
    (
        "content_block_start",
        b'{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"functions.Bash:0"}}',
    ),
    ("content_block_delta", b'{ "type":"content_block_delta","delta":{"type":"tool_use","id":"a.b"}}'),
    ("content_block_stop", b'{ "type":"content_block_stop" }'),
    ("ping", b"{}"),
    ("unheard_of", b'{"id":"a.b"}'),
    ("message_delta", b'{"type":"message_delta","delta":{"stop_reason":"tool_use"},"base_resp":{}}'),
    ("error", b'"odd"'),
    ("message_stop", b'{ "type":"message_stop"}'),
]


class TestStream:
    @given(cuts, st.sampled_from([b"\n", b"\r\n", b"\r"]))
    def test_the_same_bytes_however_it_is_cut(self, cuts: list[int], end: bytes) -> None:
        source = b"".join(frame(name, data, end) for name, data in ANSWER)
        shape = reply()
        expected = b"".join(
            frame(name, shape.event(name.encode(), data), b"\n" if name == "error" else end) for name, data in ANSWER
        )
        once = play(MessageStream("claude-x", reply()), pieces(source, cuts))

        assert once == expected and b"functions_Bash_0" in once and b"kimi" not in once and b"base_resp" not in once

    @given(st.binary(max_size=200) | streams, cuts)
    def test_garbage_does_not_raise_and_the_cuts_do_not_matter(self, data: bytes, cuts: list[int]) -> None:
        assert play(MessageStream("m", reply()), pieces(data, cuts)) == play(MessageStream("m", reply()), [data])

    def test_an_error_without_data_gets_some(self) -> None:
        assert MessageStream("m", reply()).relay(b"event: error\n\n") == [
            frame("error", b'{"type":"error","error":""}')
        ]

    def test_deltas_pass_without_a_look(self) -> None:
        delta = frame(*ANSWER[2])

        assert MessageStream("m", reply()).relay(delta)[0] is delta

    def test_the_facts_are_those_of_the_provider(self) -> None:
        stream = MessageStream("m", reply())
        stream.relay(frame("message_delta", b'{"usage":{"input_tokens":4}}') + frame("error", b'"odd"'))

        assert (stream.usage, stream.failure, stream.ended) == ({"input_tokens": 4}, b'"odd"', True)


keys = st.sampled_from(
    [
        "id",
        "type",
        "role",
        "model",
        "content",
        "stop_reason",
        "usage",
        "input_tokens",
        "message",
        "delta",
        "tool_use_id",
    ]
) | st.text(max_size=3)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["tool_use", "message", "a.b", ""])
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=12,
)


@given(values | st.dictionaries(keys, values, max_size=6), st.sampled_from([None, 1]))
def test_twice_is_once_and_nothing_raises(value: Any, indent: int | None) -> None:
    body = json.dumps(value, indent=indent).encode()
    once = reply().message(body)
    assert reply().message(once) is once
    for name in (b"message_start", b"message_delta", b"content_block_start"):
        once = reply().event(name, body)
        assert reply().event(name, once) is once


@given(st.lists(st.text(max_size=4), max_size=4))
def test_text_is_never_touched(texts: list[str]) -> None:
    content = [{"type": "text", "text": text} for text in texts] + [{"type": "tool_use", "id": "a.b"}]
    assert shaped(json.dumps({"content": content}).encode())["content"][:-1] == content[:-1]
