"""When a stream has waited long enough: for its answer, for its provider, for its client."""

from __future__ import annotations

from typing import Any, cast

import pytest

from turnout.proxy.patience import Overdue, Patience, Unread


class Limits:
    answer_within, idle_within = 10.0, 20.0
    ping_after: float | None = 15.0


def monitor(idle: float = 20.0, ping: float | None = 15.0) -> Any:
    made = Limits()
    made.idle_within, made.ping_after = idle, ping
    return cast(Any, made)


def test_the_answer_is_due_from_the_moment_it_was_asked_for() -> None:
    patience = Patience(answer_due=110.0)
    assert patience.next_look(monitor(), streaming=False) == 110
    assert patience.overdue(109.9, monitor(), streaming=False, unread=Unread.NOTHING) is None
    overdue = patience.overdue(110.0, monitor(), streaming=False, unread=Unread.NOTHING)
    assert overdue == Overdue("answer", "no first event within 10 s")


@pytest.mark.parametrize(("ping", "due"), [(15.0, 115.0), (None, 120.0), (60.0, 120.0)])
def test_the_next_look_is_at_what_comes_first(ping: float | None, due: float) -> None:
    assert Patience(heard=100, told=100).next_look(monitor(ping=ping), streaming=True) == due


def test_a_silent_provider() -> None:
    patience = Patience(heard=100)
    assert patience.overdue(119.9, monitor(), streaming=True, unread=Unread.NOTHING) is None
    overdue = patience.overdue(120.0, monitor(), streaming=True, unread=Unread.NOTHING)
    assert overdue == Overdue("provider", "silent for 20 s")


@pytest.mark.parametrize(("idle", "pause"), [(20.0, 20.0), (0.2, 10.0)])
def test_a_client_that_reads_nothing_is_not_the_providers_silence(idle: float, pause: float) -> None:
    patience = Patience(heard=100)
    assert patience.overdue(100 + pause - 0.1, monitor(idle), streaming=True, unread=Unread.WAITS) is None
    overdue = patience.overdue(100 + pause, monitor(idle), streaming=True, unread=Unread.WAITS)
    assert overdue == Overdue("client", f"the client has not read for {pause:g} s")


def test_a_client_for_which_data_is_held_has_its_time_from_then_on() -> None:
    """The provider goes on to send meanwhile, so that its silence says nothing."""
    patience = Patience(heard=100)
    for now in (101.0, 110.0, 120.9):
        patience.heard = now
        assert patience.overdue(now, monitor(), streaming=True, unread=Unread.HELD) is None
    assert patience.overdue(121.0, monitor(), streaming=True, unread=Unread.HELD) is not None
    assert patience.overdue(121.5, monitor(), streaming=True, unread=Unread.NOTHING) is None
    assert patience.overdue(122.0, monitor(), streaming=True, unread=Unread.HELD) is None, "it has read meanwhile"


def test_pings() -> None:
    patience = Patience(told=100)
    assert not patience.wants_ping(114.9, monitor()) and patience.wants_ping(115, monitor())
    assert not patience.wants_ping(10**6, monitor(ping=None))
