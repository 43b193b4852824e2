"""What the client asked for, as far as the answer is concerned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from turnout.credentials.chain import NO_KEY, Credential
from turnout.dialects.base import Translation
from turnout.dialects.messages.safeguards import FIELD, NO_VERDICT, asks_about_tool_use
from turnout.exchange import Endpoint, Outgoing
from turnout.journey.state import Journey
from turnout.routing.names import asked


@dataclass(frozen=True, slots=True)
class Expectation:
    """The form of the answer, and what it has to hold."""

    endpoint: Endpoint
    stream: bool
    reply_model: str | None
    """The model name that replies carry; None: the one that the provider gives."""
    safeguard_results: bytes = b""
    """JSON that stands for the results that a provider cannot give, because it was not asked; empty: none."""
    size: int = 0
    """Bytes of the request."""
    others: bool = False
    """Another target can answer if this one does not in time."""
    tool_names: Mapping[str, str] = field(default_factory=dict)
    """Which name of a tool stands for which of the client's."""
    credential: Credential = NO_KEY
    """What the request is sent with."""
    translation: Translation | None = None
    """How the answer becomes one of the Messages API; None where it is one."""
    address: str = ""
    """The address that the request goes to, without its query, and the proxy that it goes through."""


def expectation(journey: Journey, outgoing: Outgoing) -> Expectation:
    """What is expected of the attempt under way, which is sent as `outgoing`."""
    exchange, sending = journey.exchange, journey.here.sending
    assert sending is not None
    unasked = FIELD in sending.left_out and asks_about_tool_use(exchange.request.fields.get(FIELD))
    return Expectation(
        exchange.endpoint,
        stream=journey.streams,
        reply_model=_reply_model(journey),
        safeguard_results=NO_VERDICT if unasked else b"",
        size=len(outgoing.body),
        others=journey.others,
        tool_names=sending.tool_names,
        credential=journey.here.candidate.credential,
        translation=sending.translation,
        address=_address(journey, outgoing),
    )


def _address(journey: Journey, outgoing: Outgoing) -> str:
    way = journey.setup.ways.to(journey.provider.name)
    return f"{outgoing.url} through the proxy {way.proxy}" if way.proxy else outgoing.url


def _reply_model(journey: Journey) -> str | None:
    """A first party gives the name of the model that it was asked for; others may give any name."""
    exchange, first_party = journey.exchange, journey.provider.first_party
    if journey.setup.settings.reply_model == "served":
        return None if first_party else exchange.attempt.model
    same = exchange.attempt.model == asked(exchange.request.model).name and first_party
    return None if same else exchange.request.model
