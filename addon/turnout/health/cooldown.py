"""Which credentials rest, and for how long: a breaker per (provider, credential, model) with one half-open probe."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from heapq import nsmallest
from weakref import WeakSet

from turnout.health.judgement import USED_UP, WAITING_HELPS, Judgement, Verdict
from turnout.health.limits import LONGEST_THROTTLE
from turnout.health.waiting import LONGEST_ASKED

QUOTA_DEFAULT = 300.0
"""Seconds for a quota or a refused credential when neither the provider nor the configuration names a time."""
TRANSIENT_DEFAULT = 20.0
"""The same for what is soon over. With the jitter and the tries of the probe, traffic is back within 30 s of the end of
an outage; the probe of one that goes on costs one request a second of waiting."""
MISSING_DEFAULT = 60.0
"""The same for a model or an endpoint that is not there, and the most that outages grow to whose probes cost a whole
deadline."""

LONGEST_REST = 3600.0
"""Seconds after which a probe is due whatever was told, also for a quota that its provider confirms: plans are
extended, windows reset, balances filled up before their time, and a probe that is refused costs one round trip an
hour."""

MOST_KEPT = 1000
"""Cooldowns that are remembered, about 1 MB: clients choose names of models, and may bring credentials of their own."""

EVERY_MODEL = "*"
"""Stands for the model in entries about a whole credential."""

_FORGET_AFTER = 3600.0
_SWEEP_AFTER = 60.0
_JITTER = 0.1
_LONGEST_JITTER = 5.0

_WHOLE_CREDENTIAL = frozenset({Verdict.QUOTA, Verdict.CREDENTIAL})
_LONG = USED_UP | {Verdict.CREDENTIAL}
_COOLS = _LONG | WAITING_HELPS | {Verdict.NOT_FOUND}

Key = tuple[str, str, str]
"""Provider, credential label, model."""


@dataclass(frozen=True, slots=True)
class CooldownState:
    """Why an attempt may not start now."""

    verdict: Verdict
    reason: str
    until: float
    """Unix time; in the past while a probe is under way."""
    probing: bool
    told: bool = False
    """The provider named the time."""


@dataclass(slots=True, eq=False)
class _Entry:
    verdict: Verdict
    reason: str
    until: float
    since: float = 0.0
    """Unix time of the latest failure."""
    told: bool = False
    timed_out: bool = False
    probe: Claim | None = field(default=None, repr=False)

    @property
    def rests_until(self) -> float:
        """When a probe may start."""
        return min(self.until, self.since + LONGEST_REST)

    @property
    def may_be_over(self) -> bool:
        """Nobody said that it lasts until then."""
        return self.verdict in WAITING_HELPS and not (self.told and self.verdict is Verdict.THROTTLE)

    @property
    def probing(self) -> bool:
        return self.probe is not None

    def blocks(self, now: float) -> bool:
        return now < self.rests_until or (self.probe is not None and now < self.probe.at + _FORGET_AFTER)

    def is_forgotten(self, now: float) -> bool:
        return now - self.until > _FORGET_AFTER and not self.blocks(now)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Claim:
    """Leave for one attempt, to be ended with succeeded, failed or release; ending it again does nothing."""

    provider: str
    credential: str
    model: str
    at: float
    """Unix time at which the attempt got leave to start."""
    entries: tuple[_Entry, ...] = field(repr=False)
    """The cooldowns that the attempt probes: all that had been recorded when it started."""


def _told(judgement: Judgement, now: float) -> float:
    """Seconds that the provider named; 0 for none."""
    until = judgement.until - now if judgement.until is not None else 0.0
    return until if until > 0 else judgement.retry_after or 0.0


def _default(judgement: Judgement) -> float:
    if judgement.verdict in _LONG:
        return QUOTA_DEFAULT
    return TRANSIENT_DEFAULT if judgement.verdict in WAITING_HELPS else MISSING_DEFAULT


def _keys(provider: str, credential: str, model: str) -> tuple[Key, ...]:
    """What an attempt depends on: the model and the credential as a whole."""
    return tuple((provider, credential, name) for name in dict.fromkeys((model, EVERY_MODEL)))


class Cooldowns:
    """Which (provider, credential, model) may be used now.

    Every attempt starts with a claim and ends it. After a cooldown has ended, one attempt is let through as the probe.
    A probe that never ends is forgotten an hour after it started. Of more than `capacity` cooldowns, those that end
    first are forgotten.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
        capacity: int = MOST_KEPT,
    ) -> None:
        self._clock = clock
        self._jitter = jitter
        self._capacity = capacity
        self._entries: dict[Key, _Entry] = {}
        self._open: WeakSet[Claim] = WeakSet()
        self._swept = clock()

    def state(self, provider: str, credential: str, model: str) -> CooldownState | None:
        """What keeps an attempt from starting now; None when nothing does."""
        now = self._clock()
        blocking = [entry for entry in self._concerning(provider, credential, model) if entry.blocks(now)]
        if not blocking:
            return None
        entry = max(blocking, key=lambda entry: entry.until)
        probing = any(entry.probing for entry in blocking)
        return CooldownState(entry.verdict, entry.reason, entry.until, probing, entry.told)

    def claim(self, provider: str, credential: str, model: str) -> Claim | None:
        """Leave for an attempt to start now, or None. After a cooldown, the attempt is then the probe."""
        now = self._clock()
        entries = self._concerning(provider, credential, model)
        if any(entry.blocks(now) for entry in entries):
            return None
        return self._start(provider, credential, model, entries)

    def probe_anyway(self, provider: str, credential: str, model: str) -> Claim | None:
        """Leave for one attempt before the cooldown has ended: the last resort of a plan that has no other.

        Only where the trouble may be over already (overloaded, transient, a limit without a time), and never beside
        another probe.
        """
        now = self._clock()
        entries = self._concerning(provider, credential, model)
        if any(entry.blocks(now) and (entry.probing or not entry.may_be_over) for entry in entries):
            return None
        return self._start(provider, credential, model, entries)

    def release(self, claim: Claim) -> None:
        """The attempt ended without a word on the credential: another may be the probe."""
        self._end(claim)

    def succeeded(self, claim: Claim) -> None:
        """The attempt was served: model and credential are free, unless something failed since it started."""
        if not self._end(claim):
            return
        for key in _keys(claim.provider, claim.credential, claim.model):
            if self._entries.get(key) in claim.entries:
                del self._entries[key]

    def failed(self, claim: Claim, judgement: Judgement, default: float | None = None) -> float | None:
        """Record a failure. Unix time at which its cooldown ends, or None for a judgement that does not cool.

        `default` (seconds) is the provider's configured cooldown, used where the provider named no time.
        """
        if not self._end(claim) or judgement.verdict not in _COOLS or not judgement.cools:
            return None
        now = self._clock()
        self._sweep(now)
        of_all = judgement.verdict in _WHOLE_CREDENTIAL and not judgement.model_only
        key = (claim.provider, claim.credential, EVERY_MODEL if of_all else claim.model)
        known = self._entries.get(key)
        entry = self._entry(judgement, default, known, now)
        if known is not None:
            # A copy of the longer one: a success of an attempt that started before this failure must not remove it.
            entry = replace(known if known.until >= entry.until else entry, since=now, probe=known.probe)
        self._entries[key] = entry
        self._make_room(key)
        return entry.until

    def forget(self, provider: str) -> None:
        """Drop all that is known of a provider, because its configuration changed.

        Claims still open end with it: what becomes of their attempts says nothing about the new configuration.
        """
        self._entries = {key: entry for key, entry in self._entries.items() if key[0] != provider}
        self._open = WeakSet(claim for claim in self._open if claim.provider != provider)

    def snapshot(self) -> list[dict[str, str | float | bool]]:
        """Everything that blocks attempts now, for `/health`. Times in seconds, model `*` for the whole credential.

        `until` and `ends_in` tell when it is over as far as is known, `remaining` how long no attempt may start.
        """
        now = self._clock()
        return [
            {
                "provider": provider,
                "credential": credential,
                "model": model,
                "verdict": entry.verdict.value,
                "reason": entry.reason,
                "until": entry.until,
                "remaining": max(0.0, entry.rests_until - now),
                "ends_in": max(0.0, entry.until - now),
                "probing": entry.probing,
            }
            for (provider, credential, model), entry in self._entries.items()
            if entry.blocks(now)
        ]

    def _concerning(self, provider: str, credential: str, model: str) -> list[_Entry]:
        found = (self._entries.get(key) for key in _keys(provider, credential, model))
        return [entry for entry in found if entry is not None]

    def _start(self, provider: str, credential: str, model: str, entries: list[_Entry]) -> Claim:
        claim = Claim(provider, credential, model, self._clock(), tuple(entries))
        for entry in entries:
            entry.probe = claim
        self._open.add(claim)
        return claim

    def _end(self, claim: Claim) -> bool:
        """Give back the probes that the claim holds. False if it has ended before."""
        if claim not in self._open:
            return False
        self._open.discard(claim)
        for entry in self._concerning(claim.provider, claim.credential, claim.model):
            if entry.probe is claim:
                entry.probe = None
        return True

    def _entry(self, judgement: Judgement, default: float | None, known: _Entry | None, now: float) -> _Entry:
        told = _told(judgement, now)
        length = self._told_length(told) if told > 0 else self._own_length(judgement, default, known)
        return _Entry(judgement.verdict, judgement.reason, now + length, now, told > 0, judgement.timed_out)

    def _told_length(self, given: float) -> float:
        """Seconds, jitter included so that parallel clients do not come back all at once.

        It never lengthens a wait beyond what is believed, or beyond what clients wait for.
        """
        length = given + self._jitter() * min(given * _JITTER, _LONGEST_JITTER)
        bound = next((each for each in (LONGEST_ASKED, LONGEST_THROTTLE) if given <= each), length)
        return min(length, bound)

    def _own_length(self, judgement: Judgement, default: float | None, known: _Entry | None) -> float:
        """Seconds where no time was told. Where a probe costs a whole deadline, outages are probed less and less."""
        length = default or _default(judgement)
        if default is None and judgement.timed_out and known is not None and known.timed_out:
            length = min(2 * max(length, known.until - known.since), MISSING_DEFAULT)
        return length * (1 + self._jitter() * _JITTER)

    def _make_room(self, newest: Key) -> None:
        """Never by an entry with a probe: without it, a second probe could start beside the first."""
        excess = len(self._entries) - self._capacity
        if excess <= 0:
            return
        spare = (key for key, entry in self._entries.items() if not entry.probing and key != newest)
        for key in nsmallest(excess, spare, key=lambda key: self._entries[key].until):
            del self._entries[key]

    def _sweep(self, now: float) -> None:
        if now - self._swept < _SWEEP_AFTER:
            return
        self._swept = now
        self._entries = {key: entry for key, entry in self._entries.items() if not entry.is_forgotten(now)}
