"""The model in a body, the token counts, and the answer's stream while it is relayed."""

from __future__ import annotations

import gzip
import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.wire.test_sse import cuts, frame_ends, pieces, streams
from turnout.dialects.messages import stream as messages
from turnout.dialects.messages.events import STOP_FRAME
from turnout.dialects.messages.reply import ForeignReply
from turnout.dialects.messages.stream import (
    FOREIGN_LIMIT,
    HOLD_LIMIT,
    MessageStream,
    Peek,
    estimate_tokens,
    replace_model,
    reply_model,
)
from turnout.dialects.messages.usage import MOST_COUNTS, read_usage
from turnout.wire.sse import EventSplitter, parse_event

BOM = b"\xef\xbb\xbf"


def top_level(body: bytes) -> dict[str, msgspec.Raw]:
    return msgspec.json.decode(body, type=dict[str, msgspec.Raw])


def exchanged(body: bytes, model: str) -> bytes:
    return replace_model(body, top_level(body), model)


# --- the model in a body ---

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=8) | st.just('"model":"old"'),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["model", "a", "ü"]), inner, max_size=2)
    ),
    max_leaves=6,
)
members = st.dictionaries(st.text(max_size=5).filter(lambda key: key != "model"), json_values, max_size=4)
blanks = st.sampled_from([b"", b"", b" ", b"\n  ", b"\t\r\n"])


class TestReplaceModel:
    """The routed model goes into the body, and nothing else changes (A2)."""

    @given(members, members, st.text(max_size=8), st.text(max_size=8), st.booleans(), st.lists(blanks, min_size=6))
    def test_every_other_byte_stays(
        self,
        before: dict[str, Any],
        after: dict[str, Any],
        old: str,
        new: str,
        ascii_only: bool,
        blank: list[bytes],
    ) -> None:
        def member(key: str, value: bytes) -> bytes:
            return json.dumps(key, ensure_ascii=ascii_only).encode() + blank[0] + b":" + blank[1] + value

        def body(model: bytes) -> bytes:
            parts = [member(k, json.dumps(v, ensure_ascii=ascii_only).encode()) for k, v in before.items()]
            parts.append(member("model", model))
            parts += [member(k, json.dumps(v, indent=1).encode()) for k, v in after.items() if k not in before]
            return blank[2] + b"{" + blank[3] + (blank[4] + b"," + blank[5]).join(parts) + blank[3] + b"}" + blank[2]

        source = body(json.dumps(old).encode())

        if old == new:
            assert exchanged(source, new) is source
        else:
            assert exchanged(source, new) == body(msgspec.json.encode(new))

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            (b'{"model":"old","stream":true}', b'{"model":"new","stream":true}'),
            (b'{"a":{"model":"old"},"model":"old"}', b'{"a":{"model":"old"},"model":"new"}'),
            (b'{"a":"\\"model\\":\\"old\\"","model":"old"}', b'{"a":"\\"model\\":\\"old\\"","model":"new"}'),
            (b'{"x\\"model":"old","model":"old"}', b'{"x\\"model":"old","model":"new"}'),
            (b'{"mod\\u0065l":"old","a":1}', b'{"mod\\u0065l":"new","a":1}'),
            (b'{"model":null}', b'{"model":"new"}'),
            (b'{"model":1,"b":[12]}', b'{"model":"new","b":[12]}'),
            (b'{"\xc3\xbc":1,"model":"\xc3\xbc"}', b'{"\xc3\xbc":1,"model":"new"}'),
        ],
    )
    def test_spellings(self, body: bytes, expected: bytes) -> None:
        assert exchanged(body, "new") == expected

    @pytest.mark.parametrize(
        "body",
        [
            b'{"model":"old","a":1,"model":"old"}',
            b'{"model":"first","a":[1, 2],"model":"old"}',
            b'{"model":"old","a":1,"mod\\u0065l":"old"}',
            b'{"a":1,"model":"old","a":[2]}',
            b'{"a":1,"model":"old","b":2,"a":3,"b":4}',
            # With the length of the second value of "a", a step from the first one ends before the nested "model".
            b'{"a":1,"model":"old","a":{"x":1      ,"model":"zz"}}',
        ],
    )
    def test_a_key_that_is_named_twice_leaves_no_old_model_behind(self, body: bytes) -> None:
        result = exchanged(body, "new")

        assert json.loads(result) == json.loads(body) | {"model": "new"}
        assert b"old" not in result and b"first" not in result

    @pytest.mark.parametrize("body", [b'{"model":"same"}', b'{"model":"s\\u0061me"}', b'{"a":1}', b"{}"])
    def test_with_nothing_to_change_the_body_is_the_same_object(self, body: bytes) -> None:
        assert exchanged(body, "same") is body

    def test_a_model_name_is_quoted(self) -> None:
        assert exchanged(b'{"model":"old"}', 'a"\\\u00fc') == '{"model":"a\\"\\\\\u00fc"}'.encode()


class TestReplyModel:
    """A reply names the model that the client asked for (A10)."""

    def test_the_model_is_replaced(self) -> None:
        body = b'{ "id": "msg_1", "type": "message", "model": "MiniMax-M2", "content": [{"model": "x"}] }'

        assert reply_model(body, "claude-haiku-4-5") == body.replace(b"MiniMax-M2", b"claude-haiku-4-5")

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>",
            b"[1]",
            b'"model"',
            b'{"a":1}',
            b'{"model":"x"',
            b'\xff{"model":"x"}',
            b'{"model":"x","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        ],
    )
    def test_anything_else_is_unchanged(self, body: bytes) -> None:
        assert reply_model(body, "new") is body

    @given(st.binary(max_size=60))
    def test_never_raises(self, body: bytes) -> None:
        assert isinstance(reply_model(body, "new"), bytes)


def test_tokens_are_estimated_from_the_size_alone() -> None:
    assert [estimate_tokens(b"x" * size) for size in (0, 3, 4, 600_000)] == [0, 0, 1, 150_000]


# --- token counts ---

USAGE = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 5,
    "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 1,
    "service_tier": "standard",
    "cache_read_input_tokens": None,
    "flag": True,
    "share": 0.5,
    "iterations": [{"input_tokens": 3}],
    "server_tool_use": None,
}
COUNTS = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 5,
    "cache_creation.ephemeral_5m_input_tokens": 5,
    "cache_creation.ephemeral_1h_input_tokens": 0,
    "output_tokens": 1,
}


class TestReadUsage:
    def test_integers_of_the_top_level_and_of_nested_objects(self) -> None:
        assert read_usage(json.dumps({"type": "message", "content": [], "usage": USAGE}).encode()) == COUNTS

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b"[]",
            b"<html>",
            b'{"type":"message"}',
            b'{"type":"message","usage":null}',
            b'{"type":"message","usage":[1]}',
            b'{"type":"error","usage":{"input_tokens":1}}',
            b'{"object":"chat.completion","usage":{"prompt_tokens":1}}',
            b'{"type":"message","usage":{"input_tokens":1}',
            b'{"type":"message","usage":{"input_tokens":' + b"9" * 5000 + b"}}",
            b'{"type":"message","usage":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        ],
    )
    def test_anything_else_is_empty(self, body: bytes) -> None:
        assert read_usage(body) == {}

    def test_invented_names_are_few_and_short(self) -> None:
        usage = {"x" * 10_000: 1, "nested": {"y" * 10_000: 1}, **{f"name-{number}": 1 for number in range(5000)}}
        body = json.dumps({"type": "message", "usage": usage}).encode()
        assert len(read_usage(body)) == MOST_COUNTS
        assert max(map(len, read_usage(body))) < 20

    def test_invented_names_of_a_stream_are_few(self) -> None:
        stream = MessageStream()
        stream.peek(b'event: message_start\ndata: {"type":"message_start","message":{"type":"message"}}\n\n')
        for number in range(500):
            usage = json.dumps({"output_tokens": number, f"name-{number}": 1})
            stream.relay(f'event: message_delta\ndata: {{"type":"message_delta","usage":{usage}}}\n\n'.encode())
        assert len(stream.usage) == MOST_COUNTS and stream.usage["output_tokens"] == 499

    @given(json_values)
    def test_never_raises(self, usage: Any) -> None:
        counts = read_usage(json.dumps({"type": "message", "usage": usage}).encode())

        assert all(type(count) is int for count in counts.values())


# --- the stream ---


def event(name: str, end: bytes = b"\n", /, **data: Any) -> bytes:
    payload = json.dumps({"type": name, **data}).encode()
    return b"event: " + name.encode() + end + b"data: " + payload + end + end


def start(model: str = "upstream-model", end: bytes = b"\n") -> bytes:
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "model": model,
        "content": [],
        "stop_reason": None,
        "usage": USAGE,
    }
    return event("message_start", end, message=message)


PING = event("ping")
DELTA = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "model: upstream-model"})
LAST = event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 42, "input_tokens": None})
STOP = event("message_stop")
ERROR = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
ERROR_DATA = b'{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}'

BEGUN = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
CALL = event("content_block_start", index=0, content_block={"type": "tool_use", "id": "a", "name": "b", "input": {}})
CLOSED = event("content_block_stop", index=0)
LOST = [b"nonsense", b"[]", b'{"message":{"model":"x"', b"[" * 100_000, b"\xff\xfe", b'{"a":"\x01"}', b"[DONE]"]

between: st.SearchStrategy[list[tuple[str, dict[str, Any]]]] = st.lists(
    st.sampled_from(
        [
            ("ping", {}),
            ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
            ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "ü \n\r\n event: error"}}),
            ("content_block_stop", {"index": 0}),
            ("unheard_of", {"usage": {"input_tokens": 99}}),
            (": comment", {}),
            ("", {}),
        ]
    ),
    max_size=5,
)


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, bytes, bytes]:
    """A whole answer with the provider's model name and something behind it, and the same, with the client's as well,
    to its end."""
    end = draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))

    def extra() -> bytes:
        frames = draw(between)
        return b"".join(
            end if not name else name.encode() + end + end if name[0] == ":" else event(name, end, **data)
            for name, data in frames
        )

    last = event("message_delta", end, delta={"stop_reason": "tool_use"}, usage={"output_tokens": 42})
    lead = draw(st.sampled_from([b"", BOM])) + b"".join(
        draw(st.lists(st.sampled_from([end, b": hello" + end + end, event("ping", end)]), max_size=2))
    )
    rest = extra() + last + event("message_stop", end)
    sent = lead + start(end=end) + rest
    return sent + extra(), sent, lead + start("client-model", end) + rest


def play(stream: MessageStream, chunks: list[bytes]) -> bytes:
    """What the client gets, the way the proxy asks for it."""
    out: list[bytes] = []
    committed = False
    for chunk in chunks:
        if not committed:
            committed = stream.peek(chunk) is Peek.VALID
            relayed = stream.relay(b"") if committed else []
        else:
            relayed = stream.relay(chunk)
        assert len(relayed) <= 1 and b"" not in relayed
        out += relayed
    return b"".join(out + stream.finish())


HARMLESS = [
    b": comment\n\n", b": a\r\r", b"\n", b"\r", b"\r\n", b"id: 1\r\n\r\n", b"event: ping\n\n", b"x: 1\r\r",
    b'event: queue\ndata: {"type":"queue","position":12}\n\n', b"id: 7",
]  # fmt: skip


class TestRelay:
    @given(answers(), cuts)
    def test_bytes_and_facts_do_not_depend_on_the_chunks(
        self, answer: tuple[bytes, bytes, bytes], cuts: list[int]
    ) -> None:
        """C3"""
        stream = MessageStream()

        assert play(stream, pieces(answer[0], cuts)) == answer[1]
        assert stream.usage == COUNTS | {"output_tokens": 42}
        assert (stream.stop_reason, stream.ended, stream.failure) == ("tool_use", True, b"")
        assert stream.at_boundary

    @given(answers(), cuts)
    def test_only_the_model_of_message_start_changes(self, answer: tuple[bytes, bytes, bytes], cuts: list[int]) -> None:
        """A10"""
        stream = MessageStream("client-model")

        assert play(stream, pieces(answer[0], cuts)) == answer[2]
        assert stream.usage == COUNTS | {"output_tokens": 42}

    @given(st.binary(max_size=200) | streams, st.sampled_from([None, "m"]), cuts)
    @example(gzip.compress(start() + STOP, mtime=0), "m", [11])
    def test_of_garbage_the_same_is_left_however_it_is_cut(
        self, data: bytes, model: str | None, cuts: list[int]
    ) -> None:
        assert play(MessageStream(model), pieces(data, cuts)) == play(MessageStream(model), [data])

    @given(st.lists(st.sampled_from(HARMLESS), max_size=8).map(b"".join), cuts, st.integers(0, 12))
    @example(b"id: 1\r\rx", [7], 1)
    def test_a_boundary_is_one_even_when_long_frames_are_passed_on_in_parts(
        self, data: bytes, cuts: list[int], limit: int
    ) -> None:
        boundaries = {0, *frame_ends(data)}
        stream = MessageStream()
        out = b""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(messages, "HOLD_LIMIT", limit)
            for piece in pieces(data, cuts):
                relayed = stream.relay(piece)
                assert b"" not in relayed
                out += b"".join(relayed)
                assert data.startswith(out)
                assert not stream.at_boundary or len(out) in boundaries
        assert data.startswith(out + b"".join(stream.finish()))

    def test_frames_of_one_call_are_one_chunk_and_an_unfinished_one_waits(self) -> None:
        stream = MessageStream()

        assert stream.relay(start() + PING + DELTA[:20]) == [start() + PING]
        assert stream.at_boundary
        assert stream.relay(DELTA[20:-1]) == []
        assert stream.relay(DELTA[-1:]) == [DELTA]
        assert stream.relay(b"") == []

    def test_a_chunk_that_is_one_frame_is_not_copied(self) -> None:
        assert MessageStream().relay(DELTA)[0] is DELTA

    def test_a_huge_frame_is_passed_on_as_it_comes(self) -> None:
        stream = MessageStream()
        begin = b"event: content_block_start\ndata: " + b"x" * HOLD_LIMIT

        steps = [
            (PING + begin, PING + begin, False),
            (b"more", b"more", False),
            (b"", b"", False),
            (b"\n", b"\n", False),
            # What comes now is the rest of a frame, whatever it looks like in this chunk.
            (STOP + DELTA[:9], STOP, True),
            (DELTA[9:], DELTA, True),
        ]

        for chunk, out, at_boundary in steps:
            assert (stream.relay(chunk), stream.at_boundary) == ([out] if out else [], at_boundary)
        assert not stream.ended

    @pytest.mark.parametrize("half", [STOP[:9], STOP[:-5], DELTA[:-9], b"event: message_stop\n", b": comment"])
    def test_half_a_frame_is_left_out(self, half: bytes) -> None:
        stream = MessageStream()

        assert stream.relay(start() + half) == [start()]
        assert stream.finish() == []
        assert (stream.at_boundary, stream.ended) == (True, False)

    def test_a_frame_that_lacks_its_blank_line_alone_is_whole(self) -> None:
        stream, cr = MessageStream(), MessageStream()

        assert stream.relay(start() + STOP[:-1]) == [start()]
        assert (stream.finish(), stream.ended) == ([STOP], True)
        assert cr.relay(STOP.replace(b"\n", b"\r")) == []
        assert (cr.finish(), cr.ended) == ([STOP.replace(b"\n", b"\r")], True)

    def test_finish_of_a_complete_stream_is_empty(self) -> None:
        stream = MessageStream()
        stream.relay(start() + STOP)

        assert stream.finish() == []
        assert stream.at_boundary

    def test_an_error_in_the_stream_ends_it(self) -> None:
        stream = MessageStream()

        assert stream.relay(start() + ERROR) == [start() + ERROR]
        assert (stream.ended, stream.failure) == (True, ERROR_DATA)

    def test_the_counts_of_message_delta_replace_those_it_names(self) -> None:
        stream = MessageStream()
        stream.relay(start() + LAST)
        assert stream.usage == COUNTS | {"output_tokens": 42}

        stream.relay(event("message_delta", delta={}, usage={"server_tool_use": {"web_search_requests": 2}}))
        assert stream.usage == COUNTS | {"output_tokens": 42, "server_tool_use.web_search_requests": 2}
        assert stream.stop_reason == "tool_use"

    @pytest.mark.parametrize(
        "data", [b'{"message":1,"delta":"x","usage":7}', b'{"message":{"usage":[1]},"delta":{"stop_reason":5}}', b"{}"]
    )
    @pytest.mark.parametrize("name", [b"message_start", b"message_delta", b"content_block_start", b"message_stop"])
    def test_events_without_their_members_are_passed_on(self, name: bytes, data: bytes) -> None:
        frame = b"event: " + name + b"\ndata: " + data + b"\n\n"
        stream = MessageStream("m")

        assert stream.relay(frame) == [frame]
        assert (stream.usage, stream.stop_reason, stream.whole) == ({}, None, False)

    @pytest.mark.parametrize("data", LOST)
    @pytest.mark.parametrize("name", [b"event: message_start\n", b"event: content_block_delta\n", b"event: x\n", b""])
    @pytest.mark.parametrize("shape", [None, ForeignReply("m")])
    def test_what_no_client_can_read_is_left_out(self, name: bytes, data: bytes, shape: ForeignReply | None) -> None:
        """S10: the SDKs fail on it, whoever has sent it."""
        stream = MessageStream(shape=shape)
        stream.relay(start() + BEGUN)

        assert stream.relay(name + b"data: " + data + b"\n\n" + DELTA) == [DELTA]
        assert (stream.ended, stream.torn, stream.failure) == (False, "", b"")

    @pytest.mark.parametrize("data", [*LOST, b""])
    def test_an_end_that_cannot_be_read_is_one(self, data: bytes) -> None:
        stream = MessageStream()
        stream.relay(start())

        assert stream.relay(b"event: message_stop\ndata: " + data + b"\n\n") == [STOP_FRAME]
        assert stream.ended

    @pytest.mark.parametrize("data", [b"", b"[1]"])
    def test_pings_need_no_data(self, data: bytes) -> None:
        ping = b"event: ping\ndata: " + data + b"\n\n"

        assert MessageStream().relay(ping + b"event: x\n\n") == [ping + b"event: x\n\n"]

    @pytest.mark.parametrize("shape", [None, ForeignReply("m")])
    @pytest.mark.parametrize(
        "frame", [b'event: content_block_delta\ndata: {"ty\n\n', b'data: {"type":"content_block_delta","in\n\n']
    )
    def test_not_where_it_may_be_a_piece_of_a_call(self, frame: bytes, shape: ForeignReply | None) -> None:
        """S14: the rest of a call would be taken for the whole."""
        stream = MessageStream(shape=shape)
        stream.relay(start() + CALL)

        assert stream.relay(PING + b"data: [DONE]\n\n") == [PING]
        assert stream.relay(frame + STOP) == []
        assert (stream.ended, stream.torn, stream.relay(STOP)) == (True, "a piece of a tool call cannot be read", [])

    @pytest.mark.parametrize(
        ("frame", "expected"),
        [
            (
                b'data: {"message":{"model":"old","id":"old"}}\nevent: message_start\n\n',
                b'data: {"message":{"model":"new","id":"old"}}\nevent: message_start\n\n',
            ),
            (
                b'event: message_start\nid: 1\ndata: {"message":\ndata:  {"model":"old"}}\n: c\n\n',
                b'event: message_start\nid: 1\ndata: {"message":\ndata:  {"model":"new"}}\n: c\n\n',
            ),
            (
                b': {"message":{"model":"old"}}\nevent:message_start\ndata:{"message":{"model":"old"}}\n\n',
                b': {"message":{"model":"old"}}\nevent:message_start\ndata: {"message":{"model":"new"}}\n\n',
            ),
            (
                b'event: message_start\ndata: {"message":{"model":"old","model":"old"}}\n\n',
                b'event: message_start\ndata: {"message":{"model":"new"}}\n\n',
            ),
            (
                b'event: message_start\ndata: {"model":"old","message":{"id":"1"}}\n\n',
                b'event: message_start\ndata: {"model":"old","message":{"id":"1"}}\n\n',
            ),
        ],
        ids=["data first", "several data lines", "data in a comment", "named twice", "no model"],
    )
    def test_the_model_in_unusual_frames(self, frame: bytes, expected: bytes) -> None:
        """A10"""
        assert MessageStream("new").relay(frame) == [expected]


class TestEnds:
    """What ends an answer, and what is the end of one that lacks it."""

    @pytest.mark.parametrize("shape", [None, ForeignReply("client-model")])
    @pytest.mark.parametrize("size", [1, 10_000])
    def test_nothing_follows_the_end(self, shape: ForeignReply | None, size: int) -> None:
        stream = MessageStream(shape=shape)
        sent = start() + LAST + STOP + PING + b"data: [DONE]\n\n" + DELTA + STOP

        assert play(stream, pieces(sent, range(0, len(sent), size))).endswith(STOP)
        assert (stream.relay(PING), stream.finish(), stream.ended) == ([], [], True)

    @pytest.mark.parametrize("shape", [None, ForeignReply("client-model")])
    @pytest.mark.parametrize("after", [b"", PING, b": bye\n\n", b"data: [DONE]\n\n", STOP[:12], DELTA[:40]])
    def test_an_answer_that_has_stopped_gets_the_end_it_lacks(self, shape: ForeignReply | None, after: bytes) -> None:
        """S11."""
        stream = MessageStream(shape=shape)
        stream.relay(start() + BEGUN + DELTA + CLOSED + LAST)
        assert stream.whole and not stream.ended

        rest = b"".join(stream.relay(after))
        assert rest + b"".join(stream.finish()) == rest + STOP_FRAME and stream.ended

    @pytest.mark.parametrize("shape", [None, ForeignReply("client-model")])
    @pytest.mark.parametrize(
        "sent",
        [
            start(),
            start() + BEGUN + DELTA + CLOSED,
            start() + event("message_delta", delta={"stop_reason": None}, usage={"output_tokens": 1}),
            start() + event("message_delta", usage={"output_tokens": 1}),
            start() + LAST + BEGUN,
            start() + LAST + BEGUN + DELTA,
            start() + LAST[:-30],
        ],
    )
    def test_no_other_does(self, shape: ForeignReply | None, sent: bytes) -> None:
        """S14: never an end that the provider has not told."""
        stream = MessageStream(shape=shape)

        assert not b"".join([*stream.relay(sent), *stream.finish()]).endswith(STOP_FRAME)
        assert not stream.ended and not stream.whole

    def test_a_reason_in_the_last_frame_without_its_blank_line_counts(self) -> None:
        stream = MessageStream()
        stream.relay(start() + LAST[:-1])

        assert stream.finish() == [LAST + STOP_FRAME] and stream.ended


class TestDress:
    """Frames without an event line, or with one that says nothing."""

    @pytest.mark.parametrize("line", [b"", b"event: message\n", b"event:\n"])
    @pytest.mark.parametrize("shape", [None, ForeignReply("client-model")])
    def test_event_lines_are_added(self, line: bytes, shape: ForeignReply | None) -> None:
        full = start("client-model") + PING + BEGUN + DELTA + CLOSED
        bare = b"".join(line + frame.partition(b"\n")[2] + b"\n\n" for frame in full.split(b"\n\n")[:-1])
        dressed = play(MessageStream(shape=shape), [bare])
        whole = play(MessageStream(shape=shape), [full])

        assert [parse_event(frame) for frame in EventSplitter().feed(dressed)] == [
            parse_event(frame) for frame in EventSplitter().feed(whole)
        ]

    @pytest.mark.parametrize(
        "frame",
        [
            b'data: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n',
            b'data: {"error":{"message":"busy","code":502}}\n\n',
            b'data: {"error":"busy"}\n\n',
            b'event: message\ndata: {"error":"busy"}\n\n',
            b'event: content_block_delta\ndata: {"error":{"message":"busy"}}\n\n',
            b'data: {"id":"1","object":"chat.completion.chunk","choices":[],"error":{"message":"busy"}}\n\n',
        ],
    )
    def test_an_error_in_any_dress_is_one(self, frame: bytes) -> None:
        stream = MessageStream(shape=ForeignReply("m", lambda data: b'{"told":' + data + b"}"))
        data = frame.partition(b"data: ")[2][:-2]
        stream.relay(start() + BEGUN)

        assert stream.relay(frame + DELTA) == [b'event: error\ndata: {"told":' + data + b"}\n\n"]
        assert (stream.ended, stream.failure, stream.relay(DELTA)) == (True, data, [])
        first = MessageStream()
        first.relay(start())
        assert first.relay(frame)[0].startswith(b"event: error\n") and first.failure == data

    @pytest.mark.parametrize("error", [b"null", b"{}", b'""', b"false"])
    def test_an_error_that_says_nothing_is_none(self, error: bytes) -> None:
        stream = MessageStream()
        stream.relay(start())

        stream.relay(b'data: {"error":' + error + b"}\n\n")
        assert not stream.ended and not stream.failure


class TestPeek:
    """What decides whether an attempt may serve the client: errors inside a 200 are failures (A10)."""

    @pytest.mark.parametrize(
        ("data", "verdict", "failure"),
        [
            (start(), Peek.BEGUN, b""),
            (b'event: message_start\ndata: {"type":"message_start","message":{}}\n\n', Peek.BEGUN, b""),
            (BOM + start(end=b"\r\n"), Peek.BEGUN, b""),
            (start() + ERROR, Peek.FAILED, ERROR_DATA),
            (start() + PING + ERROR, Peek.FAILED, ERROR_DATA),
            (start() + b"event: error\n\n", Peek.FAILED, b""),
            (start() + b"data: " + ERROR_DATA + b"\n\n", Peek.FAILED, ERROR_DATA),
            (start() + b'data: {"error":{"code":502}}\n\n', Peek.FAILED, b'{"error":{"code":502}}'),
            (start() + DELTA, Peek.VALID, b""),
            (start() + DELTA + ERROR, Peek.VALID, b""),
            (start() + STOP, Peek.VALID, b""),
            (start() + PING + b": hi\n\n" + event("unheard_of") + b"data: [DONE]\n\n", Peek.BEGUN, b""),
            (b": hi\n\n" + PING + event("unheard_of") + start(), Peek.BEGUN, b""),
            (b"", Peek.WAITING, b""),
            (start()[:-1], Peek.WAITING, b""),
            (PING * 3, Peek.WAITING, b""),
            (b": keep-alive\n\n\n\nretry: 10\n\n", Peek.WAITING, b""),
            (event("unheard_of"), Peek.WAITING, b""),
            (b'{"base_resp":{"status_code":1002}}', Peek.WAITING, b""),
            (b"<html>\n\n<body>\n\n", Peek.WAITING, b""),
            # An answer whose beginning is lost is none: both SDKs fail on it.
            (DELTA + STOP, Peek.FAILED, parse_event(DELTA).data),
            (STOP, Peek.FAILED, parse_event(STOP).data),
            (b"event: message_start\ndata: {}\n\n", Peek.FAILED, b"{}"),
            (b'event: message_start\ndata: {"message":null}\n\n', Peek.FAILED, b'{"message":null}'),
            (b'event: message_start\ndata: {"message":"x"}\n\n', Peek.FAILED, b'{"message":"x"}'),
            (ERROR, Peek.FAILED, ERROR_DATA),
            (PING + ERROR + start(), Peek.FAILED, ERROR_DATA),
            (b"event: error\ndata: busy\n\n", Peek.FAILED, b"busy"),
            (b"event: message_start\ndata: " + ERROR_DATA + b"\n\n", Peek.FAILED, ERROR_DATA),
            (b"event: message_start\ndata: {\n\n", Peek.FAILED, b""),
            (b"event: message_start\n\n", Peek.FAILED, b""),
            (b"event: message_start\ndata: [1]\n\n", Peek.FAILED, b""),
            (b'data: {"error":{"code":502}}\n\n', Peek.FAILED, b'{"error":{"code":502}}'),
            (b"data: [DONE]\n\n", Peek.FAILED, b""),
            (b"data: \xff\n\n", Peek.FAILED, b""),
        ],
    )
    @pytest.mark.parametrize("size", [1, 7, 10_000])
    def test_the_first_meaningful_event_decides(self, data: bytes, verdict: Peek, failure: bytes, size: int) -> None:
        stream = MessageStream()
        seen = [stream.peek(data[at : at + size]) for at in range(0, len(data), size)] or [stream.peek(b"")]

        assert (seen[-1], stream.failure) == (verdict, failure)
        assert (stream.ended, stream.usage) == (False, {})

    def test_what_was_peeked_comes_out_first_and_is_followed(self) -> None:
        stream = MessageStream("client-model")

        assert stream.peek(PING + start()[:30]) is Peek.WAITING
        assert stream.peek(start()[30:] + DELTA[:10]) is Peek.BEGUN
        assert stream.peek(DELTA[10:] + DELTA[:10]) is Peek.VALID
        assert stream.relay(b"") == [PING + start("client-model") + DELTA]
        assert stream.usage == COUNTS
        assert stream.relay(DELTA[10:]) == [DELTA]

    def test_peeked_bytes_come_out_with_the_next_ones_too(self) -> None:
        stream = MessageStream()
        stream.peek(start())

        assert stream.relay(DELTA) == [start() + DELTA]

    def test_the_verdict_stays(self) -> None:
        failed, valid = MessageStream(), MessageStream()
        failed.peek(ERROR)
        valid.peek(start() + DELTA)

        assert failed.peek(start()) is Peek.FAILED
        assert valid.peek(ERROR) is Peek.VALID

    @pytest.mark.parametrize(
        ("data", "alive"),
        [
            (b"", False),
            (b": keep-alive\n\n", True),
            (b":\n", True),
            (b"\n", True),
            (b"\r\n\r\n", True),
            (PING, True),
            (BOM + b"retry: 3\n\n", True),
            (start(), True),
            (b"ev", False),
            (b"<html>", False),
            (b"{}", False),
        ],
    )
    def test_comments_pings_and_blank_lines_are_signs_of_life(self, data: bytes, alive: bool) -> None:
        """Local servers send them while they read a long prompt (jundot/omlx#2537, warpfront/hipfire#86)."""
        stream, at_once = MessageStream(), MessageStream()
        for byte in data:
            stream.peek(bytes((byte,)))
        at_once.peek(data)
        assert stream.alive is alive and at_once.alive is alive

    def test_an_answer_without_a_word_is_held_no_longer_than_it_may_be_large(self) -> None:
        stream = MessageStream()
        assert stream.peek(start()) is Peek.BEGUN
        assert stream.peek(event("unheard_of", x="x" * HOLD_LIMIT)) is Peek.VALID

    @pytest.mark.parametrize("begin", [b"<html>", b"\r\n\n<html>\n\n", b"{", b"\x1f\x8b\x08", b"database"])
    def test_what_does_not_begin_like_events_fails_when_it_gets_long(self, begin: bytes) -> None:
        stream = MessageStream()

        assert stream.peek(begin + b"x" * (FOREIGN_LIMIT - len(begin))) is Peek.WAITING
        assert stream.peek(b"x") is Peek.FAILED

    @pytest.mark.parametrize("begin", [b"event: message_start", BOM + b"data:", b"\n\n: c", b"id: 1"])
    def test_what_begins_like_events_may_be_longer(self, begin: bytes) -> None:
        stream = MessageStream()

        assert stream.peek(begin + b"x" * (HOLD_LIMIT - len(begin))) is Peek.WAITING
        assert stream.peek(b"x") is Peek.FAILED

    @pytest.mark.parametrize(
        ("data", "failure"),
        [
            (b'{"base_resp":{"status_code":1002}}', b'{"base_resp":{"status_code":1002}}'),
            (b'{"code":500,\n\n"msg":"404 NOT_FOUND"}\n', b'{"code":500,\n\n"msg":"404 NOT_FOUND"}\n'),
            (ERROR.replace(b"\n", b"\r"), ERROR_DATA),
            (b"<html></html>", b""),
            (b"[]", b""),
            (PING, b""),
            (b"", b""),
        ],
    )
    def test_a_json_object_in_place_of_a_stream_is_known_at_its_end(self, data: bytes, failure: bytes) -> None:
        stream = MessageStream()

        assert stream.peek(data) is Peek.WAITING
        stream.finish()
        assert stream.failure == failure

    @pytest.mark.parametrize(
        ("data", "seen"),
        [
            (b'data: {"type":"message_start","message":{}}\n\n', (Peek.BEGUN, Peek.BEGUN)),
            (b'data: {"type":"ping"}\n\n', (Peek.WAITING, Peek.WAITING)),
            (b'event: message_start\ndata: {"message":null}\n\n', (Peek.FAILED, Peek.BEGUN)),
            (b"event: message_start\ndata: {}\n\n", (Peek.FAILED, Peek.BEGUN)),
            (BEGUN, (Peek.FAILED, Peek.BEGUN)),
            (DELTA, (Peek.FAILED, Peek.VALID)),
            (event("content_block_delta", index=0, delta={"type": "input_json_delta"}), (Peek.FAILED, Peek.FAILED)),
            (event("content_block_delta", index=0, delta=None), (Peek.FAILED, Peek.FAILED)),
            (CLOSED, (Peek.FAILED, Peek.FAILED)),
            (LAST, (Peek.FAILED, Peek.FAILED)),
            (STOP, (Peek.FAILED, Peek.FAILED)),
            (b'data: {"object":"chat.completion.chunk","choices":[]}\n\n', (Peek.FAILED, Peek.FAILED)),
            (b'data: {"type":"response.created"}\n\n', (Peek.FAILED, Peek.FAILED)),
            (b'event: response.created\ndata: {"type":"response.created"}\n\n', (Peek.FAILED, Peek.FAILED)),
            (b"data: [DONE]\n\n", (Peek.FAILED, Peek.FAILED)),
            (b'data: {"type":"message","content":[]}\n\n', (Peek.FAILED, Peek.FAILED)),
            (b'event: message_start\ndata: {"error":"busy"}\n\n', (Peek.FAILED, Peek.FAILED)),
        ],
    )
    def test_beginnings(self, data: bytes, seen: tuple[Peek, Peek]) -> None:
        """Of a first party, and of a provider whose events are completed."""
        assert (MessageStream().peek(data), MessageStream(shape=ForeignReply("m")).peek(data)) == seen
