"""An answer that is over ends for its client at once, whatever its provider makes of the connection."""

from __future__ import annotations

import gc
import weakref

import pytest

from tests.layer.driver import body_of, is_ended
from tests.layer.scenery import END, REQUEST, STREAM_HEAD, Addon, Clock, Monitor, chunk


@pytest.fixture(autouse=True)
def over_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Monitor, "over", property(lambda self: self.ended))


@pytest.mark.parametrize("chunks", [[b"ok, the end"], [b"ok, ", b"the end"]])
def test_the_client_does_not_wait_for_the_end_of_the_connection(chunks: list[bytes]) -> None:
    addon = Addon(same_port=True)
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(STREAM_HEAD)
    for each in chunks:
        wire.server_sends(chunk(each))
    assert body_of(wire.answer) == b"ok, the end" and is_ended(wire.answer)
    assert addon.events == ["response"] and addon.monitors[0].finished and not wire.closed
    answer = wire.answer
    wire.server_sends(chunk(b"more") + END)
    assert wire.answer == answer and not wire.streams, "nothing follows"
    wire.client_sends(REQUEST)
    assert len(wire.servers) == 1, "its end has come: the connection serves the next request"
    wire.server_sends(STREAM_HEAD + chunk(b"ok") + END)
    assert wire.answer.count(b"HTTP/1.1 200") == 2 and addon.events == ["response"] * 2


def test_an_end_in_the_same_breath_leaves_nothing_to_wait_for() -> None:
    addon = Addon(same_port=True)
    wire = addon.wire()
    for _ in range(3):
        wire.client_sends(REQUEST)
        wire.server_sends(STREAM_HEAD + chunk(b"ok, the end") + END)
        assert not wire.streams
    assert len(wire.servers) == 1 and len(wire.wakeups) == 1 and not wire.closed


def test_a_connection_that_stays_open_makes_room_for_the_next_request() -> None:
    addon = Addon(same_port=True)
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(STREAM_HEAD + chunk(b"ok, the end"))
    wire.client_sends(REQUEST)
    assert len(wire.servers) == 2 and wire.closed == [wire.servers[0]]
    wire.server_sends(chunk(b"late"), 0)
    wire.server_sends(STREAM_HEAD + chunk(b"ok2, the end") + END)
    assert wire.answer.count(b"HTTP/1.1 200") == 2 and b"late" not in wire.answer and b"ok2" in wire.answer
    assert not wire.streams and addon.attempts == 2


def test_a_connection_that_stays_open_is_given_up_at_the_next_tick(clock: Clock) -> None:
    addon = Addon()
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(STREAM_HEAD + chunk(b"ok, the end"))
    answer = wire.answer
    clock.now += 5
    wire.wake()
    assert wire.closed == [wire.servers[0]] and not wire.streams and not wire.layer.command_sources
    assert wire.answer == answer and len(wire.wakeups) == 1


@pytest.mark.parametrize("late", [b"", chunk(b"more"), b"no chunk at all\r\n"])
def test_a_connection_that_breaks_after_the_end_breaks_nothing(late: bytes) -> None:
    addon = Addon()
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(STREAM_HEAD + chunk(b"ok, the end"))
    wire.server_sends(late)
    wire.server_closes()
    assert is_ended(wire.answer) and wire.client not in wire.closed
    assert addon.events == ["response"] and not addon.failures and not wire.streams


def test_the_end_may_come_while_the_hook_runs() -> None:
    wire = Addon().wire()
    wire.held = {"response"}
    wire.client_sends(REQUEST)
    wire.server_sends(STREAM_HEAD + chunk(b"ok, the end"))
    wire.server_sends(END)
    wire.resume()
    assert is_ended(wire.answer) and not wire.streams


def test_what_waits_for_the_end_keeps_no_answer_in_memory() -> None:
    addon = Addon()
    wire = addon.wire()
    wire.client_sends(REQUEST)
    stream = weakref.ref(wire.layer.streams[1])
    wire.server_sends(STREAM_HEAD + chunk(b"ok, the end"))
    addon.flow = None
    gc.collect()
    assert stream() is None and len(wire.streams) == 1
    wire.client_leaves()
    layer_of_client = weakref.ref(wire.layer)
    del wire
    gc.collect()
    assert layer_of_client() is None
