"""HTTP/1.1 over asyncio streams, as much as a scripted provider needs: requests in, answers out, nothing hidden."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import struct
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any


class MalformedRequest(Exception):
    """The bytes on the wire are not the HTTP/1.1 request they should be."""


@dataclass
class RecordedRequest:
    """One request as it arrived."""

    method: str
    target: str
    """Path with query string, as on the wire."""
    headers: list[tuple[str, str]]
    """In the order and spelling of the wire."""
    body: bytes = b""
    """After removal of chunking, before any content decoding."""
    arrived: float = field(default_factory=time.monotonic)
    connection: int = 0
    """Number of the connection it came on, counted from 0."""
    closed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    """Set when the other side closed the connection before the answer was complete."""
    finished: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    """Set when the scripted reply has been played to its end."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @cached_property
    def lower(self) -> dict[str, str]:
        """Headers by lower-case name; repeated ones joined by a comma."""
        result: dict[str, str] = {}
        for name, value in self.headers:
            key = name.lower()
            result[key] = f"{result[key]},{value}" if key in result else value
        return result

    @cached_property
    def json(self) -> Any:
        """The parsed body; None when it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def model(self) -> str:
        return str(self.json.get("model", "")) if isinstance(self.json, dict) else ""

    @property
    def streams(self) -> bool:
        return isinstance(self.json, dict) and self.json.get("stream") is True

    @property
    def betas(self) -> list[str]:
        return [beta.strip() for beta in self.lower.get("anthropic-beta", "").split(",") if beta.strip()]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    @property
    def tool_results(self) -> list[dict[str, Any]]:
        """Every tool_result block of the conversation, or every message of a tool, in order."""
        messages = self.json.get("messages", []) if isinstance(self.json, dict) else []
        if told := [message for message in messages if message.get("role") == "tool"]:
            return told
        contents = [message["content"] for message in messages if isinstance(message.get("content"), list)]
        return [block for content in contents for block in content if block.get("type") == "tool_result"]


class Incoming:
    """The reading side of one connection. It always reads, so that a departure is seen during an answer too."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self.gone = asyncio.Event()
        self._buffer = bytearray()
        self._arrived = asyncio.Event()
        self._pump = asyncio.ensure_future(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.read(65536):
                self._buffer += data
                self._arrived.set()
        except ConnectionError:
            pass
        finally:
            self.gone.set()
            self._arrived.set()

    async def stop(self) -> None:
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)

    async def _more(self) -> None:
        if self.gone.is_set():
            raise MalformedRequest("the connection was closed inside a request")
        self._arrived.clear()
        await self._arrived.wait()

    async def exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            await self._more()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    async def line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            await self._more()
        return (await self.exactly(end + 2))[:-2]

    async def request(self, connection: int = 0) -> RecordedRequest | None:
        """The next request; None when the connection ended between two requests."""
        while not self._buffer:
            if self.gone.is_set():
                return None
            self._arrived.clear()
            await self._arrived.wait()
        method, target, version = await self._request_line()
        headers: list[tuple[str, str]] = []
        while line := await self.line():
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon or name != name.strip():
                raise MalformedRequest(f"not a header line: {line!r}")
            headers.append((name, value.strip()))
        if version != "HTTP/1.1":
            raise MalformedRequest(f"{version} instead of HTTP/1.1")
        request = RecordedRequest(method, target, headers, connection=connection)
        request.body = await self._body(request)
        request.arrived = time.monotonic()
        return request

    async def _request_line(self) -> tuple[str, str, str]:
        parts = (await self.line()).decode("latin-1").split(" ")
        if len(parts) != 3:
            raise MalformedRequest(f"not a request line: {parts!r}")
        return parts[0], parts[1], parts[2]

    async def _body(self, request: RecordedRequest) -> bytes:
        length = request.lower.get("content-length")
        coding = request.lower.get("transfer-encoding")
        if length is not None and coding is not None:
            raise MalformedRequest("both content-length and transfer-encoding: request smuggling")
        if coding is not None:
            if coding.lower() != "chunked":
                raise MalformedRequest(f"transfer-encoding {coding!r}")
            return await self._chunks()
        if length is None:
            return b""
        if not length.isdecimal():
            raise MalformedRequest(f"content-length {length!r}")
        return await self.exactly(int(length))

    async def _chunks(self) -> bytes:
        body = b""
        while size := int((await self.line()).partition(b";")[0], 16):
            body += await self.exactly(size)
            if await self.exactly(2) != b"\r\n":
                raise MalformedRequest("a chunk that is longer than its size")
        while await self.line():
            pass
        return body


class Answer:
    """The writing side of one request's answer."""

    def __init__(self, writer: asyncio.StreamWriter, *, bodiless: bool, gzip: bool = False) -> None:
        self._writer = writer
        self._bodiless = bodiless
        self._compressor = zlib.compressobj(wbits=31) if gzip else None
        self._chunked = False

    async def head(self, status: int, headers: Iterable[tuple[str, str]], *, length: int | None = None) -> None:
        """Status line and headers; without `length` the body follows in chunks."""
        lines = [f"HTTP/1.1 {status} {_reason(status)}", *(f"{name}: {value}" for name, value in headers)]
        self._chunked = length is None
        if self._chunked and self._compressor:
            lines.append("content-encoding: gzip")
        lines.append("transfer-encoding: chunked" if self._chunked else f"content-length: {length}")
        await self._send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def part(self, data: bytes) -> None:
        """A piece of the body, on the wire at once."""
        if self._bodiless or not data:
            return
        if not self._chunked:
            await self._send(data)
            return
        if self._compressor:
            data = self._compressor.compress(data) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        await self._send(b"%x\r\n%s\r\n" % (len(data), data))

    async def end(self) -> None:
        """The clean end of the body."""
        if not self._chunked or self._bodiless:
            return
        rest = self._compressor.flush() if self._compressor else b""
        if rest:
            await self._send(b"%x\r\n%s\r\n" % (len(rest), rest))
        await self._send(b"0\r\n\r\n")

    async def whole(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        """A complete answer with a content-length."""
        await self.head(status, headers, length=len(body))
        await self.part(body)

    async def raw(self, data: bytes) -> None:
        await self._send(data)

    def abort(self, *, reset: bool = False) -> None:
        """Drop the connection: a FIN in the middle, or with `reset` a RST."""
        if reset:
            connection: socket.socket = self._writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Overloaded" if status == 529 else "Unknown"
