"""The way through a proxy to a provider that speaks TLS: CONNECT (RFC 9110, section 9.3.6).

What differs from mitmproxy/proxy/layers/http/_upstream_proxy.py: the proxy's password is in no flow and no hook, no
hook decides where the tunnel leads, and the head of the proxy's answer is bounded.
"""

from __future__ import annotations

from collections.abc import Generator
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any

from mitmproxy.proxy import commands
from mitmproxy.proxy.layers.http import _upstream_proxy

from turnout.proxy.bounds import BoundedBuffer, TooLarge
from turnout.proxy.compat import stock
from turnout.proxy.dialling import errand_to
from turnout.proxy.modes import is_reverse

if TYPE_CHECKING:
    from mitmproxy.proxy.layers.http._upstream_proxy import HttpUpstreamProxy
else:
    HttpUpstreamProxy = stock(_upstream_proxy, "HttpUpstreamProxy")


class Tunnel(HttpUpstreamProxy):
    """A connection to a proxy that leads on to a provider."""

    stands_for = HttpUpstreamProxy

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.buf = BoundedBuffer()

    def start_handshake(self) -> Generator[commands.Command, Any, None]:
        if not is_reverse(self.context.client):
            yield from super().start_handshake()
            return
        assert self.conn.address is not None
        host, port = self.conn.address[:2]
        place = f"{_in_authority(host)}:{port}"
        lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
        errand = errand_to(self.context.client, self.conn.address)
        proxy = errand.way.proxy if errand is not None else None
        if proxy is not None and proxy.authorization is not None and (proxy.host, proxy.port) == self._outer:
            lines.append(f"Proxy-Authorization: {proxy.authorization.reveal()}")
        yield commands.SendData(self.tunnel_connection, "\r\n".join([*lines, "", ""]).encode())

    def receive_handshake_data(self, data: bytes) -> Generator[commands.Command, Any, tuple[bool, str | None]]:
        try:
            return (yield from super().receive_handshake_data(data))
        except TooLarge as error:
            return False, f"the head of the proxy's answer is refused: {error}"

    @property
    def _outer(self) -> tuple[str, int] | None:
        address = self.tunnel_connection.address
        return None if address is None else (address[0], address[1])


def _in_authority(host: str) -> str:
    try:
        return f"[{IPv6Address(host)}]"
    except ValueError:
        return host.encode("idna").decode()
