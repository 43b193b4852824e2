"""A provider that costs next to nothing: a process of its own that answers with prepared bytes.

`python -m tests.bench.upstream` writes its two ports to standard output; both serve the same.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import cast

from tests.bench.messages import LONG, SHORT, answer_events, beginning, delta, ending

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ANSWER = re.compile(rb"\r\nx-bench-answer: *([^\r]+)", re.IGNORECASE)

_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_TOO_MANY = b'{"type":"error","error":{"type":"rate_limit_error","message":"Too many requests at once."}}'


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _whole(count: int) -> bytes:
    return _STREAM_HEAD + b"".join(map(_chunk, answer_events(count))) + _chunk(b"")


def _complete(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


_PREPARED = {b"short": _whole(SHORT), b"long": _whole(LONG)}
_BUSY = _complete("429 Too Many Requests", _TOO_MANY)


class Answering(asyncio.Protocol):
    """Reads a request to its end and answers it.

    A path under /busy answers 429, one under /closing hangs up. Every other one streams what the x-bench-answer header
    asks for: `short`, `long`, or `paced RATE SECONDS`, where every delta carries the time at which it was written.
    GET /failures tells how many requests were failed on purpose.
    """

    failures = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._head = b""
        self._missing = 0

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(self._head)
            self._missing = (int(length[1]) if length else 0) - (len(self._head) - end - 4)
            self._head = self._head[: end + 4]
        if not self._missing:
            head, self._head = self._head, b""
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        path = head.split(b" ", 2)[1]
        if path == b"/failures":
            self._transport.write(_complete("200 OK", b"%d" % Answering.failures))
        elif path.startswith((b"/busy", b"/closing")):
            Answering.failures += 1
            if path.startswith(b"/busy"):
                self._transport.write(_BUSY)
            else:
                self._transport.close()
        else:
            wanted = _ANSWER.search(head)
            words = wanted[1].split() if wanted else [b"short"]
            if words[0] == b"paced":
                self._pace(float(words[1]), float(words[2]))
            else:
                self._transport.write(_PREPARED[words[0]])

    def _pace(self, rate: float, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        count = int(rate * seconds)
        self._transport.write(_STREAM_HEAD + b"".join(map(_chunk, beginning())))

        def write(number: int) -> None:
            if self._transport.is_closing():
                return
            if number > count:
                self._transport.write(b"".join(map(_chunk, ending())) + _chunk(b""))
                return
            self._transport.write(_chunk(delta(f"t={time.monotonic_ns()};")))
            loop.call_at(begun + (number + 1) / rate, write, number + 1)

        loop.call_at(begun + 1 / rate, write, 1)


async def serve() -> None:
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Answering, "127.0.0.1", 0, backlog=256) for _ in range(2)]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(serve())
