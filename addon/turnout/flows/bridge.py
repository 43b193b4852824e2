"""Between mitmproxy's flows and the dispatcher's plain data: one journey per flow under way."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from functools import partial
from weakref import ref

from mitmproxy import http

from turnout import __version__
from turnout.errors import FAILED, InternalError, RequestError, trace_of
from turnout.exchange import LocalAnswer, Outgoing
from turnout.flows.again import Recorded, forget_recorded, is_attempt
from turnout.flows.arrival import Arrival, client_request, connect_within
from turnout.flows.attempts import failed_attempt
from turnout.flows.client_side import client_side, put_away
from turnout.flows.endings import Ended, Listener, Teller, abandoned, exchange_ended, keep_received, note_way
from turnout.flows.guarding import unharmed
from turnout.flows.in_dialect import put_in_dialect, relayed
from turnout.flows.masking import Masks
from turnout.gate.access import too_large
from turnout.gate.paths import recognise
from turnout.gate.proof import Asked
from turnout.health.verdict import Verdict
from turnout.inspect import notes
from turnout.journey.answer import AnswerMonitor
from turnout.journey.dispatch import Dispatcher
from turnout.journey.expectation import expectation
from turnout.journey.served import served_by
from turnout.journey.state import Journey
from turnout.metadata import SERVED_BY
from turnout.proxy.publish import publish
from turnout.proxy.shaping import answer_of, answer_with, frame_stream, send_as
from turnout.proxy.steering import engage, steering
from turnout.proxy.withholding import cover, reveal_answer, withhold
from turnout.redaction.names import credentials_of
from turnout.redaction.secret import Secret
from turnout.redaction.text import redact
from turnout.settings.model import Settings, Timeouts
from turnout.settings.places import state_directory
from turnout.setup import Setup
from turnout.status.doors import local_answer
from turnout.status.report import report
from turnout.usage.totals import UsageTotals
from turnout.wire.headers import lowered

logger = logging.getLogger("turnout")


class Bridge:
    """Takes flows through the house. Its methods are called by the hooks of the same meaning."""

    def __init__(self, on_over: Callable[[http.HTTPFlow], None] = lambda _: None) -> None:
        """`on_over` gets every flow of ours that is over, failed attempts included, without secrets."""
        self._on_over = on_over
        self.dispatcher = Dispatcher()
        self.usage = UsageTotals()
        self._listeners: tuple[Listener, ...] = (self._add_usage, Teller())
        self._setup: Setup | None = None
        self._arrivals: dict[http.HTTPFlow, Arrival] = {}

    # --- configuration ---

    @property
    def settings(self) -> Settings | None:
        return self._setup.settings if self._setup else None

    def adopt(self, setup: Setup) -> None:
        self._setup = setup
        self.dispatcher.configure(setup.settings)
        self.dispatcher.knowledge.keep_in(state_directory(os.environ), signatures=setup.settings.store.signatures)

    def pin(self, provider: str | None) -> None:
        if provider != self.dispatcher.pinned:
            logger.info("provider %s", f"pinned: {provider}" if provider else "no longer pinned")
        self.dispatcher.pinned = provider

    # --- the way of a flow ---

    def arrive(self, flow: http.HTTPFlow) -> None:
        """Check the head of a request. One that may not enter gets its answer now; its body is not kept."""
        request = flow.request
        replayed = flow.is_replay == "request" and not steering(flow).accepted
        if replayed and is_attempt(flow):
            logger.info("a failed attempt is no request of a client: not sent again")
            flow.kill()
            return
        recorded = forget_recorded(flow) if replayed else Recorded()
        fields, headers, path = request.headers.fields, lowered(request.headers), request.path
        said = credentials_of(headers, path)
        withhold(flow, self._masks(said=said))  # from now on the flow is shown
        if flow.error is not None:
            self._note_refusal(flow, flow.error.msg, said)  # mitmproxy answers: it is no request
            return
        try:
            if self._setup is None:
                raise InternalError("Turnout has no valid configuration; see its log.")
            setup = self._setup
            if not replayed:  # a replay is started by the user, not by a client
                asked = Asked(request.method, path, *flow.client_conn.sockname[:2])
                setup.gatekeeper.admit(request.host_header or "", headers, asked)
            known = recognise(request.method, path)
        except RequestError as error:
            request.headers.pop("expect", None)  # or mitmproxy would ask for the body first
            self._refuse(flow, error, said)
            return
        guide, known_flow = steering(flow), ref(flow)  # what a flow is steered by must not keep it
        guide.max_body = setup.settings.access.max_body
        guide.on_release = lambda: self._lost(known_flow())
        self._arrivals[flow] = Arrival(
            flow,
            known,
            fields=fields,
            headers=headers,
            path=path,
            chunks=request.http_version == "HTTP/1.1",
            said=said,
            recorded=recorded,
        )

    async def attempt(self, flow: http.HTTPFlow) -> None:
        """Answer here, or make the flow the next attempt of its exchange."""
        arrival = self._arrivals.get(flow)
        if flow.response is not None:
            return
        if arrival is None or self._setup is None:
            raise InternalError("This request was never admitted.")
        try:
            if arrival.known.local is not None:
                state = partial(report, self.dispatcher, self._setup, self.usage.snapshot(), __version__)
                accept = arrival.headers.get("accept", "")
                answer_with(flow, await local_answer(arrival.known, accept, self._setup.settings, state))
                flow.comment = f"answered by Turnout: {flow.request.method} {notes.one_line(flow.request.path)}"
                return
            if arrival.journey is None:
                self._open(arrival, self._setup)
            assert arrival.journey is not None
            step = await self.dispatcher.advance(arrival.journey)
        except RequestError as error:
            self._refuse(flow, error)
            return
        if isinstance(step, LocalAnswer):
            answer_with(flow, step)
        else:
            self._send(arrival, arrival.journey, step)

    def _open(self, arrival: Arrival, setup: Setup) -> None:
        flow, guide = arrival.flow, steering(arrival.flow)
        if guide.too_large:
            raise too_large(setup.settings.access.max_body)
        assert arrival.known.endpoint is not None
        if arrival.recorded.body is not None:
            flow.request.raw_content = arrival.recorded.body
            cover(flow)
        arrival.client = client_side(flow, arrival.fields, self._masks(arrival))
        request = client_request(arrival, setup.settings.access.max_body)
        guide.to_client = arrival.asked.answer.feed if arrival.asked is not None else None
        arrival.journey = self.dispatcher.open(request, arrival.known.endpoint, setup, arrival.recorded.pinned)

    def _send(self, arrival: Arrival, journey: Journey, outgoing: Outgoing) -> None:
        arrival.monitor = AnswerMonitor(
            journey.provider,
            journey.setup.settings.timeouts,
            journey.setup.settings.limits,
            expectation(journey, outgoing),
            on_first_word=lambda: self.dispatcher.first_word(journey),
            on_minted=partial(self.dispatcher.knowledge.minted, journey.provider, mark=journey.here.mark),
            on_begin=lambda: self.dispatcher.began(journey),
        )
        withhold(arrival.flow, self._masks(arrival))  # a credential may have become known
        send_as(arrival.flow, outgoing, arrival.fields)
        engage(arrival.flow, arrival.monitor, journey.setup.ways.to(journey.provider.name))

    def answer_begins(self, flow: http.HTTPFlow) -> None:
        arrival = self._arrivals.get(flow)
        if arrival is None or flow.response is None:
            return
        if arrival.monitor is None or arrival.journey is None:
            return
        by = served_by(arrival.journey.exchange.attempt, arrival.known_secrets)
        # A provider that is a Turnout has named its own.
        flow.response.headers.set_all(SERVED_BY, [by, *flow.response.headers.get_all(SERVED_BY)])
        flow.response.headers.pop("set-cookie", None)  # a provider's cookie is of no use to a client of ours
        if arrival.asked is not None and flow.response.raw_content is not None:
            return  # complete already, from a server replay: it is put into the client's dialect in one piece
        if steering(flow).monitor is not None and arrival.monitor.streams(flow.response):
            flow.response.stream = relayed(arrival.monitor, steering(flow).to_client)
            flow.response.headers.pop("content-encoding", None)  # opened on the way, to be read
            frame_stream(flow.response, chunks=arrival.chunks)

    async def attempt_failed(self, flow: http.HTTPFlow, known_reason: str = "") -> None:
        """Judge a failed attempt, publish it, and have the flow run again if its plan goes on.

        `known_reason` is better than what the stream could tell.
        """
        arrival = self._arrivals.get(flow)
        if arrival is None or arrival.journey is None or arrival.monitor is None:
            raise InternalError("An attempt failed that nobody made.")
        journey, guide = arrival.journey, steering(flow)
        if flow.response is not None:
            # mitmproxy tells the end of an answer with its last hook, which a failed attempt has not.
            flow.response.timestamp_end = flow.response.timestamp_end or time.time()
        judgement = arrival.monitor.failed(redact(known_reason or guide.failure, journey.setup.chain.secrets()))
        monitor, arrival.monitor = arrival.monitor, None  # whatever ends the exchange now is not this attempt's doing
        note_way(flow, journey, failed=True)
        answer = answer_of(flow)
        guide.again = await self.dispatcher.failed(journey, judgement, answer, monitor.refusal)
        keep_received(flow, monitor)
        withhold(flow, self._masks(arrival))
        attempt = failed_attempt(flow, journey.exchange, arrival.known_secrets)
        await publish(attempt)
        self._on_over(attempt)
        if guide.again:
            return
        if judgement.verdict is Verdict.REQUEST:
            journey.exchange.ending = judgement.message
        if answer is not None and answer.status >= 400 and flow.response is not None:
            reveal_answer(flow)
            monitor.shape_error(flow.response)
            cover(flow)
        else:
            answer_with(flow, self.dispatcher.last_word(journey))

    def finished(self, flow: http.HTTPFlow) -> None:
        """The answer is complete; a buffered one is about to be sent. It stands, whatever goes wrong here."""
        arrival = self._arrivals.pop(flow, None)
        if arrival is not None and flow.response is not None:
            with unharmed("an answer was translated"):
                put_in_dialect(flow, arrival)
            with unharmed("an exchange ended"):
                if flow.response.stream and arrival.monitor is not None:
                    flow.response.raw_content = arrival.monitor.received
                broken = arrival.monitor.broken if arrival.monitor else None
                self._end(arrival, "", served=steering(flow).monitor is not None and broken is None)
        self._put_away(flow, arrival)

    def broken(self, flow: http.HTTPFlow) -> None:
        """The client left, the flow was killed, or a stream broke off after it had begun."""
        arrival = self._arrivals.pop(flow, None)
        if arrival is not None:
            with unharmed("an exchange broke off"):
                if arrival.monitor is not None:
                    arrival.monitor.tell_minted()
                keep_received(flow, arrival.monitor)
                complete = arrival.monitor is not None and arrival.monitor.complete
                ending = flow.error.msg if flow.error else "broken off"
                self._end(arrival, "" if complete else redact(ending), served=complete)
        self._put_away(flow, arrival)

    def _end(self, arrival: Arrival, broken_off: str, *, served: bool) -> None:
        if arrival.journey is not None:
            self._tell(exchange_ended(self.dispatcher, arrival, arrival.journey, broken_off, served=served))

    def _tell(self, ended: Ended) -> None:
        for listener in self._listeners:
            with unharmed("an exchange was told of"):
                listener(ended)

    def _add_usage(self, ended: Ended) -> None:
        if ended.answered_by:
            self.usage.add(ended.answered_by, ended.exchange.attempt.model, ended.exchange.usage)

    def _put_away(self, flow: http.HTTPFlow, arrival: Arrival | None) -> None:
        """A flow that is over may be shown, saved and exported: no secret stays in it. Nothing stays held for it."""
        self._let_go(arrival)
        with unharmed("a flow was put away"):
            masks = self._masks(arrival)
            withhold(flow, masks)
            put_away(flow, arrival.client if arrival is not None else None, masks)
            self._on_over(flow)

    def _let_go(self, arrival: Arrival | None) -> None:
        """Nothing stays held for an exchange that is over, whatever else went wrong with it."""
        if arrival is None or arrival.journey is None:
            return
        with unharmed("a slot was given back"):
            arrival.journey.release_slot()
        with unharmed("an exchange was closed"):
            self.dispatcher.close(arrival.journey, "failed")

    def _lost(self, flow: http.HTTPFlow | None) -> None:
        """The stream is done with a flow. Another addon may have kept our last hook from being called."""
        if flow is None or flow not in self._arrivals:
            return
        with unharmed("a flow ended untold"):
            (self.broken if flow.error is not None else self.finished)(flow)

    def fault(self, flow: http.HTTPFlow, error: Exception) -> None:
        """A fault of Turnout itself: the client gets a clear 500, the log gets the details."""
        self.fault_at_end(flow, error)
        known = error if isinstance(error, RequestError) else InternalError(FAILED)
        self._refuse(flow, known)

    def fault_at_end(self, flow: http.HTTPFlow, error: Exception) -> None:
        """A fault where there is nothing to be answered any more."""
        secrets = self._setup.chain.secrets() if self._setup else ()
        trace = "" if isinstance(error, RequestError) else f"\n{trace_of(error)}"
        logger.warning("internal error: %s", redact(f"{type(error).__name__}: {error}{trace}", secrets))
        self._let_go(self._arrivals.pop(flow, None))

    def knows(self, flow: http.HTTPFlow) -> bool:
        """Whether the flow is under way here. A killed flow is, although mitmproxy no longer calls it live."""
        return flow in self._arrivals

    def connect_within(self, client_id: str, address: tuple[str, int] | None) -> float:
        """How long a connection for an attempt of this client may take, TCP and TLS together."""
        seconds = connect_within(self._arrivals.values(), client_id, address)
        if seconds is not None:
            return seconds
        return (self.settings.timeouts if self.settings is not None else Timeouts()).connect

    @property
    def is_busy(self) -> bool:
        return bool(self._arrivals)

    def put_away_ended(self) -> None:
        """Flows may have come to their end while no addon was loaded to be told."""
        for flow in [flow for flow in self._arrivals if not flow.live]:
            self._put_away(flow, self._arrivals.pop(flow))

    def client_left(self, client_id: str) -> None:
        for arrival in self._arrivals.values():
            if arrival.flow.client_conn.id == client_id and arrival.journey is not None:
                arrival.journey.leave()

    def abandon_all(self) -> None:
        """The addon is unloaded: nothing stays held, no secret stays in a flow, and what hangs is told and recorded."""
        arrivals, self._arrivals = self._arrivals, {}
        for flow, arrival in arrivals.items():
            keep_received(flow, arrival.monitor)
            if arrival.journey is not None:
                self._tell(abandoned(self.dispatcher, arrival, arrival.journey))
            self._put_away(flow, arrival)
        self.dispatcher.knowledge.flush()

    # --- parts ---

    def _masks(self, arrival: Arrival | None = None, said: frozenset[Secret] = frozenset()) -> Masks:
        """What no flow may show: the secrets of the settings under which it began, and what the client `said`."""
        if arrival is not None and arrival.journey is not None:
            return Masks(frozenset(arrival.known_secrets))
        known = self._setup.chain.secrets() if self._setup is not None else set()
        return Masks(frozenset(known | (arrival.said if arrival is not None else said)))

    def _refuse(self, flow: http.HTTPFlow, error: RequestError, said: frozenset[Secret] = frozenset()) -> None:
        # A part of a stream that has begun is put into the client's dialect where it leaves.
        dialect = "anthropic" if steering(flow).head_sent else steering(flow).dialect
        answer_with(flow, LocalAnswer(error.status, error.headers(), error.body(dialect)))
        self._note_refusal(flow, error.message, said, error.status)

    def _note_refusal(self, flow: http.HTTPFlow, reason: str, said: frozenset[Secret], status: int = 400) -> None:
        flow.comment, flow.marked = f"refused: {self._masks(said=said).text(reason)}", notes.ERROR_MARK
        logger.info("%s %s · %d %s", flow.request.method, notes.one_line(flow.request.path), status, flow.comment)
