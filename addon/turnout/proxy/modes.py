"""Questions about mitmproxy's server: which flows are served, where it listens, and what its clients have read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mitmproxy import connection, ctx
from mitmproxy.proxy.mode_specs import ProxyMode, ReverseMode

_ACCEPTED = "turnout_accepted_in"
"""The attribute in which a connection keeps the mode it came in by. It is no part of what mitmproxy saves and copies,
and outlives a reload of this package."""


def accept(client: connection.Client) -> None:
    """A connection has come in: what it is, is decided now, whatever an addon makes of `proxy_mode` later."""
    vars(client)[_ACCEPTED] = client.proxy_mode


def is_accepted(client: connection.Client) -> bool:
    """Whether it is a connection that has come in, and no copy of one that is replayed."""
    return _ACCEPTED in vars(client)


def is_reverse(client: connection.Client) -> bool:
    """Whether the client came in (or was recorded) in reverse mode."""
    return isinstance(vars(client).get(_ACCEPTED, client.proxy_mode), ReverseMode)


def listen_hosts(modes: Iterable[str], default: str) -> list[str]:
    """The addresses on which the reverse modes among these specs listen; `default` is the option `listen_host`."""
    parsed = [ProxyMode.parse(text) for text in modes]
    return [mode.listen_host(default) for mode in parsed if isinstance(mode, ReverseMode)]


def listen_addresses(modes: Iterable[str], host: str, port: int | None) -> list[tuple[str, int]]:
    """Where the modes among these specs listen; `host` and `port` are mitmproxy's options."""
    parsed = [ProxyMode.parse(text) for text in modes]
    return [(mode.listen_host(host), mode.listen_port(port) or 0) for mode in parsed]


def listens_elsewhere() -> bool:
    """Whether a mode still listens on another address than the options say.

    mitmproxy 12 may read `listen_host` before a script has been loaded that changes it.
    """
    proxyserver = ctx.master.addons.get("proxyserver")
    for server in proxyserver.servers if proxyserver else ():
        wanted = server.mode.listen_host(ctx.options.listen_host)
        if wanted and _any_interface(server.listen_addrs):
            return not _any_interface([(wanted, 0)])
    return False


async def listen_again() -> None:
    """Close every listener and open it as the options say now."""
    proxyserver = ctx.master.addons.get("proxyserver")
    await proxyserver.servers.update([])
    await proxyserver.setup_servers()


def _any_interface(addresses: Iterable[tuple[str, int] | tuple[str, int, int, int]]) -> bool:
    return any(address[0] in ("0.0.0.0", "::", "") for address in addresses)


def has_unread(client: connection.Client) -> bool:
    """Whether data for this client waits because it does not read."""
    transport = _transport(client)
    return transport is not None and transport.get_write_buffer_size() > 0


def pieces_held(server: Any, stream_id: int) -> int:
    """How many pieces of data mitmproxy keeps for an HTTP/2 client that opens no window for this stream."""
    buffers = getattr(getattr(server, "h2_conn", None), "stream_buffers", None)
    return len(buffers.get(stream_id, ())) if buffers is not None else 0


def hang_up(client: connection.Client) -> None:
    """End the connection of a client that does not read. To close it would wait until it does."""
    transport = _transport(client)
    if transport is not None:
        transport.abort()


def _transport(client: connection.Client) -> Any:
    """asyncio's, of this client's connection; None when it is gone, and where there is no proxy around it."""
    master = getattr(ctx, "master", None)
    proxyserver = master.addons.get("proxyserver") if master is not None else None
    for handler in proxyserver.connections.values() if proxyserver else ():
        if handler.client is client:
            writer = handler.transports[client].writer if client in handler.transports else None
            return getattr(writer, "transport", None)
    return None
