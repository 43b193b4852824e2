"""Flows as Turnout and a plain mitmdump record them, made by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mitmproxy import http
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow

from turnout.testing.events import Event, stream_of

BODY: Mapping[str, Any] = {
    "model": "claude-opus-4-6",
    "max_tokens": 64,
    "stream": True,
    "messages": [{"role": "user", "content": "Hello"}],
}
HEADERS: Mapping[str, str] = {
    "x-api-key": "***",
    "anthropic-version": "2023-06-01",
    "content-type": "application/json",
    "user-agent": "claude-cli/2.1.197",
}
BEGAN = 1_700_000_000.0


def request(body: Any = BODY, *, path: str = "/v1/messages?beta=true", method: str = "POST") -> http.Request:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return http.Request.make(method, f"http://127.0.0.1:8082{path}", content, dict(HEADERS))


def streamed(events: Iterable[Event] | None = None) -> http.Response:
    content = b"".join(event.encode("claude-opus-4-6") for event in (stream_of() if events is None else events))
    return http.Response.make(200, content, {"content-type": "text/event-stream; charset=utf-8"})


def failure(status: int, type: str, message: str = "scripted") -> http.Response:
    body = {"type": "error", "error": {"type": type, "message": message}}
    return http.Response.make(status, json.dumps(body).encode(), {"content-type": "application/json"})


def plain(
    sent: http.Request | None = None, answer: http.Response | None = None, *, after: float = 0.0
) -> http.HTTPFlow:
    """What a plain mitmdump records; `after` are the seconds since the first request."""
    sent = sent or request()
    sent.timestamp_start = BEGAN + after
    return tflow.tflow(req=sent, resp=answer or streamed())


def noted(flow: http.HTTPFlow, exchange: str, part: str | None = "exchange", **notes: str) -> http.HTTPFlow:
    """With the notes of Turnout; `part` None as they were before parts were noted."""
    flow.metadata |= {f"turnout.{name}": value for name, value in notes.items()} | {"turnout.exchange": exchange}
    if part is not None:
        flow.metadata["turnout.part"] = part
    return flow


def own(exchange: str, *attempts: http.Response, after: float = 0.0) -> list[http.HTTPFlow]:
    """A request to which providers failed with these answers before one served it, as Turnout records it."""
    flow = plain(after=after)
    flow.backup()
    flow.request.host, flow.request.path = "api.minimax.example", "/anthropic/v1/messages?beta=true"
    flow.request.content = json.dumps({**BODY, "model": "MiniMax-M3"}).encode()
    failed = []
    for answer in attempts:
        attempt = flow.copy()
        attempt.revert()
        attempt.response = answer
        failed.append(noted(attempt, exchange, "attempt", client_model="claude-opus-4-6"))
    return [*failed, noted(flow, exchange, client_model="claude-opus-4-6", verdict="ok")]


def save(file: Path, *flows: http.HTTPFlow) -> Path:
    with file.open("wb") as stream:
        writer = FlowWriter(stream)
        for flow in flows:
            writer.add(flow)
    return file
