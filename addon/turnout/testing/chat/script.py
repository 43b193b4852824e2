"""What an answer in Chat Completions is made of, whatever its vendor makes of it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    text: str
    encrypted: bool = False
    """Told as data that nobody can read, where thoughts have details."""


@dataclass(frozen=True, slots=True)
class Call:
    """Calls that follow each other are parallel."""

    name: str
    arguments: dict[str, Any] | str
    """A text is taken as it is, such as the beginning of an object in an answer that was cut."""
    id: str | None = None
    """None: as the vendor writes ids."""

    @property
    def text(self) -> str:
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


@dataclass(frozen=True, slots=True)
class Comment:
    """A line of a stream that keeps the connection open. A whole answer has none."""

    text: str = "keep-alive"


@dataclass(frozen=True, slots=True)
class Failure:
    """An error with which a stream ends. A whole answer is that error, with its code as the status."""

    message: str = "scripted"
    code: int = 502


Part = Text | Thought | Call | Comment | Failure | asyncio.Event | bytes
"""One part of an answer; a gate to wait at; or bytes that a stream has as they are."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens; `cached` are among those of the prompt, `reasoning` among those of the answer."""

    prompt: int = 25
    completion: int = 15
    cached: int = 0
    reasoning: int = 0
