"""The way of one exchange through its plan: which target and credential next, and what is left to say at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from turnout.credentials.chain import Credential
from turnout.dialects.messages.refusals.lesson import Lesson
from turnout.exchange import Exchange, LocalAnswer, Outgoing, Target
from turnout.health.cooldown import Claim
from turnout.health.slots import Lease
from turnout.health.verdict import Judgement
from turnout.health.waiting import Wait
from turnout.providers.base import Sending
from turnout.routing.facts import Facts
from turnout.settings.model import Provider
from turnout.setup import Setup


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to serve an exchange: a target with one of its credentials."""

    target: Target
    provider: Provider
    model: str
    """The model name to send."""
    credential: Credential
    scope: str
    """What of the provider cools down with the credential: the model, or its token counting, which has own limits."""
    guarded: bool = True
    """Cooldowns apply. They do not where the client's own credential has no alternative: the client decides there."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Provider, credential, scope: what cools down."""
        return self.provider.name, self.credential.fingerprint, self.scope


@dataclass(frozen=True, slots=True)
class Failure:
    """What an attempt left behind: its judgement, and the provider's own answer when there was one."""

    candidate: Candidate
    judgement: Judgement
    answer: LocalAnswer | None
    endpoint: str = "/v1/messages"
    """What was asked, behind the base URL of the provider."""


@dataclass
class Stop:
    """One exchange at one candidate: what is said of it here has nothing to do with the next."""

    candidate: Candidate
    claim: Claim | None = None
    """On the cooldowns, while it has not been settled."""
    lease: Lease | None = None
    resting: bool = False
    """It cools down, and is asked because there is no other."""
    arrived: float = 0.0
    """When it was chosen (`time.monotonic`)."""
    repeat: bool = False
    """The next attempt is made here again."""
    retries: int = 0
    sending: Sending | None = None
    """The attempt under way, without the body that is sent."""
    moved: Outgoing | None = None
    """Where the provider wants to be asked, if it has said so."""
    moves: int = 0
    """How often it has said so."""
    lessons: tuple[Lesson, ...] = ()
    """What was known of the target when the attempt under way was made."""
    taught: tuple[Lesson, ...] = ()
    """What its refusals have taught so far."""
    for_now: tuple[Lesson, ...] = ()
    """What its refusals have taught about this request alone."""
    mark: str = ""
    """What the thinking of the attempt under way is bound to, if it is."""
    output_limit: int | None = None
    """Output tokens that the context window leaves for this request, once its provider has told."""

    def release_slot(self) -> None:
        if self.lease is not None:
            self.lease.release()
            self.lease = None


@dataclass
class Journey:
    """One exchange under way."""

    exchange: Exchange
    setup: Setup
    route: str
    prompt: str = ""
    """The id of the prompt that the request belongs to, if the client tells it."""
    stop: Stop | None = None
    """Where it is; None before the first candidate."""
    waited: float = 0.0
    """Seconds waited for same-target retries so far."""
    others: bool = False
    """Another target could answer when the attempt under way was made."""
    silent: set[Target] = field(default_factory=set)
    """Targets that let a deadline pass: their other credentials come after all other targets."""
    tried: set[tuple[str, str, str]] = field(default_factory=set)
    failures: list[Failure] = field(default_factory=list)
    corrections: int = 0
    """How often the same target got the request again without something that it had refused."""
    only_own_thinking: bool = False
    """A signature was refused: thinking goes only to who is known to have signed it."""
    too_long_for: int | None = None
    """Tokens that were too many: only models that take more are tried from now on."""
    aside: bool = False
    """It stands beside the conversation of its session."""
    detour: bool = False
    """The plan was ordered by what this request alone needs: it says nothing about the rest of the session."""
    needed_tools: tuple[str, ...] = ()
    """Types of tools, run by the provider, of which the answer needs one."""
    over: bool = False
    """The exchange has ended; it holds nothing any more."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the client has gone."""

    @property
    def streams(self) -> bool:
        """The client wants its answer as a stream."""
        return self.exchange.endpoint == "messages" and Facts(self.exchange.request).stream

    @property
    def here(self) -> Stop:
        """Where it is, once it is somewhere."""
        assert self.stop is not None
        return self.stop

    @property
    def provider(self) -> Provider:
        return self.here.candidate.provider

    def leave(self) -> None:
        """The client has gone: end every wait at once."""
        self.exchange.gone = True
        self.left.set()

    def release_slot(self) -> None:
        if self.stop is not None:
            self.stop.release_slot()


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why no candidate could be tried."""

    counts: Mapping[str, int]
    """How many candidates, by reason: a word of `health.verdict`, `probing`, `busy`, `no credential`, `unsupported`."""
    waits: tuple[Wait, ...] = ()
    """How long those that may be had again are not to be had."""
    missing: tuple[str, ...] = ()
    """Providers without any credential, with the references that were looked for."""
    remedies: tuple[str, ...] = ()
    """What to do about that, in sentences."""
    estimate: bool = False
    """Tokens are to be estimated here."""
