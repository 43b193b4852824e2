"""How often the log speaks of counts that no provider gave."""

from __future__ import annotations

from tests.journey.scenery import Clock, request
from turnout.exchange import Endpoint, Exchange, Target
from turnout.journey.counting import QUIET, Uncounted


def exchange(*plan: str, endpoint: Endpoint = "count_tokens") -> Exchange:
    return Exchange(request(), endpoint, plan=tuple(map(Target, plan or ("first",))))


def test_one_line_for_all_that_ended_alike() -> None:
    clock = Clock()
    uncounted = Uncounted(clock)
    news = [uncounted.is_news(exchange(), 501, served=False) for _ in range(27)]
    assert news == [True] + [False] * 26
    assert uncounted.is_news(exchange("second"), 501, served=False)
    assert uncounted.is_news(exchange(), 200, served=False), "an estimate"
    clock.now += QUIET
    assert uncounted.is_news(exchange(), 501, served=False)


def test_a_refusal_of_the_provider_is_a_count_that_it_did_not_give() -> None:
    uncounted = Uncounted(Clock())
    assert [uncounted.is_news(exchange(), 404, served=True) for _ in range(2)] == [True, False]


def test_everything_else_is_news() -> None:
    uncounted = Uncounted(Clock())
    for _ in range(3):
        assert uncounted.is_news(exchange(), 200, served=True)
        assert uncounted.is_news(exchange(endpoint="messages"), 503, served=False)


def test_memory_is_bounded() -> None:
    uncounted = Uncounted(Clock())
    for number in range(1000):
        assert uncounted.is_news(exchange(f"p{number}"), 501, served=False)
    assert len(uncounted._told) <= 100
