"""Streams of providers that are not first party, completed so that every client takes them (S10, S11, S14)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

import anthropic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.test_sse import cuts, pieces
from turnout.dialects.messages.completion import MOST_WAITING
from turnout.dialects.messages.reply import ForeignReply
from turnout.dialects.messages.stream import MessageStream, Peek
from turnout.wire.sse import EventSplitter, parse_event

if sys.version_info >= (3, 12):
    import httpx2 as httpx  # what the anthropic SDK uses from 1.0 on
else:
    import httpx

USAGE = {"input_tokens": 1, "output_tokens": 2, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
MESSAGE: dict[str, Any] = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": [], "stop_reason": None,
    "stop_sequence": None, "usage": USAGE,
}  # fmt: skip


def frame(kind: str, **data: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), json.dumps({"type": kind, **data}).encode())


def begun(index: int | None, **block: Any) -> bytes:
    place = {} if index is None else {"index": index}
    return frame("content_block_start", **place, content_block=block)


def delta(index: int | None, **told: Any) -> bytes:
    place = {} if index is None else {"index": index}
    return frame("content_block_delta", **place, delta=told)


def text(index: int | None, words: Any) -> bytes:
    return delta(index, type="text_delta", text=words)


def thought(index: int | None, words: Any) -> bytes:
    return delta(index, type="thinking_delta", thinking=words)


def piece(index: int | None, json_text: Any) -> bytes:
    return delta(index, type="input_json_delta", partial_json=json_text)


def closed(index: int | None) -> bytes:
    return frame("content_block_stop", **({} if index is None else {"index": index}))


def last(reason: Any = "end_turn", **more: Any) -> bytes:
    return frame(
        "message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage={"output_tokens": 5, **more}
    )


TEXT = {"type": "text", "text": ""}
THINKING = {"type": "thinking", "thinking": "", "signature": ""}
START = frame("message_start", message=MESSAGE)
STOP = frame("message_stop")
END = last() + STOP
SEAL = {"type": "signature_delta", "signature": "s"}


def call(name: str = "Bash", **more: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"id_{name}", "name": name, "input": {}, **more}


def completed(chunks: Iterable[bytes]) -> tuple[bytes, MessageStream]:
    """What the client gets of an answer that is seen as one."""
    stream = MessageStream("claude-x", ForeignReply("claude-x", seed="s"))
    out: list[bytes] = []
    seen = Peek.WAITING
    for chunk in chunks:
        if seen in (Peek.WAITING, Peek.BEGUN):
            seen = stream.peek(chunk)
            chunk = b""
        if seen is Peek.VALID:
            out += stream.relay(chunk)
    return b"".join([*out, *stream.finish()]) if seen is Peek.VALID else b"", stream


def told(stream: bytes) -> list[tuple[str, Any]]:
    """The events, without what is the same in all of them."""
    found = []
    for each in EventSplitter().feed(stream):
        event = parse_event(each)
        assert event is not None
        data = json.loads(event.data)
        assert data.pop("type") == event.name
        found.append((event.name.removeprefix("content_block_").removeprefix("message_"), data))
    return found


def taken(stream: bytes) -> anthropic.types.Message:
    """The answer as the Python SDK puts it together."""
    transport = httpx.MockTransport(
        lambda request: httpx.Response(200, headers={"content-type": "text/event-stream"}, content=stream)
    )
    with (
        httpx.Client(transport=transport) as http,
        anthropic.Anthropic(api_key="k", base_url="http://x", max_retries=0, http_client=http) as client,
        client.messages.stream(model="m", max_tokens=1, messages=[{"role": "user", "content": "x"}]) as answer,
    ):
        return answer.get_final_message()


def content(*events: bytes) -> list[Any]:
    """The content of the message that the SDK makes of a completed stream."""
    stream, _ = completed([START + b"".join(events)])
    return [block.to_dict() for block in taken(stream).content]


# --- what is right ---

RIGHT = [
    (begun(0, **THINKING), thought(0, "a"), delta(0, **SEAL), closed(0)),
    (begun(0, **TEXT), text(0, "a"), text(0, ""), frame("ping"), text(0, "\u2028é"), closed(0)),
    (begun(0, **call()), piece(0, ""), piece(0, '{"a":'), piece(0, " 1}"), closed(0)),
    (begun(0, type="redacted_thinking", data="x"), closed(0)),
    (begun(0, type="server_tool_use", id="a", name="web_search", input={}), piece(0, '{"q":"x"}'), closed(0)),
    (begun(0, type="web_search_tool_result", tool_use_id="a", content=[]), closed(0)),
    (begun(0, **TEXT), delta(0, type="citations_delta", citation={"type": "char_location"}), closed(0)),
    (begun(0, **TEXT), delta(0, type="sparkle_delta", sparkle=1), closed(0), frame("news", x=1)),
    (begun(0, type="compaction"), delta(0, type="compaction_delta", content="x"), closed(0)),
]


@given(
    st.lists(st.sampled_from(RIGHT), max_size=4, unique=True),
    st.sampled_from([last("tool_use"), last("max_tokens")]),
    cuts,
)
def test_what_is_right_keeps_every_byte(blocks: list[tuple[bytes, ...]], end: bytes, cuts: list[int]) -> None:
    events = [
        event.replace(b'"index": 0', b'"index": %d' % place) for place, block in enumerate(blocks) for event in block
    ]
    whole = b": hi\n\n" + START + b"".join(events) + last(None) + end + STOP
    stream, monitor = completed(pieces(whole, cuts))

    assert stream == whole and monitor.ended and not monitor.torn


def test_halves_of_a_pair_are_text() -> None:
    """JavaScript cuts emoji in two, and JSON tells the halves as escapes."""
    stream, _ = completed([START + begun(0, **TEXT) + text(0, "\ud83d") + text(0, "\ude00") + closed(0) + END])

    assert stream.count(b"\\ud83d") == stream.count(b"\\ude00") == 1
    moved, _ = completed([START + begun(3, **TEXT) + text(3, "\ud83d") + text(3, "\ude00") + closed(3) + END])
    assert [data for kind, data in told(moved) if kind == "delta"] == [
        data for kind, data in told(stream) if kind == "delta"
    ]


def test_deltas_in_their_place_pass_without_a_look() -> None:
    stream = MessageStream("claude-x", ForeignReply("claude-x"))
    stream.peek(START)
    stream.relay(begun(0, **TEXT))
    frames = text(0, "a"), text(0, "a").replace(b"event: ", b"event:").replace(b"data: ", b"data:")

    assert all(stream.relay(each)[0] is each for each in frames)


@given(
    st.lists(st.text(max_size=4) | st.sampled_from(['"', "\\", "\n", '","text":"', "}}", "é"]), min_size=1, max_size=5),
    st.sampled_from([("text_delta", "text"), ("thinking_delta", "thinking")]),
    st.booleans(),
    st.sampled_from([b'"', b"\\x", b"\x01", b"\xff", b'"}}', b"}}", b'",', b"\\"]),
)
def test_frames_that_look_alike_are_alike(texts: list[str], kind: tuple[str, str], tight: bool, bad: bytes) -> None:
    """A delta that begins like the one before it is passed on undecoded only if clients can read it."""
    block = TEXT if kind[1] == "text" else THINKING
    sent = [delta(0, type=kind[0], **{kind[1]: text}) for text in texts]
    if tight:
        sent = [each.replace(b'": ', b'":') for each in sent]
    broken = sent[0].replace(b'"}}\n\n', bad + b'"}}\n\n')
    for shape in (ForeignReply("claude-x"), None):
        stream = MessageStream(shape=shape)
        stream.relay(START + begun(0, **block) + sent[0])
        for each in sent:
            assert stream.relay(each) == [each] and stream.relay(each + each) == [each + each]
        expected = broken if _is_json(broken.partition(b"data: ")[2]) else b""
        assert b"".join(stream.relay(broken)) == expected and b"".join(stream.relay(sent[0])) == sent[0]


def _is_json(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except ValueError:
        return False


# --- the message ---


def test_one_message_start() -> None:
    stream, _ = completed([START + START + begun(0, **TEXT) + START + text(0, "a") + closed(0) + END])

    assert stream == START + begun(0, **TEXT) + text(0, "a") + closed(0) + END


@pytest.mark.parametrize("first", [begun(0, **TEXT) + text(0, "a"), text(0, "a"), frame("ping") + text(0, "a")])
def test_a_message_start_is_supplied(first: bytes) -> None:
    stream, _ = completed([frame("queue", position=1) + first + closed(0) + END])
    message = taken(stream)

    assert (message.id, message.model, message.usage.input_tokens) == ("msg_s", "claude-x", 0)
    assert [block.to_dict() for block in message.content] == [{"type": "text", "text": "a"}]
    assert b"queue" not in stream and message.usage.output_tokens == 5


@pytest.mark.parametrize("first", [closed(0), last(), STOP, piece(0, "{}"), text(0, ""), text(0, None), frame("ping")])
def test_nothing_is_made_of_what_says_nothing(first: bytes) -> None:
    said = first + START + begun(0, **TEXT) + text(0, "a")
    assert completed([said])[0] == (said if b"ping" in first else b"")


def test_what_a_message_start_holds_comes_after_it() -> None:
    held = [{"type": "text", "text": "a"}, call(input={"x": 1}), None]
    start = frame("message_start", message={**MESSAGE, "content": held})
    stream, _ = completed([start + begun(0, **TEXT) + text(0, "b") + closed(0) + END])

    assert [data["index"] for kind, data in told(stream) if kind == "stop" and data] == [0, 1, 2]
    assert [block.to_dict() for block in taken(stream).content] == [held[0], held[1], {"type": "text", "text": "b"}]


@pytest.mark.parametrize(
    ("block", "reason"),
    [([begun(0, **TEXT)], "end_turn"), ([begun(0, **call()), piece(0, "{}")], "tool_use"), ([], "end_turn")],
)
@pytest.mark.parametrize(
    "before", [b"", last(None), frame("message_delta"), frame("message_delta", delta=None, usage=None)]
)
def test_why_it_stopped_is_supplied(block: list[bytes], reason: str, before: bytes) -> None:
    stream, _ = completed([START + b"".join(block) + before + STOP])
    message = taken(stream)

    assert message.stop_reason == reason and stream.endswith(STOP)
    assert message.usage.output_tokens == (5 if before == last(None) else 2)


@pytest.mark.parametrize(
    ("block", "said", "reason"),
    [
        ([begun(0, **TEXT)], "stop", "end_turn"),
        ([begun(0, **TEXT)], "length", "max_tokens"),
        ([begun(0, **TEXT)], "content_filter", "refusal"),
        ([begun(0, **TEXT)], "stop_sequence", "stop_sequence"),
        ([begun(0, **call()), piece(0, "{}")], "tool_calls", "tool_use"),
        ([begun(0, **call()), piece(0, "{}")], "stop", "tool_use"),
        ([begun(0, **call()), piece(0, "{}")], "end_turn", "tool_use"),
        ([begun(0, **call()), piece(0, "{}")], "max_tokens", "max_tokens"),
    ],
)
def test_why_it_stopped_is_said_in_words_that_clients_know(block: list[bytes], said: str, reason: str) -> None:
    stream, _ = completed([START + b"".join(block) + last(said) + STOP])
    assert taken(stream).stop_reason == reason


def test_a_call_that_is_cut_short_for_a_reason_of_openai() -> None:
    stream, _ = completed([START + begun(0, **call()) + piece(0, '{"a":') + last("length") + STOP])
    assert told(stream)[-2][1]["delta"]["stop_reason"] == "max_tokens" and stream.endswith(STOP)


def test_two_calls_have_two_ids() -> None:
    """Anthropic takes no id twice, and the client would take one result for both."""
    calls = [begun(at, **call(id="call_0")) + piece(at, f'{{"a":{at}}}') + closed(at) for at in (0, 1)]
    ids = [block["id"] for block in content(*calls, last("tool_use"), STOP)]
    assert ids == ["call_0", "toolu_s_1"]


def test_a_call_in_the_words_of_openai() -> None:
    function = {"name": "Bash", "arguments": '{"a":1}'}
    stream, _ = completed([START + begun(0, type="function", id="c", function=function) + closed(0) + last() + STOP])
    message = taken(stream)
    assert message.stop_reason == "tool_use"
    assert message.content[0].to_dict() == {"type": "tool_use", "id": "c", "name": "Bash", "input": {"a": 1}}


@given(cuts)
def test_a_byte_order_mark_is_left_out(cuts: list[int]) -> None:
    """The SDKs take it for a part of the first name, and so pass over the first event."""
    source = START + begun(0, **TEXT) + text(0, "a") + closed(0) + END
    marked = b"\xef\xbb\xbf" + source
    ends = sorted({min(cut, len(marked)) for cut in cuts} | {len(marked)})
    pieces = [marked[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    assert completed(pieces)[0] == completed([source])[0] != b""


def test_a_later_delta_does_not_take_the_reason_back() -> None:
    stream, _ = completed([START + last("max_tokens") + frame("message_delta", usage={"output_tokens": 9}) + STOP])

    assert (taken(stream).stop_reason, taken(stream).usage.output_tokens) == ("max_tokens", 9)


# --- blocks ---


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([begun(0, type="text"), text(0, "a"), text(0, None), text(0, 5)], [{"type": "text", "text": "a"}]),
        ([begun(0, type="text", text=None), text(0, "a")], [{"type": "text", "text": "a"}]),
        ([begun(0, type="text", text="a"), text(0, "b")], [{"type": "text", "text": "ab"}]),
        ([begun(0, text="a"), text(0, "b")], [{"type": "text", "text": "ab"}]),
        ([begun(0, type="thinking"), thought(0, "a")], [{**THINKING, "thinking": "a"}]),
        ([begun(0, type="thinking", thinking="a", signature="s")], [{**THINKING, "thinking": "a", "signature": "s"}]),
        ([begun(0, **THINKING), thought(0, None), delta(0, **SEAL)], [{**THINKING, "signature": "s"}]),
        ([begun(0, type="redacted_thinking"), thought(0, "a")], [{"type": "redacted_thinking", "data": ""}]),
        ([delta(0, text="a"), delta(0, type=None, text="b")], [{"type": "text", "text": "ab"}]),
        ([delta(0, **SEAL)], [{**THINKING, "signature": "s"}]),
        ([begun(0, **TEXT), delta(0, **SEAL), text(0, "a")], [{"type": "text", "text": "a"}]),
        ([frame("content_block_start", index=0), text(0, "a")], [{"type": "text", "text": "a"}]),
        ([frame("content_block_start", index=0, content_block=None), thought(0, "a")], [{**THINKING, "thinking": "a"}]),
        ([frame("content_block_delta", index=0), frame("content_block_delta", delta=5), delta(0, x=1)], []),
        ([begun(0, **TEXT), delta(0, type="citations_delta", citation=None)], [TEXT]),
        # wrong places
        ([text(4, "a"), text(4, "b")], [{"type": "text", "text": "ab"}]),
        ([begun(1, **TEXT), text(1, "a"), closed(1)], [{"type": "text", "text": "a"}]),
        ([begun(None, **TEXT), text(None, "a"), closed(None)], [{"type": "text", "text": "a"}]),
        ([begun(None, **TEXT), text(0, "a"), closed(0)], [{"type": "text", "text": "a"}]),
        ([closed(0), closed(7), begun(0, **TEXT), closed(3), text(0, "a")], [{"type": "text", "text": "a"}]),
        (
            [begun(0, **THINKING), thought(0, "a"), closed(0), begun(0, **TEXT), text(0, "b"), closed(0)],
            [{**THINKING, "thinking": "a"}, {"type": "text", "text": "b"}],
        ),
        (
            [begun(0, **THINKING), thought(0, "a"), begun(1, **TEXT), text(1, "b"), closed(0), closed(1), closed(1)],
            [{**THINKING, "thinking": "a"}, {"type": "text", "text": "b"}],
        ),
        (
            [begun(0, **THINKING), thought(0, "a"), text(0, "b"), text(0, "c")],
            [{**THINKING, "thinking": "a"}, {"type": "text", "text": "bc"}],
        ),
        (
            [begun(0, **TEXT), text(0, "a"), closed(0), text(0, "b")],
            [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        ),
        # calls
        ([begun(0, type="tool_use", name="Bash")], [call(id="toolu_s_1")]),
        ([begun(0, **call(input=None)), piece(0, '{"a":1}')], [call(input={"a": 1})]),
        ([begun(0, **call(input={"a": 1}))], [call(input={"a": 1})]),
        ([begun(0, **call(input='{"a": 1}'))], [call(input={"a": 1})]),
        ([begun(0, **call(input={"a": 1})), piece(0, '{"b":2}')], [call(input={"b": 2})]),
        ([begun(0, **call()), piece(0, {"a": 1}), piece(0, None)], [call(input={"a": 1})]),
        ([begun(0, **call("A")), piece(0, '{"a":1}'), begun(1, **call("B"))], [call("A", input={"a": 1}), call("B")]),
        ([begun(0, **TEXT), text(0, "a"), piece(0, ""), piece(0, "{}")], [{"type": "text", "text": "a"}]),
        (
            [begun(0, **call("A")), begun(1, **call("B")), piece(1, '{"b":'), piece(0, '{"a":'), text(2, "t"),
             piece(0, "1}"), piece(1, "2}"), closed(1), closed(0), begun(3, **TEXT), text(3, "u")],
            [call("A", input={"a": 1}), call("B", input={"b": 2}), {**TEXT, "text": "t"}, {**TEXT, "text": "u"}],
        ),
        (
            [begun(0, **call("A")), piece(0, '{"a":'), text(0, "t"), begun(1, **call("B")), piece(0, "1}"),
             piece(1, "{}")],
            [call("A", input={"a": 1}), {"type": "text", "text": "t"}, call("B")],
        ),
    ],
)  # fmt: skip
def test_blocks_come_whole_and_one_after_the_other(events: list[bytes], expected: list[Any]) -> None:
    for end in (last("tool_use") + STOP, last("max_tokens") + STOP):
        stream, _ = completed([START + b"".join(events) + end])
        assert [block.to_dict() for block in taken(stream).content] == expected
        open_block, count = None, 0
        for kind, data in told(stream):
            if kind == "start" and "content_block" in data:
                assert open_block is None and data["index"] == count
                open_block, count = count, count + 1
                block = data["content_block"]  # Claude Code reads of it neither text nor input
                assert not any(block.get(name) for name in ("text", "thinking", "input"))
            elif kind == "delta" and "index" in data:
                assert data["index"] == open_block
            elif kind == "stop" and "index" in data:
                assert data["index"] == open_block
                open_block = None
        assert open_block is None


# --- what cannot be completed ---


@pytest.mark.parametrize(
    "events",
    [
        [begun(0, **call()), piece(0, '{"a":'), STOP],
        [begun(0, **call()), STOP],
        [begun(0, **call()), piece(0, '{"a":'), last("tool_use"), STOP],
        [begun(0, **call()), piece(0, '{"a":'), begun(1, **TEXT), text(1, "a"), last("end_turn"), STOP],
        [piece(0, '{"a":1}')],
        [begun(0, **TEXT), piece(0, '{"a":1}')],
        [begun(0, **call()), piece(0, '{"a":1}'), closed(0), piece(0, '{"b":1}')],
        [begun(0, **call())] + [begun(place, **call()) for place in range(1, MOST_WAITING + 2)],
    ],
)
def test_half_a_call_is_never_passed_off_as_whole(events: list[bytes]) -> None:
    """S14."""
    stream, monitor = completed([START + b"".join(events) + text(9, "more") + END])

    assert monitor.torn and monitor.ended and not monitor.whole
    assert STOP not in stream and b"more" not in stream and b"message_delta" not in stream


@pytest.mark.parametrize("reason", ["max_tokens", "refusal", "model_context_window_exceeded"])
def test_a_call_that_is_told_to_be_cut_short_is_passed_on(reason: str) -> None:
    stream, _ = completed([START + begun(0, **call()) + piece(0, '{"a":') + last(reason) + STOP])

    stop = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    assert stream == START + begun(0, **call()) + piece(0, '{"a":') + stop + last(reason) + STOP


@pytest.mark.parametrize("end", [b"", closed(0), last(None), begun(1, **TEXT)])
def test_a_stream_that_is_cut_is_not_completed(end: bytes) -> None:
    """S14."""
    stream, monitor = completed([START + begun(0, **call()) + piece(0, '{"a":1}') + end])

    assert not monitor.whole and not monitor.ended and b"message_stop" not in stream


# --- anything ---

indices = st.sampled_from([0, 0, 1, 2, 7, None])
values = st.sampled_from(["a", "", None, 5, {"a": 1}, "\ud83d"])
blocks = st.sampled_from(
    [TEXT, THINKING, call(), {"type": "text"}, {"type": "thinking"}, {"type": "tool_use"}, {"text": "a"}, {},
     {"type": "odd"}, {"type": ["text"]}, call(input={"a": 1}), call(input='{"a": 1}'), call(id="a.b"),
     {"type": "redacted_thinking"}, {"type": "server_tool_use"}, {"type": "text", "text": 5},
     {"type": "web_search_tool_result", "tool_use_id": "x"}]
)  # fmt: skip
kinds = st.sampled_from(["text_delta", "thinking_delta", "signature_delta", "citations_delta", "odd_delta", None])
members = st.sampled_from(["text", "thinking", "signature", "citation", "x"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "delta", "usage", "index", "message", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)  # fmt: skip
frames = st.one_of(
    st.builds(lambda index, block: [begun(index, **block)], indices, blocks),
    st.builds(
        lambda index, kind, member, value: [delta(index, type=kind, **{member: value})], indices, kinds, members, values
    ),
    st.builds(lambda index: [closed(index)], indices),
    st.builds(lambda index, given: [piece(index, given)], indices, st.sampled_from(["", None])),
    # What a model writes as the input of its tool is its own affair: it is JSON here.
    st.builds(lambda index: [begun(index, **call()), piece(index, '{"a":'), piece(index, " 1}")], indices),
    st.builds(lambda reason: [last(reason)], st.sampled_from(["end_turn", "tool_use", "max_tokens", None, 5])),
    st.sampled_from([START, STOP, frame("ping"), b": x\n\n", b"data: [DONE]\n\n", b"data: {\n\n", frame("x")]).map(
        lambda sent: [sent]
    ),
    st.builds(
        lambda kind, data: [b"event: %b\ndata: %b\n\n" % (kind, json.dumps(data).encode())],
        st.sampled_from([b"message_start", b"content_block_start", b"content_block_delta", b"content_block_stop",
                         b"message_delta", b"message_stop", b"news", b"message", b""]),
        anything,
    ),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(frames, max_size=14).map(lambda found: b"".join(sum(found, []))), st.booleans(), cuts, st.booleans())
def test_whatever_comes_the_sdk_takes_what_goes_out(source: bytes, starts: bool, cuts: list[int], named: bool) -> None:
    source = (START if starts else b"") + source
    if not named:
        source = source.replace(b"event: message\n", b"").replace(b"event: content_block_delta\n", b"")
    stream, monitor = completed(pieces(source, cuts))

    assert stream == completed([source])[0]
    if monitor.ended and not monitor.torn and not monitor.failure:
        assert taken(stream).stop_reason is not None
    elif stream:
        with pytest.raises(anthropic.APIError, match="torn"):  # what has gone out before is taken
            taken(stream + frame("error", error={"type": "api_error", "message": "torn"}))
