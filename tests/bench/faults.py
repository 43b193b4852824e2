"""Providers that fail in every way, and clients that do: what the soak is made of."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
from collections.abc import Awaitable, Callable

from turnout.testing.events import stream_of

Writer = asyncio.StreamWriter
Behaviour = Callable[[Writer, bool, random.Random], Awaitable[bool]]
"""Answers one request, whose client wants a stream or not; False: the connection is given up."""

SSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
FRAMES = [each.encode() for each in stream_of()]
MESSAGE = json.dumps(
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-4-6",
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "content": [{"type": "text", "text": "hello"}],
        "usage": {"input_tokens": 10, "output_tokens": 20},
    }
).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def whole(status: int, body: bytes, *headers: bytes) -> bytes:
    lines = (b"HTTP/1.1 %d X" % status, b"content-type: application/json", b"content-length: %d" % len(body), *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def fault(status: int, kind: str) -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": f"scripted {status}"}}).encode()


async def good(writer: Writer, streams: bool, _: random.Random) -> bool:
    writer.write(SSE_HEAD + b"".join(map(chunk, FRAMES)) + chunk(b"") if streams else whole(200, MESSAGE))
    return True


async def trailers(writer: Writer, streams: bool, _: random.Random) -> bool:
    body = b"".join(map(chunk, FRAMES)) if streams else chunk(MESSAGE)
    writer.write((SSE_HEAD if streams else JSON_HEAD) + body + b"0\r\nserver-timing: total;dur=1\r\n\r\n")
    return True


async def drips(writer: Writer, streams: bool, dice: random.Random) -> bool:
    data = SSE_HEAD + b"".join(map(chunk, FRAMES)) + chunk(b"") if streams else whole(200, MESSAGE)
    while data:
        size = dice.randint(1, 200)
        writer.write(data[:size])
        data = data[size:]
        await writer.drain()
        await asyncio.sleep(0)
    return True


async def resets(writer: Writer, *_: object) -> bool:
    writer.transport.abort()
    return False


async def closes(*_: object) -> bool:
    return False


async def half_head(writer: Writer, _: bool, dice: random.Random) -> bool:
    writer.write(SSE_HEAD[: dice.randint(1, len(SSE_HEAD) - 1)])
    await writer.drain()
    if dice.random() < 0.3:
        await asyncio.sleep(5)  # longer than any limit of the soak
    return False


async def refuses_head(writer: Writer, _: bool, dice: random.Random) -> bool:
    heads = [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/9.9 what\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: y\r\n" % number for number in range(3000)) + b"\r\n",
        b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + whole(200, MESSAGE),
    ]
    writer.write(dice.choice(heads))
    await writer.drain()
    return False


async def wrong_length(writer: Writer, _: bool, dice: random.Random) -> bool:
    length = len(MESSAGE) + dice.choice([-7, 7])
    writer.write(whole(200, MESSAGE).replace(b"content-length: %d" % len(MESSAGE), b"content-length: %d" % length))
    await writer.drain()
    return False


async def bad_chunk(writer: Writer, streams: bool, dice: random.Random) -> bool:
    sent = FRAMES[: dice.randint(0, len(FRAMES) - 1)]
    writer.write((SSE_HEAD if streams else JSON_HEAD) + b"".join(map(chunk, sent)) + b"zz\r\n")
    await writer.drain()
    return False


async def breaks_off(writer: Writer, _: bool, dice: random.Random) -> bool:
    sent = b"".join(map(chunk, FRAMES))
    writer.write(SSE_HEAD + sent[: dice.randint(0, len(sent) - 1)])
    await writer.drain()
    if dice.random() < 0.5:
        writer.transport.abort()
    return False


async def falls_silent(writer: Writer, _: bool, dice: random.Random) -> bool:
    writer.write(SSE_HEAD + b"".join(map(chunk, FRAMES[: dice.randint(0, 3)])))
    await writer.drain()
    await asyncio.sleep(5)
    return False


async def endless(writer: Writer, streams: bool, dice: random.Random) -> bool:
    """A body without end: of an error, of a message, or of a stream without an event."""
    head = dice.choice([JSON_HEAD, JSON_HEAD.replace(b"200 OK", b"500 X"), SSE_HEAD if streams else JSON_HEAD])
    writer.write(head)
    for _ in range(80):
        writer.write(chunk(b"q" * 65536))
        await writer.drain()
    writer.write(chunk(b""))
    return True


async def bomb(writer: Writer, *_: object) -> bool:
    writer.write(whole(200, gzip.compress(b"{" + b" " * 20_000_000), b"content-encoding: gzip"))
    return True


async def another_shape(writer: Writer, _: bool, dice: random.Random) -> bool:
    writer.write(
        dice.choice(
            [
                whole(200, MESSAGE),
                SSE_HEAD + b"".join(map(chunk, FRAMES)) + chunk(b""),
                SSE_HEAD + chunk(MESSAGE) + chunk(b""),
                SSE_HEAD + chunk(b""),
                whole(200, b"<html>not an answer</html>"),
                b"HTTP/1.1 204 No Content\r\n\r\n",
                whole(200, b""),
            ]
        )
    )
    return True


async def error_inside(writer: Writer, _: bool, dice: random.Random) -> bool:
    frame = b"event: error\ndata: " + fault(529, "overloaded_error") + b"\n\n"
    sent = FRAMES[: dice.choice([0, 0, 3])]
    writer.write(SSE_HEAD + b"".join(map(chunk, [*sent, frame])) + chunk(b""))
    return True


def error(status: int, kind: str, *headers: bytes) -> Behaviour:
    async def answer(writer: Writer, *_: object) -> bool:
        writer.write(whole(status, fault(status, kind), *headers))
        return True

    return answer


BEHAVIOURS: list[tuple[int, Behaviour]] = [
    (40, good),
    (5, trailers),
    (4, drips),
    (4, resets),
    (4, closes),
    (4, half_head),
    (5, refuses_head),
    (4, wrong_length),
    (4, bad_chunk),
    (5, breaks_off),
    (2, falls_silent),
    (1, endless),
    (1, bomb),
    (5, another_shape),
    (4, error_inside),
    (4, error(529, "overloaded_error")),
    (3, error(429, "rate_limit_error", b"retry-after: 99999999999")),
    (3, error(500, "api_error")),
    (2, error(400, "invalid_request_error")),
    (2, error(401, "authentication_error")),
]


class FaultyProvider:
    """Serves on a port of its own until the loop ends; each request is answered in a way that dice choose."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self.port = 0
        self.open = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=1 << 25)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _connected(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        self.open += 1
        try:
            if self._dice.random() < 0.02:
                return  # refused as far as a listener can
            while await self._serve(reader, writer):
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.transport.abort() if self._dice.random() < 0.5 else writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: Writer) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or b"0")
        body = await reader.readexactly(length)
        weights, behaviours = zip(*BEHAVIOURS, strict=True)
        (behave,) = self._dice.choices(behaviours, weights)
        return await behave(writer, b'"stream":true' in body, self._dice)
