"""mitmproxy's HTTP/1 connections, for reverse mode: bounded, refusing in JSON, and closing so that the client can read.

What differs from mitmproxy/proxy/layers/http/_http1.py:
- heads, chunk lines and trailers are bounded (`bounds`); a head may take a limited time;
- trailers end a message and are dropped (RFC 9110 §6.5.1), where mitmproxy raises NotImplementedError;
- interim answers (RFC 9110 §15.2) are read over, where mitmproxy takes the first for the answer;
- what cannot be read as HTTP is answered in the API's error shape, where mitmproxy sends a page or just closes;
- an answer that is given before its request has come closes the connection, in the way of RFC 9112 §9.6.
"""

from __future__ import annotations

import abc
import re
import time
from collections.abc import Callable, Generator
from typing import Any

import h11
from h11._readers import ChunkedReader
from mitmproxy import http
from mitmproxy.connection import ConnectionState
from mitmproxy.net.http import http1
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import RequestHeaders, RequestProtocolError, ResponseHeaders
from mitmproxy.proxy.layers.http._http1 import Http1Client, Http1Connection, Http1Server, make_body_reader
from mitmproxy.utils import human

from turnout.errors import dialect_of
from turnout.proxy.bounds import BoundedBuffer, BoundedChunks, TooLarge
from turnout.proxy.compat import STOCK, broken_off
from turnout.proxy.modes import is_reverse
from turnout.proxy.pages import local_error

Commands = Generator[commands.Command, Any, None]

HEAD_WITHIN = 60.0
"""Seconds from the first byte of a request's head to its last; Node (`headersTimeout`) and nginx give as long."""

LINGER_LOOK = 5.0
"""Seconds without a byte after which a refused client is not listened to any more (nginx: `lingering_timeout`)."""

LINGER_LOOKS = 6
"""How many times that at most, however much it still sends: 30 s, nginx's `lingering_time`."""

LINGER_BYTES = 64 * 1024 * 1024
"""Bytes that a refused client may still send: twice the default of access.max_body, a fraction of a second of work."""

MAX_AHEAD = 1024 * 1024
"""Bytes that a client may send ahead while its last request is answered. mitmproxy has no pipelining and keeps them."""

MAX_INTERIM = 64
"""Interim answers to one request. At one every 10 s, as a sign of life, they last for ten minutes."""

_INTERIM = re.compile(rb"HTTP/1\.[01] 1(?!01)[0-9]{2}[ \r\n]")
_SWITCHING = re.compile(rb"HTTP/1\.[01] 101[ \r\n]")

_SERVED = ("HTTP/1.1", "HTTP/1.0")

MAX_QUOTED = 200
"""Characters of a client's own words in an error that tells it what is wrong with them."""


class _Bounded(Http1Connection):
    """What both ends have in common."""

    def read_body(self, event: events.Event) -> Commands:
        assert self.stream_id is not None and self.request is not None
        if type(self.body_reader) is ChunkedReader:
            self.body_reader = BoundedChunks()
        closed = isinstance(event, events.ConnectionClosed)
        is_request = isinstance(self, Http1Server)
        while True:
            try:
                part = self.body_reader.read_eof() if closed else self.body_reader(self.buf)
            except h11.ProtocolError as error:
                yield from self._broken(f"HTTP/1 protocol error: {error}")
                return
            if part is None:
                return
            if isinstance(part, h11.Data):
                if part.data:
                    yield ReceiveHttp(self.ReceiveData(self.stream_id, bytes(part.data)))
                continue
            if self.request.data.method.upper() != b"CONNECT":
                yield ReceiveHttp(self.ReceiveEndOfMessage(self.stream_id))
            yield from self.mark_done(request=is_request, response=not is_request)
            return

    @abc.abstractmethod
    def _broken(self, message: str) -> Commands:
        """What has come is no body of a message."""


class BoundedClient(_Bounded, Http1Client):
    """The connection to a provider. What is wrong with its answers ends the attempt."""

    buf: BoundedBuffer

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.buf = BoundedBuffer()
        self._interim = 0

    def _skip_interim(self) -> None:
        """Drop the heads before the answer's own. What they say (102, 103) is of no use to a client of the API, and one
        that speaks HTTP/1.0 must not get them."""
        while self.buf.begins_with(_INTERIM) and self.buf.maybe_extract_lines() is not None:
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise TooLarge(f"more than {MAX_INTERIM} interim answers")
            self.buf.skip_blank_lines()
        if self.buf.begins_with(_SWITCHING):
            raise h11.RemoteProtocolError("it changes the protocol, which nobody has asked for")

    def mark_done(self, *, request: bool = False, response: bool = False) -> Commands:
        self._interim = 0 if response else self._interim
        yield from super().mark_done(request=request, response=response)

    def read_headers(self, event: events.ConnectionEvent) -> Commands:
        try:
            if self.request is not None and isinstance(event, events.DataReceived):
                self.buf.skip_blank_lines()
                self._skip_interim()
            yield from super().read_headers(event)
        except h11.RemoteProtocolError as error:
            yield from self._broken(f"the head of the answer is refused: {error}")

    def _broken(self, message: str) -> Commands:
        assert self.stream_id is not None
        yield commands.CloseConnection(self.conn)
        yield ReceiveHttp(broken_off(self.stream_id, message))


class BoundedServer(_Bounded, Http1Server):
    """The connection of a client. Everything that is refused here is answered, and the answer can be read."""

    clock: Callable[[], float] = staticmethod(time.monotonic)
    buf: BoundedBuffer

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.buf = BoundedBuffer()
        self._head_due: float | None = None
        self._alarm: commands.RequestWakeup | None = None  # cannot be taken back, so one serves every head
        self._closes = False
        self._lingering = False
        self._look: commands.RequestWakeup | None = None
        self._looks = LINGER_LOOKS
        self._heard = False
        self._may_send = LINGER_BYTES

    def _handle_event(self, event: events.Event) -> Commands:
        if self._lingering:
            yield from self._discard(event)
        elif isinstance(event, events.Wakeup):
            yield from self._on_alarm()
        else:
            yield from super()._handle_event(event)

    # --- what comes in ---

    def read_headers(self, event: events.ConnectionEvent) -> Commands:
        if not isinstance(event, events.DataReceived):
            yield from super().read_headers(event)
            return
        try:
            self.buf.skip_blank_lines()
            lines = self.buf.maybe_extract_lines()
        except TooLarge as error:
            yield self._log(f"the head of a request is refused: {error}")
            yield from self._refuse(431, f"The head of the request is refused: {error}.", self._line)
            return
        if lines:
            self._head_due = None
            yield from self._read_head([bytes(line) for line in lines], event)
        elif self.buf and self._head_due is None:
            self._head_due = self.clock() + HEAD_WITHIN
            if self._alarm is None:
                self._alarm = commands.RequestWakeup(HEAD_WITHIN)
                yield self._alarm

    def _on_alarm(self) -> Commands:
        self._alarm = None
        if self._head_due is None:
            return
        left = self._head_due - self.clock()
        if left > 0:
            self._alarm = commands.RequestWakeup(left)
            yield self._alarm
        else:
            yield from self._refuse(408, f"The head of the request did not come within {HEAD_WITHIN:g} s.", self._line)

    def _read_head(self, lines: list[bytes], event: events.DataReceived) -> Commands:
        try:
            self.request = http1.read_request_head(lines)
            body_size = http1.expected_http_body_size(self.request)
        except ValueError as error:
            yield from self._refuse(400, f"{error}"[:MAX_QUOTED], lines[0].decode("latin-1"))
            if self.request is None:
                yield self._log(str(error))
            else:  # as in mitmproxy: there are headers to show
                yield ReceiveHttp(RequestHeaders(self.stream_id, self.request, False))
                yield self._ended(str(error))
            return
        if self.request.http_version not in _SERVED:
            yield self._log(f"{self.request.http_version} is not served")
            yield from self._refuse(505, "HTTP/1.1 and HTTP/1.0 are served here.", self.request.path)
            return
        # The request is made another one on its way, and mitmproxy looks for lower case alone.
        asked = [token.strip() for token in self.request.headers.get("connection", "").lower().split(",")]
        self._closes = "close" in asked or (self.request.http_version == "HTTP/1.0" and "keep-alive" not in asked)
        yield ReceiveHttp(RequestHeaders(self.stream_id, self.request, body_size == 0))
        self.body_reader = make_body_reader(body_size)
        self.state = self.read_body
        yield from self.state(event)

    def wait(self, event: events.Event) -> Commands:
        if isinstance(event, events.DataReceived) and len(self.buf) > MAX_AHEAD:
            self.state = self.done
            yield commands.CloseConnection(self.conn)
            yield self._ended(f"the client sent more than {MAX_AHEAD // 1024} KB ahead")
        else:
            yield from super().wait(event)

    # --- what goes out ---

    def send(self, event: Any) -> Commands:
        is_last = self._closes or not self.request_done
        if is_last and isinstance(event, ResponseHeaders) and not _is_interim(event.response):
            event.response.headers["connection"] = "close"
        yield from super().send(event)

    def mark_done(self, *, request: bool = False, response: bool = False) -> Commands:
        yield from super().mark_done(request=request, response=response)
        if self.response_done and not self.request_done:
            yield from self._linger()

    def _broken(self, message: str) -> Commands:
        assert self.request is not None
        yield from self._refuse(400, message[:MAX_QUOTED], self.request.path)
        yield self._ended(message)

    def _refuse(self, status: int, message: str, path: str) -> Commands:
        """Answer what never becomes a request. `path` may be a whole request line: it tells the dialect alone."""
        if self.response is None or _is_interim(self.response):
            answer = local_error(status, message, dialect_of(path))
            answer.headers["connection"] = "close"
            yield commands.SendData(self.conn, http1.assemble_response(answer))
        yield from self._linger()

    # --- closing ---

    def _linger(self) -> Commands:
        """Close for writing, and go on reading: to close with unread data would take the answer from the client."""
        self._lingering = True
        self.buf = BoundedBuffer()
        if self.conn.state is ConnectionState.CLOSED:
            return
        if not self.conn.tls:  # whose end would look cut off
            yield commands.CloseTcpConnection(self.conn, half_close=True)
        self._look = commands.RequestWakeup(LINGER_LOOK)
        yield self._look

    def _discard(self, event: events.Event) -> Commands:
        over = False
        if isinstance(event, events.DataReceived):
            self._heard = True
            self._may_send -= len(event.data)
            over = self._may_send < 0
        elif isinstance(event, events.Wakeup):
            if event.command is not self._look:
                return
            self._looks -= 1
            over = not self._heard or self._looks <= 0
            if not over:
                self._heard, self._look = False, commands.RequestWakeup(LINGER_LOOK)
                yield self._look
        elif isinstance(event, events.ConnectionClosed):
            over = True
        if over and self.conn.state is not ConnectionState.CLOSED:
            yield commands.CloseConnection(self.conn)

    # --- parts ---

    @property
    def _line(self) -> str:
        """What has come of a request line."""
        return bytes(self.buf).partition(b"\n")[0].decode("latin-1")

    def _log(self, message: str) -> commands.Log:
        return commands.Log(f"{human.format_address(self.conn.peername)}: {message}")

    def _ended(self, message: str) -> ReceiveHttp:
        return ReceiveHttp(RequestProtocolError(self.stream_id, message, code=RequestProtocolError.code))


def _is_interim(response: http.Response) -> bool:
    return response.status_code < 200


def http1_server(context: Context) -> Http1Server:
    """The layer for a client that speaks HTTP/1. In other modes than reverse it is mitmproxy's own."""
    return BoundedServer(context) if is_reverse(context.client) else Http1Server(context)


def http1_client(context: Context) -> Http1Client:
    """The layer for a server that speaks HTTP/1, likewise."""
    return BoundedClient(context) if is_reverse(context.client) else Http1Client(context)


vars(http1_server)[STOCK], vars(http1_client)[STOCK] = Http1Server, Http1Client
