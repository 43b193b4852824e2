"""The client: sends prepared bytes over a few kept connections and looks only for the first and the last event."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

_STAMP = re.compile(rb"t=(\d+);")
_LAST_CHUNK = b"0\r\n\r\n"
_READ = 1 << 16


class Client:
    """One kept connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port: int) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def close(self) -> None:
        self._writer.close()

    async def exchange(self, request: bytes, delays: list[float] | None = None) -> float:
        """Send a request and read its whole streamed answer.

        Returns the seconds to the first event. `delays` receives, for every stamped event, the seconds it travelled.
        Raises RuntimeError for any answer but a complete stream.
        """
        begun = time.perf_counter()
        self._writer.write(request)
        await self._writer.drain()
        first = 0.0
        seen = b""
        tail = b""
        while tail != _LAST_CHUNK:
            data = await self._reader.read(_READ)
            if not first:
                seen += data
                if not data or not seen.startswith(b"HTTP/1.1 200"):
                    raise RuntimeError(f"not a streamed answer: {seen[:600]!r}")
                if b"event:" in seen:
                    first = time.perf_counter() - begun
            elif not data:
                raise RuntimeError("the stream broke off")
            if delays is not None:
                now = time.monotonic_ns()
                delays += [(now - int(stamp)) / 1e9 for stamp in _STAMP.findall(data)]
            tail = (tail + data[-len(_LAST_CHUNK) :])[-len(_LAST_CHUNK) :]
        return first


@dataclass(frozen=True)
class Burst:
    """What the client saw of a number of requests."""

    first_events: list[float]
    """Seconds from sending to the first event, one for each request."""
    seconds: float
    """From the first request to the end of the last answer."""
    cost: float
    """What `meter` counted in that time."""


async def burst(port: int, request: bytes, count: int, connections: int, meter: Callable[[], float]) -> Burst:
    """Send a request `count` times, the next one on each connection as soon as its last answer has ended."""
    clients = [await Client.connect(port) for _ in range(connections)]
    for client in clients:
        await client.exchange(request)  # has the proxy dial upstream, which is not what is measured
    waiting = iter(range(count))
    first_events: list[float] = []

    async def work(client: Client) -> None:
        for _ in waiting:
            first_events.append(await client.exchange(request))

    spent = meter()
    begun = time.perf_counter()
    await asyncio.gather(*map(work, clients))
    seconds = time.perf_counter() - begun
    spent = meter() - spent
    for client in clients:
        client.close()
    return Burst(first_events, seconds, spent)


async def paced(port: int, request: bytes, streams: int) -> list[float]:
    """Run streams side by side; the travelling time in seconds of every stamped event of all of them."""
    delays: list[float] = []
    clients = [await Client.connect(port) for _ in range(streams)]
    await asyncio.gather(*(client.exchange(request, delays) for client in clients))
    for client in clients:
        client.close()
    return delays
