"""FailoverStream, driven by events: failures before the first event stay invisible, later ones are told (C1, C3)."""

from __future__ import annotations

import gc
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.proxy.layers import http as layer

from tests.layer.driver import Wire, body_of, is_ended
from tests.layer.scenery import (
    END,
    FAILURES,
    LAST_WORDS,
    OPTIONS,
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
from turnout.proxy import failover
from turnout.proxy.installing import PLACES, install, uninstall
from turnout.proxy.steering import steering


def test_install_is_undone() -> None:
    """Each class stands for mitmproxy's own, however often it was installed."""
    install()
    assert layer.HttpStream is failover.FailoverStream
    uninstall()
    for module, name, ours in PLACES:
        found = getattr(module, name)
        assert found is not ours and found.__name__ == name and found.__module__.startswith("mitmproxy.")


def test_first_attempt_streams_through() -> None:
    addon = Addon()
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(STREAM_HEAD)
    assert wire.answer == b"", "headers are held until the first valid event"
    wire.server_sends(chunk(b"o"))
    assert wire.answer == b""
    wire.server_sends(chunk(b"k1"))
    assert body_of(wire.answer) == b"ok1"
    wire.server_sends(chunk(b"more") + END)
    assert body_of(wire.answer) == b"ok1more" and is_ended(wire.answer)
    assert addon.attempts == 1 and addon.events == ["response"] and not wire.streams


def test_a_stream_that_is_an_answer_only_as_a_whole() -> None:
    """Its end decides: then it goes to the client like one that was good from the beginning."""
    addon = Addon()
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(STREAM_HEAD + chunk(b"who"))
    wire.server_sends(chunk(b"le"))
    assert wire.answer == b""
    wire.server_sends(END)
    assert body_of(wire.answer) == b"whole" and is_ended(wire.answer)
    assert addon.attempts == 1 and addon.events == ["response"] and not wire.streams
    wire.client_sends(REQUEST)
    assert addon.attempts == 2, "the connection goes on"


KEPT_OPEN = {"429", "empty stream", "undecided stream ends"}
"""Failures after which the connection is used again; one that is closed then is dialled again within the attempt."""

PAIRS = [
    (first, second, same_port)
    for first in FAILURES
    for second in FAILURES
    for same_port in (False, True)
    # At the same address a connection that is still good is used again: no second connect could be refused.
    if not (same_port and second == "refused" and first != "refused")
]


@pytest.mark.parametrize(("first", "second", "same_port"), PAIRS)
def test_failed_attempts_leave_no_trace(first: str, second: str, same_port: bool) -> None:
    """C1: whatever happens before the first event, the client sees the third provider's answer only."""
    addon = Addon(3, same_port=same_port)
    wire = addon.wire()
    wire.connect_errors = ["refused" if how == "refused" else None for how in (first, second)]
    if same_port:  # a connection that is still good is used again, so that connects and attempts do not pair up
        wire.connect_errors = ["refused"] * (first == "refused") + ["refused"] * (first == second == "refused")
    wire.client_sends(REQUEST)
    fail(wire, first)
    fail(wire, second)
    if same_port and first in KEPT_OPEN and second == "closed before headers":
        fail(wire, second)
    assert addon.attempts == 3 and len(addon.failures) == 2
    wire.server_sends(STREAM_HEAD + chunk(b"ok") + END)
    assert body_of(wire.answer) == b"ok" and is_ended(wire.answer)
    assert wire.answer.count(b"HTTP/1.1") == 1
    assert addon.events == ["response"] and not wire.streams


@pytest.mark.parametrize("how", FAILURES)
def test_all_failed_gives_the_addons_answer(how: str) -> None:
    addon = Addon(1)
    wire = addon.wire()
    wire.connect_errors = ["refused"] if how == "refused" else []
    wire.client_sends(REQUEST)
    fail(wire, how)
    assert wire.answer.startswith(b"HTTP/1.1 529") and body_of(wire.answer) == b'{"all":"failed"}'
    assert addon.events == ["response"] and addon.failures and not wire.streams


def test_connection_serves_the_next_request_after_a_failover() -> None:
    addon = Addon(2)
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(plain(429, b"{}"))
    wire.server_sends(STREAM_HEAD + chunk(b"ok") + END)
    addon.attempts = 0
    wire.client_sends(REQUEST)
    wire.server_sends(plain(200, b"{}"), 0)  # the first provider's connection was kept alive
    assert wire.answer.count(b"HTTP/1.1 200") == 2 and len(wire.servers) == 2


def test_late_events_of_an_abandoned_attempt_reach_nobody() -> None:
    """A provider that keeps talking after it was given up, also while the hook still runs."""
    addon = Addon(2)
    wire = addon.wire()
    wire.held = {"upstream_failed"}
    wire.client_sends(REQUEST)
    wire.server_sends(STREAM_HEAD + chunk(b"bad") + chunk(b"ok, really"))
    wire.server_sends(chunk(b"ok") + END, 0)
    wire.resume()
    wire.server_sends(b"ok" + END, 0)
    wire.server_sends(STREAM_HEAD + chunk(b"ok2") + END)
    assert body_of(wire.answer) == b"ok2" and addon.attempts == 2


@pytest.mark.parametrize("held", ["upstream_failed", "request", "responseheaders", "connect"])
def test_client_that_leaves_during_a_wait_ends_the_exchange(held: str) -> None:
    addon = Addon(3)
    wire = addon.wire()
    wire.held = {held}
    wire.client_sends(REQUEST)
    if held in ("upstream_failed", "responseheaders"):
        wire.server_sends(plain(429, b"{}"))
    wire.client_leaves()
    wire.held = set()
    wire.resume()
    assert addon.attempts <= 1
    assert addon.events == ["error"]
    assert wire.answer == b""


@pytest.mark.parametrize("sent", [b"", STREAM_HEAD, STREAM_HEAD + chunk(b"ok")])
def test_client_that_leaves_cancels_the_provider_at_once(sent: bytes) -> None:
    addon = Addon(3)
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(sent)
    wire.client_leaves()
    assert wire.servers[0] in wire.closed
    assert addon.events == ["error"] and addon.attempts == 1


def test_provider_that_dies_in_mid_stream_is_told_and_never_replaced() -> None:
    addon = Addon(3)
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(STREAM_HEAD + chunk(b"ok"))
    wire.server_closes()
    assert body_of(wire.answer) == b"ok" + LAST_WORDS
    assert not is_ended(wire.answer), "a broken stream must not look finished"
    assert wire.client in wire.closed and addon.attempts == 1 and addon.events == ["error"]


def test_no_first_event_in_time(clock: Clock) -> None:
    addon = Addon(2)
    wire = addon.wire()
    wire.client_sends(REQUEST)
    clock.now += 9.9
    wire.wake()
    assert addon.attempts == 1
    wire.server_sends(STREAM_HEAD + chunk(b"hm"))
    clock.now += 0.2
    wire.wake()
    assert addon.failures == ["no first event within 10 s"] and addon.attempts == 2
    assert wire.servers[0] in wire.closed
    wire.server_sends(STREAM_HEAD + chunk(b"ok") + END)
    assert body_of(wire.answer) == b"ok"


def test_deadline_covers_an_answer_that_does_not_stream(clock: Clock) -> None:
    addon = Addon(2)
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(plain(200, b"12345")[:-2])
    clock.now += 10
    wire.wake()
    assert addon.attempts == 2
    wire.server_sends(plain(200, b"late"))
    assert body_of(wire.answer) == b"late"


def test_ticks_of_an_earlier_attempt_mean_nothing(clock: Clock) -> None:
    addon = Addon(2)
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(plain(500, b"{}"))
    clock.now += 100
    wire.wake(0)
    assert addon.attempts == 2 and addon.failures == [""]


def test_silence_inside_a_stream_ends_it(clock: Clock) -> None:
    addon = Addon(3)
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(STREAM_HEAD + chunk(b"ok"))
    for _ in range(3):
        clock.now += 19
        wire.wake()
        wire.server_sends(chunk(b"."))
    clock.now += 20
    wire.wake()
    assert body_of(wire.answer) == b"ok..." + LAST_WORDS and not is_ended(wire.answer)
    assert addon.monitors[0].reason == "silent for 20 s"
    assert wire.servers[0] in wire.closed and addon.attempts == 1


def test_pings_fill_gaps_but_do_not_excuse_silence(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Monitor, "ping_after", 8.0)
    addon = Addon()
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(STREAM_HEAD + chunk(b"ok"))
    wire.wake()  # the tick that was asked for before the answer began
    for _ in range(2):
        clock.now += 8
        wire.wake()
    assert body_of(wire.answer) == b"ok" + PING * 2
    clock.now += 4
    wire.wake()
    assert body_of(wire.answer) == b"ok" + PING * 2 + LAST_WORDS


def test_finished_stream_asks_for_no_more_ticks(clock: Clock) -> None:
    addon = Addon()
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(STREAM_HEAD + chunk(b"ok") + END)
    asked = len(wire.wakeups)
    wire.wake()
    assert len(wire.wakeups) == asked


def test_a_finished_stream_is_not_kept_by_its_timer(clock: Clock) -> None:
    """Its timer may run for seconds more; both bodies must not stay in memory that long."""
    wire = Addon().wire()
    wire.client_sends(REQUEST)
    stream = wire.layer.streams[1]
    wire.server_sends(STREAM_HEAD + chunk(b"ok") + END)
    assert stream not in wire.layer.command_sources.values()
    wire.wake()  # the timer finds nobody
    assert not wire.layer.command_sources


def test_a_killed_flow_leaves_nothing_in_memory() -> None:
    wire = Addon().wire()
    wire.held = {"responseheaders"}
    wire.client_sends(REQUEST)
    wire.server_sends(STREAM_HEAD)
    stream = wire.layer.streams[1]
    stream.flow.kill()
    wire.resume()
    layer_of_client = weakref.ref(wire.layer)
    del wire, stream
    gc.collect()
    assert layer_of_client() is None


def test_the_next_stream_takes_over_a_timer_that_still_runs(clock: Clock) -> None:
    addon = Addon(2)
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(plain(200, b"{}"))
    clock.now += 3
    wire.client_sends(REQUEST)
    assert len(wire.wakeups) == 1
    clock.now += 2
    wire.wake()
    assert len(wire.wakeups) == 2, "and asks for its own when it comes"
    clock.now += 10
    wire.wake()
    assert addon.failures == ["no first event within 10 s"]


def test_errors_of_mitmproxy_itself_are_json() -> None:
    """A request that mitmproxy refuses gets JSON in the API's shape, not its HTML page."""
    wire = Addon().wire()
    wire.client_sends(
        b"POST /v1/messages HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert wire.answer.startswith(b"HTTP/1.1 400")
    assert b'"type":"invalid_request_error"' in wire.answer and b"<html" not in wire.answer


def test_request_body_over_the_limit_is_not_kept() -> None:
    """C5: the addon is told and answers at once, the rest is read off the wire, nothing is buffered."""
    addon = Addon()
    wire = addon.wire()

    def arrive(flow: http.HTTPFlow) -> None:
        steering(flow).max_body = 10

    def refuse(flow: http.HTTPFlow) -> None:
        assert steering(flow).too_large and not flow.request.raw_content
        flow.response = http.Response.make(413, b"{}")

    wire.hooks |= {"requestheaders": arrive, "request": refuse}
    wire.client_sends(b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"x" * 8))
    assert wire.answer == b""
    wire.client_sends(chunk(b"y" * 8))
    assert wire.answer.startswith(b"HTTP/1.1 413") and b"connection: close" in wire.answer
    wire.client_sends(chunk(b"z" * 1000) + END)
    assert wire.answer.count(b"HTTP/1.1") == 1 and addon.events == ["response"]
    assert not wire.servers and not wire.streams


def test_a_flow_without_monitor_is_mitmproxys_own() -> None:
    """Flows of other modes than the reverse one behave as in plain mitmproxy, streams included."""

    def stream(flow: http.HTTPFlow) -> None:
        assert flow.response is not None
        flow.response.stream = True

    wire = Wire({"responseheaders": stream}, OPTIONS, mode="regular")
    wire.client_sends(REQUEST)
    wire.server_sends(STREAM_HEAD + chunk(b"bad") + END)
    assert body_of(wire.answer) == b"bad" and is_ended(wire.answer)


outcomes = st.sampled_from(sorted(FAILURES))


@given(st.lists(outcomes, max_size=6), st.integers(1, 5), st.lists(st.integers(1, 40), max_size=12), st.booleans())
def test_any_sequence_of_failures(failures: list[str], plan: int, cuts: list[int], same_port: bool) -> None:
    """Exactly one answer reaches the client, attempts never exceed the plan, no byte of a failed attempt leaks."""
    addon = Addon(plan, same_port=same_port)
    wire = addon.wire()
    wire.client_sends(REQUEST)
    for how in failures:
        if addon.attempts > plan or addon.events:
            break
        if how == "refused":  # arranged for the next attempt; this one fails in another way
            wire.connect_errors = ["refused"]
            wire.server_sends(plain(500, b"first"))
        else:
            fail(wire, how)
    good = STREAM_HEAD + chunk(b"ok") + chunk(b"second part") + END
    start = 0
    for cut in [*cuts, len(good)]:
        if not addon.events:
            wire.server_sends(good[start : start + cut])
        start += cut
    assert addon.attempts <= plan
    assert addon.events == ["response"]
    assert wire.answer.count(b"HTTP/1.1") == 1
    assert body_of(wire.answer) in (b"oksecond part", b'{"all":"failed"}')
    assert not wire.streams
