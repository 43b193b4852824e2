"""The seam between mitmproxy's HTTP machine and ours: what every event, hook and command of a stream passes through."""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers import http as layers
from mitmproxy.proxy.layers.http import (
    DropStream,
    GetHttpConnection,
    HttpLayer,
    RequestTrailers,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseTrailers,
    SendHttp,
)

from turnout.errors import FAILED, trace_of
from turnout.proxy.compat import ResponseProtocolError, abandoned, broken_off, status_for_client, stock
from turnout.proxy.modes import is_reverse
from turnout.proxy.pages import LAST_RESORT, local_error, plain_reason
from turnout.proxy.steering import AttemptMonitor, Steering, release, steering
from turnout.proxy.withholding import cover, put_in, show_nothing
from turnout.redaction.text import redact

if TYPE_CHECKING:
    from mitmproxy.proxy.layers.http import HttpStream
else:
    HttpStream = stock(layers, "HttpStream")

Commands = Generator[commands.Command, Any, None]

_SERVER_EVENTS = (ResponseHeaders, ResponseData, ResponseTrailers, ResponseEndOfMessage, ResponseProtocolError)


class SteeredStream(HttpStream):
    """A stream that speaks to a provider under an id of the attempt's own, and to its client in the API's shape.

    - Events of an abandoned attempt, still queued or still on the wire, find nobody.
    - Before and after every hook the flow is covered; where a message leaves, the wire gets all of it.
    - A fault ends the exchange, with an answer where the client has seen none; it never leaves it waiting.
    """

    stands_for = HttpStream

    def __init__(self, context: Any, stream_id: int) -> None:
        super().__init__(context, stream_id)
        self._upstream_id: int | None = None
        self._answering = False
        self._broken = False

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
                    self._before_hook(command)
                elif isinstance(command, SendHttp) and command.connection is not self.context.client:
                    command.event.stream_id = self._upstream_id if self._upstream_id is not None else self.stream_id
                    put_in(self.flow, command.event)
                    self._before_server(command.event)
                elif isinstance(command, SendHttp):
                    yield from self._before_client(command)
            except StopIteration:
                return
            except Exception as error:
                if not self._is_gated:
                    raise
                end = self._end_of_fault if not self._broken else self._last_resort
                inner, command, reply = end(error), None, None
                continue
            if isinstance(command, DropStream):
                self._drop()
            reply = (yield from self._connect(command)) if isinstance(command, GetHttpConnection) else (yield command)

    def _before_hook(self, hook: commands.StartHook) -> None:
        self._cover()

    def _after_hook(self, hook: commands.StartHook) -> None:
        self._cover()

    def _cover(self) -> None:
        try:
            cover(self.flow)
        except Exception:
            show_nothing(self.flow)
            raise

    def _drop(self) -> None:
        """The stream is done."""
        self._forget_upstream()
        if hasattr(self, "flow"):
            release(self.flow)

    def _connect(self, command: GetHttpConnection) -> Generator[commands.Command, Any, Any]:
        """A connection to the provider is asked for. Returns it, or why there is none."""
        return (yield command)

    def _before_server(self, event: Any) -> None:
        """An event of the request leaves."""

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
            reason = plain_reason(event.message)
            answer = local_error(500 if self._broken else status, reason, steering(self.flow).dialect)
            answer.headers["connection"] = "close"
            yield SendHttp(ResponseHeaders(self.stream_id, answer, end_stream=False), self.context.client)
            yield SendHttp(ResponseData(self.stream_id, answer.raw_content or b""), self.context.client)
            command.event = ResponseEndOfMessage(self.stream_id)  # an answer like others: it can be read to its end

    def _end_of_fault(self, error: Exception) -> Commands:
        """A fault of ours, in the machine or in what it asks: the exchange is over, and everybody is told."""
        self._broken = True
        yield commands.Log(f"internal error in a stream: {redact(trace_of(error))}", logging.WARNING)
        if self._upstream_id is not None and self.context.server in self._parent.connections:
            yield SendHttp(abandoned(self.stream_id), self.context.server)
        self._forget_upstream()
        yield from super().handle_protocol_error(broken_off(self.stream_id, FAILED))

    @property
    def _is_gated(self) -> bool:
        return is_reverse(self.context.client)

    def _last_resort(self, error: Exception) -> Commands:
        """Telling the fault has failed as well. Nothing of ours has part in this."""
        yield commands.Log(f"internal error while a fault was told: {type(error).__name__}", logging.WARNING)
        if not self._answering:
            self._answering = True
            yield commands.SendData(self.context.client, LAST_RESORT)
        yield commands.CloseConnection(self.context.client)
        yield DropStream(self.stream_id)

    def _on_tick(self, event: events.Wakeup) -> Commands:
        """A timer of this stream has come due."""
        yield from ()

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
