"""How long an attempt may take: what fits the plan, and what the user has set (S06, S07)."""

from __future__ import annotations

import math

import pytest

from turnout.journey.deadlines import Deadlines, deadlines
from turnout.settings.load import presets
from turnout.settings.model import Timeouts


def limits(timeouts: Timeouts | None = None, *, stream: bool = True, size: int = 0, others: bool = False) -> Deadlines:
    return deadlines(timeouts or Timeouts(), stream=stream, size=size, others=others)


def test_where_another_target_can_answer_it_is_short() -> None:
    """S06, S07: of the hundred seconds that a client waits there, most are the other one's."""
    found = limits(others=True)
    assert (found.answer, found.sign, found.content) == (30, 60, 60)
    assert (found.start, found.word) == (300, 600), "half of what a client gives to an answer that has not begun"


def test_the_last_one_gets_the_time_that_clients_give() -> None:
    found = limits()
    assert (found.answer, found.sign, found.content, found.start) == (120, 180, 180, 600)
    assert found.word == math.inf, "to give up a model that still thinks would gain nothing"


@pytest.mark.parametrize(("size", "answer"), [(0, 30), (500_000, 45), (1_000_000, 60), (30_000_000, 60)])
def test_a_long_prompt_deserves_more_time(size: int, answer: float) -> None:
    assert limits(size=size, others=True).answer == answer
    assert limits(size=size).answer == 120


@pytest.mark.parametrize("others", [False, True])
def test_what_the_user_has_set_is_obeyed(others: bool) -> None:
    first = limits(Timeouts(first_event=3), size=10**6, others=others)
    assert (first.answer, first.sign) == (3, 3) and first.content == (60 if others else 180)
    idle = limits(Timeouts(idle=4), others=others)
    assert (idle.sign, idle.content, idle.idle) == (4, 4, 4)
    request = limits(Timeouts(request=50), others=others)
    assert request.start == (50 if others else 120), "which is never shorter than the first event's"
    patient = limits(Timeouts(first_event=900, request=50), others=others)
    assert (patient.answer, patient.sign, patient.content, patient.start) == (900, 900, 900, 900)


@pytest.mark.parametrize("others", [False, True])
def test_an_answer_that_is_not_streamed_has_one_deadline(others: bool) -> None:
    found = limits(Timeouts(first_event=1), stream=False, others=others)
    assert found.answer == found.start == 600


@pytest.mark.parametrize("name", ["ollama", "lmstudio", "llamacpp", "vllm", "sglang"])
def test_local_servers_may_read_a_prompt_for_minutes(name: str) -> None:
    own = Timeouts.model_validate(presets()[name]["timeouts"])
    found = limits(own.over(Timeouts(first_event=20)), others=True)
    assert found.answer == found.sign == found.content == found.start == 600


def test_what_a_provider_sets_goes_before_what_all_have() -> None:
    both = Timeouts(idle=7).over(Timeouts(idle=9, first_event=5))
    assert (both.idle, both.first_event, both.request) == (7, 5, 600)
    assert both.model_fields_set == {"idle", "first_event"}
