"""Every failed attempt as a finished flow of its own, so that mitmweb, `-w` and filters see it."""

from __future__ import annotations

from collections.abc import Iterable

from mitmproxy import flow, http

from turnout.exchange import Exchange
from turnout.flows.backup import set_backup
from turnout.inspect.describing import redacted
from turnout.inspect.notes import ATTEMPT_MARK, attempt_comment, metadata
from turnout.redaction.secret import Secret
from turnout.redaction.text import redact


def failed_attempt(original: http.HTTPFlow, exchange: Exchange, known: Iterable[Secret] = ()) -> http.HTTPFlow:
    """A copy of `original` as the failed attempt it is: what was sent, what came back, and what it meant.

    `original` shows no secrets.
    """
    copy: http.HTTPFlow = original.copy()
    copy.live = False
    known = tuple(known)
    copy.comment = redact(attempt_comment(exchange, exchange.attempt), known)
    copy.marked = ATTEMPT_MARK
    copy.metadata.update(redacted(metadata(exchange, "attempt"), known))
    set_backup(copy, None)  # the client's request is kept once, in the flow of its exchange
    if copy.response is None:
        copy.error = flow.Error(redact(exchange.attempt.reason, known) or "attempt failed")
    else:
        copy.response.stream = False
    return copy
