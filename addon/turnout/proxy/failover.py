"""FailoverStream: one client request that may be tried at several providers, inside mitmproxy's own HTTP machine.

mitmproxy has no public way to send a waiting client a second provider's streamed answer. This subclass of its
`HttpStream` re-enters the stock state machine: the `request` hook fires again and prepares the next attempt.

    request hook ─► connect ─► send ─► wait ─► hold ─► commit ─► relay ─► done
         ▲             │         │       │       │                  │
         └── again ◄── upstream_failed hook ◄────┘             last words, close

Rules it lives by:
- Each attempt speaks to its provider under a stream id of its own (`steered`), so that a second use of an HTTP/2
  connection gets a fresh stream; nothing is sent that was not prepared (`gated`).
- What comes is held until something of an answer is said (`held`): until then another provider may still answer.
- Between a received end of message and the next connection lies a blocking hook (`upstream_failed`), so that the
  connection below has finished its own bookkeeping.
- One timer per stream ticks; received bytes only note the time, so that no chunk costs a timer (`timed`).
- Whatever ends an attempt before that ends in `_failed`: also what mitmproxy itself refuses. The end of a connection
  that was kept for too long ends none (`pooled`).
"""

from __future__ import annotations

from collections.abc import Generator
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

from turnout.proxy.compat import RequestProtocolError, ResponseProtocolError, abandoned
from turnout.proxy.held import HeldStream
from turnout.proxy.pages import local_error
from turnout.proxy.steered import Commands
from turnout.proxy.steering import UpstreamFailedHook, disengage
from turnout.proxy.unpacking import unpack
from turnout.proxy.withholding import reveal_answer

_TOO_LARGE = "the answer is larger than {} bytes (limits.answer)"


class FailoverStream(HeldStream):
    """One client request and its attempts. Knows no policy: it asks the `AttemptMonitor` and the hooks."""

    addon: ClassVar[Any] = None
    """The addon whose hooks prepare the attempts of these streams; None: it serves nothing any more."""

    def __init__(self, context: Any, stream_id: int) -> None:
        super().__init__(context, stream_id)
        self._connecting = False

    # --- the provider's answer ---

    def make_server_connection(self) -> Generator[commands.Command, Any, bool]:
        self._connecting = True
        connected = yield from super().make_server_connection()
        self._connecting = False
        if connected and (monitor := self._monitor) is not None:
            if (yield from self.check_killed(True)):
                return False
            now = self.clock()
            self._patience.asks(now, head_sent=self._steering.head_sent)
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
        yield from self._send_complete(super().send_response(already_streamed))

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
            if self._waiting_for_answer and self._is_stale(event.message):
                if not (yield from self.check_killed(True)):
                    yield from self._dial_again()
                return
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
            self.flow.response = local_error(502, reason or "The provider failed.", guide.dialect)
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


def _declared(response: http.Response) -> int:
    """The length that an answer announces; 0 for none, or none that can be."""
    length = response.headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) <= 18 else 0
