"""Reverse mode that speaks HTTP and dials nothing by itself.

mitmproxy would let its options (`ignore_hosts`, `tcp_hosts`, `rawtcp`, `connection_strategy`), the target's scheme and
the `next_layer` hooks of every addon decide what a connection is. Most of what they can choose passes bytes to the
target: a request would leave with the client's key, past gate and routes (addons/next_layer.py). Here nobody is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from mitmproxy.net.tls import starts_like_tls_record
from mitmproxy.proxy import commands, events, tunnel
from mitmproxy.proxy.layers import ClientTLSLayer, HttpLayer, modes
from mitmproxy.proxy.layers.http import HTTPMode
from mitmproxy.proxy.mode_specs import ReverseMode

from turnout.proxy.compat import stock
from turnout.proxy.http1 import HEAD_WITHIN
from turnout.proxy.ticks import NOBODY

if TYPE_CHECKING:
    from mitmproxy.proxy.layers.modes import ReverseProxy
else:
    ReverseProxy = stock(modes, "ReverseProxy")

Commands = Generator[commands.Command, Any, None]

_RECORD_START = 3
"""Bytes that tell a TLS record from a request."""

MAX_HANDSHAKE = 64 * 1024
"""Bytes that a client may send before TLS is established. mitmproxy keeps a ClientHello whatever its length, and reads
it from its beginning with every piece (layers/tls.py). One with a post-quantum key share has 2 KB."""

_NOT_HTTP = "Turnout serves HTTP over TCP only, not what {mode} asks for. Nothing was sent."


class HttpReverseProxy(ReverseProxy):
    """The lowest layer of a connection in reverse mode."""

    stands_for = ReverseProxy

    def _handle_event(self, event: events.Event) -> Commands:
        """The connection begins."""
        spec = self.context.client.proxy_mode
        assert isinstance(spec, ReverseMode)
        self.context.server.address = spec.address
        if spec.scheme not in ("http", "https") or self.context.client.transport_protocol != "tcp":
            yield commands.Log(_NOT_HTTP.format(mode=spec.full_spec), logging.WARNING)
            yield from self._hang_up()
            return
        self._beginning = b""
        self._handle_event = self._wait_for_bytes  # type: ignore[method-assign]
        self._alarm = commands.RequestWakeup(HEAD_WITHIN)  # for the first bytes, and a TLS handshake
        yield self._alarm

    def _wait_for_bytes(self, event: events.Event) -> Commands:
        """The first bytes tell whether the client speaks TLS."""
        if isinstance(event, events.ConnectionClosed | events.Wakeup):
            yield from self._hang_up()
        elif isinstance(event, events.DataReceived):
            self._beginning += event.data
            if len(self._beginning) >= _RECORD_START:
                yield from self._begin(events.DataReceived(self.context.client, self._beginning))

    def _begin(self, event: events.DataReceived) -> Commands:
        layers = tunnel.LayerStack()
        secure = starts_like_tls_record(event.data)
        if secure:
            layers /= ClientTLSLayer(self.context)
        served = HttpLayer(self.context, HTTPMode.transparent)
        layers /= served
        # It cannot be taken back; where it comes due when the connection has begun, nobody minds.
        served.command_sources[self._alarm] = NOBODY
        self.child_layer, self._came = layers[0], 0
        self._handle_event = self._shake_hands if secure else self.child_layer.handle_event  # type: ignore[method-assign]
        yield from self.child_layer.handle_event(events.Start())
        yield from self._handle_event(event)

    def _shake_hands(self, event: events.Event) -> Commands:
        """Until TLS is established, time and bytes are bounded."""
        if isinstance(event, events.Wakeup) and event.command is self._alarm:
            yield from self._hang_up()
            return
        if isinstance(event, events.DataReceived) and event.connection is self.context.client:
            self._came += len(event.data)
            if self._came > MAX_HANDSHAKE:
                yield from self._hang_up()
                return
        yield from self.child_layer.handle_event(event)
        if self.context.client.tls_established:
            self._handle_event = self.child_layer.handle_event  # type: ignore[method-assign]

    def _hang_up(self) -> Commands:
        yield commands.CloseConnection(self.context.client)
        self._handle_event = self.done  # type: ignore[method-assign]

    def done(self, event: events.Event) -> Commands:
        """What still comes is nobody's."""
        yield from ()
