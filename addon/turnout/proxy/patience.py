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

    asked: float = 0.0
    """When the request was sent."""
    begun: float | None = None
    """When the answer began."""
    heard: float | None = None
    """When the provider gave its last sign of life."""
    told: float | None = None
    """When the client was sent something last, or was to wait from; None while it is to hear nothing."""
    held_since: float | None = None
    """Since when data waits for the client although the provider is read on."""

    def asks(self, now: float, *, head_sent: bool) -> None:
        """An attempt begins. A client that has been told to wait goes on to be told so."""
        self.asked, self.begun, self.heard, self.held_since = now, None, None, None
        self.told = self.told if head_sent else None

    def hears(self, now: float, *, begun: bool) -> None:
        """A sign of life of an answer that says nothing yet."""
        self.heard = now
        if begun and self.begun is None:
            self.begun = now
            self.told = now if self.told is None else self.told

    def streams(self, now: float, *, closing: bool = False) -> None:
        """Something goes to the client. Of an answer that is `closing` it is no sign of life: the end has its time."""
        self.told = now
        if not closing:
            self.heard = now

    def next_look(self, monitor: AttemptMonitor, *, streaming: bool) -> float:
        """When something may be due next."""
        due = (self.heard or 0.0) + monitor.idle_within if streaming else self._due(monitor)[0]
        ping_after = self._ping_after(monitor, streaming=streaming)
        return due if ping_after is None or self.told is None else min(due, self.told + ping_after)

    def overdue(self, now: float, monitor: AttemptMonitor, *, streaming: bool, unread: Unread) -> Overdue | None:
        """What has taken too long."""
        if not streaming:
            due, reason = self._due(monitor)
            return Overdue("answer", reason) if now >= due else None
        self.held_since = (now if self.held_since is None else self.held_since) if unread is Unread.HELD else None
        silent, pause = now - (self.heard or 0.0), max(monitor.idle_within, READING_PAUSE)
        stalled = {Unread.NOTHING: 0.0, Unread.WAITS: silent, Unread.HELD: now - (self.held_since or now)}[unread]
        if stalled >= pause:
            return Overdue("client", f"the client has not read for {pause:g} s")
        if unread is Unread.NOTHING and silent >= monitor.idle_within:
            return Overdue("provider", f"silent for {monitor.idle_within:g} s")
        return None

    def _due(self, monitor: AttemptMonitor) -> tuple[float, str]:
        """When an answer that says nothing is given up, and why."""
        if self.begun is not None:
            last = self.heard if self.heard is not None else self.begun
            silence = last + monitor.content_within, f"no content within {monitor.content_within:g} s of silence"
            return min(silence, (self.begun + monitor.word_within, f"no content within {monitor.word_within:g} s"))
        if self.heard is None:
            return self.asked + monitor.answer_within, f"no first event within {monitor.answer_within:g} s"
        sign = self.heard + monitor.sign_within, f"no first event within {monitor.sign_within:g} s of silence"
        return min(sign, (self.asked + monitor.start_within, f"no first event within {monitor.start_within:g} s"))

    def wants_ping(self, now: float, monitor: AttemptMonitor, *, streaming: bool) -> bool:
        """Whether the client has heard nothing for so long that it is told to wait on."""
        ping_after = self._ping_after(monitor, streaming=streaming)
        return ping_after is not None and self.told is not None and now - self.told >= ping_after

    def _ping_after(self, monitor: AttemptMonitor, *, streaming: bool) -> float | None:
        """What the provider sends itself is held back with the rest, so that none of its pings comes through."""
        return monitor.ping_after if streaming else monitor.held_ping_after
