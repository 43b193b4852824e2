"""The two pretend providers of `turnout demo`, on loopback: one whose quota is used up, one that answers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files

QUOTA_WINDOW = 3 * 3600
"""Seconds until the pretend quota comes back."""

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class PretendProvider:
    """Answers every POST the same way and remembers the bodies it was sent."""

    name: str
    answer: Answer
    bodies: list[bytes] = field(default_factory=list)
    base_url: str = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[PretendProvider]:
        """Listen on a free port of 127.0.0.1; `base_url` tells which."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.bodies.append(await _read_body(reader))
            await self.answer(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the other side has left: nobody is there to be told
        finally:
            writer.close()


async def quota_used_up(writer: asyncio.StreamWriter) -> None:
    """What Anthropic sends when the five-hour window of a plan is used up."""
    reset = int(time.time()) + QUOTA_WINDOW
    body = {"type": "error", "error": {"type": "rate_limit_error", "message": "You have hit your usage limit."}}
    payload = json.dumps(body).encode()
    unified = {
        "status": "rejected",
        "reset": reset,
        "representative-claim": "five_hour",
        "5h-status": "rejected",
        "5h-reset": reset,
        "5h-utilization": "1.0",
        "overage-status": "rejected",
        "overage-disabled-reason": "out_of_credits",
    }
    headers = {
        "content-type": "application/json",
        "content-length": len(payload),
        "retry-after": QUOTA_WINDOW,
        "x-should-retry": "false",
        "request-id": "req_TurnoutDemo",
        **{f"anthropic-ratelimit-unified-{name}": value for name, value in unified.items()},
    }
    writer.write(_head("429 Too Many Requests", headers) + payload)
    await writer.drain()


def recorded_answer(pause: float) -> Answer:
    """Streams the packaged recording, with `pause` seconds before each piece of text."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(_head("200 OK", {"content-type": "text/event-stream", "transfer-encoding": "chunked"}))
        for event in recorded_events():
            if event.startswith(b"event: content_block_delta"):
                await asyncio.sleep(pause)
            writer.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    return answer


def recorded_events() -> list[bytes]:
    """The recording as its SSE events, blank line included."""
    recording = files("turnout.cli").joinpath("demo_answer.sse").read_bytes()
    return [event + b"\n\n" for event in recording.split(b"\n\n") if event]


async def _read_body(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    return await reader.readexactly(length)


def _head(status: str, headers: dict[str, object]) -> bytes:
    lines = [f"HTTP/1.1 {status}", "connection: close", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()
