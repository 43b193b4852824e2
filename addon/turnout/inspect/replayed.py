"""Flows that are sent again (`-C`, mitmweb's replay, `turnout.retry`): what Turnout noted in them is taken back."""

from __future__ import annotations

from dataclasses import dataclass

from mitmproxy import http

from turnout.inspect.notes import MARKS, PREFIX
from turnout.inspect.pristine import give_back_credential
from turnout.wire.endpoint import client_path

RETRY = f"{PREFIX}retry"
"""Metadata key of a flow that is to be sent to one provider; its value is the provider's name."""
RETRY_OF = f"{PREFIX}retry_of"
"""Metadata key with the id of the exchange whose request is sent again."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is known of a flow from when it was recorded."""

    model: str | None = None
    """The model the client had asked for, where the flow holds the request as it was sent to a provider."""
    attempt: bool = False
    """It is a failed attempt of an exchange, and nothing that a client sent."""
    pinned: str | None = None
    """The provider it is to be sent to (`turnout.retry`)."""


def forget_recorded(flow: http.HTTPFlow) -> Recorded:
    """Clear the notes of an earlier run, and take the provider's path prefix away.

    mitmproxy itself has put the client's request back where the flow had kept it.
    """
    noted = {name: str(value) for name, value in flow.metadata.items() if name.startswith(PREFIX)}
    model = noted.get(f"{PREFIX}client_model")
    if model is not None:
        flow.request.path = client_path(flow.request.path)
    for name in noted.keys() - {RETRY, RETRY_OF}:
        del flow.metadata[name]
    flow.comment = ""
    if flow.marked in MARKS:
        flow.marked = ""
    give_back_credential(flow)
    return Recorded(model, noted.get(f"{PREFIX}part") == "attempt", noted.get(RETRY))
