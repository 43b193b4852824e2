"""The request as the client sent it, kept in the flow beside what the attempts make of it.

It is mitmproxy's own backup: saved with the flow, shown by "Revert", and what `-C` and `turnout replay` send.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from mitmproxy import http

from turnout.exchange import ClientRequest
from turnout.inspect.backup import set_backup
from turnout.inspect.masking import masked_fields
from turnout.settings.secret import MASK, masked_path
from turnout.wire.headers import Fields, lowered

_client_fields: WeakKeyDictionary[http.HTTPFlow, Fields] = WeakKeyDictionary()
"""The client's headers with its credential, in memory alone and as long as the flow is shown: for sending it again."""


def keep_pristine(flow: http.HTTPFlow, fields: Fields) -> None:
    """Note the client's request in the flow before the first attempt changes it. Secrets stay out of the note.

    `fields` are the client's headers as they came; those of the flow may be masked already.
    """
    state: dict[str, Any] = flow.get_state()
    request = state["request"]
    # In reverse mode mitmproxy has put the address of the target here; the client spoke to this one.
    request["host"], request["port"] = flow.client_conn.sockname[:2]
    request["scheme"] = b"https" if flow.client_conn.tls else b"http"
    _client_fields[flow] = fields
    request["headers"] = masked_fields(fields)
    request["path"] = masked_path(request["path"].decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    set_backup(flow, state)


def pristine(flow: http.HTTPFlow) -> http.HTTPFlow:
    """A new flow, not yet sent, with the client's request of this one; without a backup, with the request as it is."""
    copy: http.HTTPFlow = flow.copy()
    identifier = copy.id
    copy.revert()
    copy.id = identifier  # the backup has that of the flow from which it was made
    set_backup(copy, None)
    copy.response = copy.error = None
    copy.comment, copy.marked = "", ""
    copy.metadata.clear()
    if fields := _client_fields.get(flow):
        _client_fields[copy] = fields
    return copy


def give_back_credential(flow: http.HTTPFlow) -> None:
    """Put the client's own credential into a flow that is sent again, where this process has seen it."""
    known = {name.lower(): value for name, value in _client_fields.get(flow, ())}
    mask = MASK.encode()
    flow.request.headers.fields = tuple(
        (name, known.get(name.lower(), value) if value == mask else value)
        for name, value in flow.request.headers.fields
    )


def client_request(flow: http.HTTPFlow) -> ClientRequest:
    """What the client sent, as the routes look at it. Its body is decoded."""
    request = pristine(flow).request
    return ClientRequest(
        request.method, request.path, lowered(request.headers), request.get_content(strict=False) or b""
    )
