"""What an error body says, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_NONE: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Placed:
    """One error with its place, as validators list them."""

    type: str
    """pydantic's type of error, such as `extra_forbidden`."""
    steps: tuple[str, ...]
    message: str
    given: str = ""
    """The value that was refused, when it is a word."""


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """An error as its body tells it. Every text may be empty."""

    body: bytes = b""
    """What was read."""
    structured: bool = False
    """It is JSON with members, as the errors of an API are."""
    shaped: bool = False
    """It has the shape of Anthropic's errors already."""

    type: str = ""
    """`error.type`."""
    codes: tuple[str, ...] = ()
    """The provider's own codes, the most specific first."""
    message: str = ""
    label: str = ""
    """What the error is called in one or two words: `overloaded_error`, `base_resp 1002`, `code 500`."""
    status: int | None = None
    """The HTTP status that the error stands for, when it rides on a 2xx answer."""
    inner: bool = False
    """A gateway has put the error of another into its own: this is what that one says."""
    inner_status: int | None = None
    """The HTTP status that the inner error stands for; it says more than the gateway's."""

    whole_message: str = ""
    """What is wrong, uncut; "" for pages of HTML and what else holds no message.

    The entries of a list, as FastAPI and pydantic give them, are joined, each with its path as Anthropic writes it:
    "messages.0.content: Field required; top_k: Extra inputs are not permitted".
    """

    texts: tuple[str, ...] = ()
    """Every text of every envelope. From here on all is empty for bodies over 64 KB and for pages of HTML."""
    names: tuple[str, ...] = ()
    """Types and codes of every envelope, where they are texts."""
    param: str = ""
    """OpenAI: the parameter that is at fault."""
    placed: tuple[Placed, ...] = ()
    counts: Mapping[str, int] = field(default_factory=lambda: _NONE)
    """llama.cpp: `n_prompt_tokens` and `n_ctx`."""

    @property
    def words(self) -> str:
        """What the error says itself, for a search by wording."""
        return " ".join((self.type, *self.codes, self.message))

    @property
    def stands(self) -> bool:
        """In shape, and not around the error of another, whose reason is to be told."""
        return self.shaped and not self.inner
