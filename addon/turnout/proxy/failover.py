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
- In reverse mode nothing is sent that the addon has not prepared (`engage`), whatever has become of the addon, and
  whatever other addons make of the flow.
- Whatever ends an attempt before the client has seen anything ends in `_failed`: also what mitmproxy itself refuses.
- A fault in here ends the exchange, with an answer where the client has seen none; it never leaves it waiting.
"""

from __future__ import annotations

import itertools
import logging
import time
import traceback
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, ClassVar

from mitmproxy import http
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers import http as layers
from mitmproxy.proxy.layers.http import (
    DropStream,
    HttpLayer,
    HttpRequestHeadersHook,
    HttpRequestHook,
    HttpResponseHeadersHook,
    RequestData,
    RequestEndOfMessage,
    RequestHeaders,
    RequestTrailers,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseTrailers,
    SendHttp,
)

from turnout.proxy.compat import (
    RequestProtocolError,
    ResponseProtocolError,
    abandoned,
    broken_off,
    client_gone,
    status_for_client,
    stock,
)
from turnout.proxy.dialling import dialling
from turnout.proxy.modes import hang_up, has_unread, is_reverse
from turnout.proxy.pages import gate_closed, local_error
from turnout.proxy.steering import (
    AttemptMonitor,
    Steering,
    UpstreamFailedHook,
    address_of,
    disengage,
    release,
    steering,
)
from turnout.proxy.ticks import TICK, ticks_of
from turnout.proxy.unpacking import opens_within
from turnout.proxy.withholding import cover, put_in, reveal_answer
from turnout.settings.secret import redact

if TYPE_CHECKING:
    from mitmproxy.proxy.layers.http import HttpStream
else:
    HttpStream = stock(layers, "HttpStream")

Commands = Generator[commands.Command, Any, None]

_upstream_ids = itertools.count(-1, -1)  # negative: never the id of a client's stream

_TOO_LARGE = "the answer is larger than {} bytes (limits.answer)"

READING_PAUSE = 10.0
"""Seconds for which any client may stop reading, however short the silence is that a provider is allowed."""

_SERVER_EVENTS = (ResponseHeaders, ResponseData, ResponseTrailers, ResponseEndOfMessage, ResponseProtocolError)


class FailoverStream(HttpStream):
    """One client request and its attempts. Knows no policy: it asks the `AttemptMonitor` and the hooks."""

    stands_for = HttpStream
    addon: ClassVar[Any] = None
    """The addon whose hooks prepare the attempts of these streams; None: it serves nothing any more."""

    clock: Callable[[], float] = staticmethod(time.monotonic)

    def __init__(self, context: Any, stream_id: int) -> None:
        super().__init__(context, stream_id)
        self._upstream_id: int | None = None
        self._committed = False
        self._answering = False
        self._connecting = False
        self._broken = False
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
        if isinstance(event, (RequestTrailers, ResponseTrailers)) and self._is_gated:
            return  # dropped, which RFC 9110 §6.5.1 allows: mitmproxy cannot send them over HTTP/1
        inner = self._on_tick(event) if isinstance(event, events.Wakeup) else super()._handle_event(event)
        command: Any = None
        reply = None
        while True:
            try:
                if isinstance(command, commands.StartHook):
                    self._after_hook(command)
                command = inner.send(reply)
                if isinstance(command, commands.StartHook):
                    cover(self.flow)
                elif isinstance(command, SendHttp) and command.connection is not self.context.client:
                    command.event.stream_id = self._upstream_id if self._upstream_id is not None else self.stream_id
                    put_in(self.flow, command.event)
            except StopIteration:
                return
            except Exception as error:
                if self._broken or not self._is_gated:
                    raise
                inner, command, reply = self._end_of_fault(error), None, None
                continue
            if isinstance(command, SendHttp) and command.connection is self.context.client:
                yield from self._before_client(command)
            elif isinstance(command, DropStream):
                self._forget_upstream()
                ticks_of(self._parent).give_back(self, self._tick, self._tick_due)
                if hasattr(self, "flow"):
                    release(self.flow)
            reply = yield command

    def _after_hook(self, hook: commands.StartHook) -> None:
        cover(self.flow)
        if isinstance(hook, HttpRequestHeadersHook):
            self._check_admission()

    def _before_client(self, command: SendHttp) -> Commands:
        """Note that an answer has begun, and put JSON in the place of mitmproxy's own HTML error page."""
        event: Any = command.event
        if isinstance(event, ResponseHeaders):
            self._answering = self._answering or event.response.status_code != 100
        elif isinstance(event, ResponseProtocolError) and not self._answering and self._is_gated:
            status = status_for_client(event)
            if status is None:
                return
            self._answering = True
            answer = local_error(500 if self._broken else status, event.message, self.flow.request.path)
            answer.headers["connection"] = "close"
            yield SendHttp(ResponseHeaders(self.stream_id, answer, end_stream=False), self.context.client)
            yield SendHttp(ResponseData(self.stream_id, answer.raw_content or b""), self.context.client)
            command.event = ResponseEndOfMessage(self.stream_id)  # an answer like others: it can be read to its end

    def _end_of_fault(self, error: Exception) -> Commands:
        """A fault of ours, in the machine or in what it asks: the exchange is over, and everybody is told."""
        self._broken = True
        trace = "".join(traceback.format_exception(error)).rstrip()
        yield commands.Log(f"internal error in a stream: {redact(trace)}", logging.WARNING)
        if self._upstream_id is not None and self.context.server in self._parent.connections:
            yield SendHttp(abandoned(self.stream_id), self.context.server)
        self._forget_upstream()
        yield from super().handle_protocol_error(broken_off(self.stream_id, "Turnout failed; see its log."))

    @property
    def _is_gated(self) -> bool:
        return is_reverse(self.context.client)

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

    def _check_admission(self) -> None:
        """The addon admits a request or answers it. Where it did neither, it has not seen it."""
        if self._is_gated and self._steering.max_body is None and not (self.flow.response or self.flow.error):
            self.flow.request.headers.pop("expect", None)  # or mitmproxy would ask for the body first
            self.flow.response = gate_closed(self.flow.request.path)

    def state_wait_for_request_headers(self, event: RequestHeaders) -> Commands:
        yield from super().state_wait_for_request_headers(event)
        refused = self.client_state == self.state_consume_request_body and self.flow.response is not None
        if refused and self._is_gated and not event.end_stream:
            yield from self._answer_early()

    def start_request_stream(self) -> Commands:
        """`request.stream` is for any addon to set. It would have the request sent before it is routed."""
        if not self._is_gated:
            yield from super().start_request_stream()
            return
        self.flow.request.stream = False
        self.client_state = self.state_consume_request_body

    def state_consume_request_body(self, event: events.Event) -> Commands:
        if isinstance(event, RequestData):
            guide = self._steering
            if guide.max_body is not None and len(self.request_body_buf) + len(event.data) > guide.max_body:
                guide.too_large = True
                yield HttpRequestHook(self.flow)
                yield from self._answer_early()
                return
        yield from super().state_consume_request_body(event)

    def _answer_early(self) -> Commands:
        """Answer now, and keep nothing of what still comes: the client would send all of it before it read a word."""
        self.request_body_buf.clear()
        if (yield from self.check_killed(True)):
            return
        if self.flow.response is None:
            self.flow.response = local_error(413, "The request is too large.", self.flow.request.path)
        self.flow.request.timestamp_end = self.flow.response.timestamp_start = time.time()
        self.flow.request.raw_content = b""
        self.client_state = self.state_done  # the answer ends the flow
        yield HttpResponseHeadersHook(self.flow)
        if (yield from self.check_killed(True)):
            return
        yield from self.send_response()
        self.client_state = self.state_errored  # which takes whatever has come meanwhile

    def make_server_connection(self) -> Generator[commands.Command, Any, bool]:
        monitor, address = self._monitor, address_of(self.flow)
        if self._is_gated and (monitor is None or self._steering.address != address):
            yield from self._refuse()
            return False
        self._forget_upstream()
        self._upstream_id = next(_upstream_ids)
        self._parent.streams[self._upstream_id] = self
        self._connecting = True
        with dialling(self.context.client, (address.host, address.port)):
            connected: bool = yield from super().make_server_connection()
        self._connecting = False
        if connected and monitor is not None:
            if (yield from self.check_killed(True)):
                return False
            now = self.clock()
            self._answer_due = now + monitor.answer_within
            yield from self._next_tick(now, monitor)
        return connected

    def _refuse(self) -> Commands:
        """Nobody has prepared what would be sent now, or somebody has changed where it goes."""
        yield commands.Log("A request that Turnout has not prepared was not sent.", logging.WARNING)
        disengage(self.flow)
        self.flow.response = gate_closed(self.flow.request.path)
        yield from self.send_response()

    # --- the provider's answer ---

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
            if isinstance(command, SendHttp):
                put_in(self.flow, command.event)
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
        if not already_streamed:
            reveal_answer(self.flow)
        if not already_streamed and monitor is not None and not opens_within(self.flow.response, monitor.largest):
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
            silent = now - self._heard
            if has_unread(self.context.client):  # mitmproxy reads no more from the provider until the client has
                patience = max(monitor.idle_within, READING_PAUSE)
                if silent >= patience:
                    yield from self._leave_client(f"the client has not read for {patience:g} s")
                    return
            elif silent >= monitor.idle_within:
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

    def _leave_client(self, reason: str) -> Commands:
        """A client that does not read any more, for it is suspended or asleep, must not keep others from a provider."""
        yield from self.handle_protocol_error(client_gone(self.stream_id, reason))
        yield commands.CloseConnection(self.context.client)
        hang_up(self.context.client)


def _declared(response: http.Response) -> int:
    """The length that an answer announces; 0 for none, or none that can be."""
    length = response.headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) <= 18 else 0

