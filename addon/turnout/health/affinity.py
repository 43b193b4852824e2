"""Keeping a session on the target that served it while a turn lasts, and bringing it home when the next one begins.

Within a turn another provider would have neither the prompt cache nor the model's own thinking. Between turns the order
of the plan decides again: who is served elsewhere because a better target fails stays there as long as that one rests,
and no longer. A target whose rest is over lets one request probe it, so that one session at a time finds out.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from turnout.exchange import Target


@dataclass(frozen=True, slots=True)
class _Served:
    target: Target
    at: float
    prompt: str
    aside: bool


class Affinity:
    """Session and route → the target that served last.

    Keyed by route too, so that the small and the large model of one session do not disturb each other. An entry lasts
    `ttl` seconds from the last time it was served; beyond `limit` entries the one served longest ago goes.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, ttl: float = 3600.0, limit: int = 10_000) -> None:
        self._clock = clock
        self._ttl = ttl
        self._limit = limit
        self._served: OrderedDict[tuple[str, str], _Served] = OrderedDict()

    def prefer(
        self,
        session: str | None,
        route: str,
        plan: tuple[Target, ...],
        *,
        prompt: str = "",
        begins_turn: Callable[[], bool] = lambda: False,
    ) -> tuple[Target, ...]:
        """The plan as it is at the beginning of a turn; within one, with the remembered target first.

        `prompt`: the id of the prompt that the request belongs to, if the client tells it; a new one begins a turn.
        `begins_turn` looks into the request for it, and is only asked where that decides something. A target that is
        not in the plan is passed over; the order of the others is kept.
        """
        if session is None or (known := self._served.get((session, route))) is None:
            return plan
        if self._clock() - known.at > self._ttl:
            del self._served[session, route]
            return plan
        if known.target not in plan or known.target == plan[0]:
            return plan
        if (prompt and known.prompt and prompt != known.prompt) or begins_turn():
            return plan
        return (known.target, *(other for other in plan if other != known.target))

    def served(
        self, session: str | None, route: str, target: Target, *, prompt: str = "", aside: bool = False
    ) -> None:
        """Remember who served. Called only then, so that a failed attempt moves nothing.

        `aside`: the request stood beside the conversation of its session, whose turn goes on where it is.
        """
        if session is None:
            return
        known = self._served.get((session, route))
        if aside and known is not None and not known.aside and self._clock() - known.at <= self._ttl:
            return
        self._served[session, route] = _Served(target, self._clock(), prompt, aside)
        self._served.move_to_end((session, route))
        if len(self._served) > self._limit:
            self._served.popitem(last=False)
