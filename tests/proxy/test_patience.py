"""When a stream has waited long enough: for its answer, for its provider, for its client."""

from __future__ import annotations

from typing import Any, cast

import pytest

from turnout.proxy.patience import Overdue, Patience, Unread


class Limits:
    answer_within, sign_within, start_within = 10.0, 6.0, 30.0
    content_within, word_within, idle_within = 8.0, 40.0, 20.0
    ping_after: float | None = 15.0
    held_ping_after = 3.0


def monitor(idle: float = 20.0, ping: float | None = 15.0) -> Any:
    made = Limits()
    made.idle_within, made.ping_after = idle, ping
    return cast(Any, made)


def asked() -> Patience:
    patience = Patience()
    patience.asks(100.0, head_sent=False)
    return patience


def gives_up(patience: Patience, due: float, reason: str) -> bool:
    """Whether the answer is given up then and not before, for this reason."""
    early = patience.overdue(due - 0.1, monitor(), streaming=False, unread=Unread.NOTHING)
    overdue = patience.overdue(due, monitor(), streaming=False, unread=Unread.NOTHING)
    return early is None and overdue == Overdue("answer", reason)


def test_the_answer_is_due_from_the_moment_it_was_asked_for() -> None:
    assert asked().next_look(monitor(), streaming=False) == 110
    assert gives_up(asked(), 110, "no first event within 10 s")


def test_a_sign_of_life_puts_it_off_but_not_for_ever() -> None:
    patience = asked()
    patience.hears(109, begun=False)
    assert patience.next_look(monitor(), streaming=False) == 115
    assert gives_up(patience, 115, "no first event within 6 s of silence")
    patience.hears(128, begun=False)
    assert gives_up(patience, 130, "no first event within 30 s")


def test_an_answer_that_has_begun_is_to_say_something() -> None:
    patience = asked()
    patience.hears(105, begun=True)
    assert gives_up(patience, 113, "no content within 8 s of silence")
    patience.hears(140, begun=True)
    assert gives_up(patience, 145, "no content within 40 s")


def test_the_next_attempt_starts_anew() -> None:
    patience = asked()
    patience.hears(105, begun=True)
    patience.asks(120, head_sent=False)
    assert gives_up(patience, 130, "no first event within 10 s")


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
    assert not patience.wants_ping(114.9, monitor(), streaming=True)
    assert patience.wants_ping(115, monitor(), streaming=True)
    assert not patience.wants_ping(10**6, monitor(ping=None), streaming=True)


def test_a_client_is_pinged_from_the_beginning_of_an_answer_on() -> None:
    """Also where the provider pings: its own are held back."""
    patience = asked()
    assert not patience.wants_ping(109, monitor(ping=None), streaming=False)
    patience.hears(104, begun=True)
    assert patience.next_look(monitor(ping=None), streaming=False) == 107
    assert not patience.wants_ping(106.9, monitor(ping=None), streaming=False)
    assert patience.wants_ping(107, monitor(ping=None), streaming=False)


@pytest.mark.parametrize("head_sent", [False, True])
def test_a_client_that_has_got_a_head_is_pinged_between_two_attempts(head_sent: bool) -> None:
    patience = asked()
    patience.hears(104, begun=True)
    patience.told = 107
    patience.asks(108, head_sent=head_sent)
    assert patience.wants_ping(110, monitor(), streaming=False) is head_sent
