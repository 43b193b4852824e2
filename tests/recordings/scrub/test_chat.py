"""Bodies of Chat Completions: as thoroughly scrubbed as those of the Messages API, and still what they were."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.recordings.scrub.test_canaries import Canaries, tool_input
from tests.scripted.chat_bodies import call, calling, function, image, plain, result, user
from turnout.dialects.chat import ChatTranslation
from turnout.dialects.chat.recognised import as_messages
from turnout.dialects.chat.seal import Seal, opened, sealed
from turnout.dialects.messages.assembled import assembled
from turnout.recordings.scrub.body import Filler
from turnout.recordings.scrub.text import Numbering
from turnout.settings.rewriting import Rewrite
from turnout.testing.chat import CHAT_VENDORS
from turnout.testing.chat.check import check_body

JSON, EVENTS = "application/json", "text/event-stream"
BOTH = pytest.mark.parametrize("keep_text", [False, True])


def scrubbed(body: Any, kind: str = JSON, *, keep_text: bool = False, filler: Filler | None = None) -> bytes:
    """Twice is as once, and the length is kept."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    done = (filler or Filler(Numbering(), keep_text)).body(data, kind, answer=kind == EVENTS)
    assert len(done) == len(data)
    assert filler or Filler(Numbering(), keep_text).body(done, kind, answer=kind == EVENTS) == done
    return done


def request(canary: Canaries) -> dict[str, Any]:
    """Opaque canaries wherever somebody writes freely."""
    arguments = json.dumps(tool_input(canary))
    detail = {"type": "reasoning.encrypted", "data": canary(1), "id": canary(1), "format": "x"}
    said = {"reasoning_content": canary(), "reasoning": canary(), "reasoning_details": [detail]}
    thought = {"extra_content": {"google": {"thought_signature": canary(1)}}}
    tool = function(description=canary(), parameters={"type": "object", "properties": {"a": {"default": canary()}}})
    schema = {"name": "answer", "schema": {"type": "object", "description": canary()}}
    return {
        "model": "gpt-6-sol",
        "tools": [tool],
        "messages": [
            {"role": "system", "content": canary()},
            {"role": "user", "name": canary(), "content": [{"type": "text", "text": canary()}, image(canary())]},
            {"role": "user", "content": [image(f"data:image/png;base64,{canary(1)}"), {"type": "file", "file": {
                "filename": canary(), "file_data": f"data:application/pdf;base64,{canary(1)}"}}]},
            calling(call(canary(1), arguments=arguments, **thought), call(canary(1), arguments=canary()), **said),
            result(canary(1), canary()),
            {"role": "assistant", "function_call": {"name": "Bash", "arguments": json.dumps({"a": canary()})}},
        ],
        "response_format": {"type": "json_schema", "json_schema": schema},
        "user": canary(),
        "safety_identifier": canary(1),
        "metadata": {"a": canary()},
        "stop": [canary()],
        "prediction": {"type": "content", "content": canary()},
    }  # fmt: skip


def chunks(*deltas: dict[str, Any]) -> bytes:
    bodies = [
        {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m", "choices": [{"index": 0, "delta": delta}]}
        for delta in deltas
    ]
    return b"".join(b"data: " + json.dumps(body).encode() + b"\n\n" for body in bodies)


def piece(index: int, arguments: str, **more: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "function": {"arguments": arguments, **more.pop("function", {})}, **more}]}


def stream(canary: Canaries) -> bytes:
    key = canary(0)
    words = (canary(), key[:9], key[9:])
    thoughts = [{"reasoning": text, "reasoning_details": [{"type": "reasoning.text", "text": text}]} for text in words]
    logprobs = {"content": [{"token": canary(), "bytes": list(canary().encode())}]}
    failed = {"error": {"message": f"key {canary(0)} of {canary(3)}", "metadata": {"raw": canary()}}}
    body = chunks(
        *thoughts,
        {"content": canary()},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": canary()}]}]},
        {"refusal": canary()},
        piece(0, '{"a": "' + canary(), id=canary(1), function={"name": "Bash"}),
        piece(1, json.dumps({"b": canary()}), id=canary(1), function={"name": "Bash"}),
        {"function_call": {"name": "Bash", "arguments": canary()}},
    )
    last = {"choices": [{"index": 0, "delta": {}, "logprobs": logprobs}], "user": canary()}
    tail = "".join(f"data: {json.dumps(data)}\n\n" for data in (last, failed))
    return f": {canary()}\n\n".encode() + body + tail.encode() + b"data: [DONE]\n\n"


def test_no_canary_is_left() -> None:
    canary = Canaries()
    for body, kind in ((json.dumps(request(canary)).encode(), JSON), (stream(canary), EVENTS)):
        done = scrubbed(body, kind)
        assert canary.left(body) and canary.left(done) == []
    assert b"99" in stream(Canaries()) and b"99" not in done


def test_kept_texts_hold_no_secret_either() -> None:
    """Wherever a stream has cut it, and though each of its pieces is told twice."""
    canary = Canaries()
    canary.forms = (canary.forms[0], canary.forms[0], canary.forms[2], canary.forms[3])
    for body, kind in ((json.dumps(request(canary)).encode(), JSON), (stream(canary), EVENTS)):
        done = scrubbed(body, kind, keep_text=True)
        assert canary.left(done) == []
        for words in (b"".join(_said(done, "reasoning")), b"".join(_said(done, "text"))):
            assert b"canary" not in words


def _said(body: bytes, name: str) -> Iterator[bytes]:
    for line in body.splitlines():
        yield from (part.split(b'"')[0] for part in line.split(f'"{name}": "'.encode())[1:])


@BOTH
@pytest.mark.parametrize("vendor", [name for name in CHAT_VENDORS if name != "openrouter"])
def test_a_strict_server_takes_what_was_scrubbed(vendor: str, keep_text: bool) -> None:
    """OpenRouter has signed the very thoughts that are gone."""
    body = plain(vendor)
    check_body(CHAT_VENDORS[vendor], body)
    done = json.loads(scrubbed(body, keep_text=keep_text))
    check_body(CHAT_VENDORS[vendor], done)
    for name in ("model", "max_tokens", "tool_choice", "stream"):
        assert done[name] == body[name]
    assert [message["role"] for message in done["messages"]] == [message["role"] for message in body["messages"]]
    assert done["messages"] != body["messages"] or keep_text


@BOTH
def test_words_of_the_api_stay(keep_text: bool) -> None:
    body = {
        "model": "m",
        "reasoning_effort": "high",
        "tool_choice": "required",
        "messages": [
            user([{"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD", "detail": "low"}}])
        ],
    }
    done = json.loads(scrubbed(body, keep_text=keep_text))
    (part,) = done["messages"][0]["content"]
    assert part["image_url"] == {"url": "data:image/png;base64,AAAA", "detail": "low"}
    assert {**done, "messages": []} == {**body, "messages": []}


@pytest.mark.parametrize(
    "arguments", ['{"a": "b", "c": {"d": ["e", 1]}}', "{}", "", "null", '{\n "a": "é"}', '{"a": "b']
)
def test_arguments_stay_what_they_are(arguments: str) -> None:
    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: shape(member) for name, member in value.items()}
        return [shape(member) for member in value] if isinstance(value, list) else type(value)

    done = json.loads(scrubbed({"messages": [calling(call("1", arguments=arguments))]}))
    told = done["messages"][0]["tool_calls"][0]["function"]["arguments"]
    if arguments.endswith("}"):
        assert shape(json.loads(told)) == shape(json.loads(arguments))
    else:
        assert told == arguments.replace("b", "L")


def test_the_arguments_in_a_stream_add_up_to_the_same_input() -> None:
    """Of two calls that come in turn, each cut in the middle of a name and of a text."""
    first, second = '{"path": "/etc/hosts", "lines": [1, 2]}', '{"command": "ls"}'
    body = chunks(
        {"reasoning_content": "Hm, "},
        {"content": "I read."},
        piece(0, "", id="call_1", function={"name": "Read"}),
        piece(0, first[:4]),
        piece(1, second[:14], id="call_2", function={"name": "Bash"}),
        piece(0, first[4:20]),
        piece(1, second[14:]),
        piece(0, first[20:]),
    )
    body += b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\ndata: [DONE]\n\n'
    done = scrubbed(body, EVENTS)
    before, after = (assembled(as_messages(stream), EVENTS) for stream in (body, done))
    assert before is not None and after is not None and after.events == before.events
    calls = [block for block in after.message["content"] if block["type"] == "tool_use"]
    assert [call["name"] for call in calls] == ["Read", "Bash"]
    assert calls[0]["input"] == {"path": "Lorem ipsu", "lines": [1, 2]} and calls[1]["input"] == {"command": "Lo"}


def conversation() -> dict[str, Any]:
    """As a client of a Gemini and of a Kimi sends it: the ids are its own, what Gemini wants back is in a signature."""
    kimi = "tc64_ZnVuY3Rpb25zLkJhc2g6MA"
    extra = {"call_abc": {"google": {"thought_signature": "c2VjcmV0LWNhbmFyeQ=="}}}
    details = [{"type": "reasoning.text", "text": "Ada thinks.", "id": "rs_1", "index": 0}]
    signature = sealed(Seal(details=details, calls=extra))
    return {
        "model": "m",
        "max_tokens": 9,
        "messages": [
            {"role": "user", "content": "Do it."},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Ada thinks.", "signature": signature},
                    {"type": "tool_use", "id": "call_abc", "name": "Bash", "input": {"path": "a"}},
                    {"type": "tool_use", "id": kimi, "name": "Bash", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": told, "content": "Done."} for told in ("call_abc", kimi)
                ],
            },
        ],
    }


@BOTH
def test_the_request_of_the_client_and_what_became_of_it_fit_together(keep_text: bool) -> None:
    """Translated after it was scrubbed, and scrubbed after it was translated: the same ids, and the same given back."""

    def translated(body: bytes) -> bytes:
        rules = Rewrite.model_validate({"chat": {"thoughts": "reasoning_details"}})
        return ChatTranslation(rules).request(body).body

    filler = Filler(Numbering(), keep_text)
    body = json.dumps(conversation()).encode()
    assert b"functions.Bash:0" in translated(body)
    of_client = scrubbed(body, filler=filler)
    sent = json.loads(scrubbed(translated(body), filler=filler))
    again = json.loads(translated(of_client))
    assert again["messages"][1] == sent["messages"][1]
    assert [message["tool_call_id"] for message in again["messages"][2:]] == ["call_001", "000000000.000001"]
    seal = opened(json.loads(of_client)["messages"][1]["content"][0]["signature"])
    assert seal is not None and list(seal.calls) == ["call_001"]
    assert ("Ada thinks." in json.dumps(seal.details)) == keep_text
    assert seal.calls["call_001"] == {"google": {"thought_signature": "00000000000000000001"}}
    assert scrubbed(json.loads(of_client), keep_text=keep_text) == of_client


def test_a_seal_that_cannot_be_opened_is_no_text() -> None:
    body = {"messages": [{"role": "assistant", "content": [{"type": "thinking", "signature": "chat.AdaLovelace"}]}]}
    assert b"chat." not in scrubbed(body, keep_text=True)
