"""Sends each exchange along its plan: picks targets, keeps the health tables, decides what a failure means for it.

Plain data in and out; the mitmproxy hooks around it are in `addon`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import replace

from turnout.dialects.messages.refusals import Refusal
from turnout.errors import InvalidRequest
from turnout.exchange import Attempt, ClientRequest, Endpoint, Exchange, LocalAnswer, Outgoing
from turnout.health.affinity import Affinity
from turnout.health.cooldown import Cooldowns
from turnout.health.decision import AGAIN, NEXT, Step, decide
from turnout.health.judgement import WAITING_HELPS
from turnout.health.slots import Slots
from turnout.health.verdict import Judgement, Outcome, Verdict, judge
from turnout.health.waiting import Wait
from turnout.journey.candidates import Candidates
from turnout.journey.correction import correct, described
from turnout.journey.counting import estimated_count
from turnout.journey.endings import nothing_to_try, own_error
from turnout.journey.knowledge import Knowledge
from turnout.journey.moved import followed, sent_to
from turnout.journey.starting import Starting
from turnout.journey.state import Blocked, Candidate, Failure, Journey, Stop
from turnout.journey.tools import able
from turnout.providers import KINDS
from turnout.routing.facts import Facts
from turnout.routing.plan import make_plan, with_tools_first
from turnout.settings.model import Provider, Settings
from turnout.setup import Setup

REMEMBERED_STATUSES = 8
"""How many of a provider's last statuses `/health` shows."""


class Dispatcher:
    """State that outlives a reload of the settings: cooldowns, slots, affinity, counters."""

    def __init__(self) -> None:
        self.cooldowns = Cooldowns()
        self.slots = Slots()
        self.affinity = Affinity()
        self.knowledge = Knowledge()
        self.pinned: str | None = None
        self.counts: Counter[str] = Counter()
        self._recent: defaultdict[str, deque[int | str]] = defaultdict(lambda: deque(maxlen=REMEMBERED_STATUSES))
        self._candidates = Candidates(self.cooldowns, self.slots)
        self._starting = Starting(self._candidates, self.cooldowns, self.slots)
        self._providers: Mapping[str, Provider] = {}

    def configure(self, settings: Settings) -> None:
        """Take over the slot limits of new settings. A provider that was edited starts without cooldowns."""
        for name, provider in self._providers.items():
            if settings.providers.get(name) != provider:
                self.cooldowns.forget(name)
        for name in self._recent.keys() - settings.providers.keys():
            del self._recent[name]
        self._providers = settings.providers
        self.knowledge.configure(settings.providers)
        self.slots.configure({name: provider.max_concurrent for name, provider in settings.providers.items()})

    def recent(self, provider: str) -> list[int | str]:
        return list(self._recent[provider])

    # --- an exchange begins ---

    def open(self, request: ClientRequest, endpoint: Endpoint, setup: Setup, pinned: str | None = None) -> Journey:
        """Plan an exchange. Raises RequestError when the request cannot be planned.

        `pinned`: the one provider for this exchange; it outranks the pin of all.
        """
        facts = Facts(request)
        if pinned is not None and pinned not in setup.settings.providers:
            raise InvalidRequest(f"{pinned} is not a configured provider. Known: {', '.join(setup.settings.providers)}")
        plan = make_plan(facts, setup.settings, pinned or self.pinned)
        exchange = Exchange(request=request, endpoint=endpoint)
        preferred = self.affinity.prefer(
            exchange.session, plan.route, plan.targets, prompt=facts.prompt, begins_turn=lambda: facts.begins_turn
        )
        exchange.plan = with_tools_first(preferred, facts, setup.settings)
        needed = facts.needed_tools if endpoint == "messages" else ()
        if needed:
            exchange.plan = able(exchange, exchange.plan, needed, setup.settings, self.knowledge)
        self.counts["open"] += 1
        detour = exchange.plan != preferred
        return Journey(
            exchange=exchange,
            setup=setup,
            route=plan.route,
            prompt=facts.prompt,
            aside=facts.is_aside,
            detour=detour,
            needed_tools=needed,
        )

    async def advance(self, journey: Journey) -> Outgoing | LocalAnswer:
        """The next attempt of the exchange, or its last answer when nothing is left to try."""
        stop = journey.stop if journey.stop is not None and journey.stop.repeat else None
        if stop is None or not await self._starting.take_slot(journey, stop.candidate):
            if stop is not None:
                self._blame(journey, journey.failures[-1].judgement)
            self._settle(journey)
            found = await self._starting.next_candidate(journey)
            if isinstance(found, Blocked):
                return await self._ending(journey, found)
            stop = journey.here
            stop.arrived = time.monotonic()
            journey.tried.add(found.key)
        stop.repeat = False
        journey.others = journey.streams and await self._candidates.another_can_answer(journey, stop.candidate)
        return self._prepared(journey, stop)

    def _prepared(self, journey: Journey, stop: Stop) -> Outgoing:
        """The attempt that is made now."""
        exchange, candidate = journey.exchange, stop.candidate
        number = len(exchange.attempts) + 1
        exchange.attempts.append(Attempt(number, candidate.target, candidate.model, candidate.credential.label))
        known = self.knowledge.known(candidate.provider, exchange.endpoint, candidate.model)
        stop.lessons = (*known, *stop.for_now)
        shaping = self.knowledge.shaping(
            candidate.provider,
            candidate.model,
            stop.lessons,
            account=candidate.credential.account,
            only_own=journey.only_own_thinking,
            output_limit=stop.output_limit,
        )
        stop.mark = shaping.bound_to
        kind = KINDS[candidate.provider.kind]
        sending = kind.prepare(exchange, candidate.provider, candidate.model, candidate.credential, shaping)
        exchange.rules = sending.changes
        outgoing = sending.outgoing if stop.moved is None else sent_to(stop.moved, sending.outgoing)
        stop.sending = replace(sending, outgoing=replace(outgoing, body=b""))
        return outgoing

    # --- an attempt ends ---

    async def failed(
        self, journey: Journey, judgement: Judgement, answer: LocalAnswer | None, refusal: Refusal | None = None
    ) -> bool:
        """Record a failed attempt. True: run the exchange again; False: what the provider answered is the last word.

        `refusal`: what of the request the provider named in refusing it.
        """
        stop, attempt = journey.here, journey.exchange.attempt
        assert stop.sending is not None
        attempt.verdict, attempt.reason = str(judgement.verdict), judgement.reason
        attempt.status = answer.status if answer else None
        self._recent[journey.provider.name].append(attempt.status or judgement.reason)
        journey.failures.append(Failure(stop.candidate, judgement, answer, stop.sending.endpoint))
        if judgement.timed_out:
            journey.silent.add(stop.candidate.target)
        if (moved := followed(stop.sending.outgoing, judgement, stop.moves)) is not None:
            stop.moved, stop.moves = moved, stop.moves + 1
            step = AGAIN
        elif refusal is not None:
            attempt.reason = described(refusal, attempt.status)
            step = self._corrected(journey, refusal)
        else:
            step = await self._decided(journey, judgement)
        stop.release_slot()
        if step.action == "again" and await self._waits(journey, step.delay):
            stop.repeat = True
            return not journey.exchange.gone
        self._blame(journey, judgement)
        return step.action == "next" and not journey.exchange.gone

    async def _decided(self, journey: Journey, judgement: Judgement) -> Step:
        stop = journey.here
        return decide(
            judgement,
            owned=stop.candidate.credential.owned,
            retries=stop.retries,
            waited=journey.waited,
            spent=time.monotonic() - stop.arrived,
            retry=journey.setup.settings.retry,
            alternatives=judgement.verdict in WAITING_HELPS and await self._candidates.another_is_ready(journey),
            resting=stop.resting,
        )

    def _corrected(self, journey: Journey, refusal: Refusal) -> Step:
        """Whether the exchange goes on: without what was refused, or at the next target."""
        candidate = journey.here.candidate
        step = correct(journey, candidate, refusal, self.knowledge)
        return NEXT if step.action == "again" and not self._still_runs(journey, candidate) else step

    def _still_runs(self, journey: Journey, candidate: Candidate) -> bool:
        """Whether a request that was refused can be sent again with the tool that it needs."""
        needed, endpoint = journey.needed_tools, journey.exchange.endpoint
        return not needed or self.knowledge.runs(candidate.provider, endpoint, candidate.model, needed)

    async def _waits(self, journey: Journey, delay: float) -> bool:
        """Wait before a retry, if at all; False when the client left meanwhile."""
        if not delay:
            return True
        try:
            async with asyncio.timeout(delay):
                await journey.left.wait()
        except TimeoutError:
            journey.here.retries += 1
            journey.waited += delay
            return True
        return False

    def _blame(self, journey: Journey, judgement: Judgement) -> None:
        """Let the health tables know what the attempt showed of its credential and model."""
        stop = journey.here
        if judgement.verdict is Verdict.CREDENTIAL and not judgement.model_only:
            journey.setup.chain.reported_dead(stop.candidate.credential)
        if stop.claim is not None:
            cooldown = journey.provider.cooldown
            journey.exchange.attempt.until = self.cooldowns.failed(stop.claim, judgement, cooldown)
        self._settle(journey)

    def _settle(self, journey: Journey) -> None:
        self._starting.give_back(journey)

    def last_word(self, journey: Journey, blocked: Blocked | None = None) -> LocalAnswer:
        """The answer to an exchange whose attempts have all failed. `blocked`: what was passed over."""
        waits = [*(blocked.waits if blocked is not None else ()), *map(self._wait_after, journey.failures)]
        return own_error(journey.failures, [wait for wait in waits if wait is not None])

    def _wait_after(self, failure: Failure) -> Wait | None:
        """How long what has failed is not to be had: as long as it cools, or as its provider has told."""
        cooling = self._candidates.wait_for(failure.candidate) if failure.candidate.guarded else None
        told = failure.judgement.retry_after
        return cooling if cooling is not None or told is None else Wait(told, told=True)

    # --- the exchange ends ---

    def began(self, journey: Journey) -> None:
        """The answer has begun, and may still fail before it says anything."""
        attempt = journey.exchange.attempt
        if attempt.first_event is None:
            attempt.first_event = time.monotonic() - journey.exchange.opened

    def first_word(self, journey: Journey) -> None:
        """The answer says something: a probe has done its work, others need not wait for its end."""
        self.began(journey)
        if journey.here.claim is not None:
            self.cooldowns.succeeded(journey.here.claim)

    def broke(self, journey: Journey, judgement: Judgement) -> None:
        """The answer broke off after it had begun: too late for this exchange, but others are better off elsewhere."""
        attempt = journey.exchange.attempt
        attempt.verdict, attempt.reason = str(judgement.verdict), judgement.reason
        self._recent[journey.provider.name].append(judgement.reason)
        stop = journey.here
        if stop.candidate.guarded:
            stop.claim = self.cooldowns.claim(*stop.candidate.key)  # the one before ended with the first event
        self._blame(journey, judgement)

    def cancelled(self, journey: Journey, reason: str = "") -> None:
        """The exchange ended and the provider had done nothing wrong. `reason`: why, if the client did not leave."""
        judgement = judge(Outcome(cancelled=True), now=time.time())
        attempt = journey.exchange.attempt
        attempt.verdict, attempt.reason = str(judgement.verdict), reason or judgement.reason

    def served(self, journey: Journey, status: int) -> None:
        """The attempt under way has answered the client (also with a fault of the request itself)."""
        candidate = journey.here.candidate
        attempt = journey.exchange.attempt
        attempt.status = status
        attempt.verdict = attempt.verdict or str(Verdict.OK if status < 400 else Verdict.REQUEST)
        attempt.reason = attempt.reason or (f"{status}" if status >= 400 else "")
        self._recent[candidate.provider.name].append(status)
        if attempt.verdict == Verdict.OK and journey.exchange.endpoint == "messages" and not journey.detour:
            self.affinity.served(
                journey.exchange.session,
                journey.route,
                candidate.target,
                prompt=journey.prompt,
                aside=journey.aside,
            )

    def close(self, journey: Journey, outcome: str) -> None:
        """The exchange is over. `outcome` is `served` or `failed`, for the counters. Nothing is held afterwards.

        Closing it again does nothing.
        """
        if journey.over:
            return
        journey.over = True
        self.counts["open"] -= 1
        self.counts[outcome] += 1
        self._settle(journey)

    async def _ending(self, journey: Journey, blocked: Blocked) -> LocalAnswer:
        if blocked.estimate:
            return await estimated_count(journey.exchange)
        if journey.failures:
            return self.last_word(journey, blocked)
        recent = {target.provider: self.recent(target.provider) for target in journey.exchange.plan}
        return nothing_to_try(journey.exchange, blocked, recent)
