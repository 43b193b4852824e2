"""What a dialect is to the rest of the house: the way from the Messages API and back.

Messages is the hub. Rules, verdicts, completion and the relay know it alone; what a provider of another dialect gets
and gives is translated where it leaves and where it comes in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from turnout.dialects.error_body import ErrorBody
from turnout.dialects.messages.refusals.lesson import Lesson
from turnout.settings.rewriting import Rewrite


@dataclass(frozen=True, slots=True)
class Translated:
    """A request in the provider's dialect."""

    body: bytes
    lost: tuple[str, ...] = ()
    """Top-level fields of the Messages request that the dialect has no word for, in its order."""


class Decoder(Protocol):
    """A streamed answer, made the events of a Messages stream while it arrives. No input makes it raise.

    Comments are passed on as comments, so that signs of life stay what they are. An error that the provider reports
    becomes an event `error` whose data is the provider's own JSON. An answer that breaks off before its provider has
    said that it ends gets no `message_stop`.
    """

    signatures: Sequence[str]
    """The signatures of the thinking blocks so far; of those without one their text."""

    @property
    def whole(self) -> bool:
        """The provider has said that the answer ends; `finish` has its end, if that has not been given."""

    def feed(self, data: bytes) -> bytes:
        """The whole frames that these bytes make; b"" when there is nothing to say yet."""

    def finish(self) -> bytes:
        """What is left to say when the provider has closed the stream. Called once."""


class Translation(Protocol):
    """One exchange with a provider of another dialect; keeps what the way back needs."""

    def request(self, body: bytes) -> Translated:
        """A Messages request, rewritten already, in the provider's dialect. Called once, before all else.

        The same conversation gives the same bytes, and a longer one begins with those of the shorter: prompt caches
        live from that. Raises InvalidRequest for a body that is no Messages request.
        """

    def lessons(self, told: ErrorBody) -> Iterator[Lesson]:
        """What a refusal teaches, in terms of the Messages request and its rules."""

    def decoder(self) -> Decoder:
        """For one streamed answer."""

    def whole(self, body: bytes) -> bytes:
        """An answer that came in one piece as a message of the Messages API; anything else (an error, no JSON) is the
        same object. Never raises."""


class ClientAnswer(Protocol):
    """One answer of the Messages API, made one in the words of a client of another dialect. No input makes it raise."""

    def feed(self, data: bytes) -> bytes:
        """Bytes of a streamed answer; b"" where there is nothing to say yet."""

    def whole(self, body: bytes) -> bytes:
        """An answer in one piece: a message, or an error. Anything else is the same object."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client of another dialect asks."""

    body: bytes
    """As a request of the Messages API."""
    answer: ClientAnswer
    session: str = ""
    """What names the conversation, as far as the request tells."""


ClientDialect = Callable[[bytes], Asked]
"""Reads a request of a client. Raises InvalidRequest for what is none, or asks what nobody can give."""

Translator = Callable[[Rewrite], Translation]
"""Makes the translation for one attempt, by the rules in force for its model."""
