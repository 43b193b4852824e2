"""Keeping a session on the target that served it: another provider would not have its prompt cache."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from turnout.exchange import Target


class Affinity:
    """Session and route → the target that served last.

    Keyed by route too, so that the small and the large model of one session do not disturb each other. An entry lasts
    `ttl` seconds from the last time it was served; beyond `limit` entries the one served longest ago goes.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, ttl: float = 3600.0, limit: int = 10_000) -> None:
        self._clock = clock
        self._ttl = ttl
        self._limit = limit
        self._served: OrderedDict[tuple[str, str], tuple[Target, float]] = OrderedDict()

    def prefer(self, session: str | None, route: str, plan: tuple[Target, ...]) -> tuple[Target, ...]:
        """The plan with the remembered target first, if it is in the plan; the order of the others is kept."""
        if session is None or (known := self._served.get((session, route))) is None:
            return plan
        target, at = known
        if self._clock() - at > self._ttl:
            del self._served[session, route]
            return plan
        if target not in plan:
            return plan
        return (target, *(other for other in plan if other != target))

    def served(self, session: str | None, route: str, target: Target) -> None:
        """Remember who served. Called only then, so that a failed attempt moves nothing."""
        if session is None:
            return
        self._served[session, route] = (target, self._clock())
        self._served.move_to_end((session, route))
        if len(self._served) > self._limit:
            self._served.popitem(last=False)
