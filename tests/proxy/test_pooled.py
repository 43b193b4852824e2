"""A connection that the provider had just closed, over real sockets: dialled again, and nobody is blamed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Literal

import httpx
import pytest

from tests.proxy.support import BODY, HEADERS, QUICK, ask, provider_table, route
from tests.proxy.test_failover import nothing_held
from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import ScriptedProvider

ANSWER = json.dumps(
    {"type": "message", "id": "m", "role": "assistant", "model": "m", "content": [], "stop_reason": "end_turn"}
).encode()

How = Literal["close", "reset"]


class Closing:
    """Answers the first request of every connection, and closes it as soon as something of a second one comes."""

    def __init__(self, how: How, whole: bool, served: int) -> None:
        self.how, self.whole = how, whole
        self.served = served
        """How many connections behave so; on later ones every request is closed on."""
        self.connections = self.answered = 0
        self.tasks: list[asyncio.Task[None]] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.tasks.append(task)
        self.writers.append(writer)
        try:
            await self._serve(reader, writer)
        finally:
            writer.transport.abort() if self.how == "reset" else writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if self.connections <= self.served:
                await self._request(reader)
                head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(ANSWER)}\r\n\r\n"
                writer.write(head.encode() + ANSWER)
                self.answered += 1
            await (self._request(reader) if self.whole else reader.readexactly(1))
        if self.how == "reset":
            with contextlib.suppress(OSError):  # the test may be over
                linger = b"\1\0\0\0\0\0\0\0"
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    async def _request(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.decode().lower().splitlines() if line.startswith("content-length:"))
        await reader.readexactly(int(length.partition(":")[2]))


@contextlib.asynccontextmanager
async def closing(how: How, *, whole: bool = True, served: int = 99) -> AsyncIterator[tuple[str, Closing]]:
    provider = Closing(how, whole, served)
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", provider
    finally:
        server.close()  # and not waited for: the proxy still keeps connections open
        for writer in provider.writers:
            writer.transport.abort()
        await asyncio.gather(*provider.tasks, return_exceptions=True)


def config(url: str, second: ScriptedProvider) -> str:
    table = f'[providers.first]\nbase_url = "{url}"\nauth = "none"\n'
    return QUICK + table + provider_table("second", second, key="key-2") + route("first", "second")


@pytest.mark.parametrize("size", [10, 5_000_000])
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("how", ["close", "reset"])
async def test_it_is_dialled_again_and_nobody_is_blamed(
    proxy: StartProxy, client: httpx.AsyncClient, how: How, whole: bool, size: int
) -> None:
    """mitmproxy/mitmproxy#3038; also while the request is still being sent."""
    messages = [{"role": "user", "content": "x" * size}]
    async with closing(how, whole=whole) as (url, first), ScriptedProvider(accepts="key-2") as second:
        running = await proxy(config(url, second))
        for _ in range(3):
            answer = await ask(client, running.url, {"stream": False, "messages": messages})
            assert answer.status_code == 200 and answer.json()["id"] == "m"
        flows = await running.finished(3)
        assert (first.answered, first.connections) == (3, 3) and not second.requests
        assert not running.addon.bridge.dispatcher.cooldowns.snapshot()
        assert ["first (dialled again) 200" in flow.comment for flow in flows] == [False, True, True]
        nothing_held(running)


async def test_a_second_end_is_an_ordinary_failure(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with closing("close", served=1) as (url, first), ScriptedProvider(accepts="key-2") as second:
        running = await proxy(config(url, second))
        await ask(client, running.url, {"stream": False})
        answer = await ask(client, running.url, {"stream": False})
        _, failed, _ = await running.finished(3)
        assert answer.status_code == 200 and len(second.requests) == 1 and first.connections == 2
        assert failed.comment.startswith("attempt 1/2 · first · connection closed, resets ")
        assert failed.comment.endswith(", dialled again")
        assert [each["provider"] for each in running.addon.bridge.dispatcher.cooldowns.snapshot()] == ["first"]


async def test_several_at_once(proxy: StartProxy) -> None:
    async with closing("close") as (url, first), ScriptedProvider(accepts="key-2") as second:
        running = await proxy(config(url, second))
        clients = [httpx.AsyncClient(timeout=30) for _ in range(4)]
        for _ in range(2):
            body = {**BODY, "stream": False}
            asking = (each.post(f"{running.url}/v1/messages", json=body, headers=HEADERS) for each in clients)
            assert [answer.status_code for answer in await asyncio.gather(*asking)] == [200] * 4
        for each in clients:
            await each.aclose()
        await running.finished(8)
        assert (first.answered, first.connections) == (8, 8) and not second.requests
        nothing_held(running)
