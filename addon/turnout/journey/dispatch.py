"""Sends each exchange along its plan: picks targets, keeps the health tables, decides what a failure means for it.

Plain data in and out; the mitmproxy hooks around it are in `addon`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

from turnout.credentials.chain import Credential
from turnout.exchange import Attempt, ClientRequest, Endpoint, Exchange, LocalAnswer, Outgoing
from turnout.health.affinity import Affinity
from turnout.health.cooldown import Claim, Cooldowns
from turnout.health.decision import decide
from turnout.health.slots import Slots
from turnout.health.verdict import Judgement, Outcome, Verdict, judge
from turnout.journey.endings import nothing_to_try, own_error
from turnout.journey.state import Blocked, Candidate, Failure, Journey, Setup
from turnout.providers import KINDS
from turnout.routing.facts import Facts
from turnout.routing.names import upstream_name
from turnout.routing.plan import make_plan
from turnout.settings.model import Provider, Settings

REMEMBERED_STATUSES = 8
"""How many of a provider's last statuses `/health` shows."""


@dataclass(slots=True)
class _Obstacles:
    """What keeps candidates of one exchange from being tried."""

    counts: Counter[str] = field(default_factory=Counter)
    cooling: list[Candidate] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


class Dispatcher:
    """State that outlives a reload of the settings: cooldowns, slots, affinity, counters."""

    def __init__(self) -> None:
        self.cooldowns = Cooldowns()
        self.slots = Slots()
        self.affinity = Affinity()
        self.pinned: str | None = None
        self.counts: Counter[str] = Counter()
        self._recent: defaultdict[str, deque[int | str]] = defaultdict(lambda: deque(maxlen=REMEMBERED_STATUSES))
        self._rotation: Counter[str] = Counter()
        self._providers: Mapping[str, Provider] = {}

    def configure(self, settings: Settings) -> None:
        """Take over the slot limits of new settings. A provider that was edited starts without cooldowns."""
        for name, provider in self._providers.items():
            if settings.providers.get(name) != provider:
                self.cooldowns.forget(name)
        self._providers = settings.providers
        self.slots.configure({name: provider.max_concurrent for name, provider in settings.providers.items()})

    def recent(self, provider: str) -> list[int | str]:
        return list(self._recent[provider])

    # --- an exchange begins ---

    def open(self, request: ClientRequest, endpoint: Endpoint, setup: Setup) -> Journey:
        """Plan an exchange. Raises RequestError when the request cannot be planned."""
        plan = make_plan(Facts(request), setup.settings, self.pinned)
        exchange = Exchange(request=request, endpoint=endpoint)
        exchange.plan = self.affinity.prefer(exchange.session, plan.route, plan.targets)
        self.counts["open"] += 1
        return Journey(exchange=exchange, setup=setup, route=plan.route)

    async def advance(self, journey: Journey) -> Outgoing | LocalAnswer:
        """The next attempt of the exchange, or its last answer when nothing is left to try."""
        candidate = journey.current if journey.repeat else None
        if candidate is None or not await self._take_slot(journey, candidate):
            if candidate is not None:
                self._blame(journey, journey.failures[-1].judgement)
            self._settle(journey)
            found = await self._next_candidate(journey)
            if isinstance(found, Blocked):
                return self._ending(journey, found)
            candidate = found
            journey.retries = 0
        journey.current, journey.repeat = candidate, False
        journey.tried.add(candidate.key)
        exchange = journey.exchange
        number = len(exchange.attempts) + 1
        exchange.attempts.append(Attempt(number, candidate.target, candidate.model, candidate.credential.label))
        kind = KINDS[candidate.provider.kind]
        return kind.prepare(exchange, candidate.provider, candidate.model, candidate.credential)

    async def _next_candidate(self, journey: Journey) -> Candidate | Blocked:
        """The first candidate that is healthy and has a slot; else one that may be probed; else why there is none."""
        obstacles = _Obstacles()
        cooling = obstacles.cooling
        async with aclosing(self._candidates(journey, obstacles)) as candidates:
            async for candidate in candidates:
                if candidate.key in journey.tried:
                    continue
                claim = self.cooldowns.claim(*candidate.key) if candidate.guarded else None
                if candidate.guarded and claim is None:
                    cooling.append(candidate)
                    self._note_skipped(journey.exchange, candidate)
                elif await self._start(journey, candidate, claim):
                    return candidate
                elif journey.exchange.gone:
                    break
                else:
                    obstacles.counts["busy"] += 1
                    _note(journey.exchange, f"{candidate.provider.name} busy")
        for candidate in cooling if not journey.exchange.attempts else ():
            claim = self.cooldowns.probe_anyway(*candidate.key)
            if claim is not None and await self._start(journey, candidate, claim):
                return candidate
        return self._blocked(obstacles)

    async def _start(self, journey: Journey, candidate: Candidate, claim: Claim | None) -> bool:
        """Take a slot for a candidate that was just claimed; without one the claim is given back."""
        journey.claim, journey.current = claim, candidate
        if await self._take_slot(journey, candidate):
            return True
        self._settle(journey)
        return False

    def _note_skipped(self, exchange: Exchange, candidate: Candidate) -> None:
        state = self.cooldowns.state(*candidate.key)
        if state is not None:
            left = "is being probed" if state.probing else f"{max(0.0, state.until - time.time()):.0f} s left"
            _note(exchange, f"{candidate.provider.name} skipped ({state.reason}, {left})")

    def _blocked(self, obstacles: _Obstacles) -> Blocked:
        counts, cooling = obstacles.counts, obstacles.cooling
        for candidate in cooling:
            state = self.cooldowns.state(*candidate.key)
            counts["probing" if state is None or state.probing else str(state.verdict)] += 1
        free_at = self.cooldowns.next_free(candidate.key for candidate in cooling)
        free_in = None if free_at is None else max(0.0, free_at - time.time())
        return Blocked(dict(counts), free_in, tuple(obstacles.missing))

    async def _candidates(self, journey: Journey, obstacles: _Obstacles) -> AsyncGenerator[Candidate, None]:
        exchange = journey.exchange
        settings = journey.setup.settings
        for target in exchange.plan:
            provider = settings.providers[target.provider]
            if exchange.endpoint == "count_tokens" and not provider.counts_tokens:
                obstacles.counts["unsupported"] += 1
                continue
            credentials = await journey.setup.chain.resolve(provider, exchange.request.headers)
            if not credentials:
                obstacles.counts["no credential"] += 1
                obstacles.missing.append(f"{provider.name} ({', '.join(map(str, provider.credentials))})")
                _note(exchange, f"{provider.name} without credential")
            model = target.model or upstream_name(exchange.request.model, provider.aliases)
            scope = model if exchange.endpoint == "messages" else f"{model} (count_tokens)"
            alone = len(exchange.plan) == 1
            for credential in self._rotated(provider.name, provider.rotate, credentials):
                yield Candidate(target, provider, model, credential, scope, guarded=credential.owned or not alone)

    def _rotated(self, provider: str, rotate: str, credentials: list[Credential]) -> list[Credential]:
        if rotate != "round-robin" or len(credentials) < 2:
            return credentials
        start = self._rotation[provider] % len(credentials)
        self._rotation[provider] += 1
        return credentials[start:] + credentials[:start]

    async def _take_slot(self, journey: Journey, candidate: Candidate) -> bool:
        """Wait for a slot of the provider, but not for a client that has gone."""
        if journey.exchange.gone:
            return False
        journey.lease = self.slots.take(candidate.provider.name)
        return journey.lease is not None or await self._wait_for_slot(journey, candidate)

    async def _wait_for_slot(self, journey: Journey, candidate: Candidate) -> bool:
        waiting = asyncio.ensure_future(self.slots.acquire(candidate.provider.name, candidate.provider.slot_wait))
        leaving = asyncio.ensure_future(journey.left.wait())
        try:
            await asyncio.wait((waiting, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not waiting.done():
                waiting.cancel()
        lease = None if waiting.cancelled() or not waiting.done() else waiting.result()
        if lease is not None and journey.exchange.gone:
            lease.release()
            lease = None
        journey.lease = lease
        return lease is not None

    # --- an attempt ends ---

    async def failed(self, journey: Journey, judgement: Judgement, answer: LocalAnswer | None) -> bool:
        """Record a failed attempt. True: run the exchange again; False: what the provider answered is the last word."""
        candidate = journey.current
        assert candidate is not None
        attempt = journey.exchange.attempt
        attempt.verdict, attempt.reason = str(judgement.verdict), judgement.reason
        attempt.status = answer.status if answer else None
        self._recent[candidate.provider.name].append(attempt.status or judgement.reason)
        journey.failures.append(Failure(candidate, judgement, answer))
        tried = {provider for provider, _, _ in journey.tried}
        step = decide(
            judgement,
            owned=candidate.credential.owned,
            retries=journey.retries,
            waited=journey.waited,
            retry=journey.setup.settings.retry,
            alternatives=any(target.provider not in tried for target in journey.exchange.plan),
        )
        journey.release_slot()
        if step.action == "retry" and await self._pause(journey, step.delay):
            journey.repeat = True
            journey.retries += 1
            journey.waited += step.delay
            return True
        self._blame(journey, judgement)
        return step.action == "next" and not journey.exchange.gone

    async def _pause(self, journey: Journey, delay: float) -> bool:
        """Wait before a retry; False when the client left meanwhile."""
        try:
            async with asyncio.timeout(delay):
                await journey.left.wait()
        except TimeoutError:
            return True
        return False

    def _blame(self, journey: Journey, judgement: Judgement) -> None:
        """Let the health tables know what the attempt showed of its credential and model."""
        candidate = journey.current
        assert candidate is not None
        if judgement.verdict is Verdict.CREDENTIAL and not judgement.model_only:
            journey.setup.chain.reported_dead(candidate.credential)
        if journey.claim is not None:
            cooldown = candidate.provider.cooldown
            journey.exchange.attempt.until = self.cooldowns.failed(journey.claim, judgement, cooldown)
        self._settle(journey)

    def _settle(self, journey: Journey) -> None:
        """Give back what the attempt holds: its slot, and its claim when no verdict has ended it."""
        journey.release_slot()
        if journey.claim is not None:
            self.cooldowns.release(journey.claim)
            journey.claim = None

    def last_word(self, journey: Journey) -> LocalAnswer:
        """The answer to an exchange whose attempts have all failed."""
        return own_error(journey.failures, self._free_in(journey))

    # --- the exchange ends ---

    def first_event(self, journey: Journey) -> None:
        """The answer has begun and is one: a probe has done its work, others need not wait for its end."""
        attempt = journey.exchange.attempt
        if attempt.first_event is None:
            attempt.first_event = time.monotonic() - journey.exchange.opened
        if journey.claim is not None:
            self.cooldowns.succeeded(journey.claim)

    def broke(self, journey: Journey, judgement: Judgement) -> None:
        """The answer broke off after it had begun: too late for this exchange, but others are better off elsewhere."""
        attempt = journey.exchange.attempt
        attempt.verdict, attempt.reason = str(judgement.verdict), judgement.reason
        self._recent[journey.provider.name].append(judgement.reason)
        if journey.current is not None and journey.current.guarded:
            journey.claim = self.cooldowns.claim(*journey.current.key)  # the one before ended with the first event
        self._blame(journey, judgement)

    def cancelled(self, journey: Journey) -> None:
        """The client left, or the flow was killed, while the provider had done nothing wrong."""
        judgement = judge(Outcome(cancelled=True), now=time.time())
        attempt = journey.exchange.attempt
        attempt.verdict, attempt.reason = str(judgement.verdict), judgement.reason

    def served(self, journey: Journey, status: int) -> None:
        """The attempt under way has answered the client (also with a fault of the request itself)."""
        candidate = journey.current
        assert candidate is not None
        attempt = journey.exchange.attempt
        attempt.status = status
        attempt.verdict = attempt.verdict or str(Verdict.OK if status < 400 else Verdict.REQUEST)
        attempt.reason = attempt.reason or (f"{status}" if status >= 400 else "")
        self._recent[candidate.provider.name].append(status)
        if attempt.verdict == Verdict.OK and journey.exchange.endpoint == "messages":
            self.affinity.served(journey.exchange.session, journey.route, candidate.target)

    def close(self, journey: Journey, outcome: str) -> None:
        """The exchange is over. `outcome` is `served` or `failed`, for the counters. Nothing is held afterwards."""
        self._settle(journey)
        self.counts["open"] -= 1
        self.counts[outcome] += 1

    def _ending(self, journey: Journey, blocked: Blocked) -> LocalAnswer:
        if journey.failures:
            return self.last_word(journey)
        recent = {target.provider: self.recent(target.provider) for target in journey.exchange.plan}
        return nothing_to_try(journey.exchange, blocked, recent)

    def _free_in(self, journey: Journey) -> float | None:
        free_at = self.cooldowns.next_free(failure.candidate.key for failure in journey.failures)
        return None if free_at is None else max(1.0, free_at - time.time())


def _note(exchange: Exchange, skipped: str) -> None:
    """Remember a target that was passed over on the way to the first attempt."""
    if not exchange.attempts:
        exchange.skipped.append(skipped)
