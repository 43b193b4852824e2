"""A streamed answer of which nothing has been said to the client yet, and the head of a stream that may be sent before.

    head of the answer ─► signs of life ─► beginning ─► ping_after ─► first word
                          nothing is sent               head, pings    what was held, unchanged, and all that follows

Until its first word an answer may fail and be replaced by another one. The client has waited for it under the head of
the first that had begun; what comes then, also an error that is the last word, is a part of that one stream.
"""

from __future__ import annotations

from typing import Any

from mitmproxy import http
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.http import ResponseData, ResponseEndOfMessage, ResponseHeaders, SendHttp

from turnout.proxy.epilogue import Epilogue, ends
from turnout.proxy.pages import as_last_event
from turnout.proxy.patience import Overdue
from turnout.proxy.steered import Commands
from turnout.proxy.steering import AttemptMonitor
from turnout.proxy.timed import TimedStream
from turnout.proxy.withholding import put_in

MOST_HELD = 256
"""Pieces of a stream, of 64 KB at most, that mitmproxy may keep for an HTTP/2 client: it reads on from the provider."""


class HeldStream(TimedStream):
    """Holds back what comes until it is an answer, and streams it from then on."""

    def __init__(self, context: Any, stream_id: int) -> None:
        super().__init__(context, stream_id)
        self._committed = False

    def start_response_stream(self) -> Commands:
        if self._monitor is None:
            yield from self._begin_stream()
        else:
            self.server_state = self.state_hold

    def state_hold(self, event: events.Event) -> Commands:
        """A streamed answer that has said nothing yet."""
        monitor = self._monitor
        assert monitor is not None
        if isinstance(event, ResponseData):
            said, now = monitor.peek(event.data), self.clock()
            if said:
                yield from self._begin_stream()
                yield from self._relay(monitor.relay(b""))
                if monitor.over:
                    yield from self._end()
                else:
                    yield from self._tick_sooner(now, monitor)
            elif said is False:
                yield from self._abandon("")
            elif event.data and monitor.alive:
                begins = monitor.begun and self._patience.begun is None
                self._patience.hears(now, begun=monitor.begun)
                if begins:
                    yield from self._tick_sooner(now, monitor)
        elif isinstance(event, ResponseEndOfMessage) and monitor.concludes():
            yield from self._begin_stream()
            yield from self.state_stream_response_body(event)
        elif isinstance(event, ResponseEndOfMessage):
            yield from self._failed(f"the stream ended before its first {'content' if monitor.begun else 'event'}")

    def _begin_stream(self) -> Commands:
        self._committed = True
        self._patience.streams(self.clock())
        for command in super().start_response_stream():
            if isinstance(command, SendHttp):
                if self._steering.head_sent:
                    continue
                put_in(self.flow, command.event)
            if not isinstance(command, commands.Log):  # "Streaming response from …": a line of log for every request
                yield command

    def state_stream_response_body(self, event: events.Event) -> Commands:
        if isinstance(event, ResponseData):
            self._patience.streams(self.clock(), closing=self._monitor is not None and self._monitor.closing)
            if not event.data:
                return  # an empty HTTP/2 frame; to a stream's callable b"" would mean the end
        yield from super().state_stream_response_body(event)
        if isinstance(event, ResponseData) and self._streaming and self._monitor is not None and self._monitor.over:
            yield from self._end()
        elif self.flow.request.is_http2 and self._streaming and self._pieces_held > MOST_HELD:
            yield from self._give_up(Overdue("client", "the client reads too little"))

    def _end(self) -> Commands:
        """The answer is over, so the client is done; it does not wait for the end of the provider's connection."""
        upstream_id = self._upstream_id
        if upstream_id is not None:
            self._forget_upstream()
            if not any(ends(event, upstream_id) for event in self._paused_event_queue):
                epilogue = Epilogue(self._parent, self.context.server, upstream_id)
                yield from epilogue.begin(self._tick, self._tick_due)
                self._tick = None
        yield from self.state_stream_response_body(ResponseEndOfMessage(self.stream_id))

    def _relay(self, chunks: list[bytes]) -> Commands:
        to_client = self._steering.to_client
        for chunk in chunks if to_client is None else filter(None, map(to_client, chunks)):
            yield SendHttp(ResponseData(self.stream_id, chunk), self.context.client)

    def _ping(self, monitor: AttemptMonitor) -> Commands:
        if not self._committed and not self._steering.head_sent:
            assert self.flow.response is not None
            self._steering.head_sent = True
            head = ResponseHeaders(self.stream_id, self.flow.response, end_stream=False)
            put_in(self.flow, head)
            head.response = _nobodys(head.response)
            yield SendHttp(head, self.context.client)
        yield from self._relay([ping] if (ping := monitor.ping()) else [])

    def _send_complete(self, answer: Commands) -> Commands:
        """A complete answer, in the place of the stream whose head the client may have got."""
        self._committed = True
        for command in answer:
            if isinstance(command, SendHttp):
                event = command.event
                put_in(self.flow, event)
                if self._steering.head_sent and isinstance(event, ResponseHeaders):
                    yield from self._relay([as_last_event(event.response)])
                    continue
                if self._steering.head_sent and isinstance(event, ResponseData):
                    continue
            yield command

    def _failed(self, reason: str) -> Commands:
        """The attempt is over without an answer."""
        yield from ()


def _nobodys(head: http.Response) -> http.Response:
    """A head under which another provider may answer: nothing in it says who does."""
    told = head.copy()
    for name in [name for name in told.headers if name.lower().startswith("x-turnout-")]:
        del told.headers[name]
    return told
