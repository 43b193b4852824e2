"""Which credentials rest, and for how long: a breaker per (provider, credential, model) with one half-open probe."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from turnout.health.verdict import Judgement, Verdict

QUOTA_DEFAULT = 300.0
"""Seconds for a quota or a refused credential when neither the provider nor the configuration names a time."""
TRANSIENT_DEFAULT = 60.0
"""The same for everything else that cools."""

EVERY_MODEL = "*"
"""Stands for the model in entries about a whole credential."""

# The longest window of a plan is seven days; a reset beyond that is a mistake of the provider or of a clock.
_LONGEST = 8 * 86400.0
_FORGET_AFTER = 3600.0
_JITTER = 0.1
_LONGEST_JITTER = 5.0

_WHOLE_CREDENTIAL = frozenset({Verdict.QUOTA, Verdict.CREDENTIAL})
_LONG = frozenset({Verdict.QUOTA, Verdict.QUOTA_MODEL, Verdict.CREDENTIAL})
_COOLS = _LONG | {Verdict.THROTTLE, Verdict.OVERLOADED, Verdict.TRANSIENT, Verdict.NOT_FOUND}
_MAY_BE_OVER = frozenset({Verdict.OVERLOADED, Verdict.TRANSIENT})

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


@dataclass(slots=True)
class _Entry:
    verdict: Verdict
    reason: str
    until: float
    probing: bool = False

    def blocks(self, now: float) -> bool:
        return now < self.until + (_FORGET_AFTER if self.probing else 0.0)


def _start_probe(entries: list[_Entry]) -> None:
    for entry in entries:
        entry.probing = True


class Cooldowns:
    """Which (provider, credential, model) may be used now.

    After a cooldown has ended, one attempt is let through as the probe; it ends with succeeded, failed or release.
    A probe that never ends is forgotten an hour after its cooldown.
    """

    def __init__(self, clock: Callable[[], float] = time.time, jitter: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._jitter = jitter
        self._entries: dict[Key, _Entry] = {}
        self._swept = clock()

    def state(self, provider: str, credential: str, model: str) -> CooldownState | None:
        """What keeps an attempt from starting now; None when nothing does."""
        now = self._clock()
        blocking = [entry for entry in self._concerning(provider, credential, model) if entry.blocks(now)]
        if not blocking:
            return None
        entry = max(blocking, key=lambda entry: entry.until)
        return CooldownState(entry.verdict, entry.reason, entry.until, any(entry.probing for entry in blocking))

    def claim(self, provider: str, credential: str, model: str) -> bool:
        """True if an attempt may start now. After a cooldown, the attempt is then the probe."""
        now = self._clock()
        entries = self._concerning(provider, credential, model)
        if any(entry.blocks(now) for entry in entries):
            return False
        _start_probe(entries)
        return True

    def probe_anyway(self, provider: str, credential: str, model: str) -> bool:
        """True if one attempt may start before the cooldown has ended: the last resort of a plan that has no other.

        Only where the trouble may be over already (overloaded, transient), and never beside another probe.
        """
        now = self._clock()
        entries = self._concerning(provider, credential, model)
        if any(entry.blocks(now) and (entry.probing or entry.verdict not in _MAY_BE_OVER) for entry in entries):
            return False
        _start_probe(entries)
        return True

    def release(self, provider: str, credential: str, model: str) -> None:
        """The attempt ended without a word on the credential: another may be the probe."""
        for entry in self._concerning(provider, credential, model):
            entry.probing = False

    def succeeded(self, provider: str, credential: str, model: str) -> None:
        """The attempt was served: model and credential are free."""
        for name in (model, EVERY_MODEL):
            self._entries.pop((provider, credential, name), None)

    def failed(
        self, provider: str, credential: str, model: str, judgement: Judgement, default: float | None = None
    ) -> float | None:
        """Record a failure. Unix time at which its cooldown ends, or None for a verdict that does not cool.

        `default` (seconds) is the provider's configured cooldown, used where the provider named no time.
        """
        self.release(provider, credential, model)
        if judgement.verdict not in _COOLS:
            return None
        now = self._clock()
        self._sweep(now)
        until = now + self._length(judgement, default, now)
        key = (provider, credential, EVERY_MODEL if judgement.verdict in _WHOLE_CREDENTIAL else model)
        known = self._entries.get(key)
        if known is not None and known.until >= until:
            return known.until
        self._entries[key] = _Entry(judgement.verdict, judgement.reason, until)
        return until

    def next_free(self, keys: Iterable[Key]) -> float | None:
        """Unix time at which the first of the keys that cool down is free again; None when none of them does."""
        states = (self.state(*key) for key in keys)
        return min((max(state.until, self._clock()) for state in states if state is not None), default=None)

    def snapshot(self) -> list[dict[str, str | float | bool]]:
        """Everything that blocks attempts now, for `/health`. Times in seconds, model `*` for the whole credential."""
        now = self._clock()
        return [
            {
                "provider": provider,
                "credential": credential,
                "model": model,
                "verdict": entry.verdict.value,
                "reason": entry.reason,
                "until": entry.until,
                "remaining": max(0.0, entry.until - now),
                "probing": entry.probing,
            }
            for (provider, credential, model), entry in self._entries.items()
            if entry.blocks(now)
        ]

    def _concerning(self, provider: str, credential: str, model: str) -> list[_Entry]:
        names = dict.fromkeys((model, EVERY_MODEL))
        found = (self._entries.get((provider, credential, name)) for name in names)
        return [entry for entry in found if entry is not None]

    def _length(self, judgement: Judgement, default: float | None, now: float) -> float:
        """Seconds, jitter included so that parallel clients do not come back all at once."""
        given = judgement.until - now if judgement.until is not None else 0.0
        if given <= 0:
            given = judgement.retry_after or 0.0
        if given > 0:
            length = min(given, _LONGEST)
            return length + self._jitter() * min(length * _JITTER, _LONGEST_JITTER)
        length = default or (QUOTA_DEFAULT if judgement.verdict in _LONG else TRANSIENT_DEFAULT)
        return length * (1 + self._jitter() * _JITTER)

    def _sweep(self, now: float) -> None:
        if now - self._swept < TRANSIENT_DEFAULT:
            return
        self._swept = now
        self._entries = {key: entry for key, entry in self._entries.items() if now - entry.until <= _FORGET_AFTER}
