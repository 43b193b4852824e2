"""What follows a judgement: the same target again, the next one, or the end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.health.decision import MOST_RETRIES, Step, decide
from turnout.health.verdict import Judgement, Outcome, Verdict, judge
from turnout.settings.model import Retry

RETRY = Retry()
NEXT, STOP = Step("next"), Step("stop")


def step(
    verdict: Verdict,
    *,
    owned: bool = True,
    retries: int = 0,
    waited: float = 0.0,
    retry: Retry = RETRY,
    retry_after: float | None = None,
    retryable: bool | None = None,
    timed_out: bool = False,
    spent: float = 0.0,
    alternatives: bool = False,
) -> Step:
    judgement = Judgement(verdict, "", retry_after=retry_after, retryable=retryable, timed_out=timed_out)
    return decide(
        judgement, owned=owned, retries=retries, waited=waited, retry=retry, spent=spent, alternatives=alternatives
    )


@pytest.mark.parametrize("verdict", [Verdict.TRANSIENT, Verdict.OVERLOADED])
def test_waits_double_up_to_the_budget(verdict: Verdict) -> None:
    """A14: 500 ms, 1 s, 2 s, at most 5 s in all."""
    waits: list[float] = []
    while (then := step(verdict, retries=len(waits), waited=sum(waits))).action == "again":
        waits.append(then.delay)
    assert waits == [0.5, 1.0, 2.0]
    assert then == NEXT


@pytest.mark.parametrize(
    ("retries", "spent", "expected"),
    [(0, 0.01, Step("again", 0.5)), (0, 0.5, Step("again", 0.5)), (0, 0.51, NEXT), (1, 0.02, NEXT), (0, 30.0, NEXT)],
)
@pytest.mark.parametrize("verdict", [Verdict.TRANSIENT, Verdict.OVERLOADED])
def test_a_second_for_all_tries_where_another_target_is_ready(
    verdict: Verdict, retries: int, spent: float, expected: Step
) -> None:
    """Four tries at a dead primary took 3.5 s. The time of the attempts themselves counts as well."""
    assert step(verdict, retries=retries, spent=spent, alternatives=True) == expected
    assert step(verdict, retries=retries, spent=spent).action == "again", "without one there is nothing to hurry to"
    said = Retry(max_elapsed=5)
    assert step(verdict, retries=retries, spent=spent, alternatives=True, retry=said).action == "again"


def test_a_told_wait_beyond_a_second_is_not_waited_for_where_another_target_is_ready() -> None:
    assert step(Verdict.THROTTLE, retry_after=2.0, alternatives=True) == NEXT
    assert step(Verdict.THROTTLE, retry_after=0.9, alternatives=True) == Step("again", 0.9)


@pytest.mark.parametrize(
    ("verdict", "retry_after", "waited", "expected"),
    [
        (Verdict.THROTTLE, 3.0, 0.0, Step("again", 3.0)),
        (Verdict.THROTTLE, 5.0, 0.0, Step("again", 5.0)),
        (Verdict.THROTTLE, 5.1, 0.0, NEXT),
        (Verdict.THROTTLE, 3.0, 2.5, NEXT),
        (Verdict.THROTTLE, 0.02, 0.0, Step("again", 0.5)),
        (Verdict.THROTTLE, None, 0.0, NEXT),
        (Verdict.OVERLOADED, 4.0, 0.0, Step("again", 4.0)),
        (Verdict.OVERLOADED, 40.0, 0.0, NEXT),
        (Verdict.TRANSIENT, 40.0, 0.0, NEXT),
        (Verdict.TRANSIENT, None, 4.8, NEXT),
    ],
)
def test_the_providers_wait_must_fit(
    verdict: Verdict, retry_after: float | None, waited: float, expected: Step
) -> None:
    assert step(verdict, retry_after=retry_after, waited=waited) == expected


@pytest.mark.parametrize("verdict", [Verdict.TRANSIENT, Verdict.OVERLOADED, Verdict.THROTTLE])
def test_no_wait_where_it_cannot_help(verdict: Verdict) -> None:
    assert step(verdict, retry_after=1.0) == Step("again", 1.0)
    assert step(verdict, retry_after=1.0, retryable=True) == Step("again", 1.0)
    assert step(verdict, retry_after=1.0, retryable=False) == NEXT
    assert step(verdict, retry_after=1.0, timed_out=True) == NEXT


@pytest.mark.parametrize(
    ("error", "action"),
    [
        ("connect timeout after 10 s", "next"),
        ("no first event within 120 s", "next"),
        ("idle for 180 s", "next"),
        ("connection refused", "again"),
        ("the stream ended before its first event", "again"),
    ],
)
def test_deadlines_have_cost_enough(error: str, action: str) -> None:
    judgement = judge(Outcome(error=error), now=0.0)
    assert decide(judgement, owned=True, retries=0, waited=0.0, retry=RETRY).action == action


@pytest.mark.parametrize(
    ("verdict", "owned", "expected"),
    [
        (Verdict.QUOTA, True, NEXT),
        (Verdict.QUOTA, False, NEXT),
        (Verdict.QUOTA_MODEL, True, NEXT),
        (Verdict.THROTTLE_REQUEST, True, NEXT),
        (Verdict.THROTTLE_REQUEST, False, NEXT),
        (Verdict.CREDENTIAL, True, NEXT),
        (Verdict.CREDENTIAL, False, STOP),
        (Verdict.NOT_FOUND, True, NEXT),
        (Verdict.NOT_FOUND, False, STOP),
        (Verdict.REQUEST, True, STOP),
        (Verdict.CANCELLED, True, STOP),
        (Verdict.OK, True, STOP),
    ],
)
def test_verdicts_that_are_never_waited_out(verdict: Verdict, owned: bool, expected: Step) -> None:
    """C1: other errors go to the client as they are; 401/403/404 move on only for credentials of our own."""
    assert step(verdict, owned=owned, retry_after=1.0) == expected


@pytest.mark.parametrize("retry", [Retry(max_elapsed=0), Retry(initial=0), Retry(max_interval=0)])
def test_switched_off(retry: Retry) -> None:
    assert step(Verdict.TRANSIENT, retry=retry) == NEXT


@given(
    verdict=st.sampled_from(list(Verdict)),
    retry_after=st.none() | st.floats(0.001, 1e6),
    retry=st.builds(
        Retry,
        initial=st.floats(0.01, 10),
        multiplier=st.floats(1, 1e6),
        max_interval=st.floats(0.01, 10),
        max_elapsed=st.floats(0, 20),
    ),
    retries=st.integers(0, 10_000),
    waited=st.floats(0, 30),
)
def test_the_budget_is_never_exceeded(
    verdict: Verdict, retry_after: float | None, retry: Retry, retries: int, waited: float
) -> None:
    then = step(verdict, retry_after=retry_after, retry=retry, retries=retries, waited=waited)
    assert then.action in ("again", "next", "stop")
    if then.action == "again":
        assert 0 < then.delay <= retry.max_elapsed - waited
        assert then.delay >= (retry_after or 0.0)
    else:
        assert then.delay == 0.0


@pytest.mark.parametrize("error", ["connection refused", "name not known"])
@pytest.mark.parametrize(
    ("before", "alternatives", "action"),
    [
        ("cannot connect: ", True, "next"),
        ("cannot connect: ", False, "again"),
        ("", True, "again"),
        ("", False, "again"),
    ],
)
def test_an_unreachable_provider_is_not_waited_for_while_there_are_others(
    error: str, before: str, alternatives: bool, action: str
) -> None:
    """A14: what is down stays down for half a second more."""
    judgement = judge(Outcome(error=before + error), now=0.0)
    then = decide(judgement, owned=True, retries=0, waited=0.0, retry=RETRY, alternatives=alternatives)
    assert then.action == action


def test_short_waits_do_not_make_thousands_of_attempts() -> None:
    """A14: the budget of time alone would allow five thousand."""
    retry = Retry(initial=0.001, multiplier=1, max_interval=0.001)
    retries = 0
    while (then := step(Verdict.TRANSIENT, retries=retries, waited=retries * 0.001, retry=retry)).action == "again":
        retries += 1
    assert (retries, then) == (MOST_RETRIES, NEXT) == (10, NEXT)


@pytest.mark.parametrize("status", [100, 101, 103, 0, -1])
def test_a_status_that_ends_nothing_is_not_tried_again(status: int) -> None:
    judgement = judge(Outcome(status, {"x-should-retry": "true"}), now=0.0)
    assert judgement.verdict is Verdict.TRANSIENT
    assert judgement.reason == f"{status} is no final answer"
    assert decide(judgement, owned=True, retries=0, waited=0.0, retry=RETRY) == NEXT


def test_a_wait_beyond_all_numbers_is_the_longest_there_is() -> None:
    retry = Retry(initial=1, multiplier=1e300, max_interval=2, max_elapsed=5)
    judgement = Judgement(Verdict.TRANSIENT, "reset")
    assert decide(judgement, owned=True, retries=9, waited=0, retry=retry) == Step("again", 2)
