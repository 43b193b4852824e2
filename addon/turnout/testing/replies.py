"""What a scripted provider can be told to answer. Pauses are asyncio.Events in the hands of the test, never sleeps."""

from __future__ import annotations

import asyncio
import json as json_codec
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from turnout.testing.events import Event, folded, stream_of
from turnout.testing.events import error as _error_event
from turnout.testing.wire import Answer, RecordedRequest

Step = Event | bytes | asyncio.Event
"""One step of a stream: an event, bytes that are sent as one chunk as they are, or a gate to wait at."""

Headers = Iterable[tuple[str, str]]

STATUS_OF_ERROR = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


class Reply(Protocol):
    """One scripted answer. `headers` are those every answer of the provider carries."""

    async def play(self, request: RecordedRequest, answer: Answer, headers: Headers) -> None: ...


@dataclass(frozen=True)
class StreamReply:
    """An event stream. A request without `stream: true` gets the JSON message that the events add up to."""

    steps: Sequence[Step]
    ending: Literal["finish", "close", "reset", "hang"] = "finish"
    gate: asyncio.Event | None = None
    """Waited for after the request has arrived and before the headers are sent."""
    delay: float = 0.0
    """Pace in seconds between two steps, for streams that should look natural; not for synchronising."""
    headers: Mapping[str, str] = field(default_factory=dict)

    async def play(self, request: RecordedRequest, answer: Answer, headers: Headers) -> None:
        if self.gate:
            await self.gate.wait()
        if request.streams:
            await self._stream(request, answer, [*headers, *self.headers.items()])
        else:
            await self._message(request, answer, [*headers, *self.headers.items()])

    async def _stream(self, request: RecordedRequest, answer: Answer, headers: list[tuple[str, str]]) -> None:
        kind = ("content-type", "text/event-stream; charset=utf-8")
        await answer.head(200, [kind, ("cache-control", "no-cache"), *headers])
        for position, step in enumerate(self.steps):
            if position and self.delay:
                await asyncio.sleep(self.delay)
            if isinstance(step, asyncio.Event):
                await step.wait()
            else:
                await answer.part(step if isinstance(step, bytes) else step.encode(request.model))
        if self.ending == "finish":
            await answer.end()
        else:
            await _break_off(answer, self.ending)

    async def _message(self, request: RecordedRequest, answer: Answer, headers: list[tuple[str, str]]) -> None:
        for step in self.steps:
            if isinstance(step, asyncio.Event):
                await step.wait()
        events = [step for step in self.steps if isinstance(step, Event)]
        failure = next((item.data for item in events if item.name == "error"), None)
        status = STATUS_OF_ERROR.get(failure["error"]["type"], 500) if failure else 200
        body = json_codec.dumps(failure or folded(events, request.model)).encode()
        headers = [("content-type", "application/json"), *headers]
        if self.ending == "finish":
            await answer.whole(status, headers, body)
            return
        await answer.head(status, headers, length=len(body))
        await answer.part(body[: len(body) // 2])
        await _break_off(answer, self.ending)


@dataclass(frozen=True)
class WholeReply:
    """A complete answer of any status and body."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    gate: asyncio.Event | None = None

    async def play(self, request: RecordedRequest, answer: Answer, headers: Headers) -> None:
        if self.gate:
            await self.gate.wait()
        await answer.whole(self.status, [*headers, *self.headers.items()], self.body)


@dataclass(frozen=True)
class BrokenReply:
    """No answer that HTTP knows: the connection is dropped, left silent, or carries `bytes` that are no HTTP."""

    ending: Literal["close", "reset", "hang"]
    bytes: bytes = b""

    async def play(self, request: RecordedRequest, answer: Answer, headers: Headers) -> None:
        if self.bytes:
            await answer.raw(self.bytes)
        await _break_off(answer, self.ending)


async def _break_off(answer: Answer, ending: Literal["finish", "close", "reset", "hang"]) -> None:
    if ending == "hang":
        await asyncio.Event().wait()  # ends when the other side leaves, or with the provider
    answer.abort(reset=ending == "reset")


def sse(
    events: Iterable[Step] | None = None,
    *,
    gate: asyncio.Event | None = None,
    delay: float = 0.0,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """A stream played to its end; by default a short text."""
    return StreamReply(list(stream_of() if events is None else events), gate=gate, delay=delay, headers=headers or {})


def json(
    status: int, body: Any, headers: Mapping[str, str] | None = None, *, gate: asyncio.Event | None = None
) -> Reply:
    """Any JSON value with any status."""
    content = {"content-type": "application/json", **(headers or {})}
    return WholeReply(status, json_codec.dumps(body).encode(), content, gate)


def error(status: int, type: str, message: str = "scripted", headers: Mapping[str, str] | None = None) -> Reply:
    """An error in Anthropic's shape."""
    body = {"type": "error", "error": {"type": type, "message": message}, "request_id": "req_01scripted"}
    return json(status, body, headers)


def base_resp(code: int, message: str = "scripted") -> Reply:
    """MiniMax's way to fail: a 200 whose JSON says otherwise."""
    return json(200, {"base_resp": {"status_code": code, "status_msg": message}})


def close_before_headers(*, reset: bool = False) -> Reply:
    return BrokenReply("reset" if reset else "close")


def close_after(n_events: int, events: Sequence[Step] | None = None, *, reset: bool = False) -> Reply:
    """Dies in the middle of the stream, after headers and `n_events` events."""
    steps = list(stream_of() if events is None else events)[:n_events]
    return StreamReply(steps, ending="reset" if reset else "close")


def hang() -> Reply:
    """Takes the request and never answers."""
    return BrokenReply("hang")


def hang_after(n_events: int, events: Sequence[Step] | None = None) -> Reply:
    """Falls silent after headers and `n_events` events; 0 sends the headers alone."""
    return StreamReply(list(stream_of() if events is None else events)[:n_events], ending="hang")


def empty_stream() -> Reply:
    """A 200 event stream without a single byte that ends cleanly."""
    return StreamReply([])


def error_event(type: str = "overloaded_error", message: str = "Overloaded") -> Reply:
    """A 200 whose first event is an error."""
    return StreamReply([_error_event(type, message)])


def truncated(events: Sequence[Step] | None = None) -> Reply:
    """A stream that ends cleanly, but without message_stop."""
    return StreamReply(list(stream_of() if events is None else events)[:-1])


def garbage() -> Reply:
    """Bytes that are not HTTP at all."""
    return BrokenReply("close", b"\x16\x03\x01 this is not HTTP\r\n\r\n")
