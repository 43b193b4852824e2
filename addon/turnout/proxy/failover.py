"""FailoverStream: one client request that may be tried at several providers, inside mitmproxy's own HTTP machine.

mitmproxy has no public way to send a waiting client a second provider's streamed answer. This subclass of its
`HttpStream` re-enters the stock state machine: the `request` hook fires again and prepares the next attempt.

    request hook ─► connect ─► send ─► wait ─► hold ─► commit ─► relay ─► done
         ▲             │         │       │       │                  │
         └── again ◄── upstream_failed hook ◄────┘             last words, close

Rules it lives by:
- Each attempt speaks to its provider under a stream id of its own (`steered`), so that a second use of an HTTP/2
  connection gets a fresh stream; nothing is sent that was not prepared (`gated`).
- Response headers are held until the first valid event has been seen: until then another provider may still answer.
- Between a received end of message and the next connection lies a blocking hook (`upstream_failed`), so that the
  connection below has finished its own bookkeeping.
- One timer per stream ticks; received bytes only note the time, so that no chunk costs a timer.
- Whatever ends an attempt before the client has seen anything ends in `_failed`: also what mitmproxy itself refuses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, ClassVar

from mitmproxy import http
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.http import (
    RequestEndOfMessage,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    SendHttp,
)

from turnout.proxy.compat import RequestProtocolError, ResponseProtocolError, abandoned, broken_off, client_gone
from turnout.proxy.gated import GatedStream
from turnout.proxy.modes import hang_up, has_unread, pieces_held
from turnout.proxy.pages import local_error
from turnout.proxy.patience import Overdue, Patience, Unread
from turnout.proxy.steered import Commands
from turnout.proxy.steering import AttemptMonitor, UpstreamFailedHook, disengage
from turnout.proxy.ticks import TICK, ticks_of
from turnout.proxy.unpacking import unpack
from turnout.proxy.withholding import put_in, reveal_answer

MOST_HELD = 256
"""Pieces of a stream, of 64 KB at most, that mitmproxy may keep for an HTTP/2 client: it reads on from the provider."""

_TOO_LARGE = "the answer is larger than {} bytes (limits.answer)"


class FailoverStream(GatedStream):
    """One client request and its attempts. Knows no policy: it asks the `AttemptMonitor` and the hooks."""

    addon: ClassVar[Any] = None
    """The addon whose hooks prepare the attempts of these streams; None: it serves nothing any more."""

    clock: Callable[[], float] = staticmethod(time.monotonic)

    def __init__(self, context: Any, stream_id: int) -> None:
        super().__init__(context, stream_id)
        self._committed = False
        self._connecting = False
        self._patience = Patience()
        self._tick: commands.RequestWakeup | None = None
        self._tick_due = 0.0

    # --- the provider's answer ---

    def make_server_connection(self) -> Generator[commands.Command, Any, bool]:
        self._connecting = True
        connected = yield from super().make_server_connection()
        self._connecting = False
        if connected and (monitor := self._monitor) is not None:
            if (yield from self.check_killed(True)):
                return False
            now = self.clock()
            self._patience.answer_due = now + monitor.answer_within
            yield from self._next_tick(now, monitor)
        return connected

    def state_wait_for_response_headers(self, event: ResponseHeaders) -> Commands:
        answer = event.response
        yield from super().state_wait_for_response_headers(event)
        if self._upstream_id is None or self.server_state != self.state_consume_response_body:
            return
        monitor = self._monitor
        if monitor is None and self.flow.response is not answer:
            # A fault of Turnout has put an answer of its own in the place of this one.
            yield SendHttp(abandoned(self.stream_id), self.context.server)
            self._forget_upstream()
            yield from self.send_response()
        elif monitor is not None and _declared(answer) > monitor.largest:
            yield from self._abandon(_TOO_LARGE.format(monitor.largest))

    def state_consume_response_body(self, event: events.Event) -> Commands:
        if isinstance(event, ResponseData) and (monitor := self._monitor) is not None:
            size = len(self.response_body_buf) + len(event.data)
            if size > monitor.largest:
                yield from self._abandon(_TOO_LARGE.format(monitor.largest))
                return
        yield from super().state_consume_response_body(event)

    def check_invalid(self, request: bool) -> Generator[commands.Command, Any, bool]:
        return (yield from self._checked(request, super().check_invalid(request)))

    def check_body_size(self, request: bool) -> Generator[commands.Command, Any, bool]:
        if self._is_gated and self.context.options.stream_large_bodies:
            return False  # would stream a request before it is routed, or an answer that nobody has judged
        return (yield from self._checked(request, super().check_body_size(request)))

    def _checked(self, request: bool, check: Any) -> Generator[commands.Command, Any, bool]:
        """mitmproxy refuses an answer by telling the client. Here the attempt has failed."""
        if request or not self._waiting_for_answer:
            return bool((yield from check))
        for _ in check:  # it does nothing with an answer that it lets pass
            reason = self.flow.error.msg if self.flow.error is not None else "the answer is larger than body_size_limit"
            self.flow.error = None
            yield from self._abandon(reason)
            return True
        return False

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
                if min(monitor.idle_within, monitor.ping_after or TICK) < TICK:  # the pending one may come too late
                    yield from self._next_tick(self._patience.heard, monitor)
            elif valid is False:
                yield from self._abandon("")
        elif isinstance(event, ResponseEndOfMessage):
            if monitor.concludes():
                yield from self._begin_stream()
                yield from self.state_stream_response_body(event)
            else:
                yield from self._failed("the stream ended before its first event")

    def _begin_stream(self) -> Commands:
        self._committed = True
        self._patience.heard = self._patience.told = self.clock()
        for command in super().start_response_stream():
            if isinstance(command, SendHttp):
                put_in(self.flow, command.event)
            if not isinstance(command, commands.Log):  # "Streaming response from …": a line of log for every request
                yield command

    def state_stream_response_body(self, event: events.Event) -> Commands:
        if isinstance(event, ResponseData):
            self._patience.heard = self._patience.told = self.clock()
            if not event.data:
                return  # an empty HTTP/2 frame; to a stream's callable b"" would mean the end
        yield from super().state_stream_response_body(event)
        if self.flow.request.is_http2 and self._streaming and self._pieces_held > MOST_HELD:
            yield from self._give_up(Overdue("client", "the client reads too little"))

    def send_response(self, already_streamed: bool = False) -> Commands:
        """A complete answer: from the provider, or set by an addon (ours, or a server replay)."""
        monitor = self._monitor
        assert self.flow.response is not None
        if not already_streamed:
            reveal_answer(self.flow)
        if not already_streamed and monitor is not None and not unpack(self.flow.response, monitor.largest):
            self.flow.response.raw_content = b""
            self.flow.response.headers.pop("content-encoding", None)
            yield from self._failed(_TOO_LARGE.format(monitor.largest))
            return
        if not already_streamed and monitor is not None and not monitor.accepts(self.flow.response):
            if self.flow.response.status_code < 200:
                yield from self._abandon("")  # mitmproxy takes it for the answer, but the connection goes on
            else:
                yield from self._failed("")
            return
        self._committed = True
        for command in super().send_response(already_streamed):
            if isinstance(command, SendHttp):
                put_in(self.flow, command.event)
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

    def check_killed(self, emit_error_hook: bool) -> Generator[commands.Command, Any, bool]:
        if any(isinstance(event, RequestProtocolError) for event in self._paused_event_queue):
            self._steering.client_left = True
        return (yield from super().check_killed(emit_error_hook))

    def handle_protocol_error(self, event: Any) -> Commands:
        if isinstance(event, RequestProtocolError) and hasattr(self, "flow"):
            self._steering.client_left = True
        if isinstance(event, ResponseProtocolError):
            if self._waiting_for_answer:
                connecting, self._connecting = self._connecting, False
                yield from self._failed(self._not_connected(event.message) if connecting else event.message)
                return
            if self._streaming and (monitor := self._monitor) is not None:
                words = monitor.interrupted(event.message)
                if not words:
                    # Nothing is missing but the end of the connection's own framing.
                    yield from self.state_stream_response_body(ResponseEndOfMessage(self.stream_id))
                    return
                yield from self._relay([words])
        yield from super().handle_protocol_error(event)

    def _not_connected(self, reason: str) -> str:
        proxy = self._steering.way.proxy
        return f"cannot connect: {f'through the proxy {proxy}: ' if proxy is not None else ''}{reason}"

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
        disengage(self.flow)
        self.response_body_buf.clear()
        if self.flow.response is None:
            self.flow.response = local_error(502, reason or "The provider failed.")
        yield from self.send_response()

    def _run_again(self) -> Commands:
        content = self.flow.request.raw_content
        disengage(self.flow)  # what was prepared has been tried
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

    def _drop(self) -> None:
        ticks_of(self._parent).give_back(self, self._tick, self._tick_due)
        super()._drop()

    def _next_tick(self, now: float, monitor: AttemptMonitor) -> Commands:
        due = self._patience.next_look(monitor, streaming=self._committed)
        self._tick, self._tick_due, new = ticks_of(self._parent).request(self, now, due)
        if new:
            yield self._tick

    def _on_tick(self, event: events.Wakeup) -> Commands:
        monitor = self._monitor
        if event.command is not self._tick:
            return
        self._tick = None
        if monitor is None or not (self._waiting_for_answer or self._streaming):
            return
        now, unread = self.clock(), self._unread
        overdue = self._patience.overdue(now, monitor, streaming=self._streaming, unread=unread)
        if overdue is not None:
            yield from self._give_up(overdue)
            return
        if self._streaming and unread is Unread.NOTHING and self._patience.wants_ping(now, monitor):
            self._patience.told = now
            yield from self._relay([ping] if (ping := monitor.ping()) else [])
        yield from self._next_tick(now, monitor)

    @property
    def _pieces_held(self) -> int:
        return pieces_held(self._parent.connections.get(self.context.client), self.stream_id)

    @property
    def _unread(self) -> Unread:
        client = self.context.client
        if not self._streaming:
            return Unread.NOTHING
        if self._pieces_held:
            return Unread.HELD
        return Unread.WAITS if has_unread(client) else Unread.NOTHING

    def _give_up(self, overdue: Overdue) -> Commands:
        if overdue.whose == "answer":
            yield from self._abandon(overdue.reason)
        elif overdue.whose == "provider":
            yield SendHttp(abandoned(self.stream_id), self.context.server)
            self._forget_upstream()
            yield from self.handle_protocol_error(broken_off(self.stream_id, overdue.reason))
        else:
            # Suspended or asleep, it must not keep others from a provider.
            yield from self.handle_protocol_error(client_gone(self.stream_id, overdue.reason))
            yield commands.CloseConnection(self.context.client)
            hang_up(self.context.client)


def _declared(response: http.Response) -> int:
    """The length that an answer announces; 0 for none, or none that can be."""
    length = response.headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) <= 18 else 0

