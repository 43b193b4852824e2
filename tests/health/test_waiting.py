"""How long a client is asked to wait: what Claude Code can bear, and never a guess of ours."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from turnout.health.waiting import LONGEST_ASKED, Wait, soonest, wait_asked

WAITS = st.lists(st.builds(Wait, st.floats(0, 1e6), st.booleans(), st.booleans()))


@given(WAITS)
def test_more_than_a_minute_only_where_all_is_used_up(waits: list[Wait]) -> None:
    seconds = wait_asked(waits)
    final = bool(waits) and all(wait.told and wait.quota for wait in waits)
    assert (seconds is None) is not any(wait.told for wait in waits)
    if seconds is not None:
        assert seconds >= 1 and (final or seconds <= LONGEST_ASKED == 60)
        first = min(wait.seconds for wait in waits)
        assert soonest(waits) == first
        assert seconds >= first or seconds == LONGEST_ASKED, "nobody comes back before something is free"


def test_nothing_known_is_nothing_wait_asked() -> None:
    assert wait_asked(()) is None and soonest(()) is None
    guesses = (Wait(66, told=False), Wait(300, told=False, quota=True))
    assert wait_asked(guesses) is None


def test_where_turnout_itself_refuses_its_guess_is_the_truth() -> None:
    assert wait_asked((), refused_here=True) is None
    assert wait_asked((Wait(19.2, told=False), Wait(300, told=False, quota=True)), refused_here=True) == 20
    assert wait_asked((Wait(300, told=False, quota=True),), refused_here=True) == 60
    assert wait_asked((Wait(300, told=True, quota=True),), refused_here=True) == 300
