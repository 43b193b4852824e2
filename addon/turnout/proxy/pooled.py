"""A connection that was kept open, and that its server closes just as a request goes out on it.

That says nothing about the server, whose time for idle connections was over, nor about the request, which it has not
read. So the request is sent once more, at once and on a new connection, as RFC 9110 §9.2.2 allows it where the client
has "some means to detect that the original request was never applied", and as browsers and HTTP libraries do: nothing
of an answer had come, and the connection had been idle. RFC 9112 §9.3.1 asks that a second failure is not repeated.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from mitmproxy.connection import Connection
from mitmproxy.proxy import commands
from mitmproxy.proxy.layers.http import GetHttpConnection, RequestData, RequestEndOfMessage, RequestHeaders, SendHttp

from turnout.proxy.gated import GatedStream
from turnout.proxy.steered import Commands

# mitmproxy's words: of HTTP/1 when no byte has come (_http1.py, read_headers), of HTTP/2 for its end and for GOAWAY.
_CLOSED = re.compile(r"(?:server|peer) closed connection|HTTP/2 connection closed")


@dataclass(eq=False)
class NewConnection(GetHttpConnection):
    """Asks for a connection that is none of those that are known."""

    known: frozenset[Connection] = frozenset()

    def connection_spec_matches(self, connection: Connection) -> bool:
        return connection not in self.known and super().connection_spec_matches(connection)


class PooledStream(GatedStream):
    """Tells connections that were kept open from new ones."""

    def __init__(self, context: Any, stream_id: int) -> None:
        super().__init__(context, stream_id)
        self._known: frozenset[Connection] = frozenset()
        self._reused = False
        self._dials_again = False

    def make_server_connection(self) -> Generator[commands.Command, Any, bool]:
        again, self._dials_again, self._reused = self._dials_again, False, False
        if not again:
            being_made = self._parent.waiting_for_establishment
            self._known = frozenset(each for each in self._parent.connections if each not in being_made)
        inner = super().make_server_connection()
        reply: Any = None
        while True:
            try:
                command = inner.send(reply)
            except StopIteration as ended:
                connected = bool(ended.value)
                break
            if again and isinstance(command, GetHttpConnection):
                command = NewConnection(
                    command.address, command.tls, command.via, command.transport_protocol, known=self._known
                )
            reply = yield command
        self._reused = connected and not again and self.context.server in self._known
        return connected

    def _is_stale(self, reason: str) -> bool:
        """Whether what broke off for this reason, before there was an answer, was a connection kept for too long."""
        waits = self.server_state == self.state_wait_for_response_headers
        return self._reused and waits and _CLOSED.match(reason) is not None

    def _dial_again(self) -> Commands:
        self._dials_again = self._steering.dialled_again = True
        if not (yield from self.make_server_connection()):
            return
        request, content = self.flow.request, self.flow.request.raw_content
        yield SendHttp(RequestHeaders(self.stream_id, request, not content), self.context.server)
        if content:
            yield SendHttp(RequestData(self.stream_id, content), self.context.server)
        yield SendHttp(RequestEndOfMessage(self.stream_id), self.context.server)
