"""Answers put together again: streams of any quality, JSON messages, JSON errors."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.dialects.messages.assembled import Assembled, assembled
from turnout.testing import events as make
from turnout.testing.events import Event

STREAM = "text/event-stream; charset=utf-8"
JSON = "application/json"


def encoded(events: Iterable[Event], line_end: str = "\n") -> bytes:
    return b"".join(event.encode("m") for event in events).replace(b"\n", line_end.encode())


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[Event]:
    return [
        make.event("content_block_start", index=index, content_block=start),
        *(make.event("content_block_delta", index=index, delta=delta) for delta in deltas),
        make.event("content_block_stop", index=index),
    ]


def read(events: Iterable[Event]) -> Assembled:
    answer = assembled(encoded(events), STREAM)
    assert answer is not None
    return answer


def content(*events: Event) -> Any:
    """The blocks of an answer with these events in the middle."""
    return read([make.message_start(), *events, make.message_delta(), make.message_stop()]).message["content"]


WHOLE = [
    make.message_start(input_tokens=3, cache_read=1200, cache_write=40),
    *make.thinking_block(0, ["let me ", "see"], "c2ln"),
    *make.text_block(1, ["Grüße, ", "世界"]),
    *make.tool_use_block(2, "Bash", {"command": "ls", "n": [1, 2.5, None]}),
    make.ping(),
    make.message_delta("tool_use", output_tokens=77),
    make.message_stop(),
]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_stream_adds_up_to_the_message(line_end: str) -> None:
    answer = assembled(encoded(WHOLE, line_end), STREAM)
    assert answer is not None
    assert answer.message == make.folded(WHOLE, "m")
    assert answer.events == tuple(event.name for event in WHOLE)
    assert answer.complete and answer.error is None


def test_the_content_type_may_be_missing_or_wrong() -> None:
    assert assembled(encoded(WHOLE), "") == assembled(encoded(WHOLE), JSON) == assembled(encoded(WHOLE), STREAM)


def test_events_without_names_go_by_their_type() -> None:
    lines = [line for line in encoded(WHOLE).splitlines(keepends=True) if not line.startswith(b"event")]
    assert assembled(b"".join(lines), STREAM) == assembled(encoded(WHOLE), STREAM)


def test_later_counts_replace_earlier_ones_and_null_tells_nothing() -> None:
    start = make.message_start(input_tokens=5, cache_read=9)
    usage = {"output_tokens": 8, "input_tokens": 6, "cache_read_input_tokens": None, "server_tool_use": {"n": 1}}
    delta = make.event("message_delta", delta={"stop_reason": "end_turn", "container": {"id": "c"}}, usage=usage)
    message = read([start, delta, make.message_stop()]).message
    expected = {"input_tokens": 6, "output_tokens": 8, "cache_read_input_tokens": 9, "server_tool_use": {"n": 1}}
    assert message["usage"].items() >= expected.items()
    assert message["stop_reason"] == "end_turn" and message["container"] == {"id": "c"}


def test_what_stands_beside_the_delta_belongs_to_the_message() -> None:
    applied = {"applied_edits": [{"type": "clear_tool_uses_20250919"}]}
    delta = make.event("message_delta", delta={"stop_reason": "end_turn"}, usage={}, context_management=applied)
    assert read([make.message_start(), delta]).message["context_management"] == applied


def test_blocks_that_come_whole_stay_as_they_are() -> None:
    redacted = {"type": "redacted_thinking", "data": "opaque"}
    found = {"type": "web_search_tool_result", "tool_use_id": "srv", "content": [{"type": "web_search_result"}]}
    assert content(*block(0, redacted), *block(1, found)) == [redacted, found]


def test_server_tools_have_inputs_like_any_tool() -> None:
    start = {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {}}
    pieces = [{"type": "input_json_delta", "partial_json": part} for part in ("", '{"query":', ' "x"}')]
    assert content(*block(0, start, *pieces)) == [{**start, "input": {"query": "x"}}]


def test_an_input_of_no_pieces_or_of_the_empty_text_is_the_one_it_began_with() -> None:
    start = {"type": "tool_use", "id": "t", "name": "Now", "input": {}}
    empty = {"type": "input_json_delta", "partial_json": ""}
    assert content(*block(0, start), *block(1, start, empty)) == [start, start]


@pytest.mark.parametrize("text", ['{"file": "/a', "[1, 2]", "nonsense", '{"a": "\ud800"}'])
def test_an_input_that_is_no_json_object_stays_as_text(text: str) -> None:
    start = {"type": "tool_use", "id": "t", "name": "Read", "input": {}}
    body = block(0, start, {"type": "input_json_delta", "partial_json": "here"})
    stream = encoded([make.message_start(), *body]).replace(b'"here"', json.dumps(text).encode())
    answer = assembled(stream, STREAM)
    assert answer is not None
    # Half of a surrogate pair cannot be decoded at all: the event is passed over.
    expected = {} if "\ud800" in text else {"partial_input": text}
    assert answer.message["content"] == [{**start, **expected}]


def test_citations_are_collected_in_order() -> None:
    cited = [{"type": "char_location", "cited_text": "a"}, {"type": "page_location", "cited_text": "b"}]
    pieces: list[dict[str, Any]] = [{"type": "text_delta", "text": "t"}]
    pieces += ({"type": "citations_delta", "citation": one} for one in cited)
    assert content(*block(0, {"type": "text", "text": "", "citations": None}, *pieces)) == [
        {"type": "text", "text": "t", "citations": cited}
    ]


def test_a_compaction_comes_in_one_piece() -> None:
    piece = {"type": "compaction_delta", "content": "summary", "encrypted_content": "xyz"}
    assert content(*block(0, {"type": "compaction", "content": ""}, piece)) == [
        {"type": "compaction", "content": "summary", "encrypted_content": "xyz"}
    ]


def test_unknown_events_are_counted_and_unknown_deltas_passed_over() -> None:
    text = block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "a"}, {"type": "hologram_delta"})
    answer = read([make.message_start(), make.event("weather", sky="blue"), *text])
    assert answer.events[1] == "weather"
    assert answer.message["content"] == [{"type": "text", "text": "a"}]


def test_a_cut_stream_keeps_what_came() -> None:
    # The last of the pieces of the tool's input is cut in the middle of its frame.
    cut = assembled(encoded(WHOLE)[: len(encoded(WHOLE[:-5])) + 60], STREAM)
    assert cut is not None and not cut.complete and cut.error is None
    tool = cut.message["content"][2]
    assert tool["partial_input"].startswith('{"command') and tool["name"] == "Bash"
    assert cut.message["content"][1] == {"type": "text", "text": "Grüße, 世界"}


def test_an_error_event_after_a_beginning() -> None:
    answer = read([make.message_start(), *make.text_block(0, ["half"]), make.error("api_error", "broken")])
    assert answer.error == {"type": "api_error", "message": "broken"}
    assert answer.message["content"] == [{"type": "text", "text": "half"}] and not answer.complete


def test_an_error_event_whose_data_is_no_json() -> None:
    answer = assembled(b"event: error\ndata: upstream gone\n\n", STREAM)
    assert answer == Assembled(("error",), {}, {"message": "upstream gone"}, False)


MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "model": "m", "content": [], "usage": {}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (json.dumps(MESSAGE), Assembled((), MESSAGE, None, True)),
        (
            '{"type":"error","error":{"type":"overloaded_error","message":"later"}}',
            Assembled((), {}, {"type": "overloaded_error", "message": "later"}, False),
        ),
        (
            '{"error":{"message":"no such model","code":404}}',
            Assembled((), {}, {"message": "no such model", "code": 404}, False),
        ),
        ('{"error":"not allowed"}', Assembled((), {}, {"message": "not allowed"}, False)),
    ],
)
def test_answers_that_are_no_streams(body: str, expected: Assembled) -> None:
    assert assembled(body.encode(), JSON) == expected


@pytest.mark.parametrize(
    "body",
    [
        "",
        "   ",
        "<html>Bad gateway</html>",
        "[]",
        '{"input_tokens": 12}',
        '{"type":"error","error":null}',
        '{"type":"message"}',
        '{"object":"chat.completion","choices":[]}',
        'data: {"object":"chat.completion.chunk","choices":[]}\n\ndata: [DONE]\n\n',
        "event: response.created\ndata: {}\n\n",
        '{"a":' * 100_000,
    ],
)
def test_anything_else_is_none(body: str) -> None:
    assert assembled(body.encode(), JSON) is None


def test_an_empty_stream_is_an_answer_that_is_cut() -> None:
    assert assembled(b"", STREAM) == Assembled((), {}, None, False)


@given(st.integers(0, len(encoded(WHOLE, "\r\n"))), st.sampled_from(["\n", "\r\n", "\r"]))
def test_every_cut_gives_a_prefix_of_the_events(cut: int, line_end: str) -> None:
    answer = assembled(encoded(WHOLE, line_end)[:cut], STREAM)
    names = tuple(event.name for event in WHOLE)
    if answer is not None:
        assert answer.events == names[: len(answer.events)]
        assert answer.complete == ("message_stop" in answer.events)
    else:
        assert cut < len(encoded(WHOLE[:1], line_end))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = ("index", "delta", "content_block", "message", "usage", "error", "type", "text", "content")
DELTAS = ("text_delta", "input_json_delta", "signature_delta", "citations_delta", "compaction_delta", "other")
FOREIGN_EVENTS = st.builds(
    lambda name, index, data, kind, member, value: Event(
        name, {"type": name, **data, **({"index": index} if index < 3 else {}), member: {"type": kind, kind: value}}
    ),
    st.sampled_from([event.name for event in WHOLE] + ["error", "other", ""]),
    st.integers(0, 4),
    st.dictionaries(st.sampled_from(MEMBERS), JSON_VALUES, max_size=4),
    st.sampled_from(DELTAS),
    st.sampled_from(MEMBERS),
    JSON_VALUES,
)


@given(st.lists(st.one_of(FOREIGN_EVENTS, st.sampled_from(WHOLE)), max_size=8))
def test_events_of_any_content_never_raise(events: list[Event]) -> None:
    body = b"".join(f"event: {event.name}\ndata: {json.dumps(event.data)}\n\n".encode() for event in events)
    answer = assembled(body, STREAM)
    if answer is not None:
        assert len(answer.events) <= len(events)
        json.dumps(answer.message)


@given(st.binary(max_size=200), st.integers(0, len(encoded(WHOLE))))
def test_bytes_in_the_middle_never_raise(noise: bytes, at: int) -> None:
    body = encoded(WHOLE)
    answer = assembled(body[:at] + noise + body[at:], STREAM)
    assert answer is None or isinstance(answer.message, dict)


@given(st.binary(max_size=100), st.sampled_from([STREAM, JSON, ""]))
def test_any_bytes_never_raise(body: bytes, content_type: str) -> None:
    answer = assembled(body, content_type)
    assert answer is None or answer.message == {} or answer.complete
