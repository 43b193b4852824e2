"""A message as a stream, and a stream as a message: nothing is lost either way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dialects.messages.bodies import json_values, objects
from turnout.dialects.messages.conversion import as_events, as_message, begins_like_events, begins_like_json
from turnout.dialects.messages.signatures import minted
from turnout.dialects.messages.stream import MessageStream, Peek
from turnout.testing import events as make
from turnout.testing.events import Event
from turnout.wire.sse import EventSplitter, parse_event

CITED = {"type": "char_location", "cited_text": "a", "document_index": 0}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "web_search_result"}]}
USAGE = {"input_tokens": 9, "output_tokens": 7, "cache_creation": {"ephemeral_5m_input_tokens": 1}}

text = st.text(max_size=20)
blocks = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("text"), "text": text},
        optional={"citations": st.none() | st.lists(st.just(CITED) | objects, max_size=3)},
    ),
    st.fixed_dictionaries({"type": st.just("thinking"), "thinking": text, "signature": text}),
    st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": text}),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["tool_use", "server_tool_use", "mcp_tool_use"]), "id": text, "name": text},
        optional={"input": json_values, "caller": objects},
    ),
    st.just(FOUND),
    objects,
)
messages = st.fixed_dictionaries(
    {
        "id": text,
        "type": st.just("message"),
        "role": st.just("assistant"),
        "model": text,
        "content": st.lists(blocks, max_size=5),
        "stop_reason": st.sampled_from(["end_turn", "tool_use", "refusal", None]),
        "stop_sequence": st.none() | text,
        "usage": st.just(USAGE) | st.dictionaries(text, st.integers(0, 9), max_size=3),
    },
    optional={
        "stop_details": objects,
        "container": objects,
        "context_management": objects,
        "diagnostics": objects,
        "safeguard_results": st.lists(objects, max_size=2),
        "what_is_new": json_values,
    },
)


def parsed(stream: bytes) -> list[tuple[str, dict[str, Any]]]:
    splitter = EventSplitter()
    found = [parse_event(frame) for frame in splitter.feed(stream)]
    assert splitter.tail == b""
    return [(event.name, json.loads(event.data)) for event in found if event is not None]


@given(messages, st.sampled_from([None, 2]), st.booleans())
def test_a_message_survives_the_way_there_and_back(message: dict[str, Any], indent: int | None, ascii: bool) -> None:
    stream = as_events(json.dumps(message, indent=indent, ensure_ascii=ascii).encode("utf-8", "surrogatepass"))
    assert stream is not None
    back = as_message(stream)
    assert back is not None and json.loads(back) == message


@given(messages)
def test_what_comes_out_is_a_stream_as_anthropic_writes_it(message: dict[str, Any]) -> None:
    stream = as_events(json.dumps(message).encode())
    assert stream is not None
    events = parsed(stream)
    names = [name for name, _ in events]
    assert all(data["type"] == name for name, data in events)
    assert names[0] == "message_start" and names[-2:] == ["message_delta", "message_stop"]
    start, delta = events[0][1]["message"], events[-2][1]
    assert (start["content"], start["stop_reason"], start["stop_sequence"]) == ([], None, None)
    assert delta["usage"] == message["usage"] and delta["delta"]["stop_reason"] == message["stop_reason"]
    indices = [data["index"] for name, data in events if name == "content_block_start"]
    assert indices == list(range(len(message["content"])))
    for name, data in events[1:-2]:
        assert name.startswith("content_block_") and data["index"] in indices


@given(messages)
def test_the_stream_is_followed_like_any_other(message: dict[str, Any]) -> None:
    body = json.dumps(message).encode()
    stream = as_events(body)
    following = MessageStream()
    assert stream is not None and following.peek(stream) is Peek.VALID
    assert b"".join([*following.relay(b""), *following.finish()]) == stream and following.ended
    assert set(minted(body)) <= set(minted(stream))


WHOLE = [
    make.message_start("m", cache_read=1200),
    *make.thinking_block(0, ["let me ", "see"], "c2ln"),
    *make.text_block(1, ["Grüße, ", "世界"]),
    *make.tool_use_block(2, "Bash", {"command": "ls", "n": [1, 2.5, None]}),
    make.ping(),
    make.message_delta("tool_use", output_tokens=77),
    make.message_stop(),
]


def encoded(*events: Event) -> bytes:
    return b"".join(event.encode("m") for event in events)


def test_a_stream_becomes_the_message_that_json_would_have_been() -> None:
    message = as_message(encoded(*WHOLE))
    assert message is not None and json.loads(message) == make.folded(WHOLE, "m")


def test_parts_come_as_deltas() -> None:
    """Clients put together what deltas bring; some leave out what content_block_start holds."""
    content = make.folded(WHOLE, "m")["content"] + [{"type": "text", "text": "so", "citations": [CITED]}, FOUND]
    stream = as_events(json.dumps({"content": content}).encode())
    assert stream is not None
    begun = [data["content_block"] for name, data in parsed(stream) if name == "content_block_start"]
    assert begun == [
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "text", "text": ""},
        {"type": "tool_use", "id": "toolu_01scripted", "name": "Bash", "input": {}},
        {"type": "text", "text": "", "citations": []},
        FOUND,
    ]
    deltas = [(data["index"], data["delta"]["type"]) for name, data in parsed(stream) if name == "content_block_delta"]
    assert deltas == [
        (0, "thinking_delta"), (0, "signature_delta"), (1, "text_delta"), (2, "input_json_delta"),
        (3, "citations_delta"), (3, "text_delta"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"a":1}', b'{"content":"hello"}', b'{"content":["hello"]}', b'{"content":{}}', b"\xff"]
    + [b'{"content":[' + b"[" * 5000 + b"]" * 5000 + b"]}"],
)
def test_what_is_no_message_has_no_events(body: bytes) -> None:
    assert as_events(body) is None


def test_a_message_without_content_is_an_empty_one() -> None:
    assert as_events(b'{"content":null}') is not None


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        encoded(*WHOLE[:-1]),
        encoded(*WHOLE[:5], make.error()),
        encoded(*WHOLE[:5], make.error(), make.message_stop()),
        encoded(make.message_stop()),
        encoded(*WHOLE).replace(b'\\"ls\\"', b'\\"ls'),
    ],
)
def test_what_did_not_come_to_its_end_is_no_message(stream: bytes) -> None:
    """Nor is a tool use of which a part is missing."""
    assert as_message(stream) is None


@given(st.binary() | st.text().map(str.encode))
def test_no_bytes_make_it_raise(body: bytes) -> None:
    as_events(body)
    as_message(body)
    begins_like_json(body)
    begins_like_events(body)


@pytest.mark.parametrize(
    ("body", "events", "is_json"),
    [
        (b"event: message_start\n", True, False),
        (b"\xef\xbb\xbf\r\n\r\ndata:{}\n\n", True, False),
        (b": OPENROUTER PROCESSING\n\n", True, False),
        (b"id: 1\n", True, False),
        (b'\n {"content":[]}', False, True),
        (b"<html>", False, False),
        (b"eventually: no", False, False),
        (b"[]", False, False),
        (b"", False, False),
    ],
)
def test_the_form_is_known_by_the_first_line(body: bytes, events: bool, is_json: bool) -> None:
    assert begins_like_events(body) is events and begins_like_json(body) is is_json
