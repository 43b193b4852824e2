"""The configuration as Turnout uses it: validated, with presets merged in, immutable."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from turnout.redaction.secret import Secret
from turnout.settings.base_url import chat_base_url, check_query, messages_base_url
from turnout.settings.places import Folder
from turnout.settings.quantity import Duration, Size, Wait
from turnout.settings.reference import References
from turnout.settings.rewriting import Rewrite
from turnout.settings.table import Table, as_list
from turnout.settings.way_out import ProxyChoice

Kind = Literal["anthropic", "openai"]
"""What a provider speaks: the Messages API, or OpenAI's Chat Completions."""

AuthStyle = Literal["x-api-key", "bearer", "api-key", "none"]
"""How a provider takes its key: `x-api-key: KEY`, `Authorization: Bearer KEY`, `api-key: KEY` (Azure), or not at
all."""

CountTokens = Literal["provider", "anthropic", "estimate", "none"]
"""`provider`: it has the endpoint; `anthropic`: Anthropic is asked; `estimate`: Turnout estimates; `none`: 501."""

Rotation = Literal["fill-first", "round-robin"]

Meaning = Literal[
    "quota",
    "quota_model",
    "throttle",
    "throttle_request",
    "overloaded",
    "transient",
    "credential",
    "not_found",
    "request",
]
"""The words of `health.verdict` that a provider's error may stand for."""

HIDDEN = ("name", "withheld", "file", "environment", "folder", "shadowed")
"""Fields that Turnout fills in itself: no keys of a file."""

_CHARACTER_CLASS = re.compile(r"\[!?+\]?+[^\]]*\]")  # possessive: a ] that comes first stands for itself


def _check_glob(pattern: str) -> str:
    if not pattern.strip():
        raise ValueError("an empty pattern matches nothing; write a model name, a glob such as claude-*, or *")
    if "[" in _CHARACTER_CLASS.sub("", pattern):
        raise ValueError(f"{pattern!r} is not a valid glob: a [ is not closed")
    return pattern


def _usual_auth(table: dict[str, Any]) -> AuthStyle:
    return "bearer" if table.get("kind") == "openai" else "x-api-key"


Glob = Annotated[str, AfterValidator(_check_glob)]
Globs = Annotated[tuple[Glob, ...], BeforeValidator(as_list), Field(min_length=1)]
Names = Annotated[tuple[str, ...], BeforeValidator(as_list)]
Words = Annotated[Names, Field(min_length=1)]


class Listen(Table):
    host: str = "127.0.0.1"
    port: int = Field(default=8082, ge=0, le=65535)


class Access(Table):
    """Who may enter."""

    keys: References = ()
    hosts: Names = ("127.0.0.1", "localhost", "[::1]")
    """Host header values accepted (without port); a DNS-rebinding page cannot forge them."""
    origins: Names = ()
    """Origins of web pages that may call; empty refuses every request that carries an Origin."""
    max_body: Size = 32_000_000
    """Bytes; Anthropic's own limit for Messages is 32 MB."""


class Tls(Table):
    ca: Annotated[str, Field(min_length=1)] | None = None
    """A file (PEM) or directory of certificate authorities that are trusted beside the public ones."""


class Timeouts(Table):
    """In seconds. What nobody has set fits the plan (`journey.deadlines`)."""

    connect: Duration = 10.0
    first_event: Duration = 120.0
    """From the sent request to the provider's first sign of life in a streamed answer. Unless it is set, it is shorter
    where another target can answer."""
    idle: Duration = 180.0
    """Longest silence of the provider inside a stream. The same holds of it before the first word of an answer."""
    request: Duration = 600.0
    """From the sent request to the end of an answer that is not streamed; Claude Code allows 600 s. Also how long a
    provider may do nothing but give signs of life."""
    ping_after: Duration = 15.0
    """Silence after which a ping is sent to the client, for providers that send none."""

    def over(self, general: Timeouts) -> Timeouts:
        """These where they are set, the `general` ones elsewhere."""
        return Timeouts.model_validate(general.model_dump(exclude_unset=True) | self.model_dump(exclude_unset=True))


class Provider(Table):
    """A place that serves models."""

    name: str
    kind: Kind = "anthropic"
    base_url: str
    """Without a slash at its end. Endpoint paths are appended to it: `/v1/messages`, or `/chat/completions` for kind
    `openai`, whose base URLs hold the `/v1` themselves."""
    query: dict[str, str] = Field(default_factory=dict)
    """Parameters of every request to a provider of kind `openai`, such as Azure's `api-version`. No secrets."""
    proxy: ProxyChoice | None = None
    """The way out; None: what the environment says."""
    tls: Tls = Tls()
    auth: AuthStyle = Field(default_factory=_usual_auth)
    credentials: References = ()
    rotate: Rotation = "fill-first"
    max_concurrent: int | None = Field(default=None, ge=1)
    slot_wait: Wait = 5.0
    """Seconds a request waits for a free slot before the next target is tried."""
    timeouts: Timeouts = Timeouts()
    """What is set here goes before the general ones."""
    cooldown: Duration | None = None
    """Seconds; replaces the default cooldown where the provider names no time of its own."""
    count_tokens: CountTokens = "none"
    """Who answers `/v1/messages/count_tokens` for it."""
    context_lengths: dict[Glob, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    """By model: how many tokens of input it takes. The first glob that matches counts."""
    pings: bool = False
    """The provider sends `event: ping` itself, so Turnout never adds one."""
    first_party: bool = False
    """It serves the models under their own names: its answers are not touched. Others may reply with any name."""
    client_key_prefix: str = ""
    """What the client's own key must start with to be genuine for this provider."""
    oauth_prefix: str = ""
    """Keys with this prefix are OAuth tokens: sent as Bearer, with `oauth_beta` appended to the betas."""
    oauth_beta: str = ""
    long_context_beta: str = ""
    """The beta that stands for a `[1m]` suffix of a model name."""
    aliases: dict[str, str] = Field(default_factory=dict)
    """Model names of the provider for the short names opus, sonnet, haiku, fable."""
    models: Names = ()
    """Model ids listed in `/v1/models`."""
    error_codes: dict[str, Meaning] = Field(default_factory=dict)
    """The provider's own error codes or types, and what they mean."""
    headers: Names = ()
    """Globs on the names of further headers of the client that it gets; a first party gets them all."""
    rewrite: Rewrite = Rewrite()
    """How requests are changed on the way to it; complete, with profile and preset merged in."""
    withheld: tuple[str, ...] = ()
    """What a file that nobody trusts asked for and did not get. Without any credential the provider cannot be used."""

    @field_validator("base_url")
    @classmethod
    def _is_a_base_url(cls, value: str, info: ValidationInfo) -> str:
        return chat_base_url(value) if info.data.get("kind") == "openai" else messages_base_url(value)

    @field_validator("query")
    @classmethod
    def _is_a_query(cls, value: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        if value and info.data.get("kind") == "anthropic":
            raise ValueError("only providers of kind openai have it")
        return check_query(value)

    @field_validator("count_tokens")
    @classmethod
    def _can_count(cls, value: CountTokens, info: ValidationInfo) -> CountTokens:
        if value == "provider" and info.data.get("kind") == "openai":
            raise ValueError("a provider of kind openai counts no tokens; known: anthropic, estimate or none")
        return value

    @field_validator("first_party")
    @classmethod
    def _speaks_as_anthropic_does(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("kind") == "openai":
            raise ValueError("only providers of kind anthropic can be; what others answer is translated")
        return value

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or ""

    @property
    def learns(self) -> bool:
        """What a 400 of the provider names is left out from then on; Anthropic's own answers stay the client's."""
        return not self.first_party if self.rewrite.learn is None else self.rewrite.learn

    @property
    def signs_as(self) -> str:
        """Whose signatures its thinking blocks carry: first parties share theirs."""
        return "anthropic" if self.first_party else self.name


class Condition(Table):
    """What a route asks of a request beyond its model; all that are given must hold."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    tokens_over: int | None = Field(default=None, ge=0)
    """The estimated input is larger than this many tokens."""
    thinking: bool | None = None
    images: bool | None = None
    tools: Globs | None = None
    """At least one tool (by type or name) matches one of the globs."""
    stream: bool | None = None
    class_: Words | None = Field(default=None, alias="class")
    """Claude Code's request class: main, subagent, workflow, compaction, auxiliary, side_reply."""
    agent: Globs | None = None
    """Globs on Claude Code's agent type."""


class Route(Table):
    """A rule: requests that match go to these targets, in order."""

    model: Globs
    when: Condition | None = None
    to: Words


class CustomModel(Table):
    """A model name of the user's own, listed in `/v1/models`."""

    to: Words
    context_length: int = Field(default=200_000, ge=1)
    max_completion_tokens: int = Field(default=4096, ge=1)
    supports_reasoning: bool = False
    owned_by: str = "custom"


class Retry(Table):
    """Same-target retries before moving on."""

    initial: Wait = 0.5
    multiplier: float = Field(default=2.0, ge=1)
    max_interval: Wait = 2.0
    max_elapsed: Wait = 5.0
    """Seconds of waiting in all; 0 switches same-target retries off. Where it is not given, a target is left after a
    second while another is ready (`health.decision.BRIEF`)."""


class Limits(Table):
    answer: Size = 32_000_000
    """Bytes of an answer that is not streamed, also when it is unpacked; streams have no limit. The largest request
    has as many, and no model writes more."""


class Store(Table):
    """What is kept from one run to the next, in the user's state directory."""

    signatures: bool = False
    """Hashes that tell who signed a thinking block."""


class Settings(Table):
    """Everything that `mitm.conf`, `.env` and the environment say."""

    listen: Listen = Listen()
    access: Access = Access()
    providers: dict[str, Provider] = Field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    models: dict[str, CustomModel] = Field(default_factory=dict)
    reply_model: Literal["asked", "served"] = "asked"
    """The model name in replies: the one that the client used, or the one that was asked of the provider."""
    retry: Retry = Retry()
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    store: Store = Store()
    file: Path | None = Field(default=None, exclude=True)
    """The file these settings come from; None for the built-in defaults."""
    environment: dict[str, Secret] = Field(default_factory=dict, exclude=True, repr=False)
    """Variables that `env:NAME` credentials may name: the process environment over `.env` beside the file."""

    folder: Folder | None = Field(default=None, exclude=True)
    """None when every file was named, or is the user's own by its place."""
    shadowed: Path | None = Field(default=None, exclude=True)
    """A `./mitm.conf` that is not trusted: the user's own file is in force in its place."""

    @model_validator(mode="after")
    def _targets_name_known_providers(self) -> Settings:
        for place, targets in self.targets():
            for target in targets:
                if target.partition("/")[0] not in self.providers:
                    raise UnknownProvider(place, target, tuple(self.providers))
        return self

    def targets(self) -> list[tuple[str, tuple[str, ...]]]:
        """Every `to` list with the key it stands under."""
        routes = [(f"routes.{index}.to", route.to) for index, route in enumerate(self.routes)]
        return routes + [(f"models.{name}.to", model.to) for name, model in self.models.items()]


class UnknownProvider(Exception):
    """A target names a provider that is neither configured nor a preset."""

    def __init__(self, key: str, target: str, known: tuple[str, ...]) -> None:
        super().__init__(f"{key}: {target}")
        self.key = key
        self.target = target
        self.known = known
