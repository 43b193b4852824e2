"""Who may enter, and what is known: the first room of the house (A6, A13, B5, C5, D6, E11)."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest

from tests.proxy.support import BODY, HEADERS, anthropic_table, ask, provider_table, route
from turnout.gate.proof import Asked, proof
from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import API_KEY, ScriptedProvider


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/messages"),
        ("POST", "/"),
        ("DELETE", "/v1/models"),
        ("POST", "/v1/messages/batches"),
        ("GET", "/v1/models/"),
        ("GET", "/favicon.ico"),
        ("POST", "/v1/messages/"),
    ],
)
async def test_unknown_requests_are_404_in_the_apis_shape(
    proxy: StartProxy, client: httpx.AsyncClient, method: str, path: str
) -> None:
    running = await proxy()
    answer = await client.request(method, running.url + path, headers=HEADERS)
    assert answer.status_code == 404
    assert answer.json()["type"] == "error" and answer.json()["error"]["type"] == "not_found_error"


async def test_an_unknown_openai_path_is_404_in_openais_shape(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    running = await proxy()
    answer = await client.post(f"{running.url}/v1/chat/completions/1", json={})
    assert answer.status_code == 404 and "type" not in answer.json()
    assert answer.json()["error"]["type"] == "not_found_error" and answer.json()["error"]["code"] is None


@pytest.mark.parametrize("path", ["/", "/health", "/api/hello", "/v1/models", "/health?x=1"])
async def test_local_endpoints_answer_get_and_head(proxy: StartProxy, client: httpx.AsyncClient, path: str) -> None:
    """B5, A13: Claude Code opens with HEAD."""
    running = await proxy()
    got, head = await client.get(running.url + path), await client.head(running.url + path)
    assert got.status_code == head.status_code == 200
    assert got.json() and head.content == b""


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "no body"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[1]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"{}", "model: Field required"),
        (b'{"model": 4}', "model: Input should be a string"),
        (b'{"model": " "}', "should not be empty"),
    ],
)
async def test_bodies_that_cannot_be_routed_are_400(
    proxy: StartProxy, client: httpx.AsyncClient, content: bytes, part: str
) -> None:
    async with ScriptedProvider() as upstream:
        running = await proxy(anthropic_table(upstream))
        answer = await client.post(f"{running.url}/v1/messages", content=content, headers=HEADERS)
    assert answer.status_code == 400 and answer.json()["error"]["type"] == "invalid_request_error"
    assert part in answer.json()["error"]["message"] and not upstream.requests


@pytest.mark.parametrize("declared", [True, False])
async def test_too_large_is_413_as_json(proxy: StartProxy, client: httpx.AsyncClient, declared: bool) -> None:
    """C5, whether the size is declared or found out."""
    body = b'{"model":"m","x":"' + b"a" * 5000 + b'"}'

    async def pieces() -> Any:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    async with ScriptedProvider() as upstream:
        running = await proxy('[access]\nmax_body = "4KB"\n' + anthropic_table(upstream))
        answer = await client.post(
            f"{running.url}/v1/messages", content=body if declared else pieces(), headers=HEADERS
        )
        assert answer.status_code == 413 and answer.json()["error"]["type"] == "request_too_large"
        assert (await client.get(f"{running.url}/health")).status_code == 200, "the connection stays usable"
    assert not upstream.requests


KEYS = '[access]\nkeys = ["env:MY_TURNOUT_KEY"]\n'


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"x-turnout-key": "wrong"}, 401),
        ({"authorization": "Bearer open-sesame"}, 200),
        ({"x-api-key": "open-sesame"}, 200),
        ({"x-turnout-key": "open-sesame", "x-api-key": API_KEY}, 200),
        ({"authorization": "Basic open-sesame"}, 401),
    ],
)
async def test_client_keys(
    proxy: StartProxy,
    client: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
    status: int,
) -> None:
    """A client may bring a key and its own login; the key itself never goes on."""
    monkeypatch.setenv("MY_TURNOUT_KEY", "open-sesame")
    monkeypatch.setenv("REAL_ANTHROPIC_API_KEY", API_KEY)
    async with ScriptedProvider(forbid=["open-sesame"]) as upstream:
        running = await proxy(KEYS + anthropic_table(upstream))
        sent = {"anthropic-version": "2023-06-01", **headers}
        answer = await client.post(f"{running.url}/v1/messages", json=BODY, headers=sent)
        listing = await client.get(f"{running.url}/v1/models", headers=headers)
    assert answer.status_code == status and listing.status_code == status
    assert not upstream.violations and len(upstream.messages) == (status == 200)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example:8082"}, 403),
        ({"host": "localhost:1"}, 200),
        ({"host": "[::1]:8082"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:3000"}, 403),
        ({"origin": "https://mine.example"}, 200),
    ],
)
async def test_web_pages_cannot_spend_tokens(
    proxy: StartProxy, client: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    """DNS rebinding and cross-site requests stop at the gate."""
    async with ScriptedProvider() as upstream:
        running = await proxy('[access]\norigins = ["https://mine.example"]\n' + anthropic_table(upstream))
        answer = await client.post(f"{running.url}/v1/messages", json=BODY, headers={**HEADERS, **headers})
    assert answer.status_code == status and len(upstream.messages) == (status == 200)


async def test_models_are_listed_as_claude_code_reads_them(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """D6, E11: all that routes name, Anthropic's, and the user's own."""
    config = (
        '[models."claude-via-turnout/glm"]\nto = "zai/glm-5"\ncontext_length = 100_000\n'
        + route("minimax/MiniMax-M2.5", model="claude-haiku-*")
        + route("anthropic", model="my-name")
    )
    running = await proxy(config)
    listing = (await client.get(f"{running.url}/v1/models?limit=1000")).json()
    ids = [model["id"] for model in listing["data"]]
    assert {"claude-via-turnout/glm", "glm-5", "MiniMax-M2.5", "my-name", "claude-opus-5-5"} <= set(ids)
    assert "claude-haiku-*" not in ids and len(ids) == len(set(ids))
    assert listing["has_more"] is False and listing["first_id"] == ids[0] and listing["last_id"] == ids[-1]
    one = (await client.get(f"{running.url}/v1/models/claude-via-turnout%2Fglm")).json()
    assert one["type"] == "model" and one["max_input_tokens"] == 100_000
    assert (await client.get(f"{running.url}/v1/models/none-such")).status_code == 404


async def test_health_tells_the_state_without_secrets(
    proxy: StartProxy, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A13."""
    monkeypatch.setenv("FOREIGN_KEY", "sk-foreign-0123456789")
    async with ScriptedProvider(accepts="sk-foreign-0123456789") as upstream:
        table = (
            f'[providers.foreign]\nbase_url = "{upstream.url}"\nauth = "bearer"\ncredentials = ["env:FOREIGN_KEY"]\n'
        )
        running = await proxy(table + "max_concurrent = 2\n" + route("foreign/big"))
        assert (await ask(client, running.url)).status_code == 200
        await running.finished()
        health = await client.get(f"{running.url}/health")
        page = await client.get(running.url, headers={"accept": "text/html"})
    state = health.json()
    assert state["providers"]["foreign"]["recent"] == [200]
    assert state["providers"]["foreign"]["slots"] == {"in_use": 0, "limit": 2, "waiting": 0}
    assert state["providers"]["foreign"]["credentials"] == [{"label": "env:FOREIGN_KEY", "state": "set"}]
    assert state["usage"]["foreign/big"]["requests"] == 1 and state["exchanges"]["served"] == 1
    assert "sk-foreign" not in health.text + page.text
    assert page.headers["content-type"].startswith("text/html") and "foreign" in page.text


async def test_a_burst_of_requests_over_one_and_many_connections(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with ScriptedProvider() as upstream:
        running = await proxy(anthropic_table(upstream))
        answers = await asyncio.gather(*(ask(client, running.url) for _ in range(30)))
    assert {answer.status_code for answer in answers} == {200} and len(upstream.messages) == 30


async def test_a_fault_inside_turnout_is_a_json_500_and_nothing_leaves(
    proxy: StartProxy, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ScriptedProvider() as upstream, ScriptedProvider() as target:
        mode = f"reverse:{target.url}@127.0.0.1:0"
        running = await proxy(provider_table("first", upstream) + route("first"), mode=mode)

        def explode(*_: object) -> None:
            raise RuntimeError(f"boom {API_KEY}")

        monkeypatch.setattr(running.addon.bridge.dispatcher, "open", explode)
        answer = await ask(client, running.url)
    assert answer.status_code == 500 and answer.json()["error"]["type"] == "api_error"
    assert not upstream.requests and not target.requests and API_KEY not in answer.text


async def test_a_proof_of_a_client_key(
    proxy: StartProxy, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lets a request in at this very socket, and neither goes on nor stays in the flow."""
    monkeypatch.setenv("MY_TURNOUT_KEY", "open-sesame")
    monkeypatch.setenv("REAL_ANTHROPIC_API_KEY", API_KEY)
    async with ScriptedProvider() as upstream:
        running = await proxy(KEYS + anthropic_table(upstream))

        async def asked(port: int) -> httpx.Response:
            made = proof(b"open-sesame", Asked("POST", "/v1/messages?beta=true", "127.0.0.1", port), time.time())
            headers = {"anthropic-version": "2023-06-01", "x-turnout-proof": made}
            return await client.post(f"{running.url}/v1/messages?beta=true", json=BODY, headers=headers)

        served, refused = await asked(running.port), await asked(running.port + 1)
    assert (served.status_code, refused.status_code) == (200, 401)
    (message,) = upstream.messages
    assert "x-turnout-proof" not in message.lower
    assert [flow.request.headers.get("x-turnout-proof", "***") for flow in running.flows] == ["***", "***"]
