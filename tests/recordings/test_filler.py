"""Filler of the same shape and length, and nothing of the original."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.recordings.filler import Numbering, body_like, events, json_document, masked, prose

PLANTED = "Quetzalcoatl"

words = st.sampled_from(["type", "text", "name", "input", "id", "content", "metadata", "properties", "x"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just(f"a {PLANTED} and b"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=20,
)
documents = st.dictionaries(words, values, max_size=5).map(lambda value: json.dumps(value, ensure_ascii=False).encode())


def scrubbed(value: Any, **options: Any) -> Any:
    return json.loads(json_document(json.dumps(value).encode(), Numbering(), **options))


@given(st.binary())
def test_prose_keeps_length_and_is_stable(text: bytes) -> None:
    once = prose(text)
    assert len(once) == len(text) and prose(once) == once


def test_prose_keeps_lines_and_escapes_and_nothing_else() -> None:
    assert prose(b"You are\n\tan agent") == b"Lorem i\n\tLorem ip"
    assert prose(rb"say \"hi\"\n\u00e9\u00e9") == rb"Lore\"Lo\"\nLorem ipsum "
    assert prose("é—🙂".encode()) == b"Lorem ips"


@given(documents)
def test_documents_keep_length_and_structure(document: bytes) -> None:
    numbering = Numbering()
    once = json_document(document, numbering)
    assert PLANTED.encode() not in once
    assert len(once) == len(document)
    assert shape(json.loads(once)) == shape(json.loads(document))
    assert json_document(once, Numbering()) == once


def shape(value: Any) -> Any:
    """The value without its texts."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return str if isinstance(value, str) else value


@given(documents, st.data())
def test_what_a_broken_connection_left_is_scrubbed_too(document: bytes, data: st.DataObject) -> None:
    part = document[: data.draw(st.integers(0, len(document)))]
    once = body_like(part, "application/json", Numbering(), answer=True)
    assert len(once) == len(part)
    assert b"Quetz" not in once


def test_words_of_the_protocol_stay() -> None:
    body = {
        "model": "claude-opus-4-8[1m]",
        "thinking": {"type": "adaptive"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "high"},
        "tools": [
            {
                "name": "Bash",
                "input_schema": {
                    "type": "object",
                    "properties": {"input": {"type": ["string", "null"], "enum": ["on", "off"], "format": "uri"}},
                    "required": ["input"],
                },
            }
        ],
        "system": [{"type": "text", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "max_tokens": 64000,
    }
    assert scrubbed(body) == body


@pytest.mark.parametrize(
    "body",
    [
        {"system": PLANTED},
        {"tools": [{"name": "Bash", "description": PLANTED}]},
        {"tools": [{"input_schema": {"properties": {"a": {"description": PLANTED, "enum": [f"{PLANTED} is it"]}}}}]},
        {"messages": [{"role": "user", "content": PLANTED}]},
        {"messages": [{"content": [{"type": "tool_use", "input": {"type": PLANTED, "name": PLANTED, "id": PLANTED}}]}]},
        {"messages": [{"content": [{"type": "tool_result", "content": [{"type": "text", "text": PLANTED}]}]}]},
        {"messages": [{"content": [{"type": "thinking", "thinking": PLANTED, "signature": PLANTED}]}]},
        {"metadata": {"user_id": json.dumps({"device_id": PLANTED, "email": PLANTED, "model": PLANTED})}},
        {"metadata": {"user_id": '{"broken' + PLANTED}},
        {"type": f"a sentence about {PLANTED}"},
        {"input": {f"answer to {PLANTED}?": 1}},
        {"stop_sequences": [PLANTED], "error": {"message": PLANTED}},
        {"unheard_of": {"deeper": [[PLANTED]]}},
    ],
)
def test_texts_go(body: Any) -> None:
    assert PLANTED not in json.dumps(scrubbed(body))


def test_a_providers_error_message_stays_without_its_secrets() -> None:
    said = "Key sk-ant-api03-abcdefgh of a@b.io: slow"
    error = {"type": "error", "error": {"type": "rate_limit_error", "message": said}}
    told = "Key ********************* of ******: slow"
    assert scrubbed(error, answer=True)["error"] == {"type": "rate_limit_error", "message": told}
    assert len(told) == len(said)


def test_equal_identifiers_stay_equal_and_keep_their_prefix() -> None:
    body = [{"id": "toolu_01Xy", "tool_use_id": "toolu_01Xy"}, {"id": "toolu_01Zz", "request_id": ""}]
    assert scrubbed(body) == [
        {"id": "toolu_0001", "tool_use_id": "toolu_0001"},
        {"id": "toolu_0002", "request_id": ""},
    ]
    session = "9840cf6b-3739-47ed-a8df-5469480d39ed"
    numbering = Numbering()
    assert numbering(session.encode()) == b"00000000-0000-0000-0000-000000000001"
    user = {"metadata": {"user_id": json.dumps({"session_id": session, "account_uuid": ""})}}
    inner = json.loads(json.loads(json_document(json.dumps(user).encode(), numbering))["metadata"]["user_id"])
    assert inner == {"session_id": "00000000-0000-0000-0000-000000000001", "account_uuid": ""}


def test_the_attribution_keeps_its_form() -> None:
    text = "x-anthropic-billing-header: cc_version=2.1.197.a82; cc_entrypoint=sdk-cli; cch=00fa1;"
    kept = "x-anthropic-billing-header: cc_version=0.0.000.000; cc_entrypoint=sdk-cli; cch=00000;"
    assert scrubbed({"system": [{"type": "text", "text": text}]})["system"][0]["text"] == kept


def stream(*parts: str) -> bytes:
    """A stream with one tool call whose input comes in these parts."""
    deltas = [{"type": "input_json_delta", "partial_json": part} for part in parts]
    data = [{"type": "content_block_delta", "index": 1, "delta": delta} for delta in deltas]
    frames = [f"event: content_block_delta\ndata: {json.dumps(item)}\n\n" for item in data]
    return ("".join(frames) + 'event: message_stop\ndata: {"type":"message_stop"}\n\n').encode()


@given(st.dictionaries(words, st.text() | st.just(PLANTED), max_size=4), st.lists(st.integers(0, 60), max_size=5))
def test_a_tools_input_is_one_document_however_it_is_cut(input: dict[str, str], cuts: list[int]) -> None:
    text = json.dumps(input, ensure_ascii=False)
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    body = stream(*(text[start:end] for start, end in zip(edges, edges[1:], strict=False)))
    once = events(body, Numbering())
    data = [json.loads(line[6:]) for line in once.decode().splitlines() if line.startswith("data: ")]
    joined = "".join(item["delta"]["partial_json"] for item in data if "delta" in item)
    assert list(json.loads(joined)) == list(input)
    assert PLANTED not in joined and len(joined.encode()) == len(text.encode())


def test_event_streams_keep_their_frames() -> None:
    body = (
        b": a comment\r\nevent: content_block_delta\r\nid: 01Ab\r\n"
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello you"}}\r\n\r\n'
        b"data: [DONE]\n\ndata: not JSON\n\nnonsense\n"
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
    )
    assert events(body, Numbering()) == (
        b":Lorem ipsu\r\nevent: content_block_delta\r\nid: 0001\r\n"
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Lorem ips"}}\r\n\r\n'
        b"data: [DONE]\n\ndata:Lorem ips\n\nLorem ip\n"
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"see /home/ada/x and /Users/ada", b"see *********** and **********"),
        (b"mail ada.l+x@math.example.org now", b"mail " + b"*" * 24 + b" now"),
        (b"at 192.168.1.7 and 10.0.0.1", b"at *********** and ********"),
        (b"Bearer abcdefghij", b"*****************"),
        (b"HTTP 429 at 12:30, claude-opus-4-8", b"HTTP 429 at 12:30, claude-opus-4-8"),
    ],
)
def test_masked(text: bytes, expected: bytes) -> None:
    assert masked(text) == expected
