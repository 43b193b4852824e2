"""Sends each exchange along its plan: picks targets, keeps the health tables, decides what a failure means for it.

Plain data in and out; the mitmproxy hooks around it are in `addon`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from turnout.credentials.chain import Credential
from turnout.endings import nothing_to_try, own_error
from turnout.exchange import Attempt, ClientRequest, Endpoint, Exchange, LocalAnswer, Outgoing
from turnout.health.affinity import Affinity
from turnout.health.cooldown import Cooldowns
from turnout.health.decision import decide
from turnout.health.slots import Slots
from turnout.health.verdict import Judgement, Verdict
from turnout.journey import Blocked, Candidate, Failure, Journey, Setup
from turnout.providers import KINDS
from turnout.routing.facts import Facts
from turnout.routing.names import upstream_name
from turnout.routing.plan import make_plan
from turnout.settings.model import Settings

REMEMBERED_STATUSES = 8
"""How many of a provider's last statuses `/health` shows."""


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

    def configure(self, settings: Settings) -> None:
        """Take over the slot limits of new settings."""
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
        counts: Counter[str] = Counter()
        cooling: list[Candidate] = []
        async with aclosing(self._candidates(journey, counts)) as candidates:
            async for candidate in candidates:
                if candidate.key in journey.tried:
                    continue
                if candidate.guarded and not self.cooldowns.claim(*candidate.key):
                    cooling.append(candidate)
                elif await self._start(journey, candidate):
                    return candidate
                elif journey.exchange.gone:
                    break
                else:
                    counts["busy"] += 1
        for candidate in cooling if not journey.exchange.attempts else ():
            if self.cooldowns.probe_anyway(*candidate.key) and await self._start(journey, candidate):
                return candidate
        return self._blocked(counts, cooling)

    async def _start(self, journey: Journey, candidate: Candidate) -> bool:
        """Take a slot for a candidate that was just claimed; without one the claim is given back."""
        journey.claimed, journey.current = candidate.guarded, candidate
        if await self._take_slot(journey, candidate):
            return True
        self._settle(journey)
        return False

    def _blocked(self, counts: Counter[str], cooling: list[Candidate]) -> Blocked:
        for candidate in cooling:
            state = self.cooldowns.state(*candidate.key)
            counts["probing" if state is None or state.probing else str(state.verdict)] += 1
        free_at = self.cooldowns.next_free(candidate.key for candidate in cooling)
        return Blocked(dict(counts), None if free_at is None else max(0.0, free_at - time.time()))

    async def _candidates(self, journey: Journey, counts: Counter[str]) -> AsyncGenerator[Candidate, None]:
        exchange = journey.exchange
        settings = journey.setup.settings
        for target in exchange.plan:
            provider = settings.providers[target.provider]
            if exchange.endpoint == "count_tokens" and not provider.counts_tokens:
                counts["unsupported"] += 1
                continue
            credentials = await journey.setup.chain.resolve(provider, exchange.request.headers)
            if not credentials:
                counts["no credential"] += 1
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
        step = decide(
            judgement,
            owned=candidate.credential.owned,
            retries=journey.retries,
            waited=journey.waited,
            retry=journey.setup.settings.retry,
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
        if judgement.verdict is Verdict.CREDENTIAL:
            journey.setup.chain.reported_dead(candidate.credential)
        if candidate.guarded:
            until = self.cooldowns.failed(*candidate.key, judgement, candidate.provider.cooldown)
            journey.exchange.attempt.until = until
            journey.claimed = journey.claimed and until is None
        self._settle(journey)

    def _settle(self, journey: Journey) -> None:
        """Give back what the attempt holds: its slot, and its claim when no verdict has ended it."""
        journey.release_slot()
        if journey.claimed and journey.current is not None:
            self.cooldowns.release(*journey.current.key)
        journey.claimed = False

    def last_word(self, journey: Journey) -> LocalAnswer:
        """The answer to an exchange whose attempts have all failed."""
        return own_error(journey.failures, self._free_in(journey))

    # --- the exchange ends ---

    def served(self, journey: Journey, status: int) -> None:
        """The attempt under way has answered the client (also with a fault of the request itself)."""
        candidate = journey.current
        assert candidate is not None
        attempt = journey.exchange.attempt
        attempt.status = status
        attempt.verdict = attempt.verdict or str(Verdict.OK if status < 400 else Verdict.REQUEST)
        attempt.reason = attempt.reason or (f"{status}" if status >= 400 else "")
        self._recent[candidate.provider.name].append(status)
        if attempt.verdict == Verdict.OK:
            if candidate.guarded:
                self.cooldowns.succeeded(*candidate.key)
                journey.claimed = False
            if journey.exchange.endpoint == "messages":
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

    # --- what is shown ---

    async def report(self, setup: Setup, usage: dict[str, dict[str, int]], version: str) -> dict[str, Any]:
        """The state as `/health` tells it. Credentials appear by label, never by value."""
        slots = self.slots.snapshot()
        labels: dict[str, str] = {}
        cooldowns = self.cooldowns.snapshot()
        providers: dict[str, Any] = {}
        for name, provider in setup.settings.providers.items():
            for credential in await setup.chain.resolve(provider, {}):
                labels[credential.fingerprint] = credential.label
            states = await setup.chain.states(provider)
            providers[name] = {
                "base_url": provider.base_url,
                "credentials": [{"label": label, "state": state} for label, state in states],
                "slots": slots.get(name, {"in_use": 0, "limit": provider.max_concurrent, "waiting": 0}),
                "cooldowns": [
                    {**entry, "credential": labels.get(str(entry["credential"]), entry["credential"])}
                    for entry in cooldowns
                    if entry["provider"] == name
                ],
                "recent": self.recent(name),
            }
        return {
            "status": "ok",
            "version": version,
            "config": str(setup.settings.file) if setup.settings.file else None,
            "pinned": self.pinned,
            "providers": providers,
            "usage": usage,
            "exchanges": {word: self.counts[word] for word in ("open", "served", "failed")},
        }
