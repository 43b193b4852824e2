"""Failover at HTTP/2 providers: several attempts share a connection, each on a stream of its own."""

from __future__ import annotations

import h2.config
import h2.connection
import h2.events
import pytest

from tests.layer.driver import Wire, body_of, is_ended
from tests.layer.test_failover import REQUEST, Addon, failover_streams

__all__ = ["failover_streams"]


class Http2Provider:
    """The provider's end of a Wire's last server connection."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.read = 0
        self.reset: list[int] = []
        self.requests: list[int] = []
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.connection.initiate_connection()
        self.flush()

    def flush(self) -> None:
        """Exchange bytes until neither side has any left."""
        while True:
            sent = bytes(self.wire.sent.get(self.wire.servers[0], b""))[self.read :]
            self.read += len(sent)
            for event in self.connection.receive_data(sent) if sent else ():
                if isinstance(event, h2.events.RequestReceived):
                    self.requests.append(event.stream_id)
                elif isinstance(event, h2.events.StreamReset):
                    self.reset.append(event.stream_id)
            out = self.connection.data_to_send()
            if not out and not sent:
                return
            if out:
                self.wire.server_sends(out, 0)

    def answer(self, status: int, kind: str, *parts: bytes, end: bool = True) -> None:
        stream = self.requests[-1]
        self.connection.send_headers(stream, [(":status", str(status)), ("content-type", kind)])
        for part in parts:
            self.connection.send_data(stream, part)
        if end:
            self.connection.end_stream(stream)
        self.flush()


def wire_with_http2(addon: Addon) -> tuple[Wire, Http2Provider]:
    wire = addon.wire()
    wire.alpn = b"h2"
    wire.client_sends(REQUEST)
    return wire, Http2Provider(wire)


@pytest.mark.parametrize("first", ["429", "error event", "empty stream"])
def test_the_next_attempt_uses_the_same_connection(first: str) -> None:
    addon = Addon(2, same_port=True)
    wire, provider = wire_with_http2(addon)
    if first == "429":
        provider.answer(429, "application/json", b"{}")
    elif first == "error event":
        provider.answer(200, "text/event-stream", b"bad", end=False)
    else:
        provider.answer(200, "text/event-stream")
    provider.flush()
    assert addon.attempts == 2 and len(provider.requests) == 2 and len(wire.servers) == 1
    assert provider.reset == ([provider.requests[0]] if first == "error event" else [])
    provider.answer(200, "text/event-stream", b"ok", b" and more")
    assert body_of(wire.answer) == b"ok and more" and addon.events == ["response"]
    assert not wire.streams


def test_data_of_the_abandoned_stream_reaches_nobody() -> None:
    addon = Addon(2, same_port=True)
    wire, provider = wire_with_http2(addon)
    stream = provider.requests[0]
    provider.connection.send_headers(stream, [(":status", "200"), ("content-type", "text/event-stream")])
    provider.connection.send_data(stream, b"bad")
    provider.connection.send_data(stream, b"ok, too late", end_stream=True)
    provider.flush()
    provider.answer(200, "text/event-stream", b"ok")
    assert body_of(wire.answer) == b"ok" and wire.answer.count(b"HTTP/1.1") == 1


def test_death_in_mid_stream_is_told() -> None:
    addon = Addon(2, same_port=True)
    wire, provider = wire_with_http2(addon)
    provider.answer(200, "text/event-stream", b"ok", end=False)
    provider.connection.reset_stream(provider.requests[0])
    provider.flush()
    assert body_of(wire.answer) == b"okevent: error\n\n" and not is_ended(wire.answer)
    assert addon.attempts == 1


def test_an_empty_frame_in_mid_stream_is_not_the_end() -> None:
    addon = Addon(2, same_port=True)
    wire, provider = wire_with_http2(addon)
    provider.answer(200, "text/event-stream", b"ok", b"", b" and more", end=False)
    assert not addon.monitors[0].finished
    provider.connection.end_stream(provider.requests[-1])
    provider.flush()
    assert body_of(wire.answer) == b"ok and more" and addon.monitors[0].finished
