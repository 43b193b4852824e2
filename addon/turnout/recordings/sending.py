"""Sends recorded requests again, as the client did that sent them first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx

from turnout.errors import TurnoutError
from turnout.recordings.reading import RecordedExchange, RecordedRequest
from turnout.settings.secret import MASK, Secret, is_secret_header
from turnout.wire.headers import Fields

TIMEOUT = httpx.Timeout(connect=10, read=600, write=60, pool=None)
"""Claude Code gives an answer as long."""

_OF_THE_CONNECTION = frozenset(
    b"connection content-length expect host keep-alive te trailer transfer-encoding upgrade".split()
)
_MASK = MASK.encode()


class Unreachable(TurnoutError):
    """Nobody takes requests at the destination."""


@dataclass(frozen=True)
class Destination:
    """Where requests go, and the headers that open the door there."""

    url: str
    """Base URL without a trailing slash; paths of requests are appended."""
    credentials: tuple[tuple[str, Secret], ...] = ()


@dataclass(frozen=True, slots=True)
class Received:
    """What came back, as far as it came. Times are seconds from the sending of the request."""

    status: int | None
    """None when there was no answer at all."""
    total: float
    content_type: str = ""
    body: bytes = field(default=b"", repr=False)
    """With its content coding undone."""
    first_event: float | None = None
    """When the first bytes of the body came; Turnout passes on nothing before a whole event."""
    problem: str = ""
    """What broke the connection off, in words."""


def sendable_fields(fields: Fields) -> list[tuple[bytes, bytes]]:
    """Recorded headers that can be sent again: not those of the old connection, and nothing secret or masked."""
    return [
        (name, value)
        for name, value in fields
        if (lower := name.lower()) not in _OF_THE_CONNECTION
        and not lower.startswith(b"proxy-")
        and not is_secret_header(lower.decode("latin-1"))
        and _MASK not in value
    ]


class Sender:
    """A client of one destination. Redirects are not followed: they would take the credentials elsewhere."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._reached = False
        # Nothing of the environment counts: no proxy, no .netrc.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        self._client = httpx.AsyncClient(trust_env=False, follow_redirects=False, limits=limits)

    async def __aenter__(self) -> Sender:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def send(self, request: RecordedRequest) -> Received:
        """The answer to this request, whatever it is. Raises Unreachable when no connection was ever made."""
        message = self._message(request)
        started = time.monotonic()
        try:
            answer = await self._client.send(message, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if not self._reached:
                raise Unreachable(f"nothing answers at {self._destination.url} ({_reason(error)})") from None
            return Received(None, time.monotonic() - started, problem=_reason(error))
        except httpx.HTTPError as error:
            self._reached = True
            return Received(None, time.monotonic() - started, problem=_reason(error))
        self._reached = True
        return await _read(answer, started)

    def _message(self, request: RecordedRequest) -> httpx.Request:
        url = httpx.URL(self._destination.url)
        path = request.path.encode("utf-8", "surrogateescape")
        fields = sendable_fields(request.fields)
        fields += [(name.encode(), value.reveal().encode()) for name, value in self._destination.credentials]
        # As a target of its own the path stays as it was; in a URL it would be written anew.
        target = url.raw_path.removesuffix(b"/") + path
        extensions = {"target": target, "timeout": TIMEOUT.as_dict()}
        return httpx.Request(request.method, url, headers=fields, content=request.body or b"", extensions=extensions)


async def _read(answer: httpx.Response, started: float) -> Received:
    body = bytearray()
    first_event, problem = None, ""
    try:
        async for chunk in answer.aiter_bytes():
            if first_event is None:
                first_event = time.monotonic() - started
            body += chunk
    except httpx.HTTPError as error:
        problem = _reason(error)
    finally:
        await answer.aclose()
    return Received(
        answer.status_code,
        time.monotonic() - started,
        answer.headers.get("content-type", ""),
        bytes(body),
        first_event,
        problem,
    )


async def send_all(
    exchanges: Sequence[RecordedExchange],
    sender: Sender,
    arrived: Callable[[RecordedExchange, Received], None],
    *,
    concurrency: int = 1,
    starts: Sequence[float] = (),
) -> None:
    """Send the requests in their order, at most `concurrency` under way at a time; `arrived` gets every answer.

    `starts` are the seconds from the beginning before which each is not sent. Raises Unreachable.
    """
    slots = asyncio.Semaphore(concurrency)

    async def one(exchange: RecordedExchange) -> None:
        try:
            arrived(exchange, await sender.send(exchange.request))
        finally:
            slots.release()

    began = time.monotonic()
    try:
        async with asyncio.TaskGroup() as group:
            for position, exchange in enumerate(exchanges):
                await slots.acquire()
                if starts:
                    await asyncio.sleep(began + starts[position] - time.monotonic())
                group.create_task(one(exchange))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None


def recorded_starts(exchanges: Sequence[RecordedExchange]) -> list[float]:
    """Seconds from the first request to each, as recorded; a clock that went back counts as no distance."""
    starts: list[float] = []
    for exchange in exchanges:
        starts.append(max(exchange.began - exchanges[0].began, starts[-1] if starts else 0.0))
    return starts


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
