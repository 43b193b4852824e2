"""How long a client is asked to wait when nothing of its plan could serve it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

LONGEST_ASKED = 60.0
"""Seconds. Claude Code waits for a `retry-after` of up to 60 s and ends its turn at 61 (measured with 2.1.332;
dhkts1/teamclaude-rs#313)."""


@dataclass(frozen=True, slots=True)
class Wait:
    """How long one part of a plan is not to be had."""

    seconds: float
    told: bool
    """Its provider named the time; else it is Turnout's own guess."""
    quota: bool = False
    """What may be used is used up: with a time that was told, nothing but that time helps."""


def soonest(waits: Iterable[Wait]) -> float | None:
    """Seconds until the first part may be free; None where no provider has named a time."""
    known = tuple(waits)
    return min(wait.seconds for wait in known) if any(wait.told for wait in known) else None


def wait_asked(waits: Iterable[Wait], *, refused_here: bool = False) -> int | None:
    """The `retry-after` to send: the soonest of the plan, and not more than a client waits for.

    Where no provider has named a time, clients know better: they begin with half a second. It is only where Turnout
    itself refuses (`refused_here`) that its own guess is the truth. With everything at a quota whose end is known there
    is nothing to be had in between: then the real time.
    """
    known = tuple(waits)
    seconds = min((wait.seconds for wait in known), default=None) if refused_here else soonest(known)
    if seconds is None:
        return None
    final = all(wait.told and wait.quota for wait in known)
    return max(1, math.ceil(seconds if final else min(seconds, LONGEST_ASKED)))
