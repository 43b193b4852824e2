"""What has said nothing is held back: it may fail and be another's, and the client is told to wait (C1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http

from tests.layer.driver import Wire, body_of, is_ended
from tests.layer.scenery import (
    END,
    FAILURES,
    LAST_WORDS,
    PING,
    REQUEST,
    STREAM_HEAD,
    Addon,
    Clock,
    Monitor,
    chunk,
    fail,
    plain,
)
from turnout.proxy.steering import steering
from turnout.proxy.ticks import TICK

ERROR = b'{"type":"error","error":{"type":"overloaded_error","message":"all"}}'


@pytest.fixture(autouse=True)
def pings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Monitor, "held_ping_after", 3.0)


def headed(addon: Addon) -> Wire:
    """An answer of which the head has come."""
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(STREAM_HEAD)
    return wire


def begun(addon: Addon) -> Wire:
    """An answer that has begun, and says nothing."""
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(STREAM_HEAD + chunk(b"go,"))
    return wire


def after(seconds: float, wire: Wire, clock: Clock) -> None:
    """Time passes, tick by tick."""
    until = clock.now + seconds
    while clock.now < until:
        clock.now = min(until, clock.now + 1)
        wire.wake()


def test_a_beginning_is_not_sent_before_it_has_waited() -> None:
    wire = begun(Addon())
    assert wire.answer == b""
    wire.server_sends(chunk(b"ok") + END)
    assert body_of(wire.answer) == b"go,ok" and is_ended(wire.answer)


@pytest.mark.parametrize("how", ["error event", "closed", "empty end"])
def test_a_beginning_that_fails_is_replaced(how: str) -> None:
    """BerriAI/litellm#38610: the client sees one answer, and one start of it."""
    addon = Addon(2)
    wire = begun(addon)
    if how == "closed":
        wire.server_closes()
    else:
        wire.server_sends(chunk(b"bad") if how == "error event" else END)
    assert addon.attempts == 2 and wire.answer == b""
    wire.server_sends(STREAM_HEAD + chunk(b"go and ok") + END)
    assert body_of(wire.answer) == b"go and ok"
    assert how != "empty end" or addon.failures == ["the stream ended before its first content"]


def test_a_client_that_waits_gets_the_head_and_pings(clock: Clock) -> None:
    addon = Addon()
    wire = begun(addon)
    after(2, wire, clock)
    assert wire.answer == b""
    after(1, wire, clock)
    assert wire.answer.startswith(b"HTTP/1.1 200 OK") and body_of(wire.answer) == PING
    wire.server_sends(chunk(b"."))
    after(3, wire, clock)
    assert body_of(wire.answer) == PING * 2, "what the provider sends is still held"
    wire.server_sends(chunk(b"ok") + END)
    assert body_of(wire.answer) == PING * 2 + b"go,.ok" and is_ended(wire.answer)
    assert wire.answer.count(b"HTTP/1.1") == 1 and addon.events == ["response"] and addon.attempts == 1


@pytest.mark.parametrize("how", FAILURES)
def test_another_answer_is_relayed_under_the_head_that_was_sent(clock: Clock, how: str) -> None:
    """Also after a third that failed in whatever way; the pings go on meanwhile."""
    addon = Addon(3)
    wire = begun(addon)
    after(3, wire, clock)
    wire.connect_errors = ["refused"] if how == "refused" else []
    wire.server_sends(chunk(b"bad"))
    fail(wire, how)
    assert addon.attempts == 3
    after(3, wire, clock)
    assert body_of(wire.answer) == PING * 2
    wire.server_sends(STREAM_HEAD + chunk(b"go and ok") + chunk(b", more") + END)
    assert body_of(wire.answer) == PING * 2 + b"go and ok, more" and is_ended(wire.answer)
    assert wire.answer.count(b"HTTP/1.1") == 1 and addon.events == ["response"] and not wire.streams
    assert addon.flow is not None and steering(addon.flow).head_sent is False, "nothing is left of it"


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (529, ERROR, ERROR),
        (529, ERROR.replace(b',"error"', b',\r\n "error"'), ERROR.replace(b',"error"', b',  "error"')),
        (
            429,
            b"<html>",
            b'{"type":"error","error":{"type":"rate_limit_error",'
            b'"message":"The answer was an error with status 429."}}',
        ),
    ],
)
def test_the_last_word_is_an_event_of_the_stream(clock: Clock, status: int, body: bytes, told: bytes) -> None:
    addon = Addon(1)
    wire = begun(addon)
    kind = {"content-type": "application/json"}
    wire.hooks["upstream_failed"] = lambda flow: setattr(flow, "response", http.Response.make(status, body, kind))
    after(3, wire, clock)
    wire.server_sends(chunk(b"bad"))
    assert body_of(wire.answer).replace(b"\r\n", b"  ") == PING + b"event: error\ndata: " + told + b"\n\n"
    assert is_ended(wire.answer) and wire.answer.count(b"HTTP/1.1") == 1 and addon.events == ["response"]
    assert addon.flow is not None and addon.flow.response is not None
    assert addon.flow.response.status_code == status, "the flow shows what was meant"


def test_without_a_head_the_last_word_keeps_its_status(clock: Clock) -> None:
    wire = begun(Addon(1))
    after(2, wire, clock)
    wire.server_sends(chunk(b"bad"))
    assert wire.answer.startswith(b"HTTP/1.1 529") and body_of(wire.answer) == b'{"all":"failed"}'


@pytest.mark.parametrize("status", [200, 400])
def test_a_complete_answer_after_the_head_is_the_rest_of_the_stream(clock: Clock, status: int) -> None:
    addon = Addon(2)
    wire = begun(addon)
    after(3, wire, clock)
    wire.server_sends(chunk(b"bad"))
    if status == 200:  # a stream in an encoding that needs the whole of it
        wire.hooks["responseheaders"] = lambda flow: None
        head = STREAM_HEAD.replace(b"transfer-encoding: chunked", b"content-length: 9")
        wire.server_sends(head + b"data: x\n\n")
        assert body_of(wire.answer) == PING + b"data: x\n\n" and is_ended(wire.answer)
    else:
        wire.server_sends(plain(400, ERROR))
        assert body_of(wire.answer).startswith(PING + b"event: error\ndata: {")
    assert wire.answer.count(b"HTTP/1.1") == 1 and addon.events == ["response"]


def test_a_client_that_leaves_under_the_head_ends_the_exchange(clock: Clock) -> None:
    addon = Addon(3)
    wire = begun(addon)
    after(3, wire, clock)
    wire.client_leaves()
    assert wire.servers[0] in wire.closed and addon.events == ["error"] and addon.attempts == 1


def test_a_stream_that_breaks_off_after_all_is_told(clock: Clock) -> None:
    wire = begun(Addon(3))
    after(3, wire, clock)
    wire.server_sends(chunk(b"ok"))
    wire.server_closes()
    assert body_of(wire.answer) == PING + b"go,ok" + LAST_WORDS and not is_ended(wire.answer)


# --- deadlines ---


def test_a_beginning_that_falls_silent_is_given_up(clock: Clock) -> None:
    addon = Addon(2)
    wire = begun(addon)
    after(7, wire, clock)
    wire.server_sends(chunk(b"."))
    after(7, wire, clock)
    assert addon.attempts == 1
    after(1, wire, clock)
    assert addon.failures == ["no content within 8 s of silence"] and addon.attempts == 2
    assert wire.servers[0] in wire.closed


def test_a_beginning_that_says_nothing_for_ever_is_given_up(clock: Clock) -> None:
    addon = Addon(2)
    wire = begun(addon)
    for _ in range(39):
        after(1, wire, clock)
        wire.server_sends(chunk(b"."))
    assert addon.attempts == 1
    after(1, wire, clock)
    assert addon.failures == ["no content within 40 s"] and addon.attempts == 2


def test_signs_of_life_put_off_the_deadline(clock: Clock) -> None:
    """Servers that read a long prompt send comments meanwhile (jundot/omlx#2537); nothing goes to the client."""
    addon = Addon(2)
    wire = headed(addon)
    for _ in range(4):
        after(5, wire, clock)
        wire.server_sends(chunk(b": "))
    assert addon.attempts == 1 and wire.answer == b""
    wire.server_sends(chunk(b"ok") + END)
    assert body_of(wire.answer) == b": : : : ok"


def test_life_and_then_silence_is_given_up(clock: Clock) -> None:
    addon = Addon(2)
    wire = headed(addon)
    after(9, wire, clock)
    wire.server_sends(chunk(b": "))
    after(5, wire, clock)
    assert addon.attempts == 1
    after(1, wire, clock)
    assert addon.failures == ["no first event within 6 s of silence"]


def test_a_head_alone_is_no_sign_of_life(clock: Clock) -> None:
    addon = Addon(2)
    wire = addon.wire()
    wire.client_sends(REQUEST)
    after(5, wire, clock)
    wire.server_sends(STREAM_HEAD)
    after(5, wire, clock)
    assert addon.failures == ["no first event within 10 s"]


def test_life_without_end_is_given_up(clock: Clock) -> None:
    addon = Addon(2)
    wire = headed(addon)
    for _ in range(29):
        after(1, wire, clock)
        wire.server_sends(chunk(b": "))
    assert addon.attempts == 1
    after(1, wire, clock)
    assert addon.failures == ["no first event within 30 s"]


@pytest.mark.parametrize(("ping", "due"), [(2.0, 2.0), (100.0, None)])
def test_the_clock_is_looked_at_when_a_held_client_is_to_be_told(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, ping: float, due: float | None
) -> None:
    monkeypatch.setattr(Monitor, "held_ping_after", ping)
    monkeypatch.setattr(Monitor, "content_within", 50.0)
    wire = begun(Addon())
    assert [wakeup.delay for wakeup in wire.wakeups] == [TICK] + ([] if due is None else [due])


ACTS = st.sampled_from(["wait", "go", ".", "bad", "close", "ok"])


@given(st.lists(ACTS, max_size=25))
def test_the_client_sees_one_answer_whatever_comes(acts: list[str]) -> None:
    """One head, pings between whole answers, and of all that is said only what one provider said."""
    addon, now = Addon(50), Clock()
    wire = addon.wire()
    wire.client_sends(REQUEST)
    stream = next(each for each in wire.streams.values())
    stream.clock = now
    stream._patience.asks(now(), head_sent=False)
    heads, said = 0, b""
    for act in acts:
        attempts = addon.attempts
        if act == "wait":
            after(3, wire, now)
        elif act == "close":
            wire.server_closes()
        else:
            wire.server_sends((b"" if heads else STREAM_HEAD) + chunk(act.encode()))
            heads, said = 1, said + act.encode()
        if addon.attempts > attempts:
            heads, said = 0, b""
        if act == "ok":
            break
    body = body_of(wire.answer)
    assert wire.answer.count(b"HTTP/1.1") <= 1
    assert body.replace(PING, b"") == (said if b"ok" in said else b"")
