"""The end of a provider's connection to an exchange whose answer is over, and of which the client waits for nothing.

Most servers end theirs in the same breath as the answer, and the connection then serves the next request. Some leave it
open: it is given up at the next tick, or when the connection is needed.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from mitmproxy.connection import Server
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.http import HttpLayer, ResponseEndOfMessage

from turnout.proxy.compat import ResponseProtocolError, abandoned
from turnout.proxy.ticks import ticks_of

Commands = Generator[commands.Command, Any, None]


class Epilogue:
    """Stands among an HttpLayer's streams, under the id that an attempt had, until its provider has ended it."""

    def __init__(self, parent: HttpLayer, server: Server, upstream_id: int) -> None:
        self.server = server
        self._parent = parent
        self._upstream_id = upstream_id
        self._tick: commands.RequestWakeup | None = None
        self._tick_due = 0.0

    def begin(self, tick: commands.RequestWakeup | None, due: float) -> Commands:
        """Wait for the end until `tick`, which the attempt's stream has asked for, comes at `due`."""
        owners: dict[Any, Any] = self._parent.command_sources
        self._parent.streams[self._upstream_id] = self  # type: ignore[assignment]
        if tick is None or tick not in owners:
            yield from self.give_up()
        else:
            owners[tick], self._tick, self._tick_due = self, tick, due

    def handle_event(self, event: events.Event) -> Commands:
        if isinstance(event, events.Wakeup):
            self._tick = None
            yield from self.give_up()
        elif ends(event, self._upstream_id):
            self._over()

    def give_up(self) -> Commands:
        self._over()
        connection = self._parent.connections.get(self.server)
        if connection is not None:
            yield from self._parent.event_to_child(connection, abandoned(self._upstream_id))

    def _over(self) -> None:
        self._parent.streams.pop(self._upstream_id, None)
        ticks_of(self._parent).give_back(self, self._tick, self._tick_due)


def ends(event: events.Event, upstream_id: int) -> bool:
    """Whether a provider has ended its answer to this attempt."""
    return isinstance(event, (ResponseEndOfMessage, ResponseProtocolError)) and event.stream_id == upstream_id


def give_way(parent: HttpLayer) -> Commands:
    """A request is about to be sent: HTTP/1 connections that still wait for the end of an answer are given up."""
    waiting: list[Any] = [stream for stream in parent.streams.values() if isinstance(stream, Epilogue)]
    for epilogue in waiting:
        if epilogue.server.alpn != b"h2":
            yield from epilogue.give_up()
