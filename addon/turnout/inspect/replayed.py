"""Flows that are replayed (`-C`): what Turnout made of them when they were recorded is taken back."""

from __future__ import annotations

from mitmproxy import http

from turnout.inspect.notes import PREFIX

_ENDPOINTS = "/v1/"


def forget_recorded(flow: http.HTTPFlow) -> str | None:
    """Clear the notes of an earlier run, and take the provider's path prefix away.

    Returns the model name that the client asked for then; None for a flow that Turnout did not record.
    """
    model = flow.metadata.get(f"{PREFIX}client_model")
    if model is not None:
        path, mark, query = flow.request.path.partition("?")
        _, endpoint, rest = path.rpartition(_ENDPOINTS)
        flow.request.path = (endpoint + rest if endpoint else path) + mark + query
    for name in [name for name in flow.metadata if name.startswith(PREFIX)]:
        del flow.metadata[name]
    flow.comment = ""
    return model if isinstance(model, str) else None
