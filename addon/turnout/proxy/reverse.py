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

if TYPE_CHECKING:
    from mitmproxy.proxy.layers.modes import ReverseProxy
else:
    ReverseProxy = stock(modes, "ReverseProxy")

Commands = Generator[commands.Command, Any, None]

_RECORD_START = 3
"""Bytes that tell a TLS record from a request."""

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
            yield commands.CloseConnection(self.context.client)
            self._handle_event = self.done  # type: ignore[method-assign]
            return
        self._beginning = b""
        self._handle_event = self._wait_for_bytes  # type: ignore[method-assign]

    def _wait_for_bytes(self, event: events.Event) -> Commands:
        """The first bytes tell whether the client speaks TLS."""
        if isinstance(event, events.ConnectionClosed):
            yield commands.CloseConnection(self.context.client)
            self._handle_event = self.done  # type: ignore[method-assign]
        elif isinstance(event, events.DataReceived):
            self._beginning += event.data
            if len(self._beginning) >= _RECORD_START:
                yield from self._begin(self._beginning)

    def _begin(self, data: bytes) -> Commands:
        layers = tunnel.LayerStack()
        if starts_like_tls_record(data):
            layers /= ClientTLSLayer(self.context)
        layers /= HttpLayer(self.context, HTTPMode.transparent)
        self.child_layer = layers[0]
        self._handle_event = self.child_layer.handle_event  # type: ignore[method-assign]
        yield from self.child_layer.handle_event(events.Start())
        yield from self.child_layer.handle_event(events.DataReceived(self.context.client, data))
