"""What a renderer of conversations is given, and what it has to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Timing:
    """When an answer came, in seconds after the whole request was there; None for what is not known (yet)."""

    first_byte: float | None = None
    last_byte: float | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """The decoded body of a request or of an answer."""

    data: bytes
    content_type: str = ""
    """Without parameters; often missing or wrong, so renderers go by the shape of the data."""
    timing: Timing = Timing()
    """Of an answer; empty for a request."""


class Renderer(Protocol):
    """A module (or an object) that makes one kind of body readable."""

    def matches(self, body: Body) -> bool:
        """Whether the body has the right shape. It is asked for every body that is shown, so it decodes next to nothing
        and never raises."""

    def render(self, body: Body) -> str:
        """The body as text for people. Raises any exception when it is broken; the raw bytes are shown then."""
