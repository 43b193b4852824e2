"""A deadline for connecting. mitmproxy has none, and a stream waiting for its connection cannot be woken."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from mitmproxy import ctx
from mitmproxy.proxy.layers.http import _upstream_proxy
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.tls import TlsData

from turnout.proxy.compat import stock
from turnout.proxy.dialling import errand_to

__all__ = ["ConnectDeadlines", "ServerConnectionHookData"]

logger = logging.getLogger("turnout")

HttpUpstreamProxy: Any = stock(_upstream_proxy, "HttpUpstreamProxy")


class ConnectDeadlines:
    """Ends attempts to connect (TCP, a proxy's CONNECT and TLS together) that take too long."""

    def __init__(self) -> None:
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._expired: dict[str, str] = {}

    def connecting(self, data: ServerConnectionHookData, seconds: float) -> None:
        """From the `server_connect` hook: dialling begins and may take this long."""
        loop = asyncio.get_running_loop()
        self._timers[data.server.id] = loop.call_later(seconds, self._expire, data, seconds)

    def connected(self, data: ServerConnectionHookData) -> None:
        """From `server_connected`: done, unless TLS is still to be negotiated, or a proxy has to lead on."""
        errand = errand_to(data.client, data.server.address)
        if not data.server.tls and not (errand is not None and errand.is_tunnel):
            self.settled(data.server.id)

    def secured(self, data: TlsData) -> None:
        """From `tls_established_server`: done, unless this is a proxy that has to lead on."""
        tunnels = [layer for layer in data.context.layers if isinstance(layer, HttpUpstreamProxy)]
        if all(data.conn is not tunnel.tunnel_connection for tunnel in tunnels):
            self.settled(data.conn.id)
        for tunnel in tunnels:
            if tunnel.conn is data.conn:
                self.settled(tunnel.tunnel_connection.id)

    def settled(self, server_id: str) -> None:
        """The connection stands, or has failed."""
        timer = self._timers.pop(server_id, None)
        if timer is not None:
            timer.cancel()

    def reason(self, client_id: str) -> str:
        """What to say of the last failure of this client's connection; empty when no deadline had a part in it.

        A TLS handshake that is cut off is told by mitmproxy as a connection that was closed.
        """
        return self._expired.pop(client_id, "")

    def cancel_all(self) -> None:
        for server_id in list(self._timers):
            self.settled(server_id)

    def _expire(self, data: ServerConnectionHookData, seconds: float) -> None:
        self._timers.pop(data.server.id, None)
        proxyserver = ctx.master.addons.get("proxyserver")
        for handler in proxyserver.connections.values() if proxyserver else ():
            transport = handler.transports.get(data.server)
            if transport is not None and transport.handler is not None:
                self._expired[data.client.id] = f"connect timeout after {seconds:g} s"
                transport.handler.cancel(self._expired[data.client.id])
                return
        logger.warning("connect timeout after %g s, but the connection was not found", seconds)
