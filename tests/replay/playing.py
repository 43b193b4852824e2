"""The providers of a recorded session, giving the answers that they gave then."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from mitmproxy.http import HTTPFlow, Response

from turnout.recordings.reading import RecordedExchange
from turnout.testing import replies
from turnout.testing.replies import Headers, Reply
from turnout.testing.wire import Answer, RecordedRequest

_OF_THE_CONNECTION = ("connection", "content-encoding", "content-length", "transfer-encoding")


@dataclass(frozen=True)
class RecordedReply:
    """What a provider answered to one attempt; a stream event by event, and broken off where it was broken off."""

    flow: HTTPFlow

    async def play(self, request: RecordedRequest, answer: Answer, headers: Headers) -> None:
        response = self.flow.response
        if response is None:
            answer.abort()
            return
        fields = [(name, value) for name, value in response.headers.items() if name.lower() not in _OF_THE_CONNECTION]
        if not _streams(response):
            await answer.whole(response.status_code, fields, response.content or b"")
            return
        await answer.head(response.status_code, fields)
        for event in (response.content or b"").split(b"\n\n"):
            await answer.part(event + b"\n\n" if event else b"")
        if self.flow.error is not None:
            answer.abort()
        else:
            await answer.end()


def _streams(response: Response) -> bool:
    return response.headers.get("content-type", "").startswith("text/event-stream")


def answers(exchange: RecordedExchange, flow: HTTPFlow) -> list[tuple[str, HTTPFlow]]:
    """The attempts of an exchange with their providers' names; `flow` is the exchange's own.

    It holds the answer of an attempt only if one more was made than failed; else Turnout gave the last word. The name
    is empty where a plain mitmdump recorded, which knew none.
    """
    found = [(str(attempt.metadata["turnout.provider"]), attempt) for attempt in exchange.attempts]
    number = str(flow.metadata.get("turnout.attempt", "1/1" if not flow.metadata else "0/0")).partition("/")[0]
    if int(number) > len(found):
        found.append((str(flow.metadata.get("turnout.provider", "")), flow))
    return found


class Playback:
    """What each provider has still to answer, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, RecordedRequest]] = []
        """Every request with the name of the provider, in the order in which they came."""
        self.unknown: list[str] = []
        """Providers that were asked when no answer of theirs was left."""
        self._lost: dict[str, tuple[bytes, HTTPFlow]] = {}
        """What was asked last, where the answer is a lost connection. Who dials again is told the same."""
        self._waiting: defaultdict[str, deque[HTTPFlow]] = defaultdict(deque)

    def expect(self, attempts: Sequence[tuple[str, HTTPFlow]]) -> None:
        for name, flow in attempts:
            self._waiting[name].append(flow)

    @property
    def unused(self) -> list[str]:
        """The providers whose answers nobody has asked for."""
        return [name for name, flows in self._waiting.items() for _ in flows]

    def reply(self, name: str, request: RecordedRequest) -> Reply:
        """The script of a provider."""
        body, lost = self._lost.pop(name, (b"", None))
        if lost is not None and body == request.body:
            return RecordedReply(lost)
        self.asked.append((name, request))
        for waiting in (self._waiting[name], self._waiting[""]):
            if waiting:
                flow = waiting.popleft()
                if flow.response is None:
                    self._lost[name] = request.body, flow
                return RecordedReply(flow)
        self.unknown.append(name)
        return replies.error(500, "api_error", "no answer of this provider was recorded")
