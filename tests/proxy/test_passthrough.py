"""Without a config everything goes to Anthropic with the client's own credential, byte for byte (A5, A6, A8, C6)."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import logging

import httpx
import pytest

from tests.proxy.support import BODY, HEADERS, anthropic_table, ask, provider_table, route, text_of
from turnout.health.verdict import Judgement, Verdict
from turnout.redaction.secret import Secret
from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import API_KEY, ScriptedProvider
from turnout.testing.replies import sse

OAUTH = "sk-ant-oat01-a-login-of-the-client"


@pytest.mark.parametrize("stream", [True, False])
async def test_body_and_headers_leave_as_they_came(proxy: StartProxy, client: httpx.AsyncClient, stream: bool) -> None:
    raw = b'{ "stream" :%s,\n "model":"claude-opus-4-6", "max_tokens":100, '
    raw += b'"messages":[{"role":"user","content":"\\u00e9"}]}'
    raw = raw % (b"true" if stream else b"false")
    async with ScriptedProvider() as upstream:
        running = await proxy(anthropic_table(upstream))
        sent = {
            **HEADERS,
            "anthropic-beta": "interleaved-thinking-2025-05-14, effort-2025-11-24",
            "x-claude-code-session-id": "s",
            "User-Agent": "claude-cli/9",
        }
        answer = await client.post(f"{running.url}/v1/messages?beta=true&x=%2F", content=raw, headers=sent)
        (request,) = upstream.messages
        (flow,) = await running.finished()
    assert answer.status_code == 200
    assert request.body == raw and request.target == "/v1/messages?beta=true&x=%2F"
    kept = {name: request.lower[name.lower()] for name in sent}
    assert kept == sent
    assert request.lower["host"] == f"127.0.0.1:{upstream.port}"
    assert [name for name, _ in request.headers if name.lower() == "user-agent"] == ["User-Agent"]
    assert flow.metadata["turnout.body"] == "identical"
    assert hashlib.sha256(flow.request.raw_content).hexdigest() == hashlib.sha256(raw).hexdigest()
    assert not upstream.violations


async def test_streamed_answer_arrives_byte_for_byte(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with ScriptedProvider(sse()) as upstream:
        direct = await client.post(f"{upstream.url}/v1/messages", json=BODY, headers=HEADERS)
        running = await proxy(anthropic_table(upstream))
        through = await ask(client, running.url)
        (flow,) = await running.finished()
    assert through.content == direct.content
    assert flow.response.raw_content == direct.content, "a streamed answer is kept for mitmweb and recordings"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"x-api-key": API_KEY}, ("x-api-key", API_KEY)),
        (
            {"authorization": f"Bearer {OAUTH}", "anthropic-beta": "effort-2025-11-24"},
            ("authorization", f"Bearer {OAUTH}"),
        ),
    ],
)
async def test_the_clients_own_credential(
    proxy: StartProxy, client: httpx.AsyncClient, sent: dict[str, str], expected: tuple[str, str]
) -> None:
    """A5: the OAuth beta is appended, never put in the place of what the client sent."""
    async with ScriptedProvider(accepts=[API_KEY, OAUTH]) as upstream:
        running = await proxy(anthropic_table(upstream))
        headers = {"anthropic-version": "2023-06-01", **sent}
        answer = await client.post(f"{running.url}/v1/messages", json=BODY, headers=headers)
        (request,) = upstream.messages
    assert answer.status_code == 200 and text_of(answer)
    assert request.lower[expected[0]] == expected[1]
    if "anthropic-beta" in sent:
        assert request.lower["anthropic-beta"] == "effort-2025-11-24,oauth-2025-04-20"


async def test_sentinel_is_replaced_by_the_configured_key(
    proxy: StartProxy, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A6, A8: `proxy-managed` is accepted and never forwarded."""
    monkeypatch.setenv("REAL_ANTHROPIC_API_KEY", API_KEY)
    async with ScriptedProvider() as upstream:
        running = await proxy(anthropic_table(upstream))
        answer = await ask(client, running.url, x_api_key="proxy-managed")
    assert answer.status_code == 200 and not upstream.violations


async def test_no_credential_anywhere_is_a_401_with_advice(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """A8."""
    async with ScriptedProvider() as upstream:
        running = await proxy(anthropic_table(upstream))
        answer = await ask(client, running.url, x_api_key="proxy-managed")
    assert answer.status_code == 401 and answer.headers["x-should-retry"] == "false"
    assert answer.json()["error"]["type"] == "authentication_error"
    assert not upstream.requests


async def test_a_real_anthropic_key_never_reaches_a_foreign_provider(
    proxy: StartProxy, client: httpx.AsyncClient
) -> None:
    """A6, C6: credentials are bound to their provider's host; cookies and workspace ids stay behind."""
    async with ScriptedProvider(accepts="foreign-key-1", forbid=["sk-ant-", "ws-1", "choc"]) as upstream:
        running = await proxy(provider_table("foreign", upstream, key="foreign-key-1") + route("foreign"))
        answer = await ask(
            client, running.url, cookie="choc=1", anthropic_workspace_id="ws-1", authorization=f"Bearer {OAUTH}"
        )
    assert answer.status_code == 200 and not upstream.violations


async def test_only_the_model_is_spliced(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """A2, A10: the provider is asked for its own model; the client reads the name it asked for."""
    raw = b'{"messages":[{"role":"user","content":"x"}],"model" : "claude-haiku-4-5-20251001",'
    raw += b'"max_tokens":1,"stream":true}'
    async with ScriptedProvider(accepts="foreign-key-1") as upstream:
        config = provider_table("foreign", upstream, key="foreign-key-1")
        running = await proxy(config + route("foreign/MiniMax-M2.5-highspeed", model="claude-haiku-*"))
        answer = await client.post(f"{running.url}/v1/messages", content=raw, headers=HEADERS)
        (request,) = upstream.messages
        (flow,) = await running.finished()
    assert request.body == raw.replace(b"claude-haiku-4-5-20251001", b"MiniMax-M2.5-highspeed")
    start = json.loads(answer.text.split("data: ")[1].split("\n")[0])
    assert start["message"]["model"] == "claude-haiku-4-5-20251001"
    assert flow.metadata["turnout.body"] == "rewritten: model"


async def test_long_context_suffix_becomes_its_beta(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with ScriptedProvider() as upstream:
        running = await proxy(anthropic_table(upstream))
        answer = await ask(client, running.url, {"model": "claude-opus-4-6[1m]"}, anthropic_beta="effort-2025-11-24")
        (request,) = upstream.messages
    assert answer.status_code == 200
    assert (
        request.model == "claude-opus-4-6"
        and request.lower["anthropic-beta"] == "effort-2025-11-24,context-1m-2025-08-07"
    )


async def test_count_tokens_is_forwarded_with_the_same_credential(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """A9."""
    async with ScriptedProvider() as upstream:
        running = await proxy(anthropic_table(upstream))
        body = {"model": "claude-opus-4-6", "messages": BODY["messages"]}
        answer = await client.post(f"{running.url}/v1/messages/count_tokens?beta=true", json=body, headers=HEADERS)
    assert answer.status_code == 200 and answer.json()["input_tokens"] > 0


@pytest.mark.parametrize(("how", "status"), [("none", 501), ("estimate", 200)])
async def test_many_counts_at_once_are_one_line_of_log(
    proxy: StartProxy, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, how: str, status: int
) -> None:
    """`/context` asks for 27 on a dozen connections."""
    async with ScriptedProvider() as upstream:
        running = await proxy(provider_table("p", upstream, extra=f'count_tokens = "{how}"') + route("p"))
        body = {"model": "claude-opus-4-6", "messages": BODY["messages"]}
        with caplog.at_level(logging.INFO, "turnout"):
            caplog.clear()
            url = f"{running.url}/v1/messages/count_tokens"
            answers = await asyncio.gather(*(client.post(url, json=body, headers=HEADERS) for _ in range(27)))
            flows = await running.finished(27)
    assert {answer.status_code for answer in answers} == {status} and not upstream.requests
    assert len([record for record in caplog.records if record.name == "turnout"]) == 1
    assert all(flow.comment for flow in flows)


async def test_count_tokens_is_501_where_the_provider_cannot(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """A9: Claude Code then estimates by itself."""
    async with ScriptedProvider(accepts="foreign-key-1") as upstream:
        running = await proxy(provider_table("foreign", upstream, key="foreign-key-1") + route("foreign"))
        body = {"model": "claude-opus-4-6", "messages": BODY["messages"]}
        answer = await client.post(f"{running.url}/v1/messages/count_tokens", json=body, headers=HEADERS)
    assert answer.status_code == 501 and answer.headers["x-should-retry"] == "false"
    assert answer.json()["error"]["type"] == "not_supported" and not upstream.requests


async def test_a_compressed_request_is_read_and_goes_on_plain(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with ScriptedProvider() as upstream:
        running = await proxy(anthropic_table(upstream))
        packed = gzip.compress(json.dumps(BODY).encode())
        headers = {**HEADERS, "content-encoding": "gzip"}
        answer = await client.post(f"{running.url}/v1/messages", content=packed, headers=headers)
        (request,) = upstream.messages
    assert answer.status_code == 200 and request.json == BODY and "content-encoding" not in request.lower


async def test_a_bomb_is_too_large(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with ScriptedProvider() as upstream:
        running = await proxy('[access]\nmax_body = "1MB"\n' + anthropic_table(upstream))
        packed = gzip.compress(b'{"model":"' + b"a" * 2_000_000 + b'"}')
        headers = {**HEADERS, "content-encoding": "gzip"}
        answer = await client.post(f"{running.url}/v1/messages", content=packed, headers=headers)
    assert answer.status_code == 413 and not upstream.requests


async def test_limits_on_counting_do_not_cool_the_model_down(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """Token counting has rate limits of its own."""
    async with ScriptedProvider(accepts="key-1") as upstream:
        config = provider_table("p", upstream, key="key-1", extra="count_tokens = 'provider'")
        running = await proxy("[retry]\nmax_elapsed = 0\n" + config + route("p"))
        candidate = ("p", Secret("key-1").fingerprint, "claude-opus-4-6 (count_tokens)")
        cooldowns = running.addon.bridge.dispatcher.cooldowns
        claim = cooldowns.claim(*candidate)
        assert claim is not None
        cooldowns.failed(claim, Judgement(Verdict.THROTTLE, "429 throttle", retry_after=60))
        body = {"model": "claude-opus-4-6", "messages": BODY["messages"]}
        counted = await client.post(f"{running.url}/v1/messages/count_tokens", json=body, headers=HEADERS)
        answered = await ask(client, running.url)
    assert counted.status_code == 429 and answered.status_code == 200


async def test_a_setup_token_from_the_environment(
    proxy: StartProxy, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B1: `claude setup-token` leaves a one-year token; it goes as Bearer, with the OAuth beta."""
    monkeypatch.setenv("CLAUDE_CODE_OAUTH_TOKEN", OAUTH)
    async with ScriptedProvider(accepts=OAUTH) as upstream:
        running = await proxy(anthropic_table(upstream))
        answer = await ask(client, running.url, x_api_key="proxy-managed")
        (request,) = upstream.messages
    assert answer.status_code == 200 and request.lower["authorization"] == f"Bearer {OAUTH}"
    assert "oauth-2025-04-20" in request.betas and "x-api-key" not in request.lower
