"""Reads a flow file as what a client asked and was answered, whoever recorded it.

Turnout's own recordings hold one flow for each client request, whose backup is the request as it came in, and before
it one flow for each failed attempt. Earlier ones have no backup; in them what Turnout changed is taken back as far as
its notes tell. In a file of a plain mitmdump every flow is a client request. A HAR file is read as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from mitmproxy import http
from mitmproxy.flow import Flow
from mitmproxy.io import FlowReader

from turnout.dialects.messages.stream import replace_model
from turnout.errors import TurnoutError
from turnout.metadata import CLIENT_MODEL, EXCHANGE, PART, RETRY_OF
from turnout.wire.endpoint import client_path
from turnout.wire.headers import Fields, lowered
from turnout.wire.splice import text_of, top_level


class RecordingError(TurnoutError):
    """A file that is no recording, or not a whole one."""


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """What the client sent. Values of secret headers may be `***`."""

    method: str
    path: str
    """With query, as on the wire."""
    fields: Fields = field(repr=False)
    body: bytes | None = field(repr=False)
    """As on the wire, a content coding included; None when it was not kept."""


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """What came back."""

    status: int
    fields: Fields = field(repr=False)
    body: bytes | None = field(repr=False)
    """With its content coding undone; None when it was not kept."""

    @property
    def content_type(self) -> str:
        return lowered(self).get("content-type", "")


@dataclass(frozen=True, slots=True)
class RecordedExchange:
    """One client request and its answer."""

    number: int
    """Its place among the client requests of the file, from 1."""
    model: str
    """The model that the client asked for; empty when the body names none."""
    request: RecordedRequest
    answer: RecordedAnswer | None
    """None when there was none: the connection failed, or the client left."""
    began: float
    """Unix time at which the request came in."""
    attempts: tuple[http.HTTPFlow, ...] = ()
    """The flows of the failed attempts, in order."""

    @property
    def unsendable(self) -> str:
        """Why a client cannot send it again; empty when it can."""
        if self.request.body is None:
            return "request body not recorded"
        if not self.request.body:
            return "no request body"
        return "" if self.request.path.startswith("/") else "no path"


@dataclass(frozen=True, slots=True)
class Recording:
    """A whole flow file."""

    exchanges: tuple[RecordedExchange, ...]
    """In the order of the file."""
    left_out: Mapping[str, int]
    """How many flows are no client requests, by reason."""


def read_recording(file: Path) -> Recording:
    """Everything that a client asked in this file. Raises RecordingError when it is no flow file, or ends early."""
    try:
        with file.open("rb") as stream:
            flows = _flows(stream, file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RecordingError(f"{file}: cannot be read ({reason})") from None
    return recording_of(flows)


def recording_of(flows: Iterable[Flow]) -> Recording:
    """The flows of one recording, in order, as exchanges. A flow with a backup is reverted to it."""
    flows = list(flows)
    last = {flow.metadata.get(EXCHANGE): position for position, flow in enumerate(flows)}
    exchanges: list[RecordedExchange] = []
    attempts: dict[str, list[http.HTTPFlow]] = {}
    left_out: Counter[str] = Counter()
    for position, flow in enumerate(flows):
        identifier = flow.metadata.get(EXCHANGE)
        if not isinstance(flow, http.HTTPFlow) or flow.websocket is not None:
            left_out["not HTTP"] += 1
        elif RETRY_OF in flow.metadata:
            left_out["sent a second time by hand"] += 1
        elif isinstance(identifier, str) and _is_attempt(flow, is_last=last[identifier] == position):
            attempts.setdefault(identifier, []).append(flow)
        else:
            tried = attempts.pop(identifier, []) if isinstance(identifier, str) else []
            exchanges.append(_exchange(flow, len(exchanges) + 1, tuple(tried)))
    if orphans := sum(map(len, attempts.values())):
        left_out["attempt whose request is not in the file"] = orphans
    return Recording(tuple(exchanges), dict(left_out))


def _flows(stream: BinaryIO, file: Path) -> list[Flow]:
    flows: list[Flow] = []
    try:
        for flow in FlowReader(stream).stream():
            flows.append(flow)
    except OSError:
        raise
    except Exception as error:  # whatever a damaged state makes of mitmproxy's classes
        if flows:
            raise RecordingError(
                f"{file}: cut short or damaged after flow {len(flows)}. "
                "With mitmproxy 11 a recording is whole only when the process that writes it has ended"
            ) from None
        if "upgrade" in str(error) or "update" in str(error):
            raise RecordingError(f"{file}: {error}") from None
        raise RecordingError(f"{file}: not a flow file. Record one with mitmdump -w, or save one in mitmweb") from None
    return flows


def _is_attempt(flow: http.HTTPFlow, *, is_last: bool) -> bool:
    """Before flows were told apart by a note of their own, the last flow of an exchange was the exchange."""
    part = flow.metadata.get(PART)
    return not is_last if part is None else part == "attempt"


def _exchange(flow: http.HTTPFlow, number: int, attempts: tuple[http.HTTPFlow, ...]) -> RecordedExchange:
    response, model = flow.response, ""
    if EXCHANGE in flow.metadata:
        if flow.modified():  # elsewhere a backup is what stood there before somebody edited the flow on purpose
            flow.revert()
        else:
            model = str(flow.metadata.get(CLIENT_MODEL, ""))
    request, path, body = flow.request, flow.request.path, flow.request.raw_content
    if model:
        path = client_path(path)
        body = body and _with_model(body, model)
    return RecordedExchange(
        number,
        model or _model(request.get_content(strict=False) or b""),
        RecordedRequest(request.method, path, request.headers.fields, body),
        _answer(response) if response is not None else None,
        request.timestamp_start,
        attempts,
    )


def _answer(response: http.Response) -> RecordedAnswer:
    return RecordedAnswer(response.status_code, response.headers.fields, response.get_content(strict=False))


def _model(body: bytes) -> str:
    named = (top_level(body) or {}).get("model")
    return (text_of(named) or "") if named is not None else ""


def _with_model(body: bytes, model: str) -> bytes:
    fields = top_level(body)
    return replace_model(body, fields, model) if fields else body
