"""Sixteen faults of a provider, as the public scorecard of gateways Failover Bench lists them, in the Messages API.

A primary, a fallback, a client that wants a stream, and default settings. What is a pass is said in each test; where
the scorecard knows a weaker grade that it calls safe (a clean error which the client can act on), that is said too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.proxy.support import BODY, HEADERS, ask, provider_table, route, text_of
from turnout.testing import events, replies
from turnout.testing.events import Event
from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import ScriptedProvider
from turnout.testing.proxy import RunningProxy
from turnout.testing.replies import Reply, sse

QuickTime = Callable[[float], Callable[[], float]]

TOKENS = [f"token{number} " for number in range(60)]
LONG = [
    events.message_start(),
    *events.text_block(0, TOKENS),
    events.message_delta(output_tokens=60),
    events.message_stop(),
]
CUT = 2 + 40
"""Events of LONG up to its 40th token."""
FALLBACK = "Hello from the fallback."
BUDGET = 100.0
"""Seconds in which the scorecard wants an answer where a provider is silent."""


def primary_at(reply: Reply | list[Reply]) -> ScriptedProvider:
    return ScriptedProvider(reply, accepts="key-1")


def fallback_at(text: str = FALLBACK) -> ScriptedProvider:
    return ScriptedProvider(sse(events.stream_of(text)), accepts="key-2", forbid=["key-1"])


def config(primary: ScriptedProvider, fallback: ScriptedProvider, more: str = "", wider: str = "") -> str:
    tables = provider_table("primary", primary, key="key-1") + provider_table("fallback", fallback, key="key-2")
    return more + tables + wider + route("primary", "fallback")


async def broken(client: httpx.AsyncClient, url: str) -> httpx.Response:
    """As much of an answer as comes before its connection is closed, which is how an interrupted one ends."""
    heard = bytearray()
    with pytest.raises(httpx.RemoteProtocolError):
        async with client.stream("POST", f"{url}/v1/messages", json=BODY, headers=HEADERS) as answer:
            async for piece in answer.aiter_raw():
                heard += piece
    return httpx.Response(answer.status_code, headers=answer.headers, content=bytes(heard))


def names_of(answer: httpx.Response) -> list[str]:
    return [line[7:] for line in answer.text.splitlines() if line.startswith("event: ")]


def is_whole(answer: httpx.Response) -> bool:
    """A stream as its grammar wants it: one beginning, one end, every event readable, no error."""
    names = names_of(answer)
    data = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    opened, closed = names.count("content_block_start"), names.count("content_block_stop")
    once = names.count("message_start") == names.count("message_stop") == 1
    return answer.status_code == 200 and once and opened == closed and names[-1] == "message_stop" and len(data) > 0


async def test_s01_told_to_wait(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """429 once with a wait of two seconds. Pass: the answer, after the wait or from elsewhere."""
    told = replies.error(429, "rate_limit_error", headers={"retry-after": "2"})
    async with primary_at([told, sse()]) as primary, fallback_at() as fallback:
        running = await proxy(config(primary, fallback))
        answer = await ask(client, running.url)
    assert is_whole(answer)
    first, last = primary.messages[0], (fallback.messages or primary.messages)[-1]
    assert fallback.messages or last.arrived - first.arrived >= 2
    assert last.arrived - first.arrived < 10


async def test_s02_always_throttled(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """429 for ever. Pass: the fallback's answer."""
    async with primary_at(replies.error(429, "rate_limit_error")) as primary, fallback_at() as fallback:
        running = await proxy(config(primary, fallback))
        answer = await ask(client, running.url)
    assert is_whole(answer) and text_of(answer) == FALLBACK


async def test_s03_one_fault(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """500 once. Pass: one answer, and no second one that is paid for nothing."""
    async with primary_at([replies.error(500, "api_error"), sse()]) as primary, fallback_at() as fallback:
        running = await proxy(config(primary, fallback))
        answer = await ask(client, running.url)
    assert is_whole(answer)
    assert len(primary.messages) - 1 + len(fallback.messages) == 1


async def test_s04_always_overloaded(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """503 for ever. Pass: the fallback's answer soon, which is a second of tries and something for a slow machine."""
    async with primary_at(replies.error(503, "overloaded_error")) as primary, fallback_at() as fallback:
        running = await proxy(config(primary, fallback))
        answer = await ask(client, running.url)
    assert is_whole(answer) and text_of(answer) == FALLBACK
    assert fallback.messages[0].arrived - primary.messages[0].arrived < 2.5


async def test_s05_a_reset(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """The first connection is reset. Pass: the answer."""
    async with primary_at([replies.close_before_headers(reset=True), sse()]) as primary, fallback_at() as fallback:
        running = await proxy(config(primary, fallback))
        answer = await ask(client, running.url)
    assert is_whole(answer)


async def _answer_in_time(
    proxy: StartProxy, client: httpx.AsyncClient, quick_time: QuickTime, silence: Reply
) -> tuple[httpx.Response, float]:
    """The answer, and the seconds that it took on the clock of the deadlines."""
    async with primary_at(silence) as primary, fallback_at() as fallback:
        running = await proxy(config(primary, fallback))
        clock = quick_time(20)
        begun = clock()
        answer = await ask(client, running.url)
        return answer, clock() - begun


async def test_s06_no_answer(proxy: StartProxy, client: httpx.AsyncClient, quick_time: QuickTime) -> None:
    """The primary accepts and never answers. Pass: the fallback's answer within the budget."""
    answer, took = await _answer_in_time(proxy, client, quick_time, replies.hang())
    assert is_whole(answer) and text_of(answer) == FALLBACK
    assert took < BUDGET


async def test_s07_a_late_first_token(proxy: StartProxy, client: httpx.AsyncClient, quick_time: QuickTime) -> None:
    """Headers, and then nothing for long. Pass: the answer of either within the budget."""
    answer, took = await _answer_in_time(proxy, client, quick_time, replies.hang_after(0))
    assert is_whole(answer) and text_of(answer) == FALLBACK
    assert took < BUDGET


def _is_honest(answer: httpx.Response) -> bool:
    """What has come, once and in order, and then an error in the place of an end."""
    names = names_of(answer)
    return text_of(answer) == "".join(TOKENS[:40]) and names[-1] == "error" and "message_stop" not in names


async def test_s08_a_cut_stream(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """The stream is cut after 40 of 60 tokens. Safe: an honest error, on which a client may ask again."""
    async with primary_at(replies.close_after(CUT, LONG)) as primary, fallback_at() as fallback:
        running = await proxy(config(primary, fallback))
        answer = await broken(client, running.url)
    assert _is_honest(answer)
    assert not fallback.messages


async def test_s09_a_stalled_stream(proxy: StartProxy, client: httpx.AsyncClient, quick_time: QuickTime) -> None:
    """The stream stalls after 40 of 60 tokens. Safe: pings while there is hope, then an honest error."""
    async with primary_at(replies.hang_after(CUT, LONG)) as primary, fallback_at() as fallback:
        running = await proxy(config(primary, fallback))
        quick_time(60)
        answer = await broken(client, running.url)
    assert _is_honest(answer) and "ping" in names_of(answer)


async def test_s10_a_malformed_event(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """One event in mid-stream is no JSON. Pass: the answer without it."""
    broken = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"te\n\n'
    async with primary_at(sse([*LONG[:CUT], broken, *LONG[CUT:]])) as primary, fallback_at() as fallback:
        running = await proxy(config(primary, fallback))
        answer = await ask(client, running.url)
    assert is_whole(answer) and text_of(answer) == "".join(TOKENS)


async def test_s11_no_end(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """Everything comes but message_stop. Pass: a complete answer."""
    async with primary_at(replies.truncated(LONG)) as primary, fallback_at() as fallback:
        running = await proxy(config(primary, fallback))
        answer = await ask(client, running.url)
    assert is_whole(answer) and text_of(answer) == "".join(TOKENS)


TOO_LONG = replies.error(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")


@pytest.mark.parametrize(("window", "status"), [(1_000_000, 200), (200_000, 400)])
async def test_s12_a_conversation_that_is_too_long(
    proxy: StartProxy, client: httpx.AsyncClient, window: int, status: int
) -> None:
    """Pass: a target with a larger window, or the error on which the client compacts the conversation."""
    windows = (
        f'[providers.primary.context_lengths]\n"*" = 200_000\n[providers.fallback.context_lengths]\n"*" = {window}\n'
    )
    async with primary_at(TOO_LONG) as primary, fallback_at() as fallback:
        running = await proxy(config(primary, fallback, wider=windows))
        answer = await ask(client, running.url)
    assert answer.status_code == status and len(primary.messages) == 1
    if status == 200:
        assert is_whole(answer) and text_of(answer) == FALLBACK
    else:
        assert answer.json()["error"]["message"].startswith("prompt is too long: 210000 tokens > 200000 maximum")
        assert not fallback.messages


async def test_s13_a_refusal_by_policy(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """Pass: one attempt, and the refusal as it is."""
    refusal = replies.error(400, "invalid_request_error", "Output blocked by content filtering policy")
    async with primary_at(refusal) as primary, fallback_at() as fallback:
        running = await proxy(config(primary, fallback))
        answer = await ask(client, running.url)
    assert answer.status_code == 400 and "content filtering policy" in answer.json()["error"]["message"]
    assert len(primary.messages) == 1 and not fallback.messages


async def test_s14_half_a_tool_call(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """The stream is cut inside a tool call. Safe: an honest error; half a call is never passed off as a whole one."""
    turn = events.tool_turn("Bash", {"command": "rm -rf build"})
    inside = next(index for index, event in enumerate(turn) if _is_input(event)) + 2
    async with primary_at(replies.close_after(inside, turn)) as primary, fallback_at() as fallback:
        running = await proxy(config(primary, fallback))
        answer = await broken(client, running.url)
    names = names_of(answer)
    assert names[-1] == "error" and "message_stop" not in names and "message_delta" not in names
    assert names.count("content_block_start") == 2 and names.count("content_block_stop") == 1


def _is_input(event: Event) -> bool:
    return event.data.get("delta", {}).get("type") == "input_json_delta"


def _later(running: RunningProxy, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let time pass for what remembers."""
    dispatcher = running.addon.bridge.dispatcher
    monkeypatch.setattr(dispatcher.cooldowns, "_clock", lambda: time.time() + seconds)
    monkeypatch.setattr(dispatcher.affinity, "_clock", lambda: time.monotonic() + seconds)


@pytest.mark.parametrize("session", [None, "9a3e1f04-0000-4000-8000-000000000000"])
async def test_s15_home_again(
    proxy: StartProxy, client: httpx.AsyncClient, session: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The primary is down for a while, then well. Pass: home within 30 s of its recovery, also for a long session."""
    headers = {"x_claude_code_session_id": session} if session else {}
    async with primary_at(replies.error(503, "overloaded_error")) as primary, fallback_at() as fallback:
        running = await proxy(config(primary, fallback))
        assert text_of(await ask(client, running.url, **headers)) == FALLBACK
        _later(running, 40, monkeypatch)
        assert text_of(await ask(client, running.url, **headers)) == FALLBACK
        primary.play(sse(events.stream_of("Home.")))
        _later(running, 70, monkeypatch)
        told = {"messages": [*BODY["messages"], {"role": "assistant", "content": FALLBACK}, *BODY["messages"]]}
        answer = await ask(client, running.url, told, **headers)
    assert is_whole(answer) and text_of(answer) == "Home."


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("setting", "model"), [("", "claude-opus-4-6"), ('reply_model = "served"\n', "glm-5.3")])
async def test_s16_who_has_answered(
    proxy: StartProxy, client: httpx.AsyncClient, stream: bool, setting: str, model: str
) -> None:
    """503 for ever, the fallback serves. Pass: the client can tell which model served; by default from a header."""
    async with primary_at(replies.error(503, "overloaded_error")) as primary, fallback_at() as fallback:
        tables = provider_table("primary", primary, key="key-1") + provider_table("fallback", fallback, key="key-2")
        running = await proxy(setting + tables + route("primary", "fallback/glm-5.3"))
        answer = await ask(client, running.url, {"stream": stream})
    assert answer.status_code == 200 and answer.headers["x-turnout-served-by"] == "fallback/glm-5.3"
    assert _model_of(answer, stream) == model


def _model_of(answer: httpx.Response, stream: bool) -> Any:
    if not stream:
        return answer.json()["model"]
    first = next(line for line in answer.text.splitlines() if line.startswith("data: "))
    return json.loads(first[6:])["message"]["model"]
