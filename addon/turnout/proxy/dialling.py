"""The last word on what is dialled for a client in reverse mode: what an attempt asks for, and nothing else.

Streams refuse what Turnout has not prepared, and reverse mode knows no layer but HTTP. A hook of another addon may find
a way past both: `tls_clienthello` can turn a connection into raw TCP, `server_connect` can give it another address. It
ends here, where mitmproxy asks for the last time before it dials (proxy/server.py, ConnectionHandler.open_connection).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from mitmproxy.connection import Client, Server
from mitmproxy.proxy import commands, mode_servers
from mitmproxy.proxy.layers.tls import TlsStartServerHook
from mitmproxy.proxy.server_hooks import ServerConnectHook

from turnout.proxy.compat import stock
from turnout.proxy.modes import accept, is_reverse
from turnout.proxy.protocols import offers
from turnout.proxy.trusting import trusting
from turnout.settings.certificates import PUBLIC
from turnout.settings.ways import DIRECT, Way

if TYPE_CHECKING:
    from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
else:
    ProxyConnectionHandler = stock(mode_servers, "ProxyConnectionHandler")

NOT_PREPARED = "Turnout has not prepared a request for this address"

_Address = tuple[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Errand:
    """An attempt that asks for a connection."""

    address: _Address
    """Of the provider."""
    secure: bool
    way: Way

    @property
    def dialled(self) -> _Address:
        """Where the connection leads at first."""
        proxy = self.way.proxy
        return self.address if proxy is None else (proxy.host, proxy.port)

    @property
    def is_tunnel(self) -> bool:
        """A proxy is asked to lead on to the provider (CONNECT). Without TLS it takes the requests itself."""
        return self.way.proxy is not None and self.secure


# Kept at mitmproxy's module: a connection outlives a reload of this package, and both must speak of the same.
_errands: WeakKeyDictionary[Client, list[Errand]] = vars(mode_servers).setdefault(
    "turnout_errands", WeakKeyDictionary()
)


@contextmanager
def dialling(client: Client, address: _Address, secure: bool = False, way: Way = DIRECT) -> Iterator[None]:
    """An attempt of this client asks for a connection to this address."""
    errand = Errand(address, secure, way)
    under_way = _errands.setdefault(client, [])
    under_way.append(errand)
    try:
        yield
    finally:
        under_way.remove(errand)


def is_wanted(client: Client, address: object) -> bool:
    """Whether an attempt of this client has this address dialled."""
    return any(errand.dialled == address for errand in _errands.get(client, ()))


def errand_to(client: Client, address: object) -> Errand | None:
    """The attempt of this client that a connection to this address is made for: a provider's, or its proxy's."""
    under_way = _errands.get(client, ())
    return next((each for each in under_way if address in (each.address, each.dialled)), None)


class GuardedConnectionHandler(ProxyConnectionHandler):
    """One client connection and what is dialled for it."""

    stands_for = ProxyConnectionHandler

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)  # type: ignore[no-untyped-call]
        accept(self.client)

    async def handle_hook(self, hook: commands.StartHook) -> None:
        """After the hook before a connection mitmproxy dials what stands in it then, if it holds no error. In the one
        before a TLS handshake it is decided here whose certificates are trusted, and what is offered to be spoken."""
        if isinstance(hook, TlsStartServerHook) and is_reverse(self.client):
            assert isinstance(hook.data.conn, Server)
            errand = errand_to(self.client, hook.data.conn.address)
            if errand is not None and errand.address == hook.data.conn.address and not self.client.alpn_offers:
                hook.data.conn.alpn_offers = offers(errand.address)
            with trusting(errand.way.trust if errand is not None else PUBLIC):
                await super().handle_hook(hook)
            return
        if not isinstance(hook, ServerConnectHook) or not is_reverse(self.client):
            await super().handle_hook(hook)
            return
        server = hook.data.server
        asked = server.address
        await super().handle_hook(hook)
        if server.address != asked or not is_wanted(self.client, asked):
            server.error = NOT_PREPARED
