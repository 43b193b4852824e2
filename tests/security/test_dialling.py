"""The last guard: a hook that finds a way past streams and layers still dials nothing (A17)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.proxy.support import QUICK, ask, provider_table, route
from tests.security.remote import Target
from turnout.proxy.dialling import NOT_PREPARED
from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import ScriptedProvider

PASSES_TLS_ON = "def tls_clienthello(data):\n    data.ignore_connection = True\n"
"""As mitmproxy's own examples do: the connection becomes raw TCP, to the target of reverse mode."""


@pytest.fixture
def target() -> Iterator[Target]:
    made = Target()
    yield made
    made.close()


async def test_tls_that_another_addon_passes_on_reaches_nothing(
    proxy: StartProxy, target: Target, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = tmp_path / "passes_on.py"
    script.write_text(PASSES_TLS_ON)
    running = await proxy(mode=f"reverse:https://127.0.0.1:{target.port}@127.0.0.1:0", scripts=[script])
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with caplog.at_level(logging.INFO, "mitmproxy.proxy.server"), contextlib.suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port, ssl=context)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert not await asyncio.wait_for(reader.read(), 10)
        writer.close()
    assert NOT_PREPARED in caplog.text and target.connections == 0


async def test_other_modes_dial_as_ever(proxy: StartProxy, target: Target) -> None:
    """Turnout serves reverse mode only, and minds nobody else's business."""
    running = await proxy(mode="regular@127.0.0.1:0")
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(f"GET http://127.0.0.1:{target.port}/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    assert await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert target.connections == 1


@pytest.mark.parametrize("first", [True, False])
async def test_an_address_that_changes_before_the_dial_is_not_dialled(
    proxy: StartProxy, client: httpx.AsyncClient, target: Target, tmp_path: Path, first: bool
) -> None:
    """The request in it holds a key that is bound to another address."""
    script = tmp_path / "moves.py"
    script.write_text(f"def server_connect(data):\n    data.server.address = ('127.0.0.1', {target.port})\n")
    async with ScriptedProvider(accepts="key-1") as upstream:
        config = provider_table("p", upstream, key="key-1") + route("p") + QUICK
        scripts: dict[str, Any] = {"before": [script]} if first else {"scripts": [script]}
        running = await proxy(config, **scripts)
        answer = await ask(client, running.url)
        assert answer.status_code == 502 and answer.json()["type"] == "error" and not upstream.requests
    assert target.connections == 0


REWRITES = {
    "proxy_mode": "from mitmproxy.proxy.mode_specs import ProxyMode\n"
    "def requestheaders(flow):\n    flow.client_conn.proxy_mode = ProxyMode.parse('regular')\n",
    "is_replay": "def requestheaders(flow):\n    flow.is_replay = 'request'\n",
}


@pytest.mark.parametrize("what", REWRITES)
async def test_an_addon_cannot_make_another_connection_of_one(
    proxy: StartProxy, client: httpx.AsyncClient, target: Target, tmp_path: Path, what: str
) -> None:
    """What came in by reverse mode is gated, and what a client has sent is no replay of the user's."""
    script = tmp_path / "rewrites.py"
    script.write_text(REWRITES[what])
    async with ScriptedProvider(accepts="key-1") as upstream:
        keys = '[access]\nkeys = ["a-client-key-0001"]\n'
        config = keys + provider_table("p", upstream, key="key-1") + route("p") + QUICK
        mode = f"reverse:http://127.0.0.1:{target.port}@127.0.0.1:0"
        running = await proxy(config, mode=mode, before=[script])
        assert (await ask(client, running.url)).status_code == 401 and not upstream.requests
        entitled = await ask(client, running.url, x_turnout_key="a-client-key-0001")
        assert entitled.status_code == 200 and len(upstream.messages) == 1
    assert target.connections == 0
