"""What to do after a failed attempt: the same target again, the next one, or stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from turnout.health.judgement import WAITING_HELPS, Judgement, Verdict
from turnout.settings.model import Retry


@dataclass(frozen=True, slots=True)
class Step:
    """`again`: the same target, after `delay` seconds; `next`: the next target; `stop`: this is the answer."""

    action: Literal["again", "next", "stop"]
    delay: float = 0.0


AGAIN = Step("again")
NEXT = Step("next")
STOP = Step("stop")

_ANSWERS = frozenset({Verdict.OK, Verdict.REQUEST, Verdict.CANCELLED})
_ABOUT_THE_CREDENTIAL = frozenset({Verdict.CREDENTIAL, Verdict.NOT_FOUND})

BRIEF = 1.0
"""Seconds for all tries at one target while another is ready, unless `retry.max_elapsed` says otherwise: what fails at
once fails again, and the client waits."""

MOST_RETRIES = 10
"""At one target. Waits of a millisecond would let thousands of attempts into the budget of time."""


def decide(
    judgement: Judgement,
    *,
    owned: bool,
    retries: int,
    waited: float,
    retry: Retry,
    spent: float = 0.0,
    alternatives: bool = False,
    resting: bool = False,
) -> Step:
    """The step after this judgement.

    `owned`: the credential is Turnout's own, not the client's. `retries`: same-target retries made so far at this
    target; `waited`: seconds spent waiting between them. `spent`: seconds since the first try at this target.
    `alternatives`: another target of the plan is ready to be tried. `resting`: this one rests after an earlier request,
    whose client has waited for it already, and is asked because there is no other.
    """
    verdict = judgement.verdict
    if verdict in _ANSWERS:
        return STOP
    if verdict in _ABOUT_THE_CREDENTIAL and not owned and not (judgement.of_the_way or judgement.of_account):
        return STOP
    if verdict not in WAITING_HELPS or judgement.retryable is False or judgement.timed_out:
        return NEXT
    if verdict is Verdict.THROTTLE and judgement.retry_after is None:
        return NEXT
    if retries >= MOST_RETRIES or (judgement.unreachable and (alternatives or resting)):
        return NEXT
    delay = max(_backoff(retries, retry), judgement.retry_after or 0.0)
    # A delay of nothing would never use up the budget.
    left = retry.max_elapsed - waited
    if alternatives and "max_elapsed" not in retry.model_fields_set:
        left = min(left, BRIEF - spent)
    return Step("again", delay) if 0 < delay <= left else NEXT


def _backoff(retries: int, retry: Retry) -> float:
    try:
        return min(retry.initial * retry.multiplier**retries, retry.max_interval)
    except OverflowError:
        return retry.max_interval
