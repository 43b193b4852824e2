"""Filler of the same shape and length, and nothing of the original."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.dialects.messages.assembled import assembled
from turnout.recordings.scrub.body import Filler
from turnout.recordings.scrub.text import Numbering, masked, personal_spans, prose
from turnout.testing.events import stream_of, thinking_turn, tool_turn

PLANTED = "Quetzalcoatl"

words = st.sampled_from(["type", "text", "name", "input", "id", "content", "metadata", "properties", "x"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just(f"a {PLANTED} and b"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=20,
)
documents = st.dictionaries(words, values, max_size=5).map(lambda value: json.dumps(value, ensure_ascii=False).encode())


def filler(**options: Any) -> Filler:
    return Filler(Numbering(), **options)


def scrubbed(value: Any, **options: Any) -> Any:
    return json.loads(filler().document(json.dumps(value).encode(), **options))


def kept(value: Any, hosts: tuple[str, ...] = ()) -> Any:
    return json.loads(filler(keep_text=True, hosts=hosts).body(json.dumps(value).encode(), "application/json"))


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
    once = filler().document(document)
    assert PLANTED.encode() not in once
    assert len(once) == len(document)
    assert shape(json.loads(once)) == shape(json.loads(document))
    assert filler().document(once) == once


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
    once = filler().body(part, "application/json", answer=True)
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
    inner = json.loads(json.loads(Filler(numbering).document(json.dumps(user).encode()))["metadata"]["user_id"])
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
    once = filler().events(body)
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
    assert filler().events(body) == (
        b":Lorem ipsu\r\nevent: content_block_delta\r\nid: 0001\r\n"
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Lorem ips"}}\r\n\r\n'
        b"data: [DONE]\n\ndata:Lorem ips\n\nLorem ip\n"
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"see /home/ada/x and /Users/ada", b"see *********** and **********"),
        (rb"a\n/home/ada/x\"y", rb"a\n***********\"y"),
        (rb"in C:\\Users\\ada\\x\n", rb"in *****************\n"),
        (b"~/.claude/projects/-home-ada-x/1", b"*" * 32),
        (b"file=%2Fhome%2Fada%2Fx", b"file=" + b"*" * 17),
        (rb"x\nada@x.org, \u00e9ada@x.org", rb"x\n*********, \u00e9*********"),
        (b"by%40ada ada%40x.org", b"by%40ada ***********"),
        (b"threads are threading.local()", b"threads are threading.local()"),
        (b"at printer.local", b"at *************"),
        (b"https://example.com/home and homework/tmpfile", b"https://example.com/home and homework/tmpfile"),
        (b"mail ada.l+x@math.example.org now", b"mail " + b"*" * 24 + b" now"),
        (b"at 192.168.1.7 and 10.0.0.1", b"at *********** and ********"),
        (b"Bearer abcdefghij1", b"Bearer ***********"),
        (b"HTTP 429 at 12:30, claude-opus-4-8", b"HTTP 429 at 12:30, claude-opus-4-8"),
    ],
)
def test_masked(text: bytes, expected: bytes) -> None:
    assert masked(text) == expected


known_names = st.sampled_from(["input", "metadata", "tools", "data", "created", "messages", "url", "access_token"])
names = st.text(min_size=3, max_size=12) | known_names
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=15,
)


def types(value: Any) -> Any:
    if isinstance(value, dict):
        return [types(inner) for inner in value.values()]
    return [types(inner) for inner in value] if isinstance(value, list) else type(value)


@given(anything, st.booleans(), st.booleans(), st.booleans())
def test_arbitrary_json_keeps_its_types_and_its_length(value: Any, ascii: bool, keep: bool, answer: bool) -> None:
    document = json.dumps({"x": value}, ensure_ascii=ascii).encode(errors="surrogatepass")
    once = filler(keep_text=keep).body(document, "application/json", answer=answer)
    assert types(json.loads(once.decode(errors="surrogatepass"))) == types({"x": value})
    assert len(once) == len(document)
    assert filler(keep_text=keep).body(once, "application/json", answer=answer) == once
    assert list(personal_spans(once)) == []


def test_a_tools_input_keeps_names_types_and_lengths() -> None:
    arguments = {"path": f"src/{PLANTED}.py", "limit": 5, "all": True, "ratio": 0.5, "none": None, "lines": ["a b", 3]}
    call = {"type": "tool_use", "id": "toolu_01Ab", "name": "Read", "input": arguments}
    once = scrubbed({"messages": [{"role": "assistant", "content": [call]}]})["messages"][0]["content"][0]
    assert once["input"] == {**arguments, "path": "Lorem ipsum dolor s", "lines": ["Lor", 3]}
    assert (once["type"], once["id"], once["name"]) == ("tool_use", "toolu_0001", "Read")


def test_images_and_documents_stay_base64_of_the_same_size() -> None:
    image = base64.b64encode(bytes(range(200))).decode()
    source = {"type": "base64", "media_type": "image/png", "data": image}
    plain = {"type": "text", "media_type": "text/plain", "data": f"An essay about {PLANTED}"}
    blocks = [
        {"type": "image", "source": source},
        {"type": "tool_result", "tool_use_id": "toolu_01Ab", "content": [{"type": "image", "source": source}]},
        {"type": "document", "source": plain, "title": PLANTED},
        {"type": "image", "source": {"type": "url", "url": f"https://{PLANTED}.example/i.png"}},
        {"type": "image", "source": {"type": "file", "file_id": "file_011CNha8iCJcU1wXNR6q4V8w"}},
    ]
    once = scrubbed({"messages": [{"role": "user", "content": blocks}]})["messages"][0]["content"]
    for block in (once[0], once[1]["content"][0]):
        assert block["source"] == {**source, "data": "A" * len(image)}
        assert len(base64.b64decode(block["source"]["data"], validate=True)) >= 200
    filled = {**plain, "data": "Lorem ipsum dolor sit amet,"}
    assert once[2] == {"type": "document", "source": filled, "title": "Lorem ipsum "}
    assert once[3]["source"]["url"] == "https://" + "x" * len(f"{PLANTED}.example/i.png")
    assert once[4]["source"]["file_id"] == "file_" + "1".zfill(24)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"user_id": "user_0a1b2c3d4e_account__session_9840cf6b-3739-47ed-a8df-5469480d39ed"},
         {"user_id": "user_0000000001_account__session_00000000-0000-0000-0000-000000000001"}),
        ({"created": 1712345678, "created_at": "2026-03-01T10:20:30.123456+02:00"},
         {"created": 1700000000, "created_at": "2023-11-14T22:13:20.000000+00:00"}),
        ({"citations": [{"type": "char_location", "cited_text": PLANTED, "start_char_index": 7}]},
         {"citations": [{"type": "char_location", "cited_text": "Lorem ipsum ", "start_char_index": 7}]}),
        ({"messages": [{"role": "user", "name": "Ada"}]}, {"messages": [{"role": "user", "name": "Lor"}]}),
        ({"properties": {"Vor- und Nachname": {}, "Straße und Ort": {}}, "required": ["Vor- und Nachname"]},
         {"properties": {"000-0000000000001": {}, "0000000000000000001": {}}, "required": ["000-0000000000001"]}),
        ({"$ref": "#/$defs/thing", "$schema": "http://json-schema.org/draft-07/schema#"},
         {"$ref": "#/$defs/thing", "$schema": "http://json-schema.org/draft-07/schema#"}),
        ({"content": "***"}, {"content": "***"}),
    ],
)  # fmt: skip
def test_single_members(given: Any, expected: Any) -> None:
    assert scrubbed(given) == expected


def test_two_long_names_of_one_length_stay_two() -> None:
    value = {"first question?": 1, "other question?": 2}
    assert list(scrubbed({"input": value})["input"].values()) == [1, 2]


def test_kept_texts_lose_what_is_personal_and_nothing_else() -> None:
    said = (
        "Ask ada@math.example.org about /home/ada/engine.py on provider.corp.example, key sk-ant-api03-AbCdEfGh12,\\n"
        "started 2026-03-01T10:20:30Z as 9840cf6b-3739-47ed-a8df-5469480d39ed (msg_01XFDUDYJgAACzvnptvVoYEL)."
    )
    call = {"type": "tool_use", "id": "toolu_01Ab", "name": "W", "input": {"a": said}}
    body = {
        "system": [{"type": "text", "text": said, "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": said},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_01Ab", "content": said}]},
        ],
        "metadata": {"user_id": json.dumps({"device_id": "0a1b2c3d4e5f6a7b8c", "name": PLANTED})},
        "tools": [{"name": "W", "description": "Writes."}],
    }
    once = kept(body, ("provider.corp.example",))
    expected = (
        f"Ask {'*' * 20} about {'*' * 19} on {'*' * 21}, key {'*' * 23},\\n"
        "started 2023-11-14T22:13:20Z as 00000000-0000-0000-0000-000000000001 (msg_000000000000000000000001)."
    )
    assert once["system"][0]["text"] == once["messages"][0]["content"] == expected
    assert once["messages"][1]["content"][0]["input"] == {"a": expected}
    assert once["messages"][2]["content"][0]["content"] == expected
    assert once["tools"] == body["tools"]
    assert json.loads(once["metadata"]["user_id"]) == {"device_id": "000000000000000001", "name": "Lorem ipsum "}


def test_kept_streams_hold_no_secret_in_pieces() -> None:
    """A model says a key in several events: none of them holds it."""
    parts = ['{"text": "use sk-ant-', "api03-AbCd", "EfGh12 of ada@math.ex", 'ample.org"}']
    body = stream(*parts)
    once = filler(keep_text=True).body(body, "text/event-stream", answer=True)
    data = [json.loads(line[6:]) for line in once.decode().splitlines() if line.startswith("data: ")]
    joined = "".join(item["delta"]["partial_json"] for item in data if "delta" in item)
    assert joined == '{"text": "use ' + "*" * 23 + " of " + "*" * 20 + '"}'
    assert len(once) == len(body)


TURNS = {
    "text": stream_of("Hello, this is a text."),
    "thinking": thinking_turn("Let me think.", "Hello."),
    "tool": tool_turn("Bash", {"command": "ls -la", "timeout": 5}),
}


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("turn", TURNS)
def test_scripted_streams_add_up_to_the_same_shape(turn: str, keep: bool) -> None:
    body = b"".join(event.encode("claude-opus-4-8") for event in TURNS[turn])
    before = assembled(body, "text/event-stream")
    after = assembled(filler(keep_text=keep).body(body, "text/event-stream", answer=True), "text/event-stream")
    assert before is not None and after is not None
    assert after.complete and after.events == before.events
    assert types(after.message) == types(before.message)
    for name in ("usage", "stop_reason", "model", "role"):
        assert after.message[name] == before.message[name]
    if keep:
        assert after.message["content"][0].get("text") == before.message["content"][0].get("text")
