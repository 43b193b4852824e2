"""The last word on what is dialled for a client in reverse mode: what an attempt asks for, and nothing else.

Streams refuse what Turnout has not prepared, and reverse mode knows no layer but HTTP. A hook of another addon may find
a way past both: `tls_clienthello` can turn a connection into raw TCP, `server_connect` can give it another address. It
ends here, where mitmproxy asks for the last time before it dials (proxy/server.py, ConnectionHandler.open_connection).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from mitmproxy.connection import Client
from mitmproxy.proxy import commands, mode_servers
from mitmproxy.proxy.server_hooks import ServerConnectHook

from turnout.proxy.compat import stock
from turnout.proxy.modes import accept, is_reverse

if TYPE_CHECKING:
    from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
else:
    ProxyConnectionHandler = stock(mode_servers, "ProxyConnectionHandler")

NOT_PREPARED = "Turnout has not prepared a request for this address"

_Address = tuple[str, int]

# Kept at mitmproxy's module: a connection outlives a reload of this package, and both must speak of the same.
_wanted: WeakKeyDictionary[Client, Counter[_Address]] = vars(mode_servers).setdefault(
    "turnout_wanted", WeakKeyDictionary()
)


@contextmanager
def dialling(client: Client, address: _Address) -> Iterator[None]:
    """An attempt of this client asks for a connection to this address."""
    wanted = _wanted.setdefault(client, Counter())
    wanted[address] += 1
    try:
        yield
    finally:
        wanted[address] -= 1


def is_wanted(client: Client, address: object) -> bool:
    return address in _wanted.get(client, ()) and _wanted[client][address] > 0  # type: ignore[index]


class GuardedConnectionHandler(ProxyConnectionHandler):
    """One client connection and what is dialled for it."""

    stands_for = ProxyConnectionHandler

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)  # type: ignore[no-untyped-call]
        accept(self.client)

    async def handle_hook(self, hook: commands.StartHook) -> None:
        """After the hook before a connection mitmproxy dials what stands in it then, if it holds no error."""
        if not isinstance(hook, ServerConnectHook) or not is_reverse(self.client):
            await super().handle_hook(hook)
            return
        server = hook.data.server
        asked = server.address
        await super().handle_hook(hook)
        if server.address != asked or not is_wanted(self.client, asked):
            server.error = NOT_PREPARED
