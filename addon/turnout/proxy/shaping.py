"""Between plain data and mitmproxy's messages: an attempt becomes the flow's request, an answer its response."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

from mitmproxy import http

from turnout.exchange import LocalAnswer, Outgoing
from turnout.proxy.steering import disengage
from turnout.proxy.withholding import answer_as_sent, becomes, cover
from turnout.settings.way_out import Proxy
from turnout.wire.headers import Fields, lowered


def send_as(flow: http.HTTPFlow, outgoing: Outgoing, client_fields: Fields) -> None:
    """Make the flow's request this attempt. Headers that are not named keep the client's order and spelling.

    Trailers of the client stay behind: a body that has a length can have none.
    """
    request = flow.request
    added = dict(outgoing.add)
    fields: list[tuple[bytes, bytes]] = []
    for name, value in client_fields:
        lower = name.decode("latin-1").lower()
        if lower in added:
            fields.append((name, added.pop(lower).encode()))
        elif lower not in outgoing.drop:
            fields.append((name, value))
    fields += [(name.encode(), value.encode()) for name, value in added.items()]
    request.data.scheme = outgoing.scheme.encode()
    request.data.host, request.data.port = outgoing.host, outgoing.port
    request.data.path = outgoing.path.encode("utf-8", "surrogateescape")
    if request.http_version == "HTTP/1.0":
        request.http_version = "HTTP/1.1"
    request.data.authority = dict(outgoing.add)["host"].encode() if request.is_http2 else b""
    request.headers.fields = tuple(fields)
    request.data.content = outgoing.body
    request.trailers = None
    becomes(flow)


def through_proxy(request: http.Request, proxy: Proxy) -> http.Request:
    """A request without TLS in the form that a proxy takes (RFC 9112, section 3.2.2); with TLS it passes unseen."""
    if request.scheme != "http":
        return request
    headers = request.headers.copy()
    if proxy.authorization is not None:
        headers["proxy-authorization"] = proxy.authorization.reveal()
    sent = copy(request)
    authority = headers["host"].encode()
    sent.data = replace(request.data, authority=authority, headers=headers, http_version=b"HTTP/1.1")
    return sent


def frame_stream(response: http.Response, *, chunks: bool) -> None:
    """Pings and errors may lengthen a stream: no length is promised, and its end is told by chunks or by closing."""
    announced = response.headers.pop("content-length", None) is not None
    if not chunks:
        response.headers.pop("transfer-encoding", None)
    elif announced or "transfer-encoding" not in response.headers:  # HTTP/2 tells the end by its frames
        response.headers["transfer-encoding"] = "chunked"


def answer_with(flow: http.HTTPFlow, answer: LocalAnswer) -> None:
    """Put a complete answer into the flow; it is final."""
    disengage(flow)
    body = b"" if flow.request.method == "HEAD" else answer.body
    flow.response = http.Response.make(answer.status, body, dict(answer.headers))
    cover(flow)


def answer_of(flow: http.HTTPFlow) -> LocalAnswer | None:
    """The flow's answer as it came."""
    if flow.response is None or flow.response.raw_content is None:
        return None
    response = answer_as_sent(flow, flow.response)
    return LocalAnswer(response.status_code, lowered(response.headers), response.get_content(strict=False) or b"")
