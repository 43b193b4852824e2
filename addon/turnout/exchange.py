"""What travels through the house: one client request, the plan made for it, and each try at one target."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import msgspec

from turnout.errors import Dialect, InvalidRequest

Endpoint = Literal["messages", "count_tokens"]

LONGEST_MODEL = 256
"""Characters. The names that providers give are far shorter, those of Bedrock's profiles (ARNs) among them."""

LONGEST_SESSION = 128
"""Characters of a session id that is remembered. Claude Code's are UUIDs."""

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STRING = msgspec.json.Decoder(str)


@dataclass(frozen=True, slots=True)
class Target:
    """A provider and the model asked of it. `model` None keeps the client's own model name."""

    provider: str
    model: str | None = None

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}" if self.model else self.provider


@dataclass(frozen=True)
class ClientRequest:
    """What the client sent, never changed after the gate. Header names are lower-case."""

    method: str
    path: str
    """Path with query string, as on the wire."""
    headers: Mapping[str, str]
    body: bytes = b""
    """A request of the Messages API, whatever the client's dialect."""
    dialect: Dialect = "anthropic"
    """The client's."""
    named_session: str = ""
    """What the body names the conversation, in dialects that do."""

    @cached_property
    def fields(self) -> dict[str, msgspec.Raw]:
        """Top-level fields of the JSON body; their values stay undecoded bytes, whatever their size.

        Raises InvalidRequest naming the problem when the body is not a JSON object.
        """
        if not self.body:
            raise InvalidRequest("The request has no body; a JSON object with a model is expected.")
        try:
            return _FIELDS.decode(self.body)
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"The request body is not a JSON object: {error}.") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidRequest(f"The request body is not valid JSON: {error}.") from None

    @cached_property
    def model(self) -> str:
        """The model name as the client wrote it. Raises InvalidRequest when there is none, or one without end."""
        raw = self.fields.get("model")
        if raw is None:
            raise InvalidRequest("model: Field required")
        try:
            model = _STRING.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise InvalidRequest("model: Input should be a string") from None
        if not model.strip():
            raise InvalidRequest("model: String should not be empty")
        if len(model) > LONGEST_MODEL:
            raise InvalidRequest(f"model: String should have at most {LONGEST_MODEL} characters")
        return model


@dataclass(slots=True)
class Attempt:
    """One try at one target with one credential."""

    number: int
    target: Target
    model: str
    """The model name sent upstream."""
    credential: str
    """Label of the credential (`env:NAME`, `client`, …); never its value."""
    started: float = field(default_factory=time.monotonic)
    status: int | None = None
    verdict: str = ""
    """What the outcome meant, one of the words of `health.verdict`; `ok` when it served the client."""
    reason: str = ""
    until: float | None = None
    """Unix time until which the credential is not used for this model, when the verdict set a cooldown."""
    first_event: float | None = None
    """Seconds from the opening of the exchange to the first valid event."""
    dialled_again: bool = False
    """It went out on a connection that the provider had just closed, and got a new one."""


@dataclass(slots=True)
class Exchange:
    """One client request on its way through the house."""

    request: ClientRequest
    endpoint: Endpoint
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    opened: float = field(default_factory=time.monotonic)
    plan: tuple[Target, ...] = ()
    attempts: list[Attempt] = field(default_factory=list)
    usage: dict[str, int] = field(default_factory=dict)
    """Token counts of the answer, with the names of Anthropic's `usage` object."""
    converted: str = ""
    """The form of the provider's answer (`JSON`, `a stream`), where the client asked for the other one and got it."""
    rules: tuple[str, ...] = ()
    """Names of what changed in the body on the way to the last target."""
    learned: tuple[str, ...] = ()
    """Lines of configuration that would make permanent what was learned from refusals of this request."""
    skipped: list[str] = field(default_factory=list)
    """Targets that were passed over, and why, in words."""
    head_of: str = ""
    """The provider whose head of a stream the client got while nothing of an answer had been said."""
    ending: str = ""
    """Why nothing could be tried, in words."""
    gone: bool = False
    """The client has left; nothing may be started for it any more."""

    @property
    def attempt(self) -> Attempt:
        """The attempt under way (the last one)."""
        return self.attempts[-1]

    @property
    def body(self) -> str:
        """`identical`, or `rewritten: …` with the names of the rules."""
        return f"rewritten: {', '.join(self.rules)}" if self.rules else "identical"

    @property
    def session(self) -> str | None:
        """The key of session affinity: Claude Code's session id with the agent's, since its turns are its own, or what
        other clients name theirs.

        None for one that is too long to be remembered.
        """
        headers = self.request.headers
        found, agent = headers.get("x-claude-code-session-id"), headers.get("x-claude-code-agent-id")
        if found is None:
            found = headers.get("x-session-id") or self.request.named_session or None  # the header is opencode's
        if found is not None and agent is not None:
            found = f"{found} {agent}"
        return found if found is not None and len(found) <= LONGEST_SESSION else None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One attempt as it goes on the wire, expressed as edits of the client's request.

    Headers not named here are sent as the client sent them, in its order and spelling.
    """

    scheme: Literal["http", "https"]
    host: str
    port: int
    path: str
    body: bytes
    drop: frozenset[str] = frozenset()
    """Lower-case header names to remove."""
    add: tuple[tuple[str, str], ...] = ()
    """Headers to set after removal."""

    @property
    def url(self) -> str:
        """Where it goes, without its query, which may hold a secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path.partition('?')[0]}"


@dataclass(frozen=True, slots=True)
class LocalAnswer:
    """A complete answer given by Turnout itself."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def json_answer(value: Any, headers: Mapping[str, str] | None = None) -> LocalAnswer:
    """A value that is there, as JSON."""
    return LocalAnswer(200, {"content-type": "application/json", **(headers or {})}, msgspec.json.encode(value))
