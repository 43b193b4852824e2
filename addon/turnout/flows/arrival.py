"""A flow under way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from mitmproxy import http

from turnout.dialects import CLIENTS
from turnout.dialects.base import Asked
from turnout.dialects.messages.stream import replace_model
from turnout.exchange import ClientRequest
from turnout.flows.again import Recorded
from turnout.flows.client_side import ClientSide
from turnout.gate.paths import Known
from turnout.journey.answer import AnswerMonitor
from turnout.journey.state import Journey
from turnout.proxy.steering import steering
from turnout.proxy.withholding import request_as_sent
from turnout.redaction.secret import Secret
from turnout.wire.compression import decompress
from turnout.wire.headers import Fields

MESSAGES = "/v1/messages"


@dataclass(slots=True)
class Arrival:
    """What the client sent, kept apart from what attempts make of the flow, and how far it has come."""

    flow: http.HTTPFlow
    known: Known
    fields: Fields
    """The client's headers, as they came."""
    headers: dict[str, str]
    """The same, by lower-case name."""
    path: str
    chunks: bool
    """The client is told the end of an answer by chunks (HTTP/1.1): not yet in HTTP/1.0, no more in HTTP/2."""
    said: frozenset[Secret]
    """What of the request stood where credentials stand."""
    recorded: Recorded
    """What is known of a flow that is replayed."""
    client: ClientSide | None = None
    """The client's request as a whole, once it has come."""
    asked: Asked | None = None
    """What a client of another dialect asks; None for one of the Messages API."""
    journey: Journey | None = None
    monitor: AnswerMonitor | None = None

    @property
    def known_secrets(self) -> set[Secret]:
        """What must not stay in the flow, whatever it looks like."""
        held = self.journey.setup.chain.secrets() if self.journey is not None else set()
        return held | self.said


def client_request(arrival: Arrival, max_body: int) -> ClientRequest:
    """What the client asks, opened where it is compressed, as a request of the Messages API. Raises RequestError when
    it cannot be read.

    A flow that is replayed asks for the model that was recorded. `max_body`: bytes of the opened body.
    """
    flow = arrival.flow
    sent = request_as_sent(flow).raw_content or b""
    body = decompress(sent, arrival.headers.get("content-encoding", ""), max_body)
    if (dialect := CLIENTS.get(arrival.known.dialect)) is not None:
        arrival.asked = dialect(body)
        body = arrival.asked.body
    path, session = (arrival.path, "") if arrival.asked is None else (MESSAGES, arrival.asked.session)
    request = ClientRequest(flow.request.method, path, arrival.headers, body, arrival.known.dialect, session)
    if arrival.recorded.model is not None:
        request = replace(request, body=replace_model(body, request.fields, arrival.recorded.model))
    return request


def connect_within(arrivals: Iterable[Arrival], client_id: str, address: tuple[str, int] | None) -> float | None:
    """Seconds that an attempt of this client gives a connection to this address; None when no attempt goes there."""
    for arrival in arrivals:
        journey, goes_to = arrival.journey, steering(arrival.flow).address
        if journey is None or goes_to is None or address is None or arrival.flow.client_conn.id != client_id:
            continue
        if (goes_to.host, goes_to.port) == address[:2]:
            return journey.provider.timeouts.over(journey.setup.settings.timeouts).connect
    return None
