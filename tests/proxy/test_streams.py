"""Streams as servers really send them, through the running proxy (S10, S11, S14)."""

from __future__ import annotations

import json
import re

import httpx
import pytest

from tests.proxy.support import ask, provider_table, route, text_of
from turnout.testing import replies
from turnout.testing.events import Event, message_stop, stream_of
from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import ScriptedProvider
from turnout.testing.replies import Reply

EVENTS = [event.encode("upstream") for event in stream_of("Hello", 2)]
WHOLE = b"".join(EVENTS)
BARE = re.sub(rb"event: \w+\n", b"", WHOLE)
CHUNK = b'data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
CALL = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}


def sent(body: bytes) -> Reply:
    return replies.WholeReply(200, body, {"content-type": "text/event-stream"})


def frame(kind: str, **data: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


@pytest.mark.parametrize(
    "body",
    [
        BARE,
        b"".join(EVENTS[1:]),
        EVENTS[0] + EVENTS[0] + b"".join(EVENTS[1:]),
        EVENTS[0] + b"event: content_block_delta\ndata: {\n\n" + b"".join(EVENTS[1:]),
        b"".join(EVENTS[:-1]),
        WHOLE + b"data: [DONE]\n\n" + WHOLE,
    ],
    ids=["no event lines", "no start", "two starts", "malformed", "no end", "more after the end"],
)
async def test_an_answer_is_made_of_it(proxy: StartProxy, client: httpx.AsyncClient, body: bytes) -> None:
    async with ScriptedProvider(sent(body), accepts="key-1") as first, ScriptedProvider(accepts="key-2") as second:
        tables = provider_table("first", first, key="key-1") + provider_table("second", second, key="key-2")
        running = await proxy(tables + route("first", "second"))
        for _ in range(2):  # nobody cools down
            answer = await ask(client, running.url)
            names = re.findall(r"event: (\w+)\n", answer.text)
            assert (names[0], names[-1], names.count("message_start")) == ("message_start", "message_stop", 1)
            assert answer.status_code == 200 and text_of(answer) == "Hello" and "error" not in names
        flow = (await running.finished(2))[-1]
    assert len(first.messages) == 2 and not second.messages and flow.metadata["turnout.verdict"] == "ok"


@pytest.mark.parametrize(
    "body",
    [CHUNK + b"data: [DONE]\n\n", b"data: [DONE]\n\n", frame("response.created"), b"{}", b"<html>Welcome</html>"],
    ids=["chunks", "done", "responses", "JSON", "HTML"],
)
async def test_the_next_target_where_none_can_be_made(
    proxy: StartProxy, client: httpx.AsyncClient, body: bytes
) -> None:
    """Also with retries, which would bring the same."""
    async with ScriptedProvider(sent(body), accepts="key-1") as first, ScriptedProvider(accepts="key-2") as second:
        tables = provider_table("first", first, key="key-1") + provider_table("second", second, key="key-2")
        running = await proxy(tables + route("first", "second"))
        answer = await ask(client, running.url)
    assert answer.status_code == 200 and "message_stop" in answer.text
    assert (len(first.messages), len(second.messages)) == (1, 1)


@pytest.mark.parametrize("first_party", [True, False])
async def test_the_client_does_not_wait_for_the_provider_to_hang_up(
    proxy: StartProxy, client: httpx.AsyncClient, first_party: bool
) -> None:
    hanging = replies.StreamReply([*stream_of("Hello", 2)], ending="hang")
    async with ScriptedProvider(hanging, accepts="key-1") as first:
        extra = f"first_party = {str(first_party).lower()}"
        running = await proxy(provider_table("first", first, key="key-1", extra=extra) + route("first"))
        answers = [await ask(client, running.url) for _ in range(3)]
    assert all(answer.text.rstrip().endswith('data: {"type":"message_stop"}') for answer in answers)
    assert [text_of(answer) for answer in answers] == ["Hello"] * 3


@pytest.mark.parametrize("ending", [b"", message_stop().encode("upstream")])
async def test_half_a_call_is_an_error(proxy: StartProxy, client: httpx.AsyncClient, ending: bytes) -> None:
    """S14: cut in its middle, or closed gracefully by a gateway whose own provider broke off."""
    piece = {"type": "input_json_delta", "partial_json": '{"command":'}
    begun = EVENTS[0] + frame("content_block_start", index=0, content_block=CALL)
    half = begun + frame("content_block_delta", index=0, delta=piece)
    async with ScriptedProvider(sent(half + ending), accepts="key-1") as first:
        running = await proxy(provider_table("first", first, key="key-1") + route("first"))
        answer = await ask(client, running.url)
        (flow,) = await running.finished()
    assert "event: error" in answer.text and "event: message_stop" not in answer.text
    assert flow.metadata["turnout.verdict"] == "transient"


async def test_an_error_without_its_event_line(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    body = b"".join(EVENTS[:4]) + b'data: {"error":{"code":429,"message":"slow down"}}\n\n' + b"".join(EVENTS[4:])
    async with ScriptedProvider(sent(body), accepts="key-1") as first:
        running = await proxy(provider_table("first", first, key="key-1") + route("first"))
        answer = await ask(client, running.url)
        (flow,) = await running.finished()
    name, _, told = answer.text.rpartition("event: ")[2].partition("\ndata: ")
    error = {"type": "rate_limit_error", "message": "slow down"}
    assert (name, json.loads(told)) == ("error", {"type": "error", "error": error})
    assert flow.metadata["turnout.verdict"] == "throttle"


async def test_a_first_party_keeps_its_bytes(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    ping = Event("ping", {"type": "ping"}).encode("upstream")
    body = EVENTS[0] + ping + b": hello\r\n\r\n" + b"".join(EVENTS[1:])
    async with ScriptedProvider(sent(body + ping), accepts="key-1") as first:
        running = await proxy(provider_table("first", first, key="key-1", extra="first_party = true") + route("first"))
        answer = await ask(client, running.url)
    assert answer.content == body
