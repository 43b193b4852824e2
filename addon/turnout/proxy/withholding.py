"""What a flow does not show while it is on its way: the flow holds less, the wire gets all."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import Any

from mitmproxy import http
from mitmproxy.proxy.layers.http import ResponseData, ResponseHeaders

from turnout.proxy.steering import Instead, Withheld, steering
from turnout.wire.headers import Fields


def withhold(flow: http.HTTPFlow, shown: Fields) -> None:
    """Show these header fields instead of the flow's own, one for one. The provider gets the flow's own."""
    pairs = zip(flow.request.headers.fields, shown, strict=True)
    steering(flow).withheld = tuple(Withheld(name, new, old) for (name, old), (_, new) in pairs if old != new)
    flow.request.headers.fields = shown


def as_sent(flow: http.HTTPFlow) -> http.Request:
    """The flow's request with the values that were withheld. What other addons have changed since stays changed."""
    withheld = list(steering(flow).withheld)
    if not withheld:
        return flow.request
    fields: list[tuple[bytes, bytes]] = []
    for name, value in flow.request.headers.fields:
        found = next((each for each in withheld if each[:2] == (name, value)), None)
        if found is not None:
            withheld.remove(found)
        fields.append((name, found.sent if found is not None else value))
    request = copy(flow.request)  # shallow: everything but the headers may be shared
    request.data = replace(flow.request.data, headers=http.Headers(tuple(fields)))
    return request


def keep_from_flow(flow: http.HTTPFlow, whole: http.Response) -> None:
    """`whole` goes to the client in place of the flow's response, unless somebody changes that one."""
    kept = flow.response
    assert kept is not None
    steering(flow).sends = Instead(whole, kept, kept.get_state())


def complete(flow: http.HTTPFlow, event: Any) -> None:
    """Make an event of a buffered answer, on its way to the client, that of the whole one."""
    instead = steering(flow).sends
    if instead is None or flow.response is not instead.kept or instead.kept.get_state() != instead.state:
        return
    if isinstance(event, ResponseHeaders):
        event.response = instead.sent
    elif isinstance(event, ResponseData):
        event.data = instead.sent.raw_content or b""
