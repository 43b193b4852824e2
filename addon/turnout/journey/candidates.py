"""Ways to serve one exchange: the targets of its plan, each with its credentials, in the order of trying."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from turnout.credentials.chain import Credential
from turnout.exchange import Exchange, Target
from turnout.health.cooldown import Cooldowns
from turnout.health.judgement import USED_UP
from turnout.health.slots import Slots
from turnout.health.waiting import Wait
from turnout.journey.missing import looked_for, remedy
from turnout.journey.state import Blocked, Candidate, Journey
from turnout.routing.names import upstream_name
from turnout.settings.load import DEFAULT_PROVIDER
from turnout.settings.model import Provider

BUSY_RETRY = 5.0
"""Seconds after which a client may ask again when every slot was taken, or another request tries the only target."""


@dataclass(slots=True)
class Obstacles:
    """What keeps candidates of one exchange from being tried."""

    counts: Counter[str] = field(default_factory=Counter)
    cooling: list[Candidate] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    remedies: list[str] = field(default_factory=list)
    estimate: bool = False
    """A target has its tokens estimated here: nothing behind it is tried."""


class Candidates:
    """Lists candidates, and tells what became of those that could not be tried."""

    def __init__(self, cooldowns: Cooldowns, slots: Slots) -> None:
        self._cooldowns = cooldowns
        self._slots = slots
        self._rotation: Counter[str] = Counter()

    async def of(self, journey: Journey, obstacles: Obstacles) -> AsyncGenerator[Candidate, None]:
        """All that the plan has, healthy or not. Credentials are looked for target by target, as far as it is read."""
        exchange = journey.exchange
        for target in exchange.plan:
            provider = journey.setup.settings.providers[target.provider]
            if not _has_room(journey, target, provider):
                continue
            find = self._of_target if exchange.endpoint == "messages" else self._counting
            for candidate in await find(journey, obstacles, target, provider):
                yield candidate
            if obstacles.estimate:
                return

    async def another_can_answer(self, journey: Journey, current: Candidate) -> bool:
        """Whether a target that has not been tried can answer now, as far as is known."""
        exchange, tried = journey.exchange, {(provider, scope) for provider, _, scope in journey.tried}
        for target in exchange.plan:
            provider = journey.setup.settings.providers[target.provider]
            scope = _scope(exchange, model_of(target, provider, exchange.request.model))
            if target == current.target or (provider.name, scope) in tried:
                continue
            if await self._is_free(journey, target, provider):
                return True
        return False

    async def another_is_ready(self, journey: Journey) -> bool:
        """Whether a provider of the plan that has not been tried could be asked at once."""
        tried = {provider for provider, _, _ in journey.tried}
        for target in journey.exchange.plan:
            provider = journey.setup.settings.providers[target.provider]
            if provider.name in tried or not self._slots.has_room(provider.name):
                continue
            if await self._is_free(journey, target, provider):
                return True
        return False

    async def _is_free(self, journey: Journey, target: Target, provider: Provider) -> bool:
        """Whether the target takes a request of this length, with a credential that does not cool."""
        exchange = journey.exchange
        if not _has_room(journey, target, provider):
            return False
        scope = _scope(exchange, model_of(target, provider, exchange.request.model))
        for credential in await journey.setup.chain.resolve(provider, exchange.request.headers):
            if self._cooldowns.state(provider.name, credential.fingerprint, scope) is None:
                return True
        return False

    async def _counting(
        self, journey: Journey, obstacles: Obstacles, target: Target, provider: Provider
    ) -> list[Candidate]:
        """Who counts the tokens of a request to this target."""
        if provider.count_tokens == "provider":
            return await self._of_target(journey, obstacles, target, provider)
        if provider.count_tokens == "estimate":
            obstacles.estimate = True
            return []
        obstacles.counts["unsupported"] += 1
        if provider.count_tokens == "none":
            return []
        anthropic = journey.setup.settings.providers[DEFAULT_PROVIDER]
        counter = Target(DEFAULT_PROVIDER, _counting_model(journey.exchange.request.model, anthropic))
        there = Obstacles()
        found = await self._of_target(journey, there, counter, anthropic)
        obstacles.missing += there.missing
        return found

    async def _of_target(
        self, journey: Journey, obstacles: Obstacles, target: Target, provider: Provider
    ) -> list[Candidate]:
        exchange = journey.exchange
        credentials = await journey.setup.chain.resolve(provider, exchange.request.headers)
        if not credentials:
            obstacles.counts["no credential"] += 1
            obstacles.missing.append(f"{provider.name} ({looked_for(provider)})")
            obstacles.remedies.append(remedy(journey.setup.settings, provider))
            note_skipped(exchange, f"{provider.name} without credential")
        model = model_of(target, provider, exchange.request.model)
        scope = _scope(exchange, model)
        alone = len(exchange.plan) == 1
        return [
            Candidate(target, provider, model, credential, scope, guarded=credential.owned or not alone)
            for credential in self._rotated(provider, credentials)
        ]

    def _rotated(self, provider: Provider, credentials: list[Credential]) -> list[Credential]:
        if provider.rotate != "round-robin" or len(credentials) < 2:
            return credentials
        start = self._rotation[provider.name] % len(credentials)
        self._rotation[provider.name] += 1
        return credentials[start:] + credentials[:start]

    def cools(self, exchange: Exchange, candidate: Candidate, obstacles: Obstacles) -> None:
        """The candidate is passed over, because it cools down."""
        obstacles.cooling.append(candidate)
        state = self._cooldowns.state(*candidate.key)
        if state is not None:
            left = "is being probed" if state.probing else f"{max(0.0, state.until - time.time()):.0f} s left"
            note_skipped(exchange, f"{candidate.provider.name} skipped ({state.reason}, {left})")

    def blocked(self, obstacles: Obstacles) -> Blocked:
        """Why nothing could be tried."""
        counts = obstacles.counts
        for candidate in obstacles.cooling:
            state = self._cooldowns.state(*candidate.key)
            counts["probing" if state is None or state.probing else str(state.verdict)] += 1
        waits = [wait for candidate in obstacles.cooling if (wait := self.wait_for(candidate)) is not None]
        if counts["busy"]:
            waits.append(Wait(BUSY_RETRY, told=True))
        missing, remedies = tuple(obstacles.missing), tuple(obstacles.remedies)
        return Blocked(dict(counts), tuple(waits), missing, remedies, obstacles.estimate)

    def wait_for(self, candidate: Candidate) -> Wait | None:
        """How long the candidate cools; None when it does not."""
        state = self._cooldowns.state(*candidate.key)
        if state is None:
            return None
        if state.probing:
            return Wait(BUSY_RETRY, told=True)  # then it is known how it goes
        quota = state.verdict in USED_UP
        return Wait(max(0.0, state.until - time.time()), state.told, quota)


def note_skipped(exchange: Exchange, words: str) -> None:
    """Remember a target that was passed over on the way to the first attempt."""
    if not exchange.attempts:
        exchange.skipped.append(words)


def model_of(target: Target, provider: Provider, client_model: str) -> str:
    """The model name that is sent to a target."""
    return target.model or upstream_name(client_model, provider.aliases)


def context_length(provider: Provider, model: str) -> int | None:
    """How many tokens of input a model takes; None when that is not known."""
    name = model.lower()
    lengths = (length for glob, length in provider.context_lengths.items() if fnmatchcase(name, glob.lower()))
    return next(lengths, None)


def _scope(exchange: Exchange, model: str) -> str:
    return model if exchange.endpoint == "messages" else f"{model} (count_tokens)"


def _has_room(journey: Journey, target: Target, provider: Provider) -> bool:
    """After an answer that the request is too long: only models that are known to take more."""
    if journey.too_long_for is None:
        return True
    length = context_length(provider, model_of(target, provider, journey.exchange.request.model))
    return length is not None and length > journey.too_long_for


def has_larger(journey: Journey, tokens: int) -> bool:
    """Whether the plan has an untried target whose model is known to take more than `tokens`."""
    tried = {(provider, scope) for provider, _, scope in journey.tried}
    for target in journey.exchange.plan:
        provider = journey.setup.settings.providers[target.provider]
        model = model_of(target, provider, journey.exchange.request.model)
        length = context_length(provider, model)
        if (provider.name, model) not in tried and length is not None and length > tokens:
            return True
    return False


def has_untried_provider(journey: Journey) -> bool:
    """Whether the plan has a target of a provider that has not been tried."""
    tried = {provider for provider, _, _ in journey.tried}
    return any(target.provider not in tried for target in journey.exchange.plan)


def _counting_model(client_model: str, anthropic: Provider) -> str:
    """A name that Anthropic knows: for a model that is not its own, a close guess is better than no count."""
    name = upstream_name(client_model, anthropic.aliases)
    return name if "claude" in name.lower() else anthropic.aliases.get("sonnet", name)
