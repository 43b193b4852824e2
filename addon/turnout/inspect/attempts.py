"""Every failed attempt as a finished flow of its own, so that mitmweb, `-w` and filters see it."""

from __future__ import annotations

from mitmproxy import flow, http

from turnout.exchange import Exchange
from turnout.inspect.masking import mask_request
from turnout.inspect.notes import attempt_comment, metadata


def failed_attempt(original: http.HTTPFlow, exchange: Exchange) -> http.HTTPFlow:
    """A copy of `original` as the failed attempt it is: what was sent, what came back, and what it meant."""
    copy: http.HTTPFlow = original.copy()
    copy.live = False
    copy.comment = attempt_comment(exchange, exchange.attempt)
    copy.metadata.update(metadata(exchange))
    mask_request(copy.request)
    if copy.response is None:
        copy.error = flow.Error(exchange.attempt.reason or "attempt failed")
    else:
        copy.response.stream = False
    return copy
