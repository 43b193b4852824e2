"""Replies of providers that are not first party (A10)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.dialects.messages.reply import ForeignReply
from turnout.wire.splice import top_level

ZERO = {"input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
RIGHT = (
    b'{ "id": "msg_1", "type":"message","role":"assistant", "model":"claude-x", "content":'
    b' [ {"type":"text", "text":"a"} ],'
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
            b'{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":'
            b'[ {"type":"text", "text":"a"} ],"stop_reason":"end_turn","stop_sequence":null,'
            b'"usage":{"input_tokens":1, "output_tokens":2,'
            b'"cache_creation_input_tokens":0,"cache_read_input_tokens":0, "service_tier":"x"}}'
        )

    def test_what_is_missing_is_completed(self) -> None:
        assert shaped(b"{}") == {
            "id": "msg_s",
            "type": "message",
            "role": "assistant",
            "model": "claude-x",
            "content": [],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": ZERO,
        }

    @pytest.mark.parametrize("stop", [{}, {"stop_reason": None}, {"stop_reason": 5}, {"stop_reason": ""}])
    @pytest.mark.parametrize(
        ("blocks", "reason"),
        [([], "end_turn"), ([{"type": "text"}], "end_turn"), ([{"type": "tool_use"}, {"type": "text"}], "tool_use")],
    )
    def test_why_it_stopped_is_seen_from_its_blocks(self, stop: Any, blocks: Any, reason: str) -> None:
        assert shaped(json.dumps({"content": blocks, **stop}).encode())["stop_reason"] == reason

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (None, []),
            ("Hi", [{"type": "text", "text": "Hi"}]),
            ([None, 5, "Hi", []], [{"type": "text", "text": "Hi"}]),
            ([{"type": "text", "text": None}], [{"type": "text", "text": ""}]),
            ([{"text": "Hi"}], [{"text": "Hi", "type": "text"}]),
            ([{"type": "thinking", "thinking": "t"}], [{"type": "thinking", "thinking": "t", "signature": ""}]),
            ([{"type": "redacted_thinking"}], [{"type": "redacted_thinking", "data": ""}]),
            ([{"type": "image", "x": 1}, {"x": 1}], [{"type": "image", "x": 1}, {"x": 1}]),
            (5, 5),
        ],
    )
    def test_blocks_are_complete(self, content: Any, expected: Any) -> None:
        assert shaped(json.dumps({"content": content}).encode())["content"] == expected

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({}, {}),
            ({"a": 1}, {"a": 1}),
            (None, {}),
            ([], {}),
            (5, {}),
            ("", {}),
            ("nonsense", {}),
            ('{"a": [1]}', {"a": [1]}),
        ],
    )
    def test_the_input_of_a_call_is_an_object(self, given: Any, expected: Any) -> None:
        block = {"type": "tool_use", "id": "a", "name": "b"}
        other = {**block, "id": "c"}
        body = json.dumps({"content": [{**block, "input": given}, other]}).encode()

        assert shaped(body)["content"] == [{**block, "input": expected}, {**other, "input": {}}]

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
            ({"type": "tool_use", "id": "functions.Bash:0"}, {"id": "functions_Bash_0", "name": "", "input": {}}),
            ({"type": "tool_use", "id": "ü\n/"}, {"id": "___", "name": "", "input": {}}),
            ({"type": "tool_use", "id": ""}, {"id": "toolu_s_1", "name": "", "input": {}}),
            ({"type": "tool_use", "id": None}, {"id": "toolu_s_1", "name": "", "input": {}}),
            ({"type": "tool_use"}, {"id": "toolu_s_1", "name": "", "input": {}}),
            ({"name": "Bash"}, {"type": "tool_use", "id": "toolu_s_1", "input": {}}),
            ({"type": "server_tool_use", "id": "a.b"}, {"id": "a_b", "name": "", "input": {}}),
            ({"type": "x_tool_result", "tool_use_id": "a.b"}, {"tool_use_id": "a_b"}),
            ({"type": "tool_use", "id": "call_1-A"}, {"name": "", "input": {}}),
            ({"type": "text", "id": "a.b"}, {"text": ""}),
        ],
    )
    def test_ids_of_tools(self, block: Any, expected: Any) -> None:
        """The client sends them to Anthropic later."""
        assert shaped(json.dumps({"content": [block]}).encode())["content"] == [{**block, **expected}]
        begun = reply().block(json.dumps(block).encode())
        assert begun is not None and json.loads(begun.block) == {**block, **expected}

    def test_invented_ids_differ_in_an_answer_and_between_answers(self) -> None:
        body = b'{"content":[{"type":"tool_use"},{"type":"tool_use","id":""}]}'
        ids = [each["id"] for _ in range(2) for each in json.loads(ForeignReply("m").message(body))["content"]]

        assert len(set(ids)) == 4 and all(each.startswith("toolu_") for each in ids)

    def test_an_id_stands_for_one_call(self) -> None:
        call = {"type": "tool_use", "id": "call_0", "name": "x", "input": {}}
        one = ForeignReply("m", seed="s")
        body = json.dumps({"content": [call, {**call, "id": "toolu_s_1"}, call]}).encode()
        told = one.message(body)
        ids = [each["id"] for each in json.loads(told)["content"]]
        assert ids == ["call_0", "toolu_s_1", "toolu_s_2"]
        assert one.message(told) is told  # a stream in one piece is made a message of what has been completed

    @pytest.mark.parametrize(
        "block",
        [
            {"type": "tool_use", "id": "c", "function": {"name": "x", "arguments": '{"a":1}'}},
            {"type": "function", "id": "c", "function": {"name": "x", "arguments": {"a": 1}}},
            {"type": "tool_use", "id": "c", "name": "x", "arguments": '{"a":1}'},
        ],
    )
    def test_a_call_in_the_words_of_openai(self, block: Any) -> None:
        told = shaped(json.dumps({"content": [block], "stop_reason": "tool_calls"}).encode())
        assert told["content"] == [{"type": "tool_use", "id": "c", "name": "x", "input": {"a": 1}}]
        assert told["stop_reason"] == "tool_use"

    @pytest.mark.parametrize(
        ("said", "called", "reason"),
        [
            ("stop", False, "end_turn"),
            ("length", True, "max_tokens"),
            ("end_turn", True, "tool_use"),
            ("pause_turn", True, "pause_turn"),
            ("who_knows", False, "who_knows"),
        ],
    )
    def test_why_it_stopped_is_said_in_words_that_clients_know(self, said: str, called: bool, reason: str) -> None:
        content = [{"type": "tool_use", "id": "c", "name": "x", "input": {}}] if called else []
        assert shaped(json.dumps({"content": content, "stop_reason": said}).encode())["stop_reason"] == reason

    def test_arguments_of_tools_keep_their_bytes(self) -> None:
        call = b'{"type":"tool_use","id":"a.b", "name":"x", "input": {"x" : 1.50} }'
        body = RIGHT.replace(b'{"type":"text", "text":"a"}', call).replace(b"end_turn", b"tool_use")

        assert reply().message(body) == body.replace(b"a.b", b"a_b").replace(b"[ ", b"[").replace(b"} ],", b"}],")

    @pytest.mark.parametrize("body", [b"", b"[1]", b"<html>", b'"x"', b"\xff{}", b'{"a":' + b"[" * 100_000])
    def test_what_is_no_object_stays(self, body: bytes) -> None:
        assert reply().message(body) is body and reply().count(body) is body


def test_an_answer_of_count_tokens() -> None:
    body = b'{ "input_tokens": 5 }'

    assert reply().count(body) is body
    assert reply().count(b'{ "input_tokens": 5, "model": "x", "base_resp": {} }') == b'{"input_tokens":5}'


def fields(data: bytes) -> Any:
    return top_level(data)


class TestEvents:
    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (
                b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3},"base_resp":{}}',
                b'{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":3}}',
            ),
            (
                b'{"delta":5,"usage":null}',
                b'{"delta":{"stop_reason":null,"stop_sequence":null},"usage":{"output_tokens":0},"type":"message_delta"}',
            ),
            (
                b"{}",
                b'{"type":"message_delta","delta":{"stop_reason":null,"stop_sequence":null},"usage":{"output_tokens":0}}',
            ),
        ],
    )
    def test_message_delta(self, data: bytes, expected: bytes) -> None:
        assert reply().delta(data, fields(data), "") == expected

    def test_a_reason_that_is_known_is_supplied(self) -> None:
        for data in (b"{}", b'{"delta":{"stop_reason":null}}', b'{"delta":{"stop_reason":7}}'):
            assert json.loads(reply().delta(data, fields(data), "x"))["delta"]["stop_reason"] == "x"
        data = b'{"delta":{"stop_reason":"stop"}}'
        assert json.loads(reply().delta(data, fields(data), "end_turn"))["delta"]["stop_reason"] == "end_turn"

    def test_message_start(self) -> None:
        right = RIGHT.replace(b'[ {"type":"text", "text":"a"} ]', b"[ ]")
        data = b'{"message":' + right.replace(b"claude-x", b"kimi") + b',"type":"message_start"}'
        begun = shaped(b"{}") | {"stop_reason": None}

        assert reply().start(data, fields(data)) == (data.replace(b"kimi", b"claude-x"), [])
        for data in (b'{"message":{"provider":"x"},"x":1}', b'{"message":null}', b'{"message":5}', b"{}"):
            told, held = reply().start(data, fields(data))
            assert json.loads(told) == {"type": "message_start", "message": begun} and held == []

    def test_blocks_of_a_message_start_come_after_it(self) -> None:
        data = b'{"message":{"content":[{"type":"text","text":"a"}, 5]}}'
        told, held = reply().start(data, fields(data))

        assert json.loads(told)["message"]["content"] == [] and held == [b'{"type":"text","text":"a"}', b"5"]

    def test_a_delta_without_a_count_does_not_take_back_that_of_an_earlier_event(self) -> None:
        answer = reply()
        started = b'{"message":{"usage":{"output_tokens":9}}}'
        answer.start(started, fields(started))

        assert json.loads(answer.delta(b'{"usage":{}}', fields(b'{"usage":{}}'), ""))["usage"] == {"output_tokens": 9}
        counted = b'{"usage":{"output_tokens":12}}'
        answer.delta(counted, fields(counted), "")
        assert json.loads(answer.delta(b"{}", {}, ""))["usage"] == {"output_tokens": 12}

    def test_what_is_right_is_the_same_object(self) -> None:
        delta = (
            b'{"type":"message_delta", "delta":{"stop_reason":null,"stop_sequence":null},'
            b' "usage":{"output_tokens":1,"input_tokens":null}, "context_management":{}}'
        )
        start = b'{"type":"message_start", "message": ' + RIGHT.replace(b'{"type":"text", "text":"a"}', b"") + b"}"
        block = b'{"type":"tool_use","id":"a-1", "name":"x", "input" : {}, "y":1}'
        begun = reply().block(block)

        assert reply().delta(delta, fields(delta), "") is delta
        assert reply().start(start, fields(start))[0] is start
        assert begun is not None and begun.block is block

    @pytest.mark.parametrize("raw", [b"5", b"null", b"[]", b"{}", b'{"type":null}', b'{"type":["text"]}', b"", b"{"])
    def test_what_is_no_block(self, raw: bytes) -> None:
        assert reply().block(raw) is None


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
    if (members := top_level(body)) is not None:
        told, _ = reply().start(body, members)
        assert reply().start(told, fields(told))[0] is told
        told = reply().delta(body, members, "")
        assert reply().delta(told, fields(told), "") is told
    if (begun := reply().block(body)) is not None:
        again = reply().block(begun.block)
        assert again is not None and again.block is begun.block and not again.deltas and not again.given


@given(st.lists(st.text(max_size=4), max_size=4))
def test_text_is_never_touched(texts: list[str]) -> None:
    content = [{"type": "text", "text": text} for text in texts] + [{"type": "tool_use", "id": "a.b"}]
    assert shaped(json.dumps({"content": content}).encode())["content"][:-1] == content[:-1]
