"""The request as the client sent it, kept beside what the attempts made of it, and sent again from there.

When a flow is over, it becomes mitmproxy's own backup: saved with the flow, and shown by "Revert", which changes
nothing but the request. Not before: reverting a flow under way would change the connections that it uses.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from mitmproxy import http

from turnout.exchange import ClientRequest
from turnout.flows.backup import backup_of, set_backup
from turnout.flows.masking import Masks
from turnout.metadata import EXCHANGE, PART
from turnout.redaction.names import is_secret_header
from turnout.redaction.secret import MASK
from turnout.wire.headers import Fields, lowered

_client_fields: WeakKeyDictionary[http.HTTPFlow, Fields] = WeakKeyDictionary()
"""The client's headers with its credential, in memory alone and as long as the flow is shown: for sending it again."""

_left: WeakKeyDictionary[http.HTTPFlow, tuple[Any, ...]] = WeakKeyDictionary()
"""Each request as it was left in its flow, to tell whether the user has edited it since."""


@dataclass(frozen=True, slots=True)
class ClientSide:
    """What of the client's request the attempts change in the flow."""

    data: Mapping[str, Any]
    """By the names of a request's state in mitmproxy, without secrets."""
    masks: Masks
    """What was known of secrets then."""

    def shown(self, masks: Masks) -> dict[str, Any]:
        """The data without what has become known since."""
        data = dict(self.data)
        if masks.known - self.masks.known:
            data |= {"headers": masks.fields(data["headers"]), "path": masks.path(data["path"])}
            if data["content"]:
                data["content"] = masks.learnt(data["content"], self.masks)
        return data


def client_side(flow: http.HTTPFlow, fields: Fields, masks: Masks) -> ClientSide:
    """The client's request, before the first attempt changes the flow, which shows no secrets.

    `fields` are its headers as they came.
    """
    _client_fields[flow] = fields
    data = flow.request.data
    # In reverse mode mitmproxy has put the address of the target here; the client spoke to this one.
    host, port = flow.client_conn.sockname[:2]
    return ClientSide(
        {
            "http_version": data.http_version,
            "method": data.method,
            "scheme": b"https" if flow.client_conn.tls else b"http",
            "host": host,
            "port": port,
            "path": data.path,
            "authority": data.authority,
            "headers": data.headers.fields,
            "content": data.content,
        },
        masks,
    )


def put_away(flow: http.HTTPFlow, client: ClientSide | None, masks: Masks) -> None:
    """The flow is over, and shows no secrets: what the client sent becomes its backup."""
    _left[flow] = _essence(flow.request)
    if client is not None:
        state = flow.get_state()
        set_backup(flow, {**state, "request": {**state["request"], **client.shown(masks)}, "backup": None})


def pristine(flow: http.HTTPFlow) -> http.HTTPFlow:
    """A new flow, not yet sent, with the client's request of this one; without a backup, with the request as it is."""
    copy: http.HTTPFlow = flow.copy()
    copy.revert()
    copy.id = str(uuid.uuid4())
    set_backup(copy, None)
    copy.response = copy.error = None
    copy.comment, copy.marked = "", ""
    copy.metadata.clear()
    if fields := _fields_of(flow):
        _client_fields[copy] = fields
    return copy


def restore(flow: http.HTTPFlow) -> bool:
    """Put the client's request back into a flow that is sent again, and its credential where it was seen here.

    True when the flow holds what the client sent; a request that the user has edited stays as it is.
    """
    backup = backup_of(flow)
    restored = backup is not None and flow.metadata.get(PART) == "exchange" and not edited(flow)
    if restored and backup is not None:
        client = http.Request.from_state(dict(backup["request"]))
        flow.request.method, flow.request.path = client.method, client.path
        flow.request.headers.fields = client.headers.fields
        flow.request.raw_content = client.raw_content
    _give_back_credential(flow)
    return restored


def _give_back_credential(flow: http.HTTPFlow) -> None:
    """Masked values, the client's own or those of a provider, make room for what the client had sent."""
    own = tuple(field for field in _fields_of(flow) if is_secret_header(field[0].decode("latin-1")))
    if own:
        mask = MASK.encode()
        flow.request.headers.fields = (*(field for field in flow.request.headers.fields if field[1] != mask), *own)


def client_request(flow: http.HTTPFlow) -> ClientRequest:
    """What the client sent, as the routes look at it. Its body is decoded."""
    request = pristine(flow).request
    return ClientRequest(
        request.method, request.path, lowered(request.headers), request.get_content(strict=False) or b""
    )


def _fields_of(flow: http.HTTPFlow) -> Fields:
    """The client's headers of a flow, or of the exchange of which it is a copy."""
    exchange = flow.metadata.get(EXCHANGE)
    found = _client_fields.get(flow)
    if found is None and exchange:
        found = next((each for other, each in _client_fields.items() if other.metadata.get(EXCHANGE) == exchange), None)
    return found or ()


def edited(flow: http.HTTPFlow) -> bool:
    """Whether the user has changed the request since the flow was over."""
    return flow in _left and _left[flow] != _essence(flow.request)


def _essence(request: http.Request) -> tuple[Any, ...]:
    return request.method, request.path, request.headers.fields, request.raw_content
