"""What a provider kind does for one attempt. A new compatible provider is config only; a new dialect is one class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from turnout.credentials.chain import Credential
from turnout.dialects.base import Translation
from turnout.exchange import Exchange, Outgoing
from turnout.settings.model import Provider
from turnout.settings.rewriting import Rewrite


@dataclass(frozen=True, slots=True)
class Shaping:
    """How the body of one attempt is to be changed, with everything that was learned."""

    rules: Rewrite
    minted_by: Callable[[str], str | None] | None = None
    """The mark of a thinking block, by its fingerprint; None: no provider but this one is known to have signed any."""
    others_answer: bool = False
    """Other providers are configured, and may have answered before all of this was known."""
    bound_to: str = ""
    """The mark of what is thought in this attempt, for a model that binds it to account and conversation."""


@dataclass(frozen=True, slots=True)
class Sending:
    """What a kind makes of one attempt: what is sent, and what is to be known of it where the answer is read."""

    outgoing: Outgoing
    endpoint: str
    """The path behind the provider's base URL, without a query."""
    changes: tuple[str, ...] = ()
    """Names of what was changed in the body."""
    left_out: frozenset[str] = frozenset()
    """Top-level fields of the client's body that the provider does not get."""
    tool_names: Mapping[str, str] = field(default_factory=dict)
    """Which name of a tool stands for which of the client's in the request, and therefore in its answer."""
    translation: Translation | None = None
    """The way back from the provider's dialect; None where it speaks the client's."""
    translated_from: bytes | None = None
    """The body that the rules made, before it was translated; None where nothing is."""


class ProviderKind(Protocol):
    """Addresses, authenticates and shapes one attempt in the dialect of a kind."""

    def prepare(
        self, exchange: Exchange, provider: Provider, model: str, credential: Credential, shaping: Shaping
    ) -> Sending:
        """The attempt. `model` is the name to send."""
