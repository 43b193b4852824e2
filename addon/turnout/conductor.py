"""Between mitmproxy's flows and the dispatcher's plain data: one journey per flow under way."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from mitmproxy import http

from turnout import __version__
from turnout.answer import AnswerMonitor, Expectation, lowered
from turnout.dispatch import Dispatcher
from turnout.errors import InternalError, RequestError
from turnout.exchange import ClientRequest, LocalAnswer, Outgoing
from turnout.gate import local
from turnout.gate.access import too_large
from turnout.gate.paths import Known, dialect_of, recognise
from turnout.inspect import notes
from turnout.inspect.attempts import failed_attempt
from turnout.inspect.masking import mask_request
from turnout.inspect.usage import UsageTotals
from turnout.journey import Journey, Setup
from turnout.proxy.publish import publish
from turnout.proxy.steering import steering
from turnout.routing.facts import Facts
from turnout.routing.names import split_long_context
from turnout.settings.model import Settings
from turnout.settings.secret import redact

logger = logging.getLogger("turnout")


@dataclass(slots=True)
class Passage:
    """A flow under way, with what the client sent kept apart from what attempts make of it."""

    flow: http.HTTPFlow
    known: Known
    fields: tuple[tuple[bytes, bytes], ...]
    """The client's headers, as they came."""
    headers: dict[str, str]
    """The same, by lower-case name."""
    path: str
    journey: Journey | None = None
    monitor: AnswerMonitor | None = None


class Conductor:
    """Takes flows through the house. Its methods are called by the hooks of the same meaning."""

    def __init__(self) -> None:
        self.dispatcher = Dispatcher()
        self.usage = UsageTotals()
        self._setup: Setup | None = None
        self._passages: dict[str, Passage] = {}

    # --- configuration ---

    @property
    def settings(self) -> Settings | None:
        return self._setup.settings if self._setup else None

    def adopt(self, setup: Setup) -> None:
        self._setup = setup
        self.dispatcher.configure(setup.settings)

    def pin(self, provider: str | None) -> None:
        if provider != self.dispatcher.pinned:
            logger.info("provider %s", f"pinned: {provider}" if provider else "no longer pinned")
        self.dispatcher.pinned = provider

    # --- the way of a flow ---

    def arrive(self, flow: http.HTTPFlow) -> None:
        """Check the head of a request. One that may not enter gets its answer now; its body is not kept."""
        _forget_recorded(flow)
        request = flow.request
        try:
            if self._setup is None:
                raise InternalError("Turnout has no valid configuration; see its log.")
            setup = self._setup
            headers = lowered(request.headers)
            setup.gatekeeper.admit(request.host_header or "", headers)
            known = recognise(request.method, request.path)
        except RequestError as error:
            self._refuse(flow, error)
            return
        steering(flow).max_body = setup.settings.access.max_body
        self._passages[flow.id] = Passage(flow, known, request.headers.fields, headers, request.path)

    async def attempt(self, flow: http.HTTPFlow) -> None:
        """Answer here, or make the flow the next attempt of its exchange."""
        passage = self._passages.get(flow.id)
        if flow.response is not None:
            return
        if passage is None or self._setup is None:
            raise InternalError("This request was never admitted.")
        try:
            if passage.known.local is not None:
                _answer(flow, await self._local(passage, self._setup))
                return
            if passage.journey is None:
                self._open(passage, self._setup)
            assert passage.journey is not None
            step = await self.dispatcher.advance(passage.journey)
        except RequestError as error:
            self._refuse(flow, error)
            return
        if isinstance(step, LocalAnswer):
            _answer(flow, step)
        else:
            self._send(passage, passage.journey, step)

    def _open(self, passage: Passage, setup: Setup) -> None:
        flow, guide = passage.flow, steering(passage.flow)
        if guide.too_large:
            raise too_large(setup.settings.access.max_body)
        assert passage.known.endpoint is not None
        body = flow.request.get_content(strict=False) or b""
        if len(body) > setup.settings.access.max_body:  # after decompression
            raise too_large(setup.settings.access.max_body)
        request = ClientRequest(flow.request.method, passage.path, passage.headers, body)
        passage.journey = self.dispatcher.open(request, passage.known.endpoint, setup)

    def _send(self, passage: Passage, journey: Journey, outgoing: Outgoing) -> None:
        exchange = journey.exchange
        asked = split_long_context(exchange.request.model)[0]
        stream = exchange.endpoint == "messages" and Facts(exchange.request).stream
        renamed = exchange.request.model if exchange.attempt.model != asked else None
        passage.monitor = AnswerMonitor(
            journey.provider,
            journey.setup.settings.timeouts,
            Expectation(stream=stream, reply_model=renamed),
            on_first_event=lambda: _note_first_event(journey),
        )
        apply(outgoing, passage.flow, passage.fields)
        steering(passage.flow).monitor = passage.monitor

    def answer_begins(self, flow: http.HTTPFlow) -> None:
        passage = self._passages.get(flow.id)
        if passage is None or passage.monitor is None or flow.response is None:
            return
        flow.response.headers.pop("set-cookie", None)  # a provider's cookie is of no use to a client of ours
        if steering(flow).monitor is not None and passage.monitor.streams(flow.response):
            flow.response.stream = passage.monitor
            if flow.response.headers.pop("content-length", None) is not None:
                flow.response.headers["transfer-encoding"] = "chunked"  # pings and errors may lengthen it

    async def attempt_failed(self, flow: http.HTTPFlow) -> None:
        """Judge a failed attempt, publish it, and have the flow run again if its plan goes on."""
        passage = self._passages.get(flow.id)
        if passage is None or passage.journey is None or passage.monitor is None:
            raise InternalError("An attempt failed that nobody made.")
        journey, guide = passage.journey, steering(flow)
        judgement = passage.monitor.failed(redact(guide.failure, journey.setup.chain.secrets()))
        guide.again = await self.dispatcher.failed(journey, judgement, _answer_of(flow))
        await publish(failed_attempt(flow, journey.exchange))
        if not guide.again and (flow.response is None or flow.response.status_code < 400):
            _answer(flow, self.dispatcher.last_word(journey))

    def finished(self, flow: http.HTTPFlow) -> None:
        """The answer is complete; a buffered one is about to be sent."""
        passage = self._passages.pop(flow.id, None)
        mask_request(flow.request)
        if passage is None or flow.response is None:
            return
        if flow.response.stream and passage.monitor is not None:
            flow.response.raw_content = passage.monitor.received
        ending = passage.monitor.interruption if passage.monitor else ""
        self._end(passage, ending, served=steering(flow).monitor is not None and not ending)

    def broken(self, flow: http.HTTPFlow) -> None:
        """The client left, the flow was killed, or a stream broke off after it had begun."""
        passage = self._passages.pop(flow.id, None)
        mask_request(flow.request)
        if passage is None:
            return
        if flow.response is not None and passage.monitor is not None and flow.response.raw_content is None:
            flow.response.raw_content = passage.monitor.received
        complete = passage.monitor is not None and passage.monitor.complete
        ending = "" if complete else (flow.error.msg if flow.error else "broken off")
        self._end(passage, redact(ending), served=complete)

    def fault(self, flow: http.HTTPFlow, error: Exception) -> None:
        """A fault of Turnout itself: the client gets a clear 500, the log gets the details."""
        secrets = self._setup.chain.secrets() if self._setup else ()
        told = redact(f"{type(error).__name__}: {error}", secrets)
        logger.warning("internal error: %s", told, exc_info=_trace(error))
        passage = self._passages.pop(flow.id, None)
        if passage is not None and passage.journey is not None:
            self.dispatcher.close(passage.journey, "failed")
        known = error if isinstance(error, RequestError) else InternalError("Turnout failed; see its log.")
        self._refuse(flow, known)

    def client_left(self, client_id: str) -> None:
        for passage in self._passages.values():
            if passage.flow.client_conn.id == client_id and passage.journey is not None:
                passage.journey.leave()

    def abandon_all(self) -> None:
        """The addon is unloaded: nothing stays held, and no secret stays in a flow that may yet be saved."""
        for passage in self._passages.values():
            mask_request(passage.flow.request)
            if passage.journey is not None:
                passage.journey.leave()
                self.dispatcher.close(passage.journey, "failed")
        self._passages.clear()

    # --- parts ---

    async def _local(self, passage: Passage, setup: Setup) -> LocalAnswer:
        known = passage.known
        if known.local == "models":
            return local.list_models(setup.settings)
        if known.local == "model":
            return local.one_model(setup.settings, known.argument)
        if known.local == "hello":
            return local.json_answer({"status": "ok"})
        report = await self.dispatcher.report(setup, self.usage.snapshot(), __version__)
        if known.local == "status":
            return local.status_page(report, passage.headers.get("accept", ""))
        return local.json_answer(report)

    def _refuse(self, flow: http.HTTPFlow, error: RequestError) -> None:
        _answer(flow, LocalAnswer(error.status, error.headers(), error.body(dialect_of(flow.request.path))))
        flow.comment = f"refused: {redact(error.message)}"

    def _end(self, passage: Passage, ending: str, *, served: bool) -> None:
        journey, flow = passage.journey, passage.flow
        if journey is None:
            return
        exchange = journey.exchange
        if passage.monitor is not None and exchange.attempts:
            exchange.usage = passage.monitor.usage
            if served and flow.response is not None:
                self.dispatcher.served(journey, flow.response.status_code)
            self.usage.add(journey.provider.name, exchange.attempt.model, exchange.usage)
        if not served and not ending and flow.response is not None:
            ending = f"gave up with {flow.response.status_code}"
        self.dispatcher.close(journey, "served" if served else "failed")
        flow.metadata.update(notes.metadata(exchange))
        flow.comment = notes.comment(exchange, ending)
        logger.info(flow.comment)


def apply(outgoing: Outgoing, flow: http.HTTPFlow, client_fields: tuple[tuple[bytes, bytes], ...]) -> None:
    """Make the flow's request this attempt. Headers that are not named keep the client's order and spelling."""
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
    request.data.path = outgoing.path.encode()
    request.data.authority = dict(outgoing.add)["host"].encode() if request.is_http2 else b""
    request.headers.fields = tuple(fields)
    request.data.content = outgoing.body


def _answer(flow: http.HTTPFlow, answer: LocalAnswer) -> None:
    """Put a complete answer into the flow; it is final."""
    steering(flow).monitor = None
    body = b"" if flow.request.method == "HEAD" else answer.body
    flow.response = http.Response.make(answer.status, body, dict(answer.headers))


def _answer_of(flow: http.HTTPFlow) -> LocalAnswer | None:
    response = flow.response
    if response is None or response.raw_content is None:
        return None
    return LocalAnswer(response.status_code, lowered(response.headers), response.get_content(strict=False) or b"")


def _forget_recorded(flow: http.HTTPFlow) -> None:
    """A replayed flow carries what was noted when it was recorded."""
    for name in [name for name in flow.metadata if name.startswith(notes.PREFIX)]:
        del flow.metadata[name]
    flow.comment = ""


def _note_first_event(journey: Journey) -> None:
    attempt = journey.exchange.attempt
    if attempt.first_event is None:
        attempt.first_event = time.monotonic() - journey.exchange.opened


def _trace(error: Exception) -> tuple[type[Exception], Exception, None] | None:
    return None if isinstance(error, RequestError) else (type(error), error, None)
