"""How long a stream waits: for its provider, and for its client."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Literal, NamedTuple

from turnout.proxy.steering import AttemptMonitor

READING_PAUSE = 10.0
"""Seconds for which any client may stop reading, however short the silence is that a provider is allowed."""


class Unread(enum.Enum):
    """Whether a client has read what it was sent."""

    NOTHING = "nothing waits"
    WAITS = "waits"
    """Until it has read that, mitmproxy reads no more from the provider."""
    HELD = "held"
    """HTTP/2: it opens no window, and mitmproxy keeps what still comes."""


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
    held_since: float | None = None
    """Since when data waits for the client although the provider is read on."""

    def next_look(self, monitor: AttemptMonitor, *, streaming: bool) -> float:
        """When something may be due next."""
        if not streaming:
            return self.answer_due
        due = self.heard + monitor.idle_within
        return due if monitor.ping_after is None else min(due, self.told + monitor.ping_after)

    def overdue(self, now: float, monitor: AttemptMonitor, *, streaming: bool, unread: Unread) -> Overdue | None:
        """What has taken too long."""
        if not streaming:
            reason = f"no first event within {monitor.answer_within:g} s"
            return Overdue("answer", reason) if now >= self.answer_due else None
        self.held_since = (now if self.held_since is None else self.held_since) if unread is Unread.HELD else None
        silent, pause = now - self.heard, max(monitor.idle_within, READING_PAUSE)
        stalled = {Unread.NOTHING: 0.0, Unread.WAITS: silent, Unread.HELD: now - (self.held_since or now)}[unread]
        if stalled >= pause:
            return Overdue("client", f"the client has not read for {pause:g} s")
        if unread is Unread.NOTHING and silent >= monitor.idle_within:
            return Overdue("provider", f"silent for {monitor.idle_within:g} s")
        return None

    def wants_ping(self, now: float, monitor: AttemptMonitor) -> bool:
        """Whether the client has heard nothing for so long that it is told to wait on."""
        return monitor.ping_after is not None and now - self.told >= monitor.ping_after
