"""How long a stream waits: for its provider, and for its client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from turnout.proxy.steering import AttemptMonitor

READING_PAUSE = 10.0
"""Seconds for which any client may stop reading, however short the silence is that a provider is allowed."""


class Overdue(NamedTuple):
    """Whose time is up, and why in words."""

    whose: Literal["answer", "provider", "client"]
    reason: str


@dataclass(slots=True)
class Patience:
    """The times of one attempt. All are in seconds of one clock."""

    answer_due: float = 0.0
    """When the answer has to have begun."""
    heard: float = 0.0
    """When the provider sent the last bytes of a stream."""
    told: float = 0.0
    """When the client was sent something last."""

    def next_look(self, monitor: AttemptMonitor, *, streaming: bool) -> float:
        """When something may be due next."""
        if not streaming:
            return self.answer_due
        due = self.heard + monitor.idle_within
        return due if monitor.ping_after is None else min(due, self.told + monitor.ping_after)

    def overdue(self, now: float, monitor: AttemptMonitor, *, streaming: bool, unread: bool) -> Overdue | None:
        """What has taken too long. `unread`: data waits for the client, until it has read that, mitmproxy reads no more
        from the provider."""
        if not streaming:
            reason = f"no first event within {monitor.answer_within:g} s"
            return Overdue("answer", reason) if now >= self.answer_due else None
        silent = now - self.heard
        if unread:
            pause = max(monitor.idle_within, READING_PAUSE)
            return Overdue("client", f"the client has not read for {pause:g} s") if silent >= pause else None
        return Overdue("provider", f"silent for {monitor.idle_within:g} s") if silent >= monitor.idle_within else None

    def wants_ping(self, now: float, monitor: AttemptMonitor) -> bool:
        """Whether the client has heard nothing for so long that it is told to wait on."""
        return monitor.ping_after is not None and now - self.told >= monitor.ping_after
