"""Flows that are sent again (`-C`, mitmweb's replay, `turnout.retry`): what Turnout noted in them is taken back."""

from __future__ import annotations

from dataclasses import dataclass

from mitmproxy import http

from turnout.flows.client_side import edited, restore
from turnout.inspect.notes import MARKS
from turnout.metadata import CLIENT_MODEL, PART, PREFIX, RETRY, RETRY_OF
from turnout.wire.endpoint import client_path


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is known of a flow from when it was recorded."""

    model: str | None = None
    """The model the client had asked for, where the flow holds the request as it was sent to a provider."""
    body: bytes | None = None
    """What the client had sent, where the flow holds that as well."""
    pinned: str | None = None
    """The provider it is to be sent to (`turnout.retry`)."""


def is_attempt(flow: http.HTTPFlow) -> bool:
    """Whether it is a failed attempt of an exchange, and nothing that a client sent."""
    return flow.metadata.get(PART) == "attempt"


def forget_recorded(flow: http.HTTPFlow) -> Recorded:
    """Put back what the client had sent, and clear the notes of the earlier run.

    mitmproxy has taken the flow's body before any hook: the body to be sent is in the result.
    """
    noted = {name: str(value) for name, value in flow.metadata.items() if name.startswith(PREFIX)}
    restored, model = restore(flow), noted.get(CLIENT_MODEL)
    if not restored and model is not None:
        flow.request.path = client_path(flow.request.path)
    if restored or edited(flow):
        model = None
    for name in noted.keys() - {RETRY, RETRY_OF}:
        del flow.metadata[name]
    flow.comment = ""
    if flow.marked in MARKS:
        flow.marked = ""
    return Recorded(model, flow.request.raw_content if restored else None, noted.get(RETRY))
