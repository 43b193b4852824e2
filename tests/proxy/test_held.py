"""Answers that have said nothing yet, over real sockets: replaced where they fail, waited for where they live (C1)."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from tests.proxy.support import BODY, HEADERS, QUICK, ask, provider_table, route, text_of
from tests.proxy.test_failover import nothing_held, pair
from turnout.testing import events, replies
from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import ScriptedProvider
from turnout.testing.replies import Step, StreamReply, sse

WHOLE = events.stream_of()
PINGS = QUICK + '[timeouts]\nping_after = "50ms"\n'
PING = "event: ping\ndata: {"


def beginning(*steps: Step) -> list[Step]:
    """The start of a message, a ping, and the start of a block that is still empty; then these."""
    return [*WHOLE[:3], *steps]


async def until_pinged(answer: httpx.Response, gate: asyncio.Event, pings: int = 1) -> str:
    """Read a stream; open the gate when that many pings have come. The text of all of it."""
    text = ""
    async for part in answer.aiter_text():
        text += part
        if text.count(PING) >= pings:
            gate.set()
    return text


@pytest.mark.parametrize("how", ["error", "close", "reset", "end", "silence"])
async def test_a_beginning_that_fails_leaves_no_trace(proxy: StartProxy, client: httpx.AsyncClient, how: str) -> None:
    """EasyMetaAu/helm-api#381, router-for-me/CLIProxyAPI#4980."""
    script = {
        "error": sse(beginning(events.error("overloaded_error"))),
        "close": StreamReply(beginning(), ending="close"),
        "reset": StreamReply(beginning(), ending="reset"),
        "end": sse(beginning()),
        "silence": StreamReply(beginning(), ending="hang"),
    }[how]
    short = QUICK + '[timeouts]\nidle = "300ms"\n'
    async with ScriptedProvider(script, accepts="key-1") as first, ScriptedProvider(accepts="key-2") as second:
        running = await proxy(pair(first, second, short))
        answer = await ask(client, running.url)
        failed, final = await running.finished(2)
        assert answer.status_code == 200 and answer.text.count("event: message_start") == 1 and text_of(answer)
        assert failed.comment.startswith("attempt 1/2 · first · ") and failed.response is not None
        assert b"message_start" in (failed.response.raw_content or b""), "its flow shows what came"
        assert " → second 200 · 2 tries" in final.comment
        assert [each["provider"] for each in running.addon.bridge.dispatcher.cooldowns.snapshot()] == ["first"]
        nothing_held(running)


async def test_what_was_held_is_sent_unchanged(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    gate = asyncio.Event()
    script = sse([b": hello\n\n", *beginning(gate), *WHOLE[3:]])
    async with ScriptedProvider(script, accepts="key-1") as first:
        table = provider_table("first", first, key="key-1", extra="first_party = true")
        running = await proxy(PINGS + table + route("first"))
        async with client.stream("POST", f"{running.url}/v1/messages", json=BODY, headers=HEADERS) as answer:
            assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
            text = await until_pinged(answer, gate, 2)
        (flow,) = await running.finished()
    sent = b": hello\n\n" + b"".join(each.encode("claude-opus-4-6") for each in WHOLE)
    assert text.encode().endswith(sent) and text.removesuffix(sent.decode()).strip("\n").count(PING) >= 2
    assert flow.response is not None and flow.response.raw_content == sent, "without the pings of Turnout"


async def test_another_answer_comes_in_the_stream_that_was_begun(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    gate = asyncio.Event()
    script = sse(beginning(gate, events.error("overloaded_error")), headers={"x-of": "first"})
    second_script = sse(headers={"x-of": "second"})
    async with (
        ScriptedProvider(script, accepts="key-1") as first,
        ScriptedProvider(second_script, accepts="key-2") as second,
    ):
        running = await proxy(pair(first, second, PINGS))
        async with client.stream("POST", f"{running.url}/v1/messages", json=BODY, headers=HEADERS) as answer:
            assert answer.status_code == 200 and answer.headers["x-of"] == "first"
            assert "x-turnout-served-by" not in answer.headers, "it is not known yet"
            text = await until_pinged(answer, gate)
        failed, final = await running.finished(2)
        assert text.count("event: message_start") == 1 and "event: error" not in text and "message_stop" in text
        assert "in the stream that first had begun" in final.comment and "second 200" in final.comment
        assert final.metadata["turnout.provider"] == "second" and final.metadata["turnout.verdict"] == "ok"
        assert final.response is not None and final.response.headers["x-of"] == "second", "what this one sent"
        assert failed.response is not None and failed.response.headers["x-of"] == "first"
        assert failed.metadata["turnout.provider"] == "first"
        nothing_held(running)


@pytest.mark.parametrize("second_fails", [False, True])
async def test_when_all_have_failed_the_last_word_is_an_event(
    proxy: StartProxy, client: httpx.AsyncClient, second_fails: bool
) -> None:
    gate = asyncio.Event()
    script = sse(beginning(gate, events.error("overloaded_error", "too busy")))
    refusal = replies.error(500, "api_error", "other")
    expected = "api_error" if second_fails else "overloaded_error"
    async with ScriptedProvider(script, accepts="key-1") as first, ScriptedProvider(refusal, accepts="key-2") as second:
        targets = ("first", "second") if second_fails else ("first",)
        tables = provider_table("first", first, key="key-1") + provider_table("second", second, key="key-2")
        running = await proxy(PINGS + tables + route(*targets))
        async with client.stream("POST", f"{running.url}/v1/messages", json=BODY, headers=HEADERS) as answer:
            text = await until_pinged(answer, gate)
        *_, final = await running.finished(len(targets) + 1)
        told = json.loads(text.rstrip().rpartition("event: error\ndata: ")[2])
        assert told["type"] == "error" and told["error"]["type"] == expected
        assert "message_start" not in text and "gave up with" in final.comment
        nothing_held(running)


async def test_a_refusal_after_the_head_is_the_rest_of_the_stream(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """A 400 of the second target is the client's, in the only way that is left."""
    gate = asyncio.Event()
    script = sse(beginning(gate, events.error("overloaded_error")))
    refusal = replies.error(400, "invalid_request_error", "messages.0: something")
    async with ScriptedProvider(script, accepts="key-1") as first, ScriptedProvider(refusal, accepts="key-2") as second:
        running = await proxy(pair(first, second, PINGS))
        async with client.stream("POST", f"{running.url}/v1/messages", json=BODY, headers=HEADERS) as answer:
            text = await until_pinged(answer, gate)
        *_, final = await running.finished(2)
    told = json.loads(text.rstrip().rpartition("event: error\ndata: ")[2])
    assert told["error"] == {"type": "invalid_request_error", "message": "messages.0: something"}
    assert final.metadata["turnout.verdict"] == "request"


# --- signs of life, and deadlines of one provider ---


@pytest.mark.parametrize("beat", [b": keep-alive\n\n", b":\n", b"\n", events.ping().encode()])
async def test_who_gives_signs_of_life_is_waited_for(
    proxy: StartProxy, client: httpx.AsyncClient, beat: bytes
) -> None:
    """jundot/omlx#2537, warpfront/hipfire#86, ollama/ollama#13949. Nothing goes to the client meanwhile."""
    script = StreamReply([beat] * 8 + list(WHOLE), delay=0.1)
    config = QUICK + '[timeouts]\nfirst_event = "400ms"\nidle = "400ms"\n'
    async with ScriptedProvider(script, accepts="key-1") as first, ScriptedProvider(accepts="key-2") as second:
        running = await proxy(pair(first, second, config))
        answer = await ask(client, running.url)
    assert text_of(answer) and not second.requests and answer.content.startswith(beat)


async def test_a_provider_has_deadlines_of_its_own(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    gate = asyncio.Event()
    async with (
        ScriptedProvider(replies.hang(), accepts="key-1") as first,
        ScriptedProvider(sse(gate=gate), accepts="key-2") as second,
    ):
        patient = provider_table("second", second, key="key-2", extra='timeouts.first_event = "1h"')
        hasty = provider_table("first", first, key="key-1")
        config = QUICK + '[timeouts]\nfirst_event = "200ms"\n' + hasty + patient + route("first", "second")
        running = await proxy(config)
        asking = asyncio.ensure_future(ask(client, running.url))
        await second.arrived()
        await asyncio.sleep(0.6)  # three times what the others have
        gate.set()
        assert text_of(await asking) and len(second.messages) == 1

