"""Failover over real sockets: one answer, whatever the providers do (A10, A14, B1, B3, C1, C3, D3-D5)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests import NO_TLS
from tests.proxy.support import BODY, HEADERS, QUICK, anthropic_table, ask, ask_directly, provider_table, route, text_of
from turnout.testing import events, replies
from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import API_KEY, ScriptedProvider
from turnout.testing.proxy import RunningProxy
from turnout.testing.replies import Reply, sse

SHORT = QUICK + '[timeouts]\nfirst_event = "300ms"\nrequest = "300ms"\nidle = "300ms"\n'
MARK = "secret-of-a-failed-attempt"

FAILURES: dict[str, Callable[[], Reply]] = {
    "429 throttle": lambda: replies.error(429, "rate_limit_error", MARK),
    "429 quota": lambda: replies.error(
        429, "rate_limit_error", MARK, {"anthropic-ratelimit-unified-status": "rejected"}
    ),
    "500": lambda: replies.error(500, "api_error", MARK),
    "529": lambda: replies.error(529, "overloaded_error", MARK),
    "503 without JSON": lambda: replies.WholeReply(503, f"<html>{MARK}</html>".encode(), {"content-type": "text/html"}),
    "405 web page": lambda: replies.WholeReply(405, f"<html>{MARK}</html>".encode(), {"content-type": "text/html"}),
    "400 spent": lambda: replies.error(400, "invalid_request_error", f"You're out of extra usage. {MARK}"),
    "400 disabled": lambda: replies.error(400, "invalid_request_error", f"This organization has been disabled. {MARK}"),
    "400 no such model": lambda: replies.error(400, "invalid_request_error", f"Model Not Exist. {MARK}"),
    "308": lambda: replies.WholeReply(308, MARK.encode(), {"location": "https://elsewhere.test/v1/messages"}),
    "408": lambda: replies.error(408, "timeout_error", MARK),
    "401": lambda: replies.error(401, "authentication_error", MARK),
    "403": lambda: replies.error(403, "permission_error", MARK),
    "404": lambda: replies.error(404, "not_found_error", MARK),
    "closed": replies.close_before_headers,
    "reset": lambda: replies.close_before_headers(reset=True),
    "garbage": replies.garbage,
    "hangs": replies.hang,
    "hangs after headers": lambda: replies.hang_after(0),
    "empty stream": replies.empty_stream,
    "error event": lambda: replies.error_event("overloaded_error", MARK),
    "ping, then error": lambda: sse([events.ping(), events.error("api_error", MARK)]),
    "dies before the first event": lambda: replies.close_after(0),
    "base_resp": lambda: replies.base_resp(1002, MARK),
    "code 500 in a 200": lambda: replies.json(200, {"code": 500, "msg": f"404 NOT_FOUND {MARK}", "success": False}),
    "HTML in a 200": lambda: replies.WholeReply(200, f"<html>{MARK}</html>".encode(), {"content-type": "text/html"}),
}


PROMPT = [{"role": "user", "content": "go on"}]
RESULT = [
    *PROMPT,
    {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}]},
]


def pair(first: ScriptedProvider, second: ScriptedProvider, extra: str = QUICK) -> str:
    return (
        extra
        + provider_table("first", first, key="key-1")
        + provider_table("second", second, key="key-2")
        + route("first", "second")
    )


def nothing_held(running: RunningProxy) -> None:
    """No slot, no exchange and no probe is left behind."""
    dispatcher = running.addon.bridge.dispatcher
    assert all(entry["in_use"] == 0 and entry["waiting"] == 0 for entry in dispatcher.slots.snapshot().values())
    assert dispatcher.counts["open"] == 0 and not running.addon.bridge._arrivals
    assert not any(entry["probing"] for entry in dispatcher.cooldowns.snapshot())


STREAMS_ONLY = {"empty stream", "dies before the first event", "hangs after headers"}


@pytest.mark.parametrize(
    ("how", "stream"),
    [(how, stream) for how in FAILURES for stream in (True, False) if stream or how not in STREAMS_ONLY],
)
async def test_the_next_provider_answers(proxy: StartProxy, client: httpx.AsyncClient, how: str, stream: bool) -> None:
    """C1: failures before the first event stay invisible to the client and visible to the user."""
    async with (
        ScriptedProvider(FAILURES[how](), accepts="key-1") as first,
        ScriptedProvider(sse(), accepts="key-2", forbid=["key-1", "sk-ant"]) as second,
    ):
        running = await proxy(pair(first, second, SHORT))
        answer = await ask(client, running.url, {"stream": stream})
        flows = await running.finished(2)
        direct = await ask_directly(client, second, "key-2", {"stream": stream})
    assert answer.status_code == 200 and answer.content == direct.content
    assert MARK not in answer.text and MARK not in str(answer.headers)
    attempt, final = flows
    assert attempt.comment.startswith("attempt 1/2 · first · ")
    assert final.comment.startswith("claude-opus-4-6 → first ") and " → second 200 · 2 tries" in final.comment
    assert attempt.metadata["turnout.exchange"] == final.metadata["turnout.exchange"]
    assert final.metadata["turnout.provider"] == "second" and final.metadata["turnout.verdict"] == "ok"
    assert not first.violations and not second.violations
    nothing_held(running)


@pytest.mark.parametrize("what", ["refused", "unresolvable", "tls"])
async def test_no_connection(proxy: StartProxy, client: httpx.AsyncClient, what: str) -> None:
    async with ScriptedProvider(accepts="key-2") as second, ScriptedProvider() as plain:
        url = {
            "refused": "http://127.0.0.1:9",
            "unresolvable": "http://no-such-host.invalid",
            "tls": plain.url.replace("http:", "https:"),
        }[what]
        config = f'{QUICK}[timeouts]\nconnect = "300ms"\n[providers.first]\nbase_url = "{url}"\nauth = "none"\n'
        running = await proxy(config + provider_table("second", second, key="key-2") + route("first", "second"))
        answer = await ask(client, running.url)
        assert answer.status_code == 200 and text_of(answer)
        nothing_held(running)
        running.errors.clear()  # mitmproxy tells of the failed TLS handshake in its own words


@pytest.mark.parametrize(("general", "own"), [("200ms", ""), ("1h", 'timeouts.connect = "200ms"\n')])
async def test_connect_that_hangs_is_given_up(
    proxy: StartProxy, client: httpx.AsyncClient, general: str, own: str
) -> None:
    """A listener whose queue is full accepts nothing: the connect hangs until our own deadline."""
    import socket

    with socket.socket() as listener, socket.socket() as filler:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        extra = [socket.socket() for _ in range(3)]
        for each in extra:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        async with ScriptedProvider(accepts="key-2") as second:
            config = (
                f'{QUICK}[timeouts]\nconnect = "{general}"\n'
                f'[providers.first]\nbase_url = "http://127.0.0.1:{listener.getsockname()[1]}"\nauth = "none"\n{own}'
            )
            running = await proxy(config + provider_table("second", second, key="key-2") + route("first", "second"))
            answer = await ask(client, running.url)
            flows = await running.finished(2)
        for each in extra:
            each.close()
    assert answer.status_code == 200 and text_of(answer)
    assert "connect timeout after 0.2 s" in flows[0].comment
    nothing_held(running)


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_fault_of_the_request_is_the_clients(proxy: StartProxy, client: httpx.AsyncClient, status: int) -> None:
    """C1: other errors go to the client as they are, and cool nothing down."""
    kind = {400: "invalid_request_error", 413: "request_too_large", 422: "invalid_request_error"}[status]
    reply = replies.error(status, kind, "messages.0: something", {"request-id": "req_1", "x-kept": "1"})
    async with ScriptedProvider(reply, accepts="key-1") as first, ScriptedProvider(accepts="key-2") as second:
        running = await proxy(pair(first, second))
        answer = await ask(client, running.url)
        direct = await ask_directly(client, first, "key-1")
        await running.finished()
        assert (answer.status_code, answer.content) == (direct.status_code, direct.content)
        assert answer.headers["x-kept"] == "1"
        assert not second.requests and not running.addon.bridge.dispatcher.cooldowns.snapshot()
        nothing_held(running)


async def test_a_fault_of_the_request_inside_a_200_becomes_a_400(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """A10: errors inside a 200 never count as success."""
    async with ScriptedProvider(replies.base_resp(2013, "bad tool"), accepts="key-1") as first:
        table = f'[providers.minimax]\nbase_url = "{first.url}"\ncredentials = ["key-1"]\n'
        running = await proxy(QUICK + table + route("minimax"))
        answer = await ask(client, running.url)
    assert answer.status_code == 400 and answer.json()["error"]["type"] == "invalid_request_error"
    assert "bad tool" in answer.json()["error"]["message"]


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_an_error_about_the_clients_own_credential_is_the_clients(
    proxy: StartProxy, client: httpx.AsyncClient, status: int
) -> None:
    reply = replies.error(status, "authentication_error", "yours")
    async with ScriptedProvider(reply) as first, ScriptedProvider(accepts="key-2") as second:
        config = anthropic_table(first) + provider_table("second", second, key="key-2") + route("anthropic", "second")
        running = await proxy(QUICK + config)
        answer = await ask(client, running.url)
    assert answer.status_code == status and answer.json()["error"]["message"] == "yours"
    assert not second.requests


async def test_all_failed_gives_the_primarys_own_error(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """DESIGN: unmodified body, plus what the client needs to act on it."""
    reset = str(int(time.time()) + 3600)
    headers = {"anthropic-ratelimit-unified-status": "rejected", "anthropic-ratelimit-unified-reset": reset}
    quota = replies.error(429, "rate_limit_error", "your plan", headers)
    async with (
        ScriptedProvider(quota, accepts="key-1") as first,
        ScriptedProvider(replies.error(500, "api_error", "other"), accepts="key-2") as second,
    ):
        running = await proxy(pair(first, second))
        answer = await ask(client, running.url)
        flows = await running.finished(3)
    assert answer.status_code == 429 and answer.json()["error"]["message"] == "your plan"
    # The other is back before the plan: the client is not to end its turn for an hour.
    assert 1 <= int(answer.headers["retry-after"]) <= 22
    assert not any(name.startswith("anthropic-ratelimit-unified") for name in answer.headers)
    assert "gave up with 429" in flows[-1].comment and flows[-1].metadata["turnout.attempt"] == "2/2"
    nothing_held(running)


async def test_a_refused_key_of_the_proxy_does_not_send_the_client_to_log_in(
    proxy: StartProxy, client: httpx.AsyncClient
) -> None:
    async with ScriptedProvider(accepts="another-key") as first:
        running = await proxy(provider_table("first", first, key="key-1") + route("first"))
        answer = await ask(client, running.url)
    assert answer.status_code == 502 and answer.headers["x-should-retry"] == "false"
    assert "first refused the configured credential literal" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("credentials", "remedy"),
    [("", 'set credentials = ["env:NAME"]'), ('credentials = ["some-key"]', 'take out auth = "none"')],
)
async def test_a_provider_that_wants_a_key_and_has_none(
    proxy: StartProxy, client: httpx.AsyncClient, credentials: str, remedy: str
) -> None:
    async with ScriptedProvider(accepts="key-1") as first:
        running = await proxy(provider_table("first", first, extra=credentials) + route("first"))
        answer = await ask(client, running.url)
    told = f"first wants a credential and is sent none: {remedy} under [providers.first]"
    assert answer.status_code == 502 and told in answer.json()["error"]["message"]


async def test_rate_limit_headers_of_the_failed_provider_stay_away(
    proxy: StartProxy, client: httpx.AsyncClient
) -> None:
    limited = replies.error(429, "rate_limit_error", "x", {"anthropic-ratelimit-unified-status": "rejected"})
    async with ScriptedProvider(limited, accepts="key-1") as first, ScriptedProvider(accepts="key-2") as second:
        running = await proxy(pair(first, second))
        answer = await ask(client, running.url)
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("anthropic-ratelimit")]


async def test_death_in_mid_stream_is_an_error_event_and_no_second_provider(
    proxy: StartProxy, client: httpx.AsyncClient
) -> None:
    async with ScriptedProvider(replies.close_after(4), accepts="key-1") as first, ScriptedProvider() as second:
        running = await proxy(pair(first, second))
        with pytest.raises(httpx.RemoteProtocolError):
            async with client.stream("POST", f"{running.url}/v1/messages", json=BODY, headers=HEADERS) as answer:
                text = ""
                async for part in answer.aiter_text():
                    text += part
        (flow,) = await running.finished()
    last = json.loads(text.rstrip().rpartition("data: ")[2])
    assert last["type"] == "error" and last["error"]["type"] == "api_error" and "first: " in last["error"]["message"]
    assert text.startswith("event: message_start") and "message_stop" not in text
    assert not second.requests and "turnout.usage" in flow.metadata
    nothing_held(running)


async def test_a_stream_that_ends_before_it_has_stopped_is_told(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    cut = replies.truncated(events.stream_of()[:-2])
    async with ScriptedProvider(cut, accepts="key-1") as first, ScriptedProvider() as second:
        running = await proxy(pair(first, second))
        answer = await ask(client, running.url)
    assert "event: error" in answer.text and "before message_stop" in answer.text and not second.requests


async def test_a_stream_that_lacks_only_message_stop_gets_it(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """S11."""
    async with ScriptedProvider(replies.truncated(), accepts="key-1") as first, ScriptedProvider() as second:
        running = await proxy(pair(first, second))
        answer = await ask(client, running.url)
        (flow,) = await running.finished()
    assert answer.text.endswith('event: message_stop\ndata: {"type":"message_stop"}\n\n')
    assert "event: error" not in answer.text and not second.requests and flow.metadata["turnout.verdict"] == "ok"


async def test_silence_in_mid_stream_ends_it(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with ScriptedProvider(replies.hang_after(4), accepts="key-1") as first, ScriptedProvider() as second:
        running = await proxy(pair(first, second, SHORT))
        with pytest.raises(httpx.RemoteProtocolError):
            await ask(client, running.url)
        await first.messages[0].closed.wait()
        await running.finished()
        nothing_held(running)


async def test_gaps_are_filled_with_pings(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    gate = asyncio.Event()
    whole = events.stream_of()
    script = sse([*[event for event in whole[:3] if event.name != "ping"], gate, *whole[3:]])
    async with ScriptedProvider(script, accepts="key-1") as first:
        config = '[timeouts]\nping_after = "100ms"\n' + provider_table("first", first, key="key-1") + route("first")
        running = await proxy(config)
        text = ""
        async with client.stream("POST", f"{running.url}/v1/messages", json=BODY, headers=HEADERS) as answer:
            async for part in answer.aiter_text():
                text += part
                if text.count("event: ping") >= 2:
                    gate.set()
    assert text.count("event: ping") >= 2 and text.rstrip().endswith('"message_stop"}')


async def test_streaming_is_not_buffered(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """C3: an event reaches the client while the provider still waits to send the next."""
    gate = asyncio.Event()
    whole = events.stream_of()
    async with ScriptedProvider(sse([*whole[:4], gate, *whole[4:]])) as upstream:
        running = await proxy(anthropic_table(upstream))
        async with client.stream("POST", f"{running.url}/v1/messages", json=BODY, headers=HEADERS) as answer:
            seen = ""
            async for part in answer.aiter_text():
                seen += part
                if "content_block_delta" in seen:
                    gate.set()
    assert seen.rstrip().endswith('"message_stop"}')


@pytest.mark.parametrize(
    "reply", [replies.hang, lambda: replies.hang_after(0), lambda: replies.hang_after(4)], ids=["silent", "head", "mid"]
)
async def test_a_client_that_leaves_cancels_its_provider(
    proxy: StartProxy, client: httpx.AsyncClient, reply: Callable[[], Reply]
) -> None:
    async with ScriptedProvider(reply(), accepts="key-1") as first, ScriptedProvider() as second:
        running = await proxy(pair(first, second))
        asking = asyncio.ensure_future(ask(client, running.url))
        request = await first.arrived()
        asking.cancel()
        await asyncio.wait_for(request.closed.wait(), 5)
        await running.finished()
        assert not second.requests
        nothing_held(running)


async def test_a_client_that_leaves_while_it_waits_for_a_slot(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """A11: the queue forgets who left; nobody's slot is lost."""
    gate = asyncio.Event()
    async with ScriptedProvider(sse(gate=gate), accepts="key-1") as first:
        table = provider_table("first", first, key="key-1", extra="max_concurrent = 1\nslot_wait = 20")
        running = await proxy(table + route("first"))
        slots = running.addon.bridge.dispatcher.slots
        holding = asyncio.ensure_future(ask(client, running.url))
        await first.arrived()
        waiting = asyncio.ensure_future(ask(client, running.url))
        while slots.snapshot()["first"]["waiting"] == 0:
            await asyncio.sleep(0)
        waiting.cancel()
        while slots.snapshot()["first"]["waiting"]:
            await asyncio.sleep(0)
        gate.set()
        assert (await holding).status_code == 200
        await running.finished(2)
        assert (await ask(client, running.url)).status_code == 200 and len(first.messages) == 2
        nothing_held(running)


async def test_a_full_provider_hands_over_to_the_next(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """A11: bounded wait, then the next target."""
    gate = asyncio.Event()
    async with ScriptedProvider(sse(gate=gate), accepts="key-1") as first, ScriptedProvider(accepts="key-2") as second:
        table = provider_table("first", first, key="key-1", extra='max_concurrent = 1\nslot_wait = "50ms"')
        running = await proxy(table + provider_table("second", second, key="key-2") + route("first", "second"))
        holding = asyncio.ensure_future(ask(client, running.url))
        await first.arrived()
        assert (await ask(client, running.url)).status_code == 200 and len(second.messages) == 1
        gate.set()
        assert (await holding).status_code == 200


async def test_when_every_slot_is_taken_the_client_is_told_when_to_return(
    proxy: StartProxy, client: httpx.AsyncClient
) -> None:
    """D4."""
    gate = asyncio.Event()
    async with ScriptedProvider(sse(gate=gate), accepts="key-1") as first:
        table = provider_table("first", first, key="key-1", extra="max_concurrent = 1\nslot_wait = 0")
        running = await proxy(table + route("first"))
        holding = asyncio.ensure_future(ask(client, running.url))
        await first.arrived()
        answer = await ask(client, running.url)
        gate.set()
        await holding
    error = answer.json()["error"]
    assert answer.status_code == 503 and error["code"] == "auth_unavailable" and error["blocked"] == {"busy": 1}
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_cooling_provider_is_left_alone(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """B3: during its cooldown requests go straight to the next target."""
    async with (
        ScriptedProvider(replies.error(429, "rate_limit_error"), accepts="key-1") as first,
        ScriptedProvider(accepts="key-2") as second,
    ):
        running = await proxy(pair(first, second))
        for _ in range(3):
            assert (await ask(client, running.url)).status_code == 200
    assert len(first.messages) == 1 and len(second.messages) == 3


async def test_model_cooldown(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """D3: all credentials cool for a quota: 429 in Anthropic's shape with the time to come back."""
    quota = {"anthropic-ratelimit-unified-status": "rejected"}
    async with ScriptedProvider(replies.error(429, "rate_limit_error", "x", quota), accepts="key-1") as first:
        running = await proxy(QUICK + provider_table("first", first, key="key-1") + route("first"))
        assert (await ask(client, running.url)).json()["error"]["message"] == "x"
        answer = await ask(client, running.url)
    error = answer.json()["error"]
    assert answer.status_code == 429 and error["type"] == "rate_limit_error" and error["code"] == "model_cooldown"
    assert answer.headers["retry-after"] == "60" and error["blocked"] == {"quota": 1}
    assert answer.headers["x-should-retry"] == "false"
    assert len(first.messages) == 1


async def test_auth_unavailable(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """D4: blocked for other reasons: 503 with counts and the last statuses."""
    async with ScriptedProvider(accepts="another") as first:
        running = await proxy(QUICK + provider_table("first", first, key="key-1") + route("first"))
        await ask(client, running.url)
        answer = await ask(client, running.url)
    error = answer.json()["error"]
    assert answer.status_code == 503 and error["code"] == "auth_unavailable" and error["type"] == "overloaded_error"
    assert error["blocked"] == {"credential": 1} and error["recent"] == {"first": [401]}
    assert int(answer.headers["retry-after"]) >= 1


async def test_plain_passthrough_never_refuses_by_itself(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """With the client's own credential and no alternative, the client sees every answer of its provider."""
    async with ScriptedProvider([replies.error(529, "overloaded_error"), sse()]) as upstream:
        running = await proxy(QUICK + anthropic_table(upstream))
        assert (await ask(client, running.url)).status_code == 529
        assert (await ask(client, running.url)).status_code == 200
    assert len(upstream.messages) == 2


async def test_when_only_passing_troubles_block_one_request_probes(
    proxy: StartProxy, client: httpx.AsyncClient
) -> None:
    """A lone provider that stumbled is tried again by the next request instead of being refused for a minute."""
    async with ScriptedProvider([replies.error(500, "api_error"), sse()], accepts="key-1") as first:
        running = await proxy(QUICK + provider_table("first", first, key="key-1") + route("first"))
        assert (await ask(client, running.url)).status_code == 500
        assert (await ask(client, running.url)).status_code == 200
        nothing_held(running)


async def test_same_target_retries(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """A14: where waiting can help, the same target is asked again before the next one."""
    script = [replies.error(529, "overloaded_error"), replies.error(500, "api_error"), sse()]
    async with ScriptedProvider(script, accepts="key-1") as first, ScriptedProvider(accepts="key-2") as second:
        running = await proxy(pair(first, second, '[retry]\ninitial = "10ms"\nmax_elapsed = "100ms"\n'))
        answer = await ask(client, running.url)
        flows = await running.finished(3)
    assert answer.status_code == 200 and len(first.messages) == 3 and not second.requests
    assert "3 tries" in flows[-1].comment


async def test_quota_is_not_retried_at_the_same_target(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    quota = {"anthropic-ratelimit-unified-status": "rejected"}
    async with (
        ScriptedProvider(replies.error(429, "rate_limit_error", "x", quota), accepts="key-1") as first,
        ScriptedProvider(accepts="key-2") as second,
    ):
        running = await proxy(pair(first, second, '[retry]\ninitial = "10ms"\nmax_elapsed = "100ms"\n'))
        assert (await ask(client, running.url)).status_code == 200
    assert len(first.messages) == 1


@pytest.mark.parametrize(("rotate", "expected"), [("fill-first", ["a", "a", "a"]), ("round-robin", ["a", "b", "a"])])
async def test_several_credentials(
    proxy: StartProxy, client: httpx.AsyncClient, rotate: str, expected: list[str]
) -> None:
    """D5."""
    async with ScriptedProvider(accepts=["key-a", "key-b"]) as upstream:
        table = f'[providers.p]\nbase_url = "{upstream.url}"\nauth = "bearer"\ncredentials = ["key-a", "key-b"]\n'
        running = await proxy(f'{table}rotate = "{rotate}"\n' + route("p"))
        for _ in expected:
            assert (await ask(client, running.url)).status_code == 200
    assert [request.lower["authorization"][-1] for request in upstream.messages] == expected


async def test_the_second_credential_takes_over(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """D5: each credential has its own cooldown."""
    async with ScriptedProvider(accepts="key-b") as upstream:
        table = f'[providers.p]\nbase_url = "{upstream.url}"\nauth = "bearer"\ncredentials = ["key-a", "key-b"]\n'
        running = await proxy(QUICK + table + route("p"))
        for _ in range(2):
            assert (await ask(client, running.url)).status_code == 200
    assert len(upstream.requests) == 3, "the dead key is asked once"


async def test_a_session_stays_where_it_was_served(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """Affinity: moved on failover, for the turn under way, so that prompt caches stay warm, and only for its own
    session. It goes home with the next prompt."""
    async with (
        ScriptedProvider([replies.error(500, "api_error"), sse()], accepts="key-1") as first,
        ScriptedProvider(accepts="key-2") as second,
    ):
        table = '[providers.first]\ncooldown = "1ms"\n' + provider_table("first", first, key="key-1").partition("\n")[2]
        config = QUICK + table + provider_table("second", second, key="key-2") + route("first", "second")
        running = await proxy(config)
        for session, messages in (("one", PROMPT), ("one", RESULT), ("two", RESULT), ("one", RESULT)):
            headers = {"x_claude_code_session_id": session}
            assert (await ask(client, running.url, {"messages": messages}, **headers)).status_code == 200
        assert len(second.messages) == 3 and len(first.messages) == 2
        assert (await ask(client, running.url, {"messages": PROMPT}, x_claude_code_session_id="one")).status_code == 200
    assert len(second.messages) == 3 and len(first.messages) == 3


async def test_one_long_session_goes_home(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """S15: while the better target rests it is served elsewhere, then by the first request of its own that is served
    there."""
    down = replies.error(503, "api_error")
    async with (
        ScriptedProvider([down, down, sse()], accepts="key-1") as first,
        ScriptedProvider(accepts="key-2") as second,
    ):
        table = provider_table("first", first, key="key-1", extra='cooldown = "300ms"')
        running = await proxy(QUICK + table + provider_table("second", second, key="key-2") + route("first", "second"))
        async with asyncio.timeout(30):
            while len(first.messages) < 3:
                assert (await ask(client, running.url, x_claude_code_session_id="one")).status_code == 200
        served = len(second.messages)
        for _ in range(3):
            assert (await ask(client, running.url, x_claude_code_session_id="one")).status_code == 200
    assert len(first.messages) == 6 and len(second.messages) == served


@pytest.mark.parametrize(("status", "told"), [(403, 502), (413, 413)])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_web_page_that_is_the_last_word(
    proxy: StartProxy, client: httpx.AsyncClient, status: int, told: int, stream: bool
) -> None:
    """Also to the client's own credential at a first party: it would log in again for nothing."""
    page = replies.WholeReply(status, b"<html><title>Just a moment...</title></html>", {"content-type": "text/html"})
    async with ScriptedProvider(page) as upstream:
        running = await proxy(QUICK + anthropic_table(upstream))
        answer = await ask(client, running.url, {"stream": stream})
    error = answer.json()["error"]
    assert answer.status_code == told and answer.headers["x-should-retry"] == "false"
    assert f'127.0.0.1 answered {status} with a web page ("Just a moment...")' in error["message"]
    assert len(upstream.messages) == 1


async def test_a_dead_primary_costs_a_second_at_most(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """S04: without a word in the configuration, while another target is ready."""
    dead = replies.error(503, "api_error")
    async with ScriptedProvider(dead, accepts="key-1") as first, ScriptedProvider(accepts="key-2") as second:
        running = await proxy(pair(first, second, extra=""))
        assert (await ask(client, running.url)).status_code == 200
        # One retry after half a second at most; the five seconds of a target that stands alone hold three.
        assert 1 <= len(first.messages) <= 2 and len(second.messages) == 1


async def test_a_redirect_within_the_host_is_followed(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    moved = replies.WholeReply(307, b"", {"location": "/v1/messages?moved"})
    async with ScriptedProvider([moved, sse()], accepts="key-1") as first:
        running = await proxy(QUICK + provider_table("first", first, key="key-1") + route("first"))
        answer = await ask(client, running.url)
        flows = await running.finished(2)
    one, other = first.requests
    assert answer.status_code == 200 and one.path == other.path == "/v1/messages"
    assert one.body == other.body and other.lower["authorization"] == "Bearer key-1"
    assert "307 moved" in flows[-1].comment
    nothing_held(running)


async def test_a_redirect_to_another_host_is_told(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """Nobody but the user decides where a credential goes."""
    async with ScriptedProvider() as elsewhere:
        moved = replies.WholeReply(307, b"", {"location": f"{elsewhere.url}/v1/messages?key=secret"})
        async with ScriptedProvider(moved, accepts="key-1") as first:
            running = await proxy(QUICK + provider_table("first", first, key="key-1") + route("first"))
            answer = await ask(client, running.url)
    assert answer.status_code == 502 and answer.headers["x-should-retry"] == "false" and not elsewhere.requests
    assert f'set base_url = "{elsewhere.url}"' in answer.json()["error"]["message"] and "key=" not in answer.text


async def test_pinned_provider_has_no_failover(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """C4."""
    async with (
        ScriptedProvider(accepts="key-1") as first,
        ScriptedProvider(replies.error(500, "api_error", "pinned"), accepts="key-2") as second,
    ):
        running = await proxy(pair(first, second), options={"turnout_provider": "second"})
        answer = await ask(client, running.url)
    assert answer.status_code == 500 and answer.json()["error"]["message"] == "pinned" and not first.requests


@pytest.fixture
async def chain(proxy: StartProxy) -> AsyncIterator[tuple[RunningProxy, list[ScriptedProvider]]]:
    async with (
        ScriptedProvider(accepts="key-1") as first,
        ScriptedProvider(accepts="key-2") as second,
        ScriptedProvider(accepts="key-3") as third,
    ):
        providers = [first, second, third]
        names = ["first", "second", "third"]
        tables = [
            provider_table(name, provider, key=f"key-{number}", extra='max_concurrent = 2\ncooldown = "1ms"')
            for number, (name, provider) in enumerate(zip(names, providers, strict=True), 1)
        ]
        running = await proxy(SHORT + "".join(tables) + route(*names))
        yield running, providers


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plays=st.lists(st.sampled_from(sorted(FAILURES)), min_size=3, max_size=3),
    good=st.integers(0, 3),
    stream=st.booleans(),
)
async def test_any_sequence_of_failures(
    chain: tuple[RunningProxy, list[ScriptedProvider]], plays: list[str], good: int, stream: bool
) -> None:
    """One answer, attempts ≤ plan, no slot left, no byte of a failed attempt in the answer of another provider."""
    assume(stream or not STREAMS_ONLY & set(plays))
    running, providers = chain
    dispatcher = running.addon.bridge.dispatcher
    dispatcher.cooldowns.__init__()
    for number, provider in enumerate(providers):
        provider.play(sse() if number == good else FAILURES[plays[number]]())
    before = [len(provider.messages) for provider in providers]
    async with httpx.AsyncClient(timeout=20, trust_env=False, verify=NO_TLS) as client:
        answer = await ask(client, running.url, {"stream": stream}, x_api_key=API_KEY)
    tried = [len(provider.messages) - count for provider, count in zip(providers, before, strict=True)]
    assert all(count <= 1 for count in tried)
    if good < 3:
        assert answer.status_code == 200 and MARK not in answer.text
        assert tried == [1] * (good + 1) + [0] * (2 - good)
    else:
        assert answer.status_code >= 400 and answer.json()["type"] == "error"
    nothing_held(running)
