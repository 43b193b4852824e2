"""What stands between a client of a company and a provider: TLS that a company's authority vouches for, and a proxy."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mitmproxy import certs

from turnout.testing.events import stream_of

STREAM = b"".join(event.encode("m") for event in stream_of())
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(STREAM) + STREAM


class Company:
    """An authority of its own. `ca` is the file with its certificate."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        certs.CertStore.create_store(directory, "company", 2048)
        self._store = certs.CertStore.from_store(directory, "company", 2048, None)
        self.ca = directory / "company-ca-cert.pem"
        self._directory = directory

    def server(self, name: str = "localhost", protocols: Sequence[str] = ()) -> ssl.SSLContext:
        """The TLS of a server whose certificate it has signed, which speaks `protocols` (ALPN) if any are given."""
        from cryptography import x509

        entry = self._store.get_cert(name, [x509.DNSName(name)])
        file = self._directory / f"{name}.pem"
        file.write_bytes(entry.cert.to_pem() + _pem(entry.privatekey))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        if protocols:
            context.set_alpn_protocols(protocols)
        return context


def _pem(key: object) -> bytes:
    from cryptography.hazmat.primitives import serialization as form

    found: bytes = key.private_bytes(  # type: ignore[attr-defined]
        form.Encoding.PEM, form.PrivateFormat.TraditionalOpenSSL, form.NoEncryption()
    )
    return found


async def head_of(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    """Start line and headers of a request; empty when the other side has left."""
    try:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return "", {}
    fields = (line.partition(":") for line in lines[1:] if line)
    return lines[0], {name.lower(): value.strip() for name, _, value in fields}


@dataclass
class Provider:
    """Answers every request with the same stream, in TLS if it has some."""

    port: int = 0
    heads: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    answer: bytes = ANSWER

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            while (head := await head_of(reader))[0]:
                await reader.readexactly(int(head[1].get("content-length", "0")))
                self.heads.append(head)
                writer.write(self.answer)
                await writer.drain()
        writer.close()


@dataclass
class ForwardProxy:
    """A company's proxy, of which every host is this machine: it leads to `to`, whatever it is asked for."""

    to: int = 0
    port: int = 0
    login: str = ""
    status: str = "200 Connection established"
    heads: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    hang: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            await self._serve(reader, writer)
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line, fields = await head_of(reader)
        if not line:
            return
        self.heads.append((line, fields))
        if self.hang:
            await reader.read()
            return
        status = self.status
        token = base64.b64encode(self.login.encode()).decode()
        if self.login and fields.get("proxy-authorization") != f"Basic {token}":
            status = "407 Proxy Authentication Required"
        if not status.startswith("200"):
            writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode())
            await writer.drain()
            await reader.read()
            return
        there, onwards = await asyncio.open_connection("127.0.0.1", self.to)
        if line.startswith("CONNECT "):
            writer.write(f"HTTP/1.1 {status}\r\n\r\n".encode())
        else:
            method, url, version = line.split(" ")
            kept = {name: value for name, value in fields.items() if not name.startswith("proxy-")}
            path = "/" + url.split("/", 3)[3]
            onwards.write(f"{method} {path} {version}\r\n".encode())
            onwards.write("".join(f"{name}: {value}\r\n" for name, value in kept.items()).encode() + b"\r\n")
        await asyncio.gather(_pipe(reader, onwards), _pipe(there, writer))


class Server(Protocol):
    port: int

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None: ...


async def _pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()


@contextlib.asynccontextmanager
async def listening(server: Server, tls: ssl.SSLContext | None = None) -> AsyncIterator[None]:
    """Serve on a free port, which `server.port` tells."""
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        listener.close()
