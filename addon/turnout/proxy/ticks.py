"""Timers of streams. A timer of mitmproxy cannot be taken back, so one that outlives its stream serves the next."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any
from weakref import WeakKeyDictionary, ref

from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.http import HttpLayer

TICK = 5.0
"""Longest time in seconds between two looks at the clock."""


class Ticks:
    """The pending wakeups of one client connection."""

    def __init__(self, parent: HttpLayer) -> None:
        self._parent = ref(parent)  # a value that held its key would keep it for ever
        self._spare: tuple[commands.RequestWakeup, float] | None = None

    @property
    def _owners(self) -> Any:
        parent = self._parent()
        return parent.command_sources if parent is not None else {}

    def request(self, stream: Any, now: float, due: float) -> tuple[commands.RequestWakeup, float, bool]:
        """A wakeup for `stream` at `due` or earlier, when it comes, and whether it is new and must be yielded."""
        spare, self._spare = self._spare, None
        if spare is not None and now < spare[1] <= due and spare[0] in self._owners:
            self._owners[spare[0]] = stream
            return *spare, False
        delay = min(max(due - now, 0.001), TICK)
        return commands.RequestWakeup(delay), now + delay, True

    def give_back(self, stream: Any, latest: commands.RequestWakeup | None, due: float) -> None:
        """The stream has ended: what is pending for it must not keep it, and with it both bodies, in memory."""
        for command, owner in self._owners.items():
            if owner is stream and isinstance(command, commands.RequestWakeup):
                self._owners[command] = NOBODY
        if latest is not None and latest in self._owners:
            self._spare = latest, due


class _Nobody:
    """Takes a wakeup that nobody waits for any more."""

    def handle_event(self, event: events.Event) -> Generator[commands.Command, Any, None]:
        yield from ()


NOBODY: Any = _Nobody()
"""Stands among an HttpLayer's `command_sources` for who asked for a wakeup."""

_ticks: WeakKeyDictionary[HttpLayer, Ticks] = WeakKeyDictionary()


def ticks_of(parent: HttpLayer) -> Ticks:
    """The ticks of the client connection that this layer serves."""
    found = _ticks.get(parent)
    if found is None:
        found = _ticks[parent] = Ticks(parent)
    return found
