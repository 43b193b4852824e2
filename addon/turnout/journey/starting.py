"""Which candidate starts now: one that is healthy, that nobody else probes, and whose provider has a slot."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from turnout.health.cooldown import Claim, Cooldowns
from turnout.health.slots import Slots
from turnout.journey.candidates import Candidates, Obstacles, note_skipped
from turnout.journey.state import Blocked, Candidate, Journey, Stop


class Starting:
    """Takes what an attempt needs, a claim and a slot, and gives it back. Both are the journey's meanwhile."""

    def __init__(self, candidates: Candidates, cooldowns: Cooldowns, slots: Slots) -> None:
        self._candidates = candidates
        self._cooldowns = cooldowns
        self._slots = slots

    async def next_candidate(self, journey: Journey) -> Candidate | Blocked:
        """The first candidate that is healthy and has a slot; else one that may be probed; else why there is none."""
        obstacles = Obstacles()
        later: list[Candidate] = []
        async with aclosing(self._candidates.of(journey, obstacles)) as candidates:
            async for candidate in candidates:
                if candidate.target in journey.silent:
                    later.append(candidate)
                elif await self._may_start(journey, candidate, obstacles):
                    return candidate
                if journey.exchange.gone:
                    break
        for candidate in later:
            if await self._may_start(journey, candidate, obstacles):
                return candidate
        for candidate in obstacles.cooling if not journey.exchange.attempts else ():
            claim = self._cooldowns.probe_anyway(*candidate.key)
            if claim is not None and await self._start(journey, candidate, claim, resting=True):
                return candidate
        return self._candidates.blocked(obstacles)

    async def _may_start(self, journey: Journey, candidate: Candidate, obstacles: Obstacles) -> bool:
        """Whether a candidate has been claimed and has its slot; else why not is among the obstacles."""
        if candidate.key in journey.tried or journey.exchange.gone:
            return False
        claim = self._cooldowns.claim(*candidate.key) if candidate.guarded else None
        if candidate.guarded and claim is None:
            self._candidates.cools(journey.exchange, candidate, obstacles)
        elif await self._start(journey, candidate, claim):
            return True
        elif not journey.exchange.gone:
            obstacles.counts["busy"] += 1
            note_skipped(journey.exchange, f"{candidate.provider.name} busy")
        return False

    async def _start(
        self, journey: Journey, candidate: Candidate, claim: Claim | None, *, resting: bool = False
    ) -> bool:
        """Take a slot for a candidate that was just claimed; without one the claim is given back."""
        journey.stop = Stop(candidate, claim, resting=resting)
        if await self.take_slot(journey, candidate):
            return True
        self.give_back(journey)
        return False

    async def take_slot(self, journey: Journey, candidate: Candidate) -> bool:
        """Wait for a slot of the provider, but not for a client that has gone."""
        if journey.exchange.gone:
            return False
        stop = journey.here
        stop.lease = self._slots.take(candidate.provider.name)
        return stop.lease is not None or await self._wait_for_slot(journey, stop)

    async def _wait_for_slot(self, journey: Journey, stop: Stop) -> bool:
        provider = stop.candidate.provider

        async def acquire() -> None:
            # At once the journey's, which gives it back at its end: whoever waits here may be cancelled just now.
            stop.lease = await self._slots.acquire(provider.name, provider.slot_wait)

        waiting = asyncio.ensure_future(acquire())
        leaving = asyncio.ensure_future(journey.left.wait())
        try:
            await asyncio.wait((waiting, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            waiting.cancel()
        if journey.exchange.gone:
            stop.release_slot()
        return stop.lease is not None

    def give_back(self, journey: Journey) -> None:
        """What the attempt holds: its slot, and its claim when no verdict has ended it."""
        stop = journey.stop
        if stop is None:
            return
        stop.release_slot()
        if stop.claim is not None:
            self._cooldowns.release(stop.claim)
            stop.claim = None
