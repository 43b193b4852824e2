"""What the tests of policy are played on: settings and requests in one line, a chain that looks nothing up, a clock
that stands still, and cooldowns that count the claims nobody has ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from turnout.credentials.chain import Credential, CredentialChain
from turnout.dialects.messages.refusals import Refusal
from turnout.exchange import ClientRequest, Endpoint, LocalAnswer, Outgoing, Target
from turnout.gate.access import Gatekeeper
from turnout.health.cooldown import Claim, Cooldowns
from turnout.health.slots import Lease
from turnout.health.verdict import Judgement, Verdict
from turnout.journey.dispatch import Dispatcher
from turnout.journey.state import Candidate, Journey
from turnout.redaction.secret import Secret
from turnout.settings.model import Provider, Settings
from turnout.setup import Setup

START = 1_790_000_000.0
NO_RETRIES = {"max_elapsed": 0}
QUICK = {"initial": 0.001, "multiplier": 1, "max_interval": 0.001, "max_elapsed": 0.002}
"""Two same-target retries in all, a millisecond each."""


class Clock:
    """Unix time that moves when a test says so."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class Claims(Cooldowns):
    """Cooldowns without chance that keep the claims which nobody has ended yet."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, lambda: 0.0)
        self.held: list[Claim] = []

    def _start(self, *key: Any) -> Claim:
        claim = super()._start(*key)
        self.held.append(claim)
        return claim

    def _end(self, claim: Claim) -> bool:
        if claim in self.held:
            self.held.remove(claim)
        return super()._end(claim)


class Chain:
    """Credentials by provider, given as labels; `client` is the client's own. Looks nothing up."""

    def __init__(self, labels: Mapping[str, tuple[str, ...]]) -> None:
        self.labels = dict(labels)
        self.asked: list[str] = []
        self.dead: list[str] = []

    async def resolve(self, provider: Provider, request_headers: Mapping[str, str]) -> list[Credential]:
        self.asked.append(provider.name)
        return [credential(label, provider.name) for label in self.labels.get(provider.name, ("key",))]

    def reported_dead(self, credential: Credential) -> None:
        self.dead.append(credential.label)


def credential(label: str = "key", provider: str = "first") -> Credential:
    secret = Secret(f"{provider}-{label}-0123456789")
    return Credential(label, secret, owned=label != "client", oauth=False, header="x-api-key")


def provider(name: str = "first", **fields: Any) -> Provider:
    """A provider that takes requests as they come, learns, and has a credential."""
    given = {"base_url": f"https://{name}.test", "credentials": ("env:KEY",), "slot_wait": 0}
    return Provider.model_validate({"name": name, **given, "rewrite": {"learn": True}, **fields})


def settings(*providers: Provider, to: tuple[str, ...] = (), retry: Mapping[str, Any] = NO_RETRIES) -> Settings:
    """One route for every model, to these targets; without any, to the providers in their order."""
    route = {"model": "*", "to": to or tuple(each.name for each in providers)}
    by_name = {each.name: each for each in (provider("anthropic"), *providers)}
    return Settings.model_validate({"providers": by_name, "routes": [route], "retry": retry})


def request(
    model: str = "m", *, session: str | None = None, agent: str | None = None, prompt: str | None = None, **fields: Any
) -> ClientRequest:
    body = json.dumps({"model": model, "max_tokens": 64_000, "messages": [], **fields}).encode()
    names = {"session-id": session, "agent-id": agent, "prompt-id": prompt}
    headers = {f"x-claude-code-{name}": value for name, value in names.items() if value is not None}
    return ClientRequest("POST", "/v1/messages", headers, body)


def judgement(verdict: Verdict | str, **fields: Any) -> Judgement:
    return Judgement(Verdict(verdict), fields.pop("reason", f"it was {verdict}"), **fields)


def answer(status: int = 500, message: str = "no", **headers: str) -> LocalAnswer:
    body = {"type": "error", "error": {"type": "api_error", "message": message}}
    return LocalAnswer(status, headers, json.dumps(body).encode())


@dataclass
class Scene:
    """A dispatcher with settings in force, and what it holds."""

    dispatcher: Dispatcher
    clock: Clock
    chain: Chain = field(default_factory=lambda: Chain({}))
    setup: Setup = field(init=False)

    def configure(self, *providers: Provider, **more: Any) -> Settings:
        made = settings(*providers, **more)
        self.setup = Setup(made, cast(Gatekeeper, None), cast(CredentialChain, self.chain))
        self.dispatcher.configure(made)
        return made

    def open(
        self, model: str = "m", *, endpoint: Endpoint = "messages", pinned: str | None = None, **fields: Any
    ) -> Journey:
        return self.dispatcher.open(request(model, **fields), endpoint, self.setup, pinned)

    @property
    def held(self) -> list[str]:
        """Every slot in use and every claim not ended, by provider: `slot first`, `claim first/m`."""
        slots = self.dispatcher.slots.snapshot()
        taken = [f"slot {name}" for name, pool in slots.items() for _ in range(pool["in_use"] or 0)]
        claims = cast(Claims, self.dispatcher.cooldowns).held
        return sorted(taken + [f"claim {claim.provider}/{claim.model}" for claim in claims])

    @property
    def cooling(self) -> dict[str, int]:
        """Seconds that are left, by `provider/model`."""
        found = self.dispatcher.cooldowns.snapshot()
        return {f"{each['provider']}/{each['model']}": round(float(each["remaining"])) for each in found}

    def cool(self, provider: str, verdict: str = "quota_model", seconds: float = 300, *, label: str = "key") -> None:
        """Let a credential of a provider rest for model `m`."""
        claim = self.dispatcher.cooldowns.claim(provider, credential(label, provider).fingerprint, "m")
        assert claim is not None
        self.dispatcher.cooldowns.failed(claim, judgement(verdict, retry_after=seconds))

    def occupy(self, provider: str) -> Lease:
        """Take a slot of a provider for somebody else."""
        lease = self.dispatcher.slots.take(provider)
        assert lease is not None
        return lease

    async def try_next(self, journey: Journey) -> str:
        """`first/key` for an attempt at this provider with this credential; for a last answer, its status."""
        step = await self.dispatcher.advance(journey)
        if isinstance(step, LocalAnswer):
            return str(step.status)
        assert isinstance(step, Outgoing) and step.host == f"{journey.provider.name}.test"
        return f"{journey.provider.name}/{journey.exchange.attempt.credential}"

    async def fails(
        self,
        journey: Journey,
        verdict: Verdict | str,
        *,
        told: LocalAnswer | None = None,
        refusal: Refusal | None = None,
        **fields: Any,
    ) -> bool:
        judged = judgement(verdict, refusal=refusal, **fields)
        return await self.dispatcher.failed(journey, judged, told, refusal)


def sent(outgoing: Outgoing | LocalAnswer) -> dict[str, Any]:
    """The body of an attempt."""
    found: dict[str, Any] = msgspec.json.decode(outgoing.body)
    return found


def candidate_of(of: Provider, model: str = "m", label: str = "key", **fields: Any) -> Candidate:
    """A candidate for which nothing was looked up."""
    return Candidate(Target(of.name), of, model, credential(label, of.name), scope=model, **fields)
