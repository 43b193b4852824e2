"""One replayed exchange: the recorded answer beside the new one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from turnout.recordings.reading import RecordedAnswer, RecordedExchange
from turnout.recordings.replay.comparing import (
    Difference,
    Substance,
    ToolCall,
    differences,
    faults,
    readable,
    substance,
)
from turnout.recordings.replay.sending import Received
from turnout.redaction.body import without_secrets
from turnout.redaction.secret import Secret


@dataclass(frozen=True, slots=True)
class Replayed:
    """A recorded exchange, what came back this time, and whether that will do."""

    exchange: RecordedExchange
    recorded: Substance | None
    """None when the recording holds no answer."""
    now: Substance | None
    """None when there was no answer."""
    differences: tuple[Difference, ...]
    """Everything in which the two differ."""
    faults: tuple[Difference, ...]
    """The differences for which it fails; empty when it passes."""
    first_event: float | None
    total: float
    """Seconds, as in Received."""

    @property
    def passed(self) -> bool:
        return not self.faults


def compared(
    exchange: RecordedExchange, received: Received, *, compare: bool, secrets: Iterable[Secret] = ()
) -> Replayed:
    """With `compare` every difference is a fault; without, another class of status and an answer that breaks off.

    Both answers are looked at without these secrets and what looks like one, as they are missing in recordings.
    """
    secrets = tuple(secrets)
    recorded = _masked(substance_of(exchange.answer), secrets) if exchange.answer is not None else None
    if received.status is None:
        lost = (Difference("answer", f"no answer: {readable(received.problem)}"),)
        return Replayed(exchange, recorded, None, lost, lost, None, received.total)
    now = _masked(substance(received.status, received.content_type, received.body), secrets)
    found = differences(recorded, now) if recorded is not None else ()
    wrong = found if compare else faults(recorded, now)
    if received.problem:
        wrong = tuple(_with_reason(each, received.problem) for each in wrong)
    return Replayed(exchange, recorded, now, found, wrong, received.first_event, received.total)


def _with_reason(fault: Difference, problem: str) -> Difference:
    if fault.name != "complete":
        return fault
    return replace(fault, explanation=f"{fault.explanation} ({readable(problem)})")


def _masked(found: Substance, secrets: tuple[Secret, ...]) -> Substance:
    """The same without secrets, lengths kept. In the joined texts, because a stream cuts a secret to pieces."""

    def masked(text: str) -> str:
        return without_secrets(text.encode("utf-8", "surrogatepass"), secrets).decode("utf-8", "surrogatepass")

    return replace(
        found,
        text=masked(found.text),
        thinking=masked(found.thinking),
        error_message=masked(found.error_message),
        tools=tuple(ToolCall(call.name, json.loads(masked(json.dumps(call.input)))) for call in found.tools),
    )


def substance_of(answer: RecordedAnswer) -> Substance:
    """What a recorded answer comes to; one whose body was not kept is known by its status alone."""
    return substance(answer.status, answer.content_type, answer.body or b"")


def incomparable(exchange: RecordedExchange) -> str:
    """Why there is nothing to compare a new answer with; empty when there is."""
    if exchange.answer is None:
        return "no answer recorded"
    return "answer body not recorded" if exchange.answer.body is None else ""
