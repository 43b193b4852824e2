"""Sends recorded requests again, as the client did that sent them first."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from turnout.errors import TurnoutError
from turnout.recordings.reading import RecordedExchange, RecordedRequest
from turnout.redaction.names import is_secret_header
from turnout.redaction.secret import MASK, Secret
from turnout.redaction.text import masked_path, redact
from turnout.wire.headers import Fields

TIMEOUT = httpx.Timeout(connect=10, read=None, write=60, pool=None)
"""How long an answer may take is the business of the Sender."""

LONGEST_ANSWER = 600.0
"""Seconds; Claude Code waits as long."""

_OF_THE_CONNECTION = frozenset(
    b"connection content-length expect host keep-alive te trailer transfer-encoding upgrade".split()
)
_BETWEEN_PAIRS = re.compile("[&;]")


class Unreachable(TurnoutError):
    """Nobody takes requests at the destination."""


@dataclass(frozen=True)
class Destination:
    """Where requests go, and the headers that open the door there."""

    url: str
    """Base URL without a trailing slash; paths of requests are appended."""
    credentials: tuple[tuple[str, Secret], ...] = ()
    admission: Callable[[str, str], Iterable[tuple[str, Secret]]] = lambda method, path: ()
    """More of them, made for one request when it is sent, of its method and its path on the wire."""


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
        and not _is_credential(name, value)
    ]


def sendable_path(path: str) -> str:
    """A recorded path that can be sent again: without the pairs of its query that are secret or masked."""
    words, mark, query = path.partition("?")
    pairs = _BETWEEN_PAIRS.split(query)
    kept = [pair for pair in pairs if not _is_credential_pair(pair)]
    if len(kept) < len(pairs):
        mark, query = "?" if kept else "", "&".join(kept)
    return redact(words + mark + query)


def credentials_in(request: RecordedRequest) -> Iterator[str]:
    """Names of headers and query parameters whose recorded values are credentials; none of those masked already."""
    for name, value in request.fields:
        if value and MASK.encode() not in value and _is_credential(name, value):
            yield redact(name.decode("latin-1").lower())
    path, _, query = request.path.partition("?")
    if redact(path) != path:
        yield "the path"
    for pair in _BETWEEN_PAIRS.split(query):
        if MASK not in pair and _is_credential_pair(pair):
            yield redact(pair).partition("=")[0]


def _is_credential(name: bytes, value: bytes) -> bool:
    text = value.decode("latin-1")
    # As a path, because a referer or the like is a URL.
    return is_secret_header(name.decode("latin-1")) or MASK in text or masked_path(text) != text


def _is_credential_pair(pair: str) -> bool:
    return MASK in pair or masked_path(f"?{pair}") != f"?{pair}"


class Sender:
    """A client of one destination. Redirects are not followed: they would take the credentials elsewhere."""

    def __init__(self, destination: Destination, longest: float = LONGEST_ANSWER) -> None:
        """`longest` are the seconds that one answer may take from the sending of the request to its end."""
        self._destination, self._longest = destination, longest
        self._under_way = 0
        self._reached = False
        self._known = asyncio.Event()
        """Whether somebody is there: a connection was made, or the last request that was under way got none."""
        # Nothing of the environment counts: no proxy, no .netrc.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        self._client = httpx.AsyncClient(trust_env=False, follow_redirects=False, limits=limits)
        # https://www.encode.io/httpcore/extensions/#trace
        step = "start_tls" if httpx.URL(destination.url).scheme == "https" else "connect_tcp"
        self._connected = f"connection.{step}.complete"

    async def __aenter__(self) -> Sender:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def send(self, request: RecordedRequest) -> Received:
        """The answer to this request, whatever it is. Raises Unreachable when no connection was ever made."""
        arriving, refused = _Arriving(), False
        self._under_way += 1
        try:
            async with asyncio.timeout(self._longest):
                await arriving.read(await self._client.send(self._message(request), stream=True))
        except TimeoutError:
            arriving.problem = f"not at its end after {self._longest:g} s"
        except httpx.HTTPError as error:
            arriving.problem = str(error) or type(error).__name__
            refused = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._known.set()
        received = arriving.received()
        if refused:
            # Another connection may be made yet; what goes over it is not to be given up for this one.
            await self._known.wait()
            if not self._reached:
                raise Unreachable(f"nothing answers at {self._destination.url} ({received.problem})")
        return received

    async def _follow(self, event: str, _: Mapping[str, Any]) -> None:
        if event == self._connected:
            self._reached = True
            self._known.set()

    def _message(self, request: RecordedRequest) -> httpx.Request:
        url = httpx.URL(self._destination.url)
        path = sendable_path(request.path).encode("utf-8", "surrogateescape")
        fields = sendable_fields(request.fields)
        # As a target of its own the path stays as it was; in a URL it would be written anew.
        target = url.raw_path.removesuffix(b"/") + path
        admission = self._destination.admission(request.method, target.decode("utf-8", "surrogateescape"))
        own = (*self._destination.credentials, *admission)
        fields += [(name.encode(), value.reveal().encode()) for name, value in own]
        extensions = {"target": target, "timeout": TIMEOUT.as_dict(), "trace": self._follow}
        return httpx.Request(request.method, url, headers=fields, content=request.body or b"", extensions=extensions)


class _Arriving:
    """An answer while it comes in."""

    def __init__(self) -> None:
        self.problem = ""
        self._started = time.monotonic()
        self._answer: httpx.Response | None = None
        self._body = bytearray()
        self._first_event: float | None = None

    async def read(self, answer: httpx.Response) -> None:
        self._answer = answer
        try:
            async for chunk in answer.aiter_bytes():
                if self._first_event is None:
                    self._first_event = time.monotonic() - self._started
                self._body += chunk
        finally:
            await answer.aclose()

    def received(self) -> Received:
        total = time.monotonic() - self._started
        if self._answer is None:
            return Received(None, total, problem=self.problem)
        kind = self._answer.headers.get("content-type", "")
        return Received(self._answer.status_code, total, kind, bytes(self._body), self._first_event, self.problem)


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
