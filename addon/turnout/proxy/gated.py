"""The client's half of a stream: nothing enters reverse mode that was not admitted, nothing leaves it unprepared."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Generator
from typing import Any

from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.http import (
    GetHttpConnection,
    HttpRequestHeadersHook,
    HttpRequestHook,
    HttpResponseHeadersHook,
    RequestData,
    RequestHeaders,
    SendHttp,
)

from turnout.errors import dialect_of
from turnout.proxy.compat import abandoned
from turnout.proxy.dialling import dialling
from turnout.proxy.epilogue import give_way
from turnout.proxy.modes import is_accepted
from turnout.proxy.pages import gate_closed, local_error
from turnout.proxy.protocols import may_want_http2, note
from turnout.proxy.shaping import through_proxy
from turnout.proxy.steered import Commands, SteeredStream
from turnout.proxy.steering import address_of, disengage

_upstream_ids = itertools.count(-1, -1)  # negative: never the id of a client's stream


class GatedStream(SteeredStream):
    """Refuses what the addon has not admitted, or not prepared (`engage`), whatever has become of the addon, and
    whatever other addons make of the flow. A refusal is sent before the request's body has come.
    """

    def _before_hook(self, hook: commands.StartHook) -> None:
        super()._before_hook(hook)
        if isinstance(hook, HttpRequestHeadersHook):
            self._steering.accepted = is_accepted(self.context.client)

    def _after_hook(self, hook: commands.StartHook) -> None:
        super()._after_hook(hook)
        if isinstance(hook, HttpRequestHeadersHook):
            self._check_admission()

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
            self.flow.response = local_error(413, "The request is too large.", dialect_of(self.flow.request.path))
        self.flow.request.timestamp_end = self.flow.response.timestamp_start = time.time()
        self.flow.request.raw_content = b""
        self.client_state = self.state_done  # the answer ends the flow
        yield HttpResponseHeadersHook(self.flow)
        if (yield from self.check_killed(True)):
            return
        yield from self.send_response()
        self.client_state = self.state_errored  # which takes whatever has come meanwhile

    def make_server_connection(self) -> Generator[commands.Command, Any, bool]:
        address = address_of(self.flow)
        if self._is_gated and (self._monitor is None or self._steering.address != address):
            yield from self._refuse()
            return False
        yield from give_way(self._parent)
        self._forget_upstream()
        self._upstream_id = next(_upstream_ids)
        self._parent.streams[self._upstream_id] = self
        to, secure = (address.host, address.port), address.scheme == "https"
        with dialling(self.context.client, to, secure, self._steering.way):
            connected: bool = yield from super().make_server_connection()
        return connected

    def _connect(self, command: GetHttpConnection) -> Generator[commands.Command, Any, Any]:
        if not self._is_gated:
            return (yield command)
        proxy, provider, secure = self._steering.way.proxy, command.address, command.tls
        command.via = None
        if proxy is not None and secure:
            command.via = (proxy.scheme, (proxy.host, proxy.port))
        elif proxy is not None:
            command.address, command.tls = (proxy.host, proxy.port), proxy.scheme == "https"
        reply = connection, error = yield command
        alpn = connection.alpn if connection is not None else None
        if not secure or self.context.client.alpn_offers or not may_want_http2(provider, alpn, error):
            return reply
        if connection is not None:
            yield SendHttp(abandoned(self._upstream_id or self.stream_id), connection)
        note(provider, http2=True)
        reply = connection, error = yield self._anew(command)
        note(provider, http2=connection is not None and connection.alpn == b"h2")
        return reply if error is None else (yield self._anew(command))

    def _anew(self, command: GetHttpConnection) -> GetHttpConnection:
        """The same once more. mitmproxy remembers a failed connect, and would not dial again."""
        for connection in self._parent.connections:
            if connection is not self.context.client:
                connection.error = None
        return GetHttpConnection(command.address, command.tls, command.via, command.transport_protocol)

    def _before_server(self, event: Any) -> None:
        proxy = self._steering.way.proxy
        if proxy is not None and self._is_gated and isinstance(event, RequestHeaders):
            event.request = through_proxy(event.request, proxy)

    def _refuse(self) -> Commands:
        """Nobody has prepared what would be sent now, or somebody has changed where it goes."""
        yield commands.Log("A request that Turnout has not prepared was not sent.", logging.WARNING)
        disengage(self.flow)
        self.flow.response = gate_closed(self.flow.request.path)
        yield from self.send_response()
