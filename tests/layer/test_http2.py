"""Failover at HTTP/2 providers: several attempts share a connection, each on a stream of its own."""

from __future__ import annotations

import contextlib
import json

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest
from mitmproxy import http
from mitmproxy.proxy import events

from tests.layer.driver import Wire, body_of, is_ended
from tests.layer.scenery import REQUEST, Addon, plain


class Http2Provider:
    """The provider's end of one of a Wire's server connections."""

    def __init__(self, wire: Wire, number: int = 0) -> None:
        self.wire = wire
        self.number = number
        self.read = 0
        self.reset: list[int] = []
        self.requests: list[int] = []
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.connection.initiate_connection()
        self.flush()

    def flush(self) -> None:
        """Exchange bytes until neither side has any left."""
        while True:
            sent = bytes(self.wire.sent.get(self.wire.servers[self.number], b""))[self.read :]
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
                self.wire.server_sends(out, self.number)

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


@pytest.mark.parametrize("kind", ["text/event-stream", "application/json"])
def test_trailers_end_an_answer(kind: str) -> None:
    """HTTP/1 towards the client has no place for them in mitmproxy; RFC 9110 §6.5.1 allows to drop them."""
    addon = Addon(2, same_port=True)
    wire, provider = wire_with_http2(addon)
    provider.answer(200, kind, b"ok", end=False)
    provider.connection.send_headers(provider.requests[-1], [("x-checksum", "1")], end_stream=True)
    provider.flush()
    assert wire.answer.endswith(b"\r\n\r\nok") and b"checksum" not in wire.answer
    assert addon.events == ["response"] and not wire.streams
    assert wire.client in wire.closed, "which is how an answer of unknown length ends"


def test_interim_answers_are_read_over() -> None:
    addon = Addon(2, same_port=True)
    wire, provider = wire_with_http2(addon)
    for status in ("100", "103"):
        provider.connection.send_headers(provider.requests[-1], [(":status", status), ("link", "</x>")])
    provider.answer(200, "text/event-stream", b"ok")
    assert body_of(wire.answer) == b"ok" and wire.answer.count(b"HTTP/1.1 ") == 1 and addon.attempts == 1


class Http2Client:
    """The client's end of a Wire."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.read = 0
        self.events: list[h2.events.Event] = []
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.connection.initiate_connection()
        self.flush()

    def flush(self) -> None:
        while True:
            sent = self.wire.answer[self.read :]
            self.read += len(sent)
            self.events += self.connection.receive_data(sent) if sent else ()
            out = self.connection.data_to_send()
            if not out and not sent:
                return
            if out:
                self.wire.client_sends(out)

    def begin(self, *more: tuple[str, str], scheme: str = "https") -> int:
        stream = self.connection.get_next_available_stream_id()
        pseudo = [(":method", "POST"), (":path", "/v1/messages"), (":scheme", scheme), (":authority", "t")]
        self.connection.send_headers(stream, [*pseudo, *more])
        self.flush()
        return stream

    def answer(self, stream: int) -> tuple[dict[str, str], bytes]:
        """Header and content of the answer on this stream, which must have ended well."""
        mine = [event for event in self.events if getattr(event, "stream_id", None) == stream]
        assert isinstance(mine[-1], h2.events.StreamEnded), mine
        head = next(event for event in mine if isinstance(event, h2.events.ResponseReceived))
        data = [event.data or b"" for event in mine if isinstance(event, h2.events.DataReceived)]
        return {str(name): str(value) for name, value in head.headers or ()}, b"".join(data)


def client_with_http2(addon: Addon) -> Http2Client:
    wire = addon.wire()
    wire.client.alpn = b"h2"
    wire.client.tls = True
    wire.layer.connections.clear()
    wire.sent.clear()
    wire.feed(events.Start())
    return Http2Client(wire)


def test_trailers_of_a_client_are_dropped() -> None:
    addon = Addon()
    client = client_with_http2(addon)
    stream = client.begin()
    client.connection.send_data(stream, b"{}")
    client.connection.send_headers(stream, [("x-checksum", "1")], end_stream=True)
    client.flush()
    assert client.wire.received_by().endswith(b"{}") and b"checksum" not in client.wire.received_by()
    client.wire.server_sends(plain(200, b"ok"))
    client.flush()
    assert client.answer(stream)[1] == b"ok" and addon.events == ["response"]


def test_a_refusal_does_not_wait_for_the_body() -> None:
    """The connection, which serves other requests, stays; what still comes of this one reaches nobody."""
    addon = Addon()
    client = client_with_http2(addon)

    def refuse(flow: http.HTTPFlow) -> None:
        flow.response = http.Response.make(401, b"{}")

    client.wire.hooks["requestheaders"] = refuse
    stream = client.begin()
    headers, content = client.answer(stream)
    assert headers[":status"] == "401" and content == b"{}" and "connection" not in headers
    assert addon.events == ["response"] and not client.wire.streams
    client.connection.send_data(stream, b"x" * 10_000, end_stream=True)
    client.flush()
    assert client.answer(client.begin())[0][":status"] == "401"


def test_what_mitmproxy_refuses_is_json() -> None:
    addon = Addon()
    client = client_with_http2(addon)
    stream = client.begin(scheme="ftp")
    headers, content = client.answer(stream)
    assert headers[":status"] == "400" and headers["content-type"] == "application/json"
    assert json.loads(content)["error"]["type"] == "invalid_request_error" and addon.events == ["error"]


@pytest.mark.parametrize("frames", ["one large list", "continuation without end"])
def test_heads_are_bounded_by_h2(frames: str) -> None:
    """Canary: h2 bounds a list of headers to 64 KB and the frames of one to 64 (`CONTINUATION_BACKLOG`)."""
    addon = Addon()
    client = client_with_http2(addon)
    if frames == "one large list":
        with contextlib.suppress(h2.exceptions.ProtocolError):
            client.begin(*((f"x-{number}", "y" * 1000) for number in range(70)))
    else:
        client.wire.client_sends(b"\x00\x00\x01\x01\x00\x00\x00\x00\x01\x88")
        for _ in range(70):
            client.wire.client_sends(b"\x00\x00\x01\x09\x00\x00\x00\x00\x01\x88")
    assert client.wire.client in client.wire.closed and not client.wire.streams
