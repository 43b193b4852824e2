"""The clock of a stream: one timer that ticks, so that no chunk costs one; received bytes only note the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.http import SendHttp

from turnout.proxy.compat import abandoned, broken_off, client_gone
from turnout.proxy.modes import hang_up, has_unread, pieces_held
from turnout.proxy.patience import Overdue, Patience, Unread
from turnout.proxy.pooled import PooledStream
from turnout.proxy.steered import Commands
from turnout.proxy.steering import AttemptMonitor
from turnout.proxy.ticks import TICK, ticks_of


class TimedStream(PooledStream):
    """Gives up who takes too long, and has the client told to wait on."""

    clock: Callable[[], float] = staticmethod(time.monotonic)

    def __init__(self, context: Any, stream_id: int) -> None:
        super().__init__(context, stream_id)
        self._patience = Patience()
        self._tick: commands.RequestWakeup | None = None
        self._tick_due = 0.0

    def _drop(self) -> None:
        ticks_of(self._parent).give_back(self, self._tick, self._tick_due)
        super()._drop()

    def _next_tick(self, now: float, monitor: AttemptMonitor) -> Commands:
        due = self._patience.next_look(monitor, streaming=self._streaming)
        self._tick, self._tick_due, new = ticks_of(self._parent).request(self, now, due)
        if new:
            yield self._tick

    def _tick_sooner(self, now: float, monitor: AttemptMonitor) -> Commands:
        """Something may be due before the pending tick comes."""
        if self._patience.next_look(monitor, streaming=self._streaming) - now < TICK:
            yield from self._next_tick(now, monitor)

    def _on_tick(self, event: events.Wakeup) -> Commands:
        monitor = self._monitor
        if event.command is not self._tick:
            return
        self._tick = None
        streaming = self._streaming
        if monitor is None or not (self._waiting_for_answer or streaming):
            return
        now, unread = self.clock(), self._unread
        overdue = self._patience.overdue(now, monitor, streaming=streaming, unread=unread)
        if overdue is not None:
            yield from self._give_up(overdue)
            return
        if unread is Unread.NOTHING and self._patience.wants_ping(now, monitor, streaming=streaming):
            self._patience.told = now
            yield from self._ping(monitor)
        yield from self._next_tick(now, monitor)

    @property
    def _pieces_held(self) -> int:
        return pieces_held(self._parent.connections.get(self.context.client), self.stream_id)

    @property
    def _unread(self) -> Unread:
        client = self.context.client
        if not self._streaming:
            return Unread.NOTHING
        if self._pieces_held:
            return Unread.HELD
        return Unread.WAITS if has_unread(client) else Unread.NOTHING

    def _give_up(self, overdue: Overdue) -> Commands:
        if overdue.whose == "answer":
            yield from self._abandon(overdue.reason)
        elif overdue.whose == "provider":
            yield SendHttp(abandoned(self.stream_id), self.context.server)
            self._forget_upstream()
            yield from self.handle_protocol_error(broken_off(self.stream_id, overdue.reason))
        else:
            # Suspended or asleep, it must not keep others from a provider.
            yield from self.handle_protocol_error(client_gone(self.stream_id, overdue.reason))
            yield commands.CloseConnection(self.context.client)
            hang_up(self.context.client)

    # --- what else a stream is ---

    @property
    def _waiting_for_answer(self) -> bool:
        """Nothing of an answer has gone to the client, and one may still come."""
        return False

    @property
    def _streaming(self) -> bool:
        """The contents of an answer go to the client as they come."""
        return False

    def _ping(self, monitor: AttemptMonitor) -> Commands:
        """Tell the client to wait on."""
        yield from ()

    def _abandon(self, reason: str) -> Commands:
        """Give up an answer that is still coming."""
        yield from ()
