"""How an attempt, and with it an exchange, has ended, as far as its flow tells."""

from __future__ import annotations

from mitmproxy import http

from turnout.flows.arrival import Arrival
from turnout.journey.answer import AnswerMonitor
from turnout.journey.dispatch import Dispatcher
from turnout.journey.state import Journey
from turnout.proxy.steering import steering


def attempt_ended(dispatcher: Dispatcher, arrival: Arrival, *, served: bool) -> str:
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
