"""What is wrong with a request, before a vendor puts it in its own words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Path = tuple[str | int, ...]


@dataclass
class Problem(Exception):
    """One thing that a server refuses."""

    kind: Literal["unknown field", "unknown variant", "invalid", "beta"]
    path: Path
    value: str = ""
    """The field, the variant or the beta it does not know; for `invalid` what is wrong there."""
    expected: tuple[str, ...] = ()

    @property
    def dotted(self) -> str:
        """`messages.0.content.1`"""
        return ".".join(str(step) for step in self.path)

    @property
    def indexed(self) -> str:
        """`messages[0].content[1]`"""
        steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)
        return "".join(steps).removeprefix(".")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a vendor answers to a request it refuses."""

    status: int
    body: Any
    """A JSON value."""


Phrase = Callable[[Problem], Answer]


def invalid(path: Path, wrong: str) -> Problem:
    return Problem("invalid", path, wrong)


def require(condition: bool, path: Path, wrong: str) -> None:
    if not condition:
        raise invalid(path, wrong)


def among(value: Any, allowed: tuple[str, ...], path: Path) -> None:
    """Raises Problem unless the value is one of those allowed."""
    if value not in allowed:
        raise Problem("unknown variant", path, str(value), allowed)


def only(names: Any, allowed: frozenset[str], path: Path) -> None:
    """Raises Problem for the first name that is not allowed."""
    for name in names:
        if name not in allowed:
            raise Problem("unknown field", (*path, name), name, tuple(sorted(allowed)))
