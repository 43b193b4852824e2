"""When FailoverStream looks at the clock, and what a second attempt starts with."""

from __future__ import annotations

import pytest
from mitmproxy import http
from mitmproxy.connection import ConnectionState

from tests.layer.driver import Wire, body_of
from tests.layer.scenery import LAST_WORDS, PING, REQUEST, STREAM_HEAD, Addon, Clock, Monitor, chunk, plain
from turnout.proxy.steering import steering
from turnout.proxy.ticks import TICK


def streaming(addon: Addon, clock: Clock) -> Wire:
    """An answer that has begun, one second after the request."""
    wire = addon.wire()
    wire.client_sends(REQUEST)
    clock.now += 1
    wire.server_sends(STREAM_HEAD + chunk(b"ok"))
    return wire


@pytest.mark.parametrize(
    ("idle", "ping_after", "due"),
    [(20.0, None, None), (3.0, None, 3.0), (20.0, 2.0, 2.0), (3.0, 4.0, 3.0), (20.0, 10.0, None)],
)
def test_a_stream_looks_at_the_clock_when_something_is_due(
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    idle: float,
    ping_after: float | None,
    due: float | None,
) -> None:
    """Short limits are looked at in time, and long ones not more often than every few seconds."""
    monkeypatch.setattr(Monitor, "idle_within", idle)
    monkeypatch.setattr(Monitor, "ping_after", ping_after)
    wire = streaming(Addon(), clock)
    assert [wakeup.delay for wakeup in wire.wakeups] == [TICK] + ([] if due is None else [due])
    clock.now += TICK - 1
    if due is None:
        wire.wake()
        assert wire.wakeups[-1].delay == TICK


def test_a_silent_stream_is_pinged_once_in_each_gap(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Monitor, "ping_after", 8.0)
    wire = streaming(Addon(), clock)
    seen = []
    for _ in range(6):
        clock.now += 3
        wire.wake()
        seen.append(body_of(wire.answer).count(PING))
    assert seen == [0, 0, 1, 1, 1, 2] and LAST_WORDS not in wire.answer


@pytest.mark.parametrize(("closing", "ended"), [(False, False), (True, True)])
def test_signs_of_life_do_not_keep_an_answer_open_that_lacks_only_its_end(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, closing: bool, ended: bool
) -> None:
    """Pings and comments of a provider that has forgotten message_stop come for ever."""
    wire = streaming(Addon(), clock)
    monkeypatch.setattr(Monitor, "closing", closing)
    for _ in range(7):
        clock.now += 3
        wire.server_sends(chunk(PING))
        wire.wake()
    assert (LAST_WORDS in wire.answer) is ended  # nothing of it where the answer is whole


def test_a_second_attempt_starts_with_the_body_of_the_request() -> None:
    """Whoever leaves the request as it is sends what the client sent, once."""
    addon = Addon(2)
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(plain(500, b"{}"))
    assert wire.received_by(0).endswith(b"\r\n\r\n{}") and wire.received_by(1).endswith(b"\r\n\r\n{}")


def test_where_no_connection_comes_about_that_is_said() -> None:
    """Another target is then better than a second try (`unreachable`); an answer that breaks off is no such case."""
    addon = Addon(3)
    wire = addon.wire()
    wire.connect_errors = ["refused", None]
    wire.client_sends(REQUEST)
    wire.server_closes()
    assert addon.failures[0] == "cannot connect: refused"
    assert len(addon.failures) == 2 and not addon.failures[1].startswith("cannot connect")


def test_who_decides_nothing_gives_a_502() -> None:
    addon = Addon(1)
    wire = addon.wire()
    wire.hooks["upstream_failed"] = lambda flow: None
    wire.client_sends(REQUEST)
    wire.server_closes()
    assert wire.answer.startswith(b"HTTP/1.1 502") and b'"type":"error"' in wire.answer and addon.events == ["response"]


def test_a_head_that_is_refused_with_an_answer_closes_the_connection() -> None:
    """`expect`: the client has not begun to send its body, and nothing else can follow on this connection."""

    def refuse(flow: http.HTTPFlow) -> None:
        del flow.request.headers["expect"]  # or mitmproxy would ask for the body first
        flow.response = http.Response.make(413, b"{}")

    wire = Wire({"requestheaders": refuse}, Addon().wire().context.options)
    wire.client_sends(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert wire.answer.startswith(b"HTTP/1.1 413") and b"connection: close" in wire.answer.lower()
    assert not wire.client.state & ConnectionState.CAN_WRITE and not wire.servers


def test_a_request_with_expect_that_is_admitted_goes_on() -> None:
    addon = Addon(1)
    wire = addon.wire()
    wire.client_sends(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert wire.client not in wire.closed
    wire.client_sends(b"{}")
    wire.server_sends(plain(200, b"good"))
    assert body_of(wire.answer.partition(b"100 Continue\r\n\r\n")[2] or wire.answer) == b"good"


@pytest.mark.parametrize(("size", "kept"), [(10, True), (11, False)])
def test_a_body_of_exactly_the_limit_is_kept(size: int, kept: bool) -> None:
    addon = Addon()
    wire = addon.wire()

    def limit(flow: http.HTTPFlow) -> None:
        steering(flow).max_body = 10

    wire.hooks["requestheaders"] = limit
    wire.client_sends(b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"x" * size))
    wire.client_sends(b"0\r\n\r\n")
    assert addon.flow is not None
    assert (addon.flow.request.raw_content == b"x" * size) is kept and steering(addon.flow).too_large is not kept
