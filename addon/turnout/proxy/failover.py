"""FailoverStream: one client request that may be tried at several providers, inside mitmproxy's own HTTP machine.

mitmproxy has no public way to send a waiting client a second provider's streamed answer. This subclass of its
`HttpStream` re-enters the stock state machine: the `request` hook fires again and prepares the next attempt.

    request hook ─► connect ─► send ─► wait ─► hold ─► commit ─► relay ─► done
         ▲             │         │       │       │                  │
         └── again ◄── upstream_failed hook ◄────┘             last words, close

Rules it lives by:
- Each attempt speaks to its provider under a stream id of its own. Events of an abandoned attempt, still queued or
  still on the wire, then find nobody; a second use of an HTTP/2 connection gets a fresh stream.
- Response headers are held until the first valid event has been seen: until then another provider may still answer.
- Between a received end of message and the next connection lies a blocking hook (`upstream_failed`), so that the
  connection below has finished its own bookkeeping.
- One timer per stream ticks; received bytes only note the time, so that no chunk costs a timer.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Generator
from typing import Any

from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.http import (
    DropStream,
    HttpLayer,
    HttpStream,
    RequestData,
    RequestEndOfMessage,
    RequestHeaders,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseTrailers,
    SendHttp,
)

from turnout.proxy.compat import (
    ResponseProtocolError,
    abandoned,
    broken_off,
    status_for_client,
)
from turnout.proxy.modes import has_unread
from turnout.proxy.pages import local_error
from turnout.proxy.steering import AttemptMonitor, Steering, UpstreamFailedHook, release, steering
from turnout.proxy.ticks import TICK, ticks_of
from turnout.proxy.withholding import as_sent, complete

Commands = Generator[commands.Command, Any, None]

_upstream_ids = itertools.count(-1, -1)  # negative: never the id of a client's stream

_SERVER_EVENTS = (ResponseHeaders, ResponseData, ResponseTrailers, ResponseEndOfMessage, ResponseProtocolError)


class FailoverStream(HttpStream):
    """One client request and its attempts. Knows no policy: it asks the `AttemptMonitor` and the hooks."""

    clock: Callable[[], float] = staticmethod(time.monotonic)

    def __init__(self, context: Any, stream_id: int) -> None:
        super().__init__(context, stream_id)
        self._upstream_id: int | None = None
        self._committed = False
        self._answering = False
        self._connecting = False
        self._tick: commands.RequestWakeup | None = None
        self._tick_due = 0.0
        self._answer_due = 0.0
        self._heard = 0.0
        self._told = 0.0

    # --- the seam to the layers around it ---

    def _handle_event(self, event: events.Event) -> Commands:
        if isinstance(event, _SERVER_EVENTS):
            if event.stream_id != self._upstream_id:
                return
            event.stream_id = self.stream_id
        inner = self._on_tick(event) if isinstance(event, events.Wakeup) else super()._handle_event(event)
        reply = None
        while True:
            try:
                command = inner.send(reply)
            except StopIteration:
                return
            if isinstance(command, SendHttp):
                if command.connection is not self.context.client:
                    command.event.stream_id = self._upstream_id if self._upstream_id is not None else self.stream_id
                    if isinstance(command.event, RequestHeaders):
                        command.event.request = as_sent(self.flow)
                else:
                    yield from self._before_client(command.event)
            elif isinstance(command, DropStream):
                self._forget_upstream()
                ticks_of(self._parent).give_back(self, self._tick, self._tick_due)
                if hasattr(self, "flow"):
                    release(self.flow)
            reply = yield command

    def _before_client(self, event: Any) -> Commands:
        """Note that an answer has begun, and put JSON in the place of mitmproxy's own HTML error page."""
        if isinstance(event, ResponseHeaders):
            self._answering = self._answering or event.response.status_code != 100
        elif isinstance(event, ResponseProtocolError) and not self._answering:
            status = status_for_client(event)
            if status is None:
                return
            self._answering = True
            answer = local_error(status, event.message)
            answer.headers["connection"] = "close"
            yield SendHttp(ResponseHeaders(self.stream_id, answer, end_stream=False), self.context.client)
            yield SendHttp(ResponseData(self.stream_id, answer.raw_content or b""), self.context.client)

    @property
    def _parent(self) -> HttpLayer:
        parent = self.context.layers[self.context.layers.index(self) - 1]
        assert isinstance(parent, HttpLayer)
        return parent

    @property
    def _steering(self) -> Steering:
        return steering(self.flow)

    @property
    def _monitor(self) -> AttemptMonitor | None:
        return steering(self.flow).monitor

    def _forget_upstream(self) -> None:
        if self._upstream_id is not None:
            self._parent.streams.pop(self._upstream_id, None)
            self._upstream_id = None

    # --- the client's request ---

    def state_wait_for_request_headers(self, event: RequestHeaders) -> Commands:
        waits = "expect" in event.request.headers
        yield from super().state_wait_for_request_headers(event)
        if waits and self.client_state == self.state_consume_request_body and self.flow.response is not None:
            # Refused, and the client has not begun to send: nothing is lost by closing.
            self.flow.response.headers["connection"] = "close"
            yield from super().send_response()
            yield SendHttp(ResponseEndOfMessage(self.stream_id), self.context.client)
            yield commands.CloseConnection(self.context.client)
            yield DropStream(self.stream_id)

    def state_consume_request_body(self, event: events.Event) -> Commands:
        if isinstance(event, RequestData):
            guide = self._steering
            if self.flow.response is not None or guide.too_large:
                return  # refused already: take the rest off the wire, keep nothing
            if guide.max_body is not None and len(self.request_body_buf) + len(event.data) > guide.max_body:
                guide.too_large = True
                self.request_body_buf.clear()
                return
        yield from super().state_consume_request_body(event)

    def make_server_connection(self) -> Generator[commands.Command, Any, bool]:
        self._forget_upstream()
        self._upstream_id = next(_upstream_ids)
        self._parent.streams[self._upstream_id] = self
        self._connecting = True
        connected: bool = yield from super().make_server_connection()
        self._connecting = False
        monitor = self._monitor
        if connected and monitor is not None:
            if (yield from self.check_killed(True)):
                return False
            now = self.clock()
            self._answer_due = now + monitor.answer_within
            yield from self._next_tick(now, monitor)
        return connected

    # --- the provider's answer ---

    def start_response_stream(self) -> Commands:
        if self._monitor is None:
            yield from self._begin_stream()
        else:
            self.server_state = self.state_hold

    def state_hold(self, event: events.Event) -> Commands:
        """A streamed answer of which the client has seen nothing yet."""
        monitor = self._monitor
        assert monitor is not None
        if isinstance(event, ResponseData):
            valid = monitor.peek(event.data)
            if valid:
                yield from self._begin_stream()
                yield from self._relay(monitor.relay(b""))
                if min(monitor.idle_within, monitor.ping_after or TICK) < TICK:
                    yield from self._next_tick(self._heard, monitor)  # the pending tick may come too late for these
            elif valid is False:
                yield from self._abandon("")
        elif isinstance(event, ResponseEndOfMessage):
            yield from self._failed("the stream ended before its first event")

    def _begin_stream(self) -> Commands:
        self._committed = True
        self._heard = self._told = self.clock()
        for command in super().start_response_stream():
            if not isinstance(command, commands.Log):  # "Streaming response from …": a line of log for every request
                yield command

    def state_stream_response_body(self, event: events.Event) -> Commands:
        if isinstance(event, ResponseData):
            self._heard = self._told = self.clock()
            if not event.data:
                return  # an empty HTTP/2 frame; to a stream's callable b"" would mean the end
        yield from super().state_stream_response_body(event)

    def send_response(self, already_streamed: bool = False) -> Commands:
        """A complete answer: from the provider, or set by an addon (ours, or a server replay)."""
        monitor = self._monitor
        assert self.flow.response is not None
        if not already_streamed and monitor is not None and not monitor.accepts(self.flow.response):
            if self.flow.response.status_code < 200:
                yield from self._abandon("")  # mitmproxy takes it for the answer, but the connection goes on
            else:
                yield from self._failed("")
            return
        self._committed = True
        for command in super().send_response(already_streamed):
            if isinstance(command, SendHttp) and not already_streamed:
                # The `response` hook may have left less in the flow than the client is to get.
                complete(self.flow, command.event)
            yield command

    def _relay(self, chunks: list[bytes]) -> Commands:
        for chunk in chunks:
            yield SendHttp(ResponseData(self.stream_id, chunk), self.context.client)

    # --- failures ---

    @property
    def _waiting_for_answer(self) -> bool:
        return (
            not self._committed
            and self._monitor is not None
            and self.client_state == self.state_done
            and self.server_state
            in (self.state_wait_for_response_headers, self.state_hold, self.state_consume_response_body)
        )

    @property
    def _streaming(self) -> bool:
        return (
            self._committed
            and self._monitor is not None
            and self.client_state != self.state_errored
            and self.server_state == self.state_stream_response_body
        )

    def handle_protocol_error(self, event: Any) -> Commands:
        if isinstance(event, ResponseProtocolError):
            if self._waiting_for_answer:
                connecting, self._connecting = self._connecting, False
                yield from self._failed(f"cannot connect: {event.message}" if connecting else event.message)
                return
            if self._streaming:
                yield from self._last_words(event.message)
        yield from super().handle_protocol_error(event)

    def _last_words(self, reason: str) -> Commands:
        monitor = self._monitor
        assert monitor is not None
        words = monitor.interrupted(reason)
        if words:
            yield from self._relay([words])

    def _abandon(self, reason: str) -> Commands:
        """Give up an answer that is still coming."""
        yield SendHttp(abandoned(self.stream_id), self.context.server)
        self._forget_upstream()
        yield from self._failed(reason)

    def _failed(self, reason: str) -> Commands:
        guide = self._steering
        guide.failure, guide.again = reason, False
        if (yield from self.check_killed(True)):
            return
        yield UpstreamFailedHook(self.flow)
        if (yield from self.check_killed(True)):
            return
        if guide.again:
            yield from self._run_again()
            return
        guide.monitor = None
        self.response_body_buf.clear()
        if self.flow.response is None:
            self.flow.response = local_error(502, reason or "The provider failed.")
        yield from self.send_response()

    def _run_again(self) -> Commands:
        content = self.flow.request.raw_content
        self.flow.response = self.flow.error = None
        self.request_body_buf.clear()
        self.response_body_buf.clear()
        if content:
            self.request_body_buf += content
        self.server_state = self.state_wait_for_response_headers
        self.client_state = self.state_consume_request_body
        connections = self._parent.connections
        # mitmproxy remembers a failed connect for the life of the client connection and would not dial again.
        for connection in connections:
            if connection is not self.context.client:
                connection.error = None
        yield from super().state_consume_request_body(RequestEndOfMessage(self.stream_id))

    # --- time ---

    def _next_tick(self, now: float, monitor: AttemptMonitor) -> Commands:
        due = self._answer_due
        if self._committed:
            due = self._heard + monitor.idle_within
            if monitor.ping_after is not None:
                due = min(due, self._told + monitor.ping_after)
        self._tick, self._tick_due, new = ticks_of(self._parent).request(self, now, due)
        if new:
            yield self._tick

    def _on_tick(self, event: events.Wakeup) -> Commands:
        if event.command is not self._tick:
            return
        self._tick = None
        monitor = self._monitor
        now = self.clock()
        if self._waiting_for_answer and monitor is not None:
            if now >= self._answer_due:
                yield from self._abandon(f"no first event within {monitor.answer_within:g} s")
                return
        elif self._streaming and monitor is not None:
            if has_unread(self.context.client):
                self._heard = now  # mitmproxy reads no more from the provider until the client has caught up
            if now - self._heard >= monitor.idle_within:
                yield from self._break_off(f"silent for {monitor.idle_within:g} s")
                return
            if monitor.ping_after is not None and now - self._told >= monitor.ping_after:
                self._told = now
                yield from self._relay([ping] if (ping := monitor.ping()) else [])
        else:
            return
        yield from self._next_tick(now, monitor)

    def _break_off(self, reason: str) -> Commands:
        yield SendHttp(abandoned(self.stream_id), self.context.server)
        self._forget_upstream()
        yield from self.handle_protocol_error(broken_off(self.stream_id, reason))
