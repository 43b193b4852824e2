"""What a flow does not show while it is on its way: the flow holds less, the wire gets all.

The stream covers its flow before and after every hook, so that no addon, view or file meets what mitmproxy or another
addon has just put there; the addon covers it whenever it has changed something. A part that is still as it was left
costs one comparison. What another addon changes stays changed.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import Any

from mitmproxy import http
from mitmproxy.proxy.layers.http import (
    RequestData,
    RequestHeaders,
    RequestTrailers,
    ResponseData,
    ResponseHeaders,
    ResponseTrailers,
)

from turnout.proxy.steering import Hidden, HiddenBody, HiddenField, Masking, Withheld, steering
from turnout.redaction.secret import MASK, Secret
from turnout.wire.headers import Fields

_MASK = MASK.encode()
_FRAMING = (b"content-encoding", b"content-length")


def withhold(flow: http.HTTPFlow, masks: Masking) -> None:
    """From now on the flow shows nothing that `masks` find. Bodies are searched again for what is newly known alone."""
    guide = steering(flow)
    before, guide.masks = guide.masks, masks
    if before is not None and masks.known - before.known:
        for message, kept in ((flow.request, guide.request), (flow.response, guide.response)):
            if message is not None and kept.message is message:
                _learn(message, kept, masks, before)
    cover(flow)


def cover(flow: http.HTTPFlow) -> None:
    """Put what may be shown in the place of what is in the flow now. What was there is kept for the wire."""
    guide = steering(flow)
    masks = guide.masks
    if masks is None:
        return
    _cover(flow.request, guide.request, masks)
    if flow.response is not None:
        if guide.response.message is not flow.response:
            guide.response = Withheld()  # another answer: what was kept is none of its
        _cover(flow.response, guide.response, masks)
    if flow.error is not None and flow.error.msg is not guide.error:
        guide.error = flow.error.msg = masks.text(flow.error.msg)


class _Nothing:
    """Shows nothing of a message but its shape, and asks nobody."""

    known: frozenset[Secret] = frozenset()

    def fields(self, fields: Fields) -> Fields:
        return tuple((name, _MASK) for name, _ in fields)

    def path(self, path: bytes) -> bytes:
        return b"/" + _MASK

    def text(self, text: str) -> str:
        return _MASK.decode()

    def body(self, message: http.Message) -> bytes:
        return _MASK

    def learnt(self, body: bytes, before: Masking) -> bytes:
        return body


def show_nothing(flow: http.HTTPFlow) -> None:
    """Masking has failed, or may have: from now on the flow shows stars, which is better than what may not be shown."""
    guide = steering(flow)
    guide.masks, guide.request, guide.response, guide.error = _Nothing(), Withheld(), Withheld(), None


def becomes(flow: http.HTTPFlow) -> None:
    """The flow's request is another one now, the next attempt; nothing that was kept but bodies belongs to it."""
    kept = steering(flow).request
    steering(flow).request = Withheld(body=kept.body, first=kept.first)
    cover(flow)


def reveal_answer(flow: http.HTTPFlow) -> None:
    """Put the answer into the flow as the provider sent it, to be read or changed. To be covered before anything waits.

    What somebody has changed in it stays changed.
    """
    if flow.response is not None:
        flow.response.data = answer_as_sent(flow, flow.response).data


def request_as_sent(flow: http.HTTPFlow) -> http.Request:
    """The flow's request with what was withheld. What other addons have changed since stays changed."""
    whole: http.Request = _whole(flow.request, steering(flow).request)
    return whole


def answer_as_sent(flow: http.HTTPFlow, response: http.Response) -> http.Response:
    """The same for the flow's answer."""
    kept = steering(flow).response
    whole: http.Response = _whole(response, kept) if kept.message is response else response
    return whole


def put_in(flow: http.HTTPFlow, event: Any) -> None:
    """Make an event, on its way to the provider or the client, that of the whole message."""
    guide = steering(flow)
    if isinstance(event, RequestHeaders):
        event.request = request_as_sent(flow)
    elif isinstance(event, ResponseHeaders):
        if event.response is flow.response:
            event.response = answer_as_sent(flow, event.response)
    elif isinstance(event, RequestData | ResponseData):
        kept = guide.request if isinstance(event, RequestData) else guide.response
        if kept.body is not None and event.data is kept.body.shown:
            event.data = kept.body.sent
    elif isinstance(event, RequestTrailers | ResponseTrailers):
        kept = guide.request if isinstance(event, RequestTrailers) else guide.response
        if kept.trailers is not None and event.trailers.fields is kept.trailers.shown:
            event.trailers = http.Headers(kept.trailers.sent)


# --- one message ---


def _cover(message: http.Message, kept: Withheld, masks: Masking) -> None:
    kept.message = message
    line = _line(message)
    if kept.line is None or line is not kept.line.shown:
        kept.line = Hidden(masks.path(line), line) if kept.line is None or line not in kept.line else kept.line
        _set_line(message, kept.line.shown)
    opened = _cover_body(message, kept, masks)
    fields = message.headers.fields
    if kept.fields is None or fields is not kept.fields.shown or opened:
        _cover_fields(message, kept, masks)
    if message.trailers and (kept.trailers is None or message.trailers.fields is not kept.trailers.shown):
        fields = message.trailers.fields
        kept.trailers = Hidden(masks.fields(fields), fields)
        message.trailers.fields = kept.trailers.shown


def _cover_body(message: http.Message, kept: Withheld, masks: Masking) -> bool:
    """True when the body was opened to be shown, which its headers do not tell yet."""
    content = message.data.content
    if not content or (kept.body is not None and content is kept.body.shown):
        return False
    known = next((body for body in (kept.body, kept.first) if body is not None and content in body[:2]), None)
    if known is None:
        shown = masks.body(message)
        known = HiddenBody(shown, content, shown is not content and "content-encoding" in message.headers)
        kept.first = kept.first or known
    kept.body = known
    message.data.content = known.shown
    return known.opened


def _cover_fields(message: http.Message, kept: Withheld, masks: Masking) -> None:
    sent = _fields_as_sent(message, kept)
    masked = masks.fields(sent)
    kept.secret = tuple(
        HiddenField(name, new, old) for (name, old), (_, new) in zip(sent, masked, strict=True) if old != new
    )
    shown = masked
    if kept.body is not None and kept.body.opened:
        length = b"%d" % len(kept.body.shown)
        shown = tuple(
            (name, length if name.lower() == b"content-length" else value)
            for name, value in masked
            if name.lower() != b"content-encoding"
        )
    kept.fields = Hidden(shown, sent)
    message.headers.fields = shown


def _learn(message: http.Message, kept: Withheld, masks: Masking, before: Masking) -> None:
    """Have everything but the bodies looked at again; these are searched for what is newly known, and no more."""
    whole = _whole(message, kept)
    if kept.body is not None:
        body, first = kept.body, kept.first
        kept.body = body._replace(shown=masks.learnt(body.shown, before))
        if first is not None:
            kept.first = kept.body if first is body else first._replace(shown=masks.learnt(first.shown, before))
        if message.data.content is body.shown:
            message.data.content = kept.body.shown
    message.headers.fields = whole.headers.fields
    if message.trailers and whole.trailers:
        message.trailers.fields = whole.trailers.fields
    _set_line(message, _line(whole))
    kept.line = kept.fields = kept.trailers = None


def _whole(message: Any, kept: Withheld) -> Any:
    """The message with what it does not show; the same object when it shows everything."""
    data = message.data
    changes: dict[str, Any] = {}
    line, body, trailers = kept.line, kept.body, kept.trailers
    if line is not None and line.shown is not line.sent and _line(message) == line.shown:
        changes["path" if isinstance(message, http.Request) else "reason"] = line.sent
    if body is not None and body.shown is not body.sent and data.content is body.shown:
        changes["content"] = body.sent
    if trailers is not None and data.trailers is not None and data.trailers.fields is trailers.shown:
        changes["trailers"] = http.Headers(trailers.sent)
    fields = _fields_as_sent(message, kept)
    if fields is not data.headers.fields:
        changes["headers"] = http.Headers(fields)
    if not changes:
        return message
    whole = copy(message)  # shallow: what is not withheld may be shared
    whole.data = replace(data, **changes)
    return whole


def _fields_as_sent(message: http.Message, kept: Withheld) -> Fields:
    fields = message.headers.fields
    if kept.fields is None:
        return fields
    if fields is kept.fields.shown or fields == kept.fields.sent:
        return kept.fields.sent
    secret, found = list(kept.secret), []
    for name, value in fields:
        hidden = next((each for each in secret if each[:2] == (name, value)), None)
        if hidden is not None:
            secret.remove(hidden)
        found.append((name, hidden.sent if hidden is not None else value))
    plain = not any(name.lower() == b"content-encoding" for name, _ in found)
    if plain and kept.body is not None and kept.body.opened and message.data.content is kept.body.shown:
        found = [field for field in found if field[0].lower() not in _FRAMING]
        found += [field for field in kept.fields.sent if field[0].lower() in _FRAMING]
    return tuple(found)


def _line(message: http.Message) -> bytes:
    data: Any = message.data
    line: bytes = data.path if isinstance(message, http.Request) else data.reason
    return line


def _set_line(message: http.Message, line: bytes) -> None:
    data: Any = message.data
    if isinstance(message, http.Request):
        data.path = line
    else:
        data.reason = line
