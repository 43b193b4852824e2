"""Writes what became of an exchange into its flow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mitmproxy import http

from turnout.exchange import Exchange
from turnout.inspect import notes
from turnout.metadata import RETRY_OF
from turnout.redaction.secret import Secret
from turnout.redaction.text import redact


def describe(flow: http.HTTPFlow, exchange: Exchange, ending: str, known: Iterable[Secret] = ()) -> None:
    """Comment, marker and metadata. A marker that the user has set stays."""
    flow.metadata.update(redacted(notes.metadata(exchange), known))
    comment = redact(notes.comment(exchange, ending), known)
    retried = flow.metadata.get(RETRY_OF)
    flow.comment = f"retry of {retried} · {comment}" if retried else comment
    refused = flow.response is None or flow.response.status_code >= 400
    flow.marked = flow.marked or notes.mark(exchange, failed=refused)


def redacted(metadata: Mapping[str, str], known: Iterable[Secret] = ()) -> dict[str, str]:
    """The same notes without secrets. One look at all of them is enough as a rule."""
    known = tuple(known)
    whole = "\n".join(metadata.values())
    if redact(whole, known) == whole:
        return dict(metadata)
    return {key: redact(value, known) for key, value in metadata.items()}
