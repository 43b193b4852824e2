"""A session stays with the target that served it."""

from __future__ import annotations

import pytest

from tests.health.conftest import Clock
from turnout.exchange import Target
from turnout.health.affinity import Affinity

FIRST, SECOND, THIRD = Target("anthropic"), Target("minimax", "MiniMax-M2.5"), Target("zai", "glm-5")
PLAN = (FIRST, SECOND, THIRD)


@pytest.fixture
def affinity(clock: Clock) -> Affinity:
    return Affinity(clock)


def test_the_target_that_served_comes_first(affinity: Affinity) -> None:
    assert affinity.prefer("s", "opus", PLAN) == PLAN
    affinity.served("s", "opus", THIRD)
    assert affinity.prefer("s", "opus", PLAN) == (THIRD, FIRST, SECOND)


@pytest.mark.parametrize(
    ("prompt", "begins", "home"),
    [("", True, True), ("p2", False, True), ("p1", False, False), ("", False, False), ("p1", True, True)],
)
def test_it_goes_home_when_a_turn_begins(affinity: Affinity, prompt: str, begins: bool, home: bool) -> None:
    """A new prompt, or one that answers no tool. Whether the better target rests is for its cooldown to say."""
    affinity.served("s", "opus", THIRD, prompt="p1")
    preferred = affinity.prefer("s", "opus", PLAN, prompt=prompt, begins_turn=lambda: begins)
    assert preferred == (PLAN if home else (THIRD, FIRST, SECOND))


def test_without_ids_of_prompts_before_one_is_no_news(affinity: Affinity) -> None:
    affinity.served("s", "opus", SECOND)
    assert affinity.prefer("s", "opus", PLAN, prompt="p2")[0] == SECOND


def test_who_is_at_home_is_not_looked_into(affinity: Affinity) -> None:
    """The last messages are read only where that decides something."""

    def look() -> bool:
        raise AssertionError

    affinity.served("s", "opus", FIRST)
    assert affinity.prefer("s", "opus", PLAN, begins_turn=look) == PLAN
    assert affinity.prefer("t", "opus", PLAN, begins_turn=look) == PLAN
    affinity.served("u", "opus", SECOND, prompt="p1")
    assert affinity.prefer("u", "opus", PLAN, prompt="p2", begins_turn=look) == PLAN


def test_it_moves_on_failover(affinity: Affinity) -> None:
    affinity.served("s", "opus", FIRST)
    affinity.served("s", "opus", SECOND)
    assert affinity.prefer("s", "opus", PLAN) == (SECOND, FIRST, THIRD)


def test_what_stands_beside_a_conversation_does_not_move_it(affinity: Affinity, clock: Clock) -> None:
    """A search in the middle of a turn is served at home: the turn itself goes on where it is."""
    affinity.served("s", "opus", FIRST, aside=True)
    affinity.served("s", "opus", THIRD, aside=True)
    assert affinity.prefer("s", "opus", PLAN)[0] == THIRD
    affinity.served("s", "opus", SECOND)
    affinity.served("s", "opus", FIRST, aside=True)
    assert affinity.prefer("s", "opus", PLAN)[0] == SECOND
    clock.now += 3601
    affinity.served("s", "opus", THIRD, aside=True)
    assert affinity.prefer("s", "opus", PLAN)[0] == THIRD


def test_sessions_and_routes_do_not_disturb_each_other(affinity: Affinity) -> None:
    affinity.served("s", "haiku", SECOND)
    assert affinity.prefer("s", "opus", PLAN) == PLAN
    assert affinity.prefer("t", "haiku", PLAN) == PLAN


@pytest.mark.parametrize("known", [Target("bedrock"), Target("minimax", "MiniMax-M3"), Target("minimax")])
def test_a_target_outside_the_plan_is_left_out(affinity: Affinity, known: Target) -> None:
    affinity.served("s", "opus", known)
    assert affinity.prefer("s", "opus", PLAN) == PLAN


def test_requests_without_a_session(affinity: Affinity) -> None:
    affinity.served(None, "opus", SECOND)
    assert affinity.prefer(None, "opus", PLAN) == PLAN


def test_it_lasts_an_hour_from_the_last_time(affinity: Affinity, clock: Clock) -> None:
    affinity.served("s", "opus", SECOND)
    clock.now += 3000
    affinity.served("s", "opus", SECOND)
    clock.now += 3600
    assert affinity.prefer("s", "opus", PLAN)[0] == SECOND
    clock.now += 0.1
    assert affinity.prefer("s", "opus", PLAN) == PLAN


def test_memory_is_bounded(clock: Clock) -> None:
    affinity = Affinity(clock, limit=2)
    for session in ("a", "b", "a", "c"):
        affinity.served(session, "opus", SECOND)
    kept = [session for session in "abc" if affinity.prefer(session, "opus", PLAN) != PLAN]
    assert kept == ["a", "c"]
