"""What must not happen: requests that slip past the routes, clients that hang, slots that never come back."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from mitmproxy.exceptions import OptionsError

from tests.proxy.support import BODY, HEADERS, QUICK, anthropic_table, ask, provider_table, route, text_of
from tests.proxy.test_failover import nothing_held, pair
from turnout.testing import events, replies
from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import API_KEY, ScriptedProvider
from turnout.testing.replies import sse
from turnout.testing.wire import Answer, RecordedRequest


async def raw(port: int, *parts: bytes, until: bytes = b"") -> bytes:
    """Send bytes as they are; returns all bytes of the answer, up to `until` or the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = b""
    try:
        for part in parts:
            writer.write(part)
        await writer.drain()
        while not (until and until in received):
            data = await asyncio.wait_for(reader.read(65536), 10)
            if not data:
                break
            received += data
    finally:
        writer.close()
    return received


def head(*lines: str, path: str = "/v1/messages", version: str = "1.1") -> bytes:
    all_lines = [f"POST {path} HTTP/{version}", "Host: 127.0.0.1", *lines, *(f"{k}: {v}" for k, v in HEADERS.items())]
    return "\r\n".join([*all_lines, "", ""]).encode()


PLAIN = b'{"model":"claude-opus-4-6","max_tokens":5,"messages":[{"role":"user","content":"x"}]}'


async def test_whole_bodies_are_needed_for_routing(
    proxy: StartProxy, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """mitmproxy's stream_large_bodies would send a request to the reverse target before it is routed."""
    async with ScriptedProvider() as upstream, ScriptedProvider() as target:
        running = await proxy(
            anthropic_table(upstream),
            mode=f"reverse:{target.url}@127.0.0.1:0",
            options={"stream_large_bodies": "1k"},
        )
        assert "stream_large_bodies cannot be used" in caplog.text
        answer = await ask(client, running.url, {"metadata": {"user_id": "x" * 5000}})
        with pytest.raises(OptionsError, match="stream_large_bodies"):
            running.master.options.update(stream_large_bodies="1k")
        running.errors.clear()
    assert answer.status_code == 200 and len(upstream.messages) == 1 and not target.requests


async def test_expect_is_answered_here_and_not_passed_on(proxy: StartProxy) -> None:
    """curl sends it with large bodies; a provider's 100 would be taken for its answer."""
    async with ScriptedProvider() as upstream:
        running = await proxy(anthropic_table(upstream))
        sent = head("Expect: 100-continue", "Connection: close", f"Content-Length: {len(PLAIN)}"), PLAIN
        answer = await raw(running.port, *sent)
        (request,) = upstream.messages
    assert answer.startswith(b"HTTP/1.1 100") and b"HTTP/1.1 200" in answer
    assert "expect" not in request.lower and "connection" not in request.lower


async def test_a_refused_expectation_is_answered_at_once(proxy: StartProxy) -> None:
    running = await proxy('[access]\nmax_body = "1KB"\n')
    answer = await raw(running.port, head("Expect: 100-continue", "Content-Length: 10000000000"))
    assert answer.startswith(b"HTTP/1.1 413") and b"request_too_large" in answer


async def test_hop_by_hop_headers_stay_here(proxy: StartProxy) -> None:
    async with ScriptedProvider() as upstream:
        running = await proxy(anthropic_table(upstream))
        upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk", "TE: trailers")
        answer = await raw(running.port, head(*upgrade, f"Content-Length: {len(PLAIN)}"), PLAIN, until=b"end_turn")
        (request,) = upstream.messages
    assert answer.startswith(b"HTTP/1.1 200")
    assert not {"upgrade", "http2-settings", "te", "connection"} & set(request.lower)


async def test_a_change_of_the_protocol_is_no_answer(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    class Interim:
        async def play(self, request: RecordedRequest, answer: Answer, headers: replies.Headers) -> None:
            await answer.raw(b"HTTP/1.1 101 X\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n")
            await asyncio.Event().wait()

    async with ScriptedProvider(Interim(), accepts="key-1") as first, ScriptedProvider(accepts="key-2") as second:
        running = await proxy(pair(first, second, ""))
        answer = await ask(client, running.url)
        assert answer.status_code == 200 and text_of(answer)
        nothing_held(running)


async def test_a_killed_flow_gives_its_slot_back(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """Removing a flow from the list in mitmweb kills it."""
    async with ScriptedProvider(replies.hang_after(4), accepts="key-1") as first:
        table = provider_table("first", first, key="key-1", extra="max_concurrent = 1\nslot_wait = 0")
        running = await proxy(table + route("first"))
        asking = asyncio.ensure_future(ask(client, running.url))
        await first.arrived()
        (arrival,) = running.addon.bridge._arrivals.values()
        arrival.flow.kill()
        asking.cancel()
        await running.finished()
        nothing_held(running)
        assert arrival.flow.request.headers["authorization"] == "***"


async def test_a_probe_that_streams_does_not_hold_others_up(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    gate = asyncio.Event()
    whole = events.stream_of()
    script = [replies.error(529, "overloaded_error"), sse([*whole[:4], gate, *whole[4:]])]
    async with ScriptedProvider(script, accepts="key-1") as first:
        running = await proxy(QUICK + provider_table("first", first, key="key-1") + route("first"))
        assert (await ask(client, running.url)).status_code == 529
        async with client.stream("POST", f"{running.url}/v1/messages", json=BODY, headers=HEADERS) as probing:
            seen = ""
            async for part in probing.aiter_text():
                seen += part
                if "content_block_delta" in seen and not gate.is_set():
                    second = asyncio.ensure_future(ask(client, running.url))
                    await first.arrived(3)
                    gate.set()
        assert (await second).status_code == 200


async def test_an_error_in_mid_stream_is_no_success(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """The client sees it; the next request goes elsewhere."""
    broken = sse([*events.stream_of()[:4], events.error("overloaded_error")])
    async with ScriptedProvider(broken, accepts="key-1") as first, ScriptedProvider(accepts="key-2") as second:
        running = await proxy(pair(first, second))
        answer = await ask(client, running.url, x_claude_code_session_id="s")
        (flow,) = await running.finished()
        again = await ask(client, running.url, x_claude_code_session_id="s")
    assert "event: error" in answer.text
    assert "200 with overloaded_error" in flow.comment and flow.comment.endswith("broke off")
    assert flow.metadata["turnout.verdict"] == "overloaded"
    assert text_of(again) and len(second.messages) == 1


async def test_an_edited_provider_starts_afresh(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with ScriptedProvider(accepts="another") as wrong, ScriptedProvider(accepts="key-1") as right:
        running = await proxy(provider_table("first", wrong, key="key-1") + route("first"))
        assert (await ask(client, running.url)).status_code == 502
        running.addon.bridge.settings.file.write_text(provider_table("first", right, key="key-1") + route("first"))
        running.addon.setup.look()
        assert (await ask(client, running.url)).status_code == 200


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """Accepts connections and never says a word."""
    over = asyncio.Event()

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        over.set()
        server.close()


async def test_a_tls_handshake_that_hangs_is_a_connect_timeout(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with silent_server() as port, ScriptedProvider(accepts="key-2") as second:
        config = (
            '[timeouts]\nconnect = "200ms"\n'
            f'[providers.first]\nbase_url = "https://127.0.0.1:{port}"\nauth = "none"\n'
            + provider_table("second", second, key="key-2")
            + route("first", "second")
        )
        running = await proxy(config)
        answer = await ask(client, running.url)
        flows = await running.finished(2)
        running.errors.clear()
    assert answer.status_code == 200
    assert flows[0].comment.startswith("attempt 1/2 · first · connect timeout after 0.2 s, resets ")


async def test_a_certificate_that_is_not_trusted(proxy: StartProxy, client: httpx.AsyncClient, confdir: object) -> None:
    """No crash is logged, and the next provider answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{confdir}/mitmproxy-ca.pem")
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with ScriptedProvider(accepts="key-2") as second:
        config = f'[providers.first]\nbase_url = "https://127.0.0.1:{port}"\nauth = "none"\n'
        running = await proxy(config + provider_table("second", second, key="key-2") + route("first", "second"))
        answer = await ask(client, running.url)
        flows = await running.finished(2)
        assert not [error for error in running.errors if "crash" in error]
        running.errors.clear()
    server.close()
    assert answer.status_code == 200 and "TLS" in flows[0].comment


async def test_a_query_that_is_not_utf_8(proxy: StartProxy) -> None:
    async with ScriptedProvider() as upstream:
        running = await proxy(anthropic_table(upstream))
        start = head(f"Content-Length: {len(PLAIN)}", path="/v1/messages?x=QQ").replace(b"QQ", b"\xff\xfe")
        answer = await raw(running.port, start, PLAIN, until=b"end_turn")
    assert answer.startswith(b"HTTP/1.1 200")


async def test_a_client_of_http_1_0(proxy: StartProxy) -> None:
    body = PLAIN.replace(b'"max_tokens"', b'"stream":true,"max_tokens"')
    async with ScriptedProvider() as upstream:
        running = await proxy(anthropic_table(upstream))
        answer = await raw(running.port, head(f"Content-Length: {len(body)}", version="1.0"), body)
    assert b"chunked" not in answer.partition(b"\r\n\r\n")[0].lower()
    assert answer.partition(b"\r\n\r\n")[2].startswith(b"event: message_start")
    assert answer.rstrip().endswith(b'"message_stop"}')


async def test_model_names_cannot_forge_notes(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with ScriptedProvider() as upstream:
        running = await proxy(anthropic_table(upstream))
        await ask(client, running.url, {"model": "x\nattempt 1/1 · all fine" + "y" * 100_000})
        (flow,) = await running.finished()
    assert "\n" not in flow.comment and len(flow.comment) < 1000


async def test_a_fault_is_logged_without_secrets(
    proxy: StartProxy, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    running = await proxy("")

    def explode(*_: object) -> None:
        raise RuntimeError(f"could not send x-api-key: {API_KEY}")

    monkeypatch.setattr(running.addon.bridge.dispatcher, "open", explode)
    with caplog.at_level(logging.INFO, "turnout"):
        assert (await ask(client, running.url)).status_code == 500
    assert "RuntimeError: could not send" in caplog.text and API_KEY not in caplog.text


async def test_a_refusal_is_a_line_in_the_terminal(
    proxy: StartProxy, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    running = await proxy("")
    with caplog.at_level(logging.INFO, "turnout"):
        await client.get(f"{running.url}/nowhere")
    assert "GET /nowhere · 404 refused: GET /nowhere is not served here." in caplog.messages


async def test_what_was_passed_over_is_told(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with (
        ScriptedProvider(replies.error(429, "rate_limit_error"), accepts="key-1") as first,
        ScriptedProvider(accepts="key-2") as second,
    ):
        running = await proxy(pair(first, second))
        await ask(client, running.url)
        await ask(client, running.url)
        flows = await running.finished(3)
    assert flows[-1].comment.startswith("claude-opus-4-6 → first skipped (429 throttle, ")
    assert " s left) → second 200" in flows[-1].comment


async def test_a_provider_that_was_never_asked_is_not_blamed(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """The first fails with an error event, the second is busy: nothing is known against the second."""
    gate = asyncio.Event()
    async with (
        ScriptedProvider(replies.error_event("overloaded_error"), accepts="key-1") as first,
        ScriptedProvider(sse(gate=gate), accepts="key-2") as second,
    ):
        config = QUICK + provider_table("first", first, key="key-1")
        config += provider_table("second", second, key="key-2", extra="max_concurrent = 1\nslot_wait = 0")
        running = await proxy(config + route("second", model="keep-busy") + route("first", "second"))
        holding = asyncio.ensure_future(ask(client, running.url, {"model": "keep-busy"}))
        await second.arrived()
        answer = await ask(client, running.url)
        flows = await running.finished(2)
        dispatcher = running.addon.bridge.dispatcher
        assert answer.status_code == 529 and "gave up with 529" in flows[-1].comment
        assert {entry["provider"] for entry in dispatcher.cooldowns.snapshot()} == {"first"}
        assert len(dispatcher.recent("first")) == 1 and not dispatcher.recent("second")
        gate.set()
        await holding


async def test_a_failure_counts_when_its_retry_finds_no_slot(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    gate = asyncio.Event()
    script = [replies.error(529, "overloaded_error"), sse(gate=gate)]
    async with ScriptedProvider(script, accepts="key-1") as first:
        table = provider_table("first", first, key="key-1", extra="max_concurrent = 1\nslot_wait = 0")
        running = await proxy('[retry]\ninitial = "300ms"\n' + table + route("first"))
        failing = asyncio.ensure_future(ask(client, running.url))
        await first.arrived()
        while not running.addon.bridge.dispatcher.recent("first"):
            await asyncio.sleep(0.01)
        holding = asyncio.ensure_future(ask(client, running.url))
        await first.arrived(2)
        assert (await failing).status_code == 529
        cooling = running.addon.bridge.dispatcher.cooldowns.snapshot()
        assert [entry["verdict"] for entry in cooling] == ["overloaded"]
        gate.set()
        await holding


async def test_a_client_that_leaves_is_noted_as_that(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with ScriptedProvider(replies.hang_after(4), accepts="key-1") as first, ScriptedProvider() as second:
        running = await proxy(pair(first, second))
        asking = asyncio.ensure_future(ask(client, running.url))
        await first.arrived()
        asking.cancel()
        (flow,) = await running.finished()
        assert flow.metadata["turnout.verdict"] == "cancelled"
        assert not running.addon.bridge.dispatcher.cooldowns.snapshot()


async def test_a_client_that_does_not_read_is_not_the_providers_silence(proxy: StartProxy) -> None:
    """A terminal that is suspended: mitmproxy reads no more from the provider until the client does."""
    whole = events.stream_of()
    flood = [
        *whole[:4],
        *[events.event("content_block_delta", index=0, delta={"text": "x" * 60_000})] * 300,
        *whole[4:],
    ]
    async with ScriptedProvider(sse(flood), accepts="key-1") as first:
        config = '[timeouts]\nidle = "200ms"\n' + provider_table("first", first, key="key-1") + route("first")
        running = await proxy(config)
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port, limit=1024)
        body = PLAIN.replace(b'"max_tokens"', b'"stream":true,"max_tokens"')
        writer.write(head(f"Content-Length: {len(body)}", "Connection: close") + body)
        await writer.drain()
        await asyncio.sleep(1)  # five times the idle limit: the time itself is what is tested
        received = b""
        while data := await asyncio.wait_for(reader.read(1 << 20), 10):
            received += data
        writer.close()
    assert b"message_stop" in received and b"event: error" not in received


@pytest.mark.parametrize("stream", [True, False])
async def test_replies_carry_the_name_that_was_asked_for(
    proxy: StartProxy, client: httpx.AsyncClient, stream: bool
) -> None:
    """A10: also where the route names no model and the provider answers with one of its own."""
    whole = [events.message_start("MiniMax-M2.5"), *events.stream_of()[1:]]
    async with ScriptedProvider(sse(whole), accepts="key-1") as first:
        running = await proxy(provider_table("first", first, key="key-1") + route("first"))
        answer = await ask(client, running.url, {"stream": stream})
    assert "claude-opus-4-6" in answer.text and "MiniMax" not in answer.text
