"""The last word on what is dialled for a client in reverse mode: what an attempt asks for, and nothing else.

Streams refuse what Turnout has not prepared, and reverse mode knows no layer but HTTP. Should a hook of another addon
find a way past both (`tls_clienthello` may turn a connection into raw TCP), it ends here, where every connection of
mitmproxy is opened (proxy/server.py, ConnectionHandler.open_connection).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from mitmproxy.connection import Client
from mitmproxy.proxy import commands, events, mode_servers

from turnout.proxy.compat import stock
from turnout.proxy.modes import is_reverse

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

    async def open_connection(self, command: commands.OpenConnection) -> None:
        if not is_reverse(self.client) or is_wanted(self.client, command.connection.address):
            await super().open_connection(command)
            return
        command.connection.error = NOT_PREPARED
        self.log(f"{NOT_PREPARED}: {command.connection.address}")
        await self.server_event(events.OpenConnectionCompleted(command, NOT_PREPARED))
