"""A loopback provider that speaks HTTP/2 alone."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass, field
from typing import Any

import h2.config
import h2.connection
import h2.events

from tests.proxy.on_the_way import STREAM


@dataclass
class Http2Provider:
    """Answers every request with a stream. `strict`: it ends a handshake in which HTTP/2 is not offered."""

    port: int = 0
    trailers: bool = False
    goaway: bool = False
    body: bytes = STREAM
    kind: str = "text/event-stream"
    requests: list[dict[str, str]] = field(default_factory=list)
    protocols: list[str | None] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.protocols.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        machine = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        machine.initiate_connection()
        writer.write(machine.data_to_send())
        with contextlib.suppress(ConnectionError, h2.exceptions.ProtocolError, ssl.SSLError):
            while data := await reader.read(65536):
                for event in machine.receive_data(data):
                    self._on(machine, event)
                writer.write(machine.data_to_send())
                await writer.drain()
        writer.close()

    def _on(self, machine: h2.connection.H2Connection, event: Any) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self.requests.append({str(name): str(value) for name, value in event.headers})
        elif isinstance(event, h2.events.DataReceived):
            machine.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            stream = event.stream_id
            machine.send_headers(stream, [(":status", "103"), ("link", "</x>")])
            machine.send_headers(stream, [(":status", "200"), ("content-type", self.kind)])
            half = len(self.body) // 2
            machine.send_data(stream, self.body[:half])
            machine.send_data(stream, self.body[half:], end_stream=not self.trailers)
            if self.trailers:
                machine.send_headers(stream, [("x-checksum", "1")], end_stream=True)
            if self.goaway:
                machine.close_connection(last_stream_id=stream)
