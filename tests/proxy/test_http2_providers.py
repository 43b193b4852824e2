"""Providers that speak HTTP/2 alone, over TLS; and those that speak HTTP/1.1 go on being spoken to in it."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.proxy.http2_provider import Http2Provider
from tests.proxy.on_the_way import Company, ForwardProxy, Provider, listening
from tests.proxy.support import QUICK, ask, route, text_of
from turnout.testing.fixtures import StartProxy

MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {}}


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    return Company(tmp_path_factory.mktemp("company"))


def config(port: int, ca: Path, extra: str = "") -> str:
    table = f'[providers.p]\nbase_url = "https://localhost:{port}"\nauth = "none"\ntls.ca = "{ca}"\n'
    return QUICK + table + extra + route("p")


@pytest.mark.parametrize("trailers", [False, True])
async def test_a_provider_that_speaks_http2_alone(
    proxy: StartProxy, client: httpx.AsyncClient, company: Company, trailers: bool
) -> None:
    """The question is asked once, and costs one connection."""
    tls = company.server(protocols=["h2"])
    server = Http2Provider(trailers=trailers)
    async with listening(server, tls):
        running = await proxy(config(server.port, company.ca))
        for _ in range(2):
            answer = await ask(client, running.url)
            assert answer.status_code == 200 and text_of(answer)
            assert answer.http_version == "HTTP/1.1"
        async with httpx.AsyncClient(trust_env=False, timeout=20) as another:
            assert text_of(await ask(another, running.url))
    assert server.protocols == [None, "h2", "h2"] and len(server.requests) == 3
    assert server.requests[0][":path"] == "/v1/messages"


async def test_a_whole_answer_over_http2(proxy: StartProxy, client: httpx.AsyncClient, company: Company) -> None:
    tls = company.server(protocols=["h2"])
    server = Http2Provider(body=json.dumps(MESSAGE).encode(), kind="application/json", trailers=True)
    async with listening(server, tls):
        running = await proxy(config(server.port, company.ca))
        answer = await ask(client, running.url, {"stream": False})
        assert answer.status_code == 200 and answer.json()["id"] == "msg_1"


async def test_an_http2_connection_that_ends_is_followed_by_another(
    proxy: StartProxy, client: httpx.AsyncClient, company: Company
) -> None:
    tls = company.server(protocols=["h2"])
    server = Http2Provider(goaway=True)
    async with listening(server, tls):
        running = await proxy(config(server.port, company.ca))
        for _ in range(2):
            answer = await ask(client, running.url)
            assert answer.status_code == 200 and text_of(answer)


async def test_http2_through_a_proxy(proxy: StartProxy, client: httpx.AsyncClient, company: Company) -> None:
    tls = company.server(protocols=["h2"])
    server, out = Http2Provider(), ForwardProxy()
    async with listening(server, tls), listening(out):
        out.to = server.port
        running = await proxy(config(server.port, company.ca, f'proxy = "http://127.0.0.1:{out.port}"\n'))
        answer = await ask(client, running.url)
        assert answer.status_code == 200 and text_of(answer)
    assert server.protocols == [None, "h2"] and len(out.heads) == 2


@pytest.mark.parametrize("protocols", [["h2", "http/1.1"], ["http/1.1"], []])
async def test_http1_is_spoken_wherever_it_can_be(
    proxy: StartProxy, client: httpx.AsyncClient, company: Company, protocols: list[str]
) -> None:
    tls = company.server(protocols=protocols)
    server = Provider()
    async with listening(server, tls):
        running = await proxy(config(server.port, company.ca))
        for _ in range(2):
            assert text_of(await ask(client, running.url))
    assert len(server.heads) == 2 and server.heads[0][0] == "POST /v1/messages HTTP/1.1"
