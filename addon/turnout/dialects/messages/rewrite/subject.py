"""What the rules know of a request beside its body, and what comes out of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Effort = Literal["low", "medium", "high"]


@dataclass(frozen=True, slots=True)
class Subject:
    """One request on its way to one target."""

    model: str
    """The model name that is sent."""
    client_model: str
    """The model name that the client used, without suffixes."""
    betas: tuple[str, ...] = ()
    """The values of `anthropic-beta`."""
    version: str = ""
    """The `anthropic-version` of the request."""
    effort: Effort | None = None
    """What a `-reasoning-…` suffix of the model name asks for."""
    minted_by: Callable[[str], str | None] | None = None
    """From the fingerprint of a thinking block to its mark (`dialects.messages.signatures`), None when that is not
    known. None in place of the function: no other provider is known to have signed anything."""
    others_answer: bool = False
    """Other providers are configured, and may have answered earlier in this conversation."""
    signs_as: str = "anthropic"
    """Who signs the blocks of the target itself."""
    bound_to: str = ""
    """The whole mark of blocks that are made now, where the model binds them to it; empty for any other model."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A request as it is sent."""

    body: bytes
    """The same object when nothing changed."""
    betas: tuple[str, ...]
    rules: tuple[str, ...]
    """Names of the rules that changed something."""
    left_out: frozenset[str] = frozenset()
    """Top-level fields that the client sent and the target does not get."""
    tool_names: Mapping[str, str] = field(default_factory=dict)
    """Which name of a tool stands for which in the request, and therefore in its answer."""
