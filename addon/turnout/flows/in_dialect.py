"""The answer to a client of another dialect than the Messages API, where it leaves."""

from __future__ import annotations

from collections.abc import Callable

from mitmproxy import http

from turnout.flows.arrival import Arrival
from turnout.journey.answer import AnswerMonitor
from turnout.proxy.steering import steering
from turnout.proxy.withholding import answer_as_sent, cover, reveal_answer
from turnout.wire.headers import is_event_stream

Relay = Callable[[bytes], list[bytes]]
"""As mitmproxy calls a stream: with each piece that comes, and once with b"" at the end."""


def relayed(monitor: AnswerMonitor, to_client: Callable[[bytes], bytes] | None) -> Relay:
    """What of a stream goes to the client."""
    if to_client is None:
        return monitor
    return lambda data: [told for piece in monitor(data) if (told := to_client(piece))]


def put_in_dialect(flow: http.HTTPFlow, arrival: Arrival) -> None:
    """Make a complete answer one of the client's dialect. A stream, and what ends one, becomes so piece by piece."""
    response = flow.response
    if arrival.asked is None or response is None or response.stream or steering(flow).head_sent:
        return
    sent = answer_as_sent(flow, response)
    content = sent.get_content(strict=False) or b""
    answer = arrival.asked.answer
    streamed = sent.status_code < 300 and is_event_stream(sent.headers)
    told = answer.feed(content) if streamed else answer.whole(content)
    if told is content:
        return
    reveal_answer(flow)
    response.headers.pop("content-encoding", None)
    response.content = told
    cover(flow)
