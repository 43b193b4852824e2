"""How an attempt, and with it an exchange, has ended, as far as its flow tells; and who is told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from mitmproxy import http

from turnout.exchange import Exchange
from turnout.flows.arrival import Arrival
from turnout.inspect import notes
from turnout.inspect.describing import describe
from turnout.journey.answer import AnswerMonitor
from turnout.journey.counting import Uncounted
from turnout.journey.dispatch import Dispatcher
from turnout.journey.state import Journey
from turnout.proxy.steering import steering
from turnout.redaction.secret import Secret
from turnout.redaction.text import redact

logger = logging.getLogger("turnout")


@dataclass(frozen=True, slots=True)
class Ended:
    """An exchange that is over, for all that keep account of exchanges. Its flow is not yet put away."""

    exchange: Exchange
    flow: http.HTTPFlow
    ending: str
    """How, in words; empty where its steps tell it."""
    served: bool
    """What the client got is a provider's answer, if only an error, and whole."""
    answered_by: str
    """The provider whose answer it was, whole or in part; empty where none has answered."""
    known_secrets: set[Secret]


Listener = Callable[[Ended], None]
"""Told of every exchange that is over. What it raises is logged, and keeps nobody else from being told."""


class Teller:
    """Writes how an exchange ended into its flow and into the log."""

    def __init__(self) -> None:
        self._uncounted = Uncounted()

    def __call__(self, ended: Ended) -> None:
        flow, exchange = ended.flow, ended.exchange
        describe(flow, exchange, ended.ending, ended.known_secrets)
        status = flow.response.status_code if flow.response is not None else 0
        if self._uncounted.is_news(exchange, status, served=ended.served and bool(exchange.attempts)):
            logger.info(flow.comment)


def exchange_ended(
    dispatcher: Dispatcher, arrival: Arrival, journey: Journey, broken_off: str = "", *, served: bool
) -> Ended:
    """Tell the dispatcher, and find what there is to be told of it. `broken_off`: why, where nothing says it better."""
    exchange, monitor = journey.exchange, arrival.monitor
    ending = _attempt_ended(dispatcher, arrival, served=served) or broken_off
    dispatcher.close(journey, "served" if served else "failed")
    ending = ending or _outcome(arrival, journey, served)
    if monitor is not None and monitor.cut:
        ending = " · ".join(filter(None, (ending, "the answer is kept in part")))
    answered_by = journey.provider.name if monitor is not None and exchange.attempts else ""
    return Ended(exchange, arrival.flow, ending, served, answered_by, arrival.known_secrets)


def abandoned(dispatcher: Dispatcher, arrival: Arrival, journey: Journey) -> Ended:
    """The same for an exchange that is left in the middle, because Turnout goes."""
    journey.leave()
    dispatcher.close(journey, "failed")
    return Ended(journey.exchange, arrival.flow, "under way when Turnout ended", False, "", arrival.known_secrets)


def _outcome(arrival: Arrival, journey: Journey, served: bool) -> str:
    """How an exchange ended that nothing broke off, where the steps do not tell it. Foreign words are cut short."""
    response, exchange = arrival.flow.response, journey.exchange
    if response is None or (served and response.status_code < 400):
        return ""
    refused = arrival.monitor.judgement if arrival.monitor is not None else None
    words = refused.message if refused is not None else exchange.ending
    words = notes.one_line(redact(words, journey.setup.chain.secrets()))
    if served or response.status_code < 400:
        return words
    return ": ".join(filter(None, (f"gave up with {response.status_code}", words)))


def _attempt_ended(dispatcher: Dispatcher, arrival: Arrival, *, served: bool) -> str:
    """Tell the dispatcher how the last attempt of an exchange ended. What is to be said of it beside its step."""
    journey, monitor, flow = arrival.journey, arrival.monitor, arrival.flow
    if journey is None or monitor is None or not journey.exchange.attempts:
        return ""
    exchange = journey.exchange
    exchange.usage, exchange.converted = monitor.usage, monitor.converted
    note_way(flow, journey)
    if served and flow.response is not None:
        dispatcher.served(journey, flow.response.status_code)
    elif broken := monitor.broken:
        dispatcher.broke(journey, broken)
        return "broke off"  # why is told by its step
    elif not served:
        dispatcher.cancelled(journey, "" if _is_users_doing(flow) else "internal error")
    return ""


def keep_received(flow: http.HTTPFlow, monitor: AnswerMonitor | None) -> None:
    """mitmproxy keeps nothing of a stream."""
    if flow.response is not None and monitor is not None and flow.response.raw_content is None:
        flow.response.raw_content = monitor.received


def note_way(flow: http.HTTPFlow, journey: Journey, *, failed: bool = False) -> None:
    """What the stream alone knows of the attempt."""
    guide, exchange = steering(flow), journey.exchange
    exchange.attempt.dialled_again = guide.dialled_again
    if failed and guide.head_sent and not exchange.head_of:
        exchange.head_of = journey.provider.name


def _is_users_doing(flow: http.HTTPFlow) -> bool:
    """The client left, or the user has killed the flow: the provider is not to blame."""
    killed = flow.error is not None and flow.error.msg == flow.error.KILLED_MESSAGE
    return killed or steering(flow).client_left
