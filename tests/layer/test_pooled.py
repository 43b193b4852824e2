"""A connection that its server had just closed is dialled again, once, and it is nobody's failure."""

from __future__ import annotations

import pytest

from tests.layer.driver import Wire, body_of
from tests.layer.scenery import END, REQUEST, STREAM_HEAD, Addon, chunk, plain
from tests.layer.test_http2 import Http2Provider, wire_with_http2
from turnout.proxy.steering import steering


def on_a_kept_connection(addon: Addon) -> Wire:
    """The second request of a client, on the connection that the first has left open."""
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(plain(200, b"{}"))
    wire.sent.pop(wire.client)
    wire.client_sends(REQUEST)
    assert len(wire.servers) == 1 and addon.attempts == 2
    return wire


def test_it_is_dialled_again_at_once() -> None:
    """mitmproxy/mitmproxy#3038."""
    addon = Addon(same_port=True)
    wire = on_a_kept_connection(addon)
    wire.server_closes()
    assert len(wire.servers) == 2 and addon.attempts == 2 and addon.failures == []
    assert wire.received_by(1) == wire.received_by(0)[len(wire.received_by(0)) // 2 :], "the same request"
    assert addon.flow is not None and steering(addon.flow).dialled_again
    wire.server_sends(STREAM_HEAD + chunk(b"ok") + END)
    assert body_of(wire.answer) == b"ok" and addon.events == ["response", "response"]


def test_a_second_end_is_a_failure() -> None:
    addon = Addon(4, same_port=True)
    wire = on_a_kept_connection(addon)
    wire.server_closes()
    wire.server_closes()
    assert addon.failures == ["server closed connection"] and addon.attempts == 3 and len(wire.servers) == 3
    assert addon.flow is not None and not steering(addon.flow).dialled_again, "the next attempt is another"


def test_where_no_new_connection_comes_about_the_attempt_has_failed() -> None:
    addon = Addon(3, same_port=True)
    wire = on_a_kept_connection(addon)
    wire.connect_errors = ["refused"]
    wire.server_closes()
    assert addon.failures == ["cannot connect: refused"] and addon.attempts == 3
    wire.server_sends(plain(200, b"good"))
    assert body_of(wire.answer) == b"good"


def test_a_new_connection_that_ends_is_a_failure() -> None:
    addon = Addon(2)
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_closes()
    assert addon.failures == ["server closed connection"] and addon.attempts == 2


@pytest.mark.parametrize("begins", [b"HTTP/1.1 200", STREAM_HEAD, plain(200, b"123")[:-1]])
def test_an_answer_of_which_a_byte_has_come_is_not_asked_for_again(begins: bytes) -> None:
    addon = Addon(3, same_port=True)
    wire = on_a_kept_connection(addon)
    wire.server_sends(begins)
    wire.server_closes()
    assert len(addon.failures) == 1 and addon.attempts == 3


def test_who_has_left_meanwhile_dials_nothing() -> None:
    addon = Addon(3, same_port=True)
    wire = on_a_kept_connection(addon)
    wire.client_leaves()
    wire.server_closes(0)
    assert len(wire.servers) == 1 and addon.events == ["response", "error"]


@pytest.mark.parametrize("how", ["closed", "goaway"])
def test_http2(how: str) -> None:
    addon = Addon(same_port=True)
    wire, provider = wire_with_http2(addon)
    first = provider.requests[0]
    head = [(":status", "200"), ("content-type", "application/json"), ("content-length", "2")]
    provider.connection.send_headers(first, head)
    provider.connection.send_data(first, b"{}", end_stream=True)
    provider.flush()
    wire.client_sends(REQUEST)
    provider.flush()
    assert len(provider.requests) == 2 and len(wire.servers) == 1
    if how == "closed":
        wire.server_closes(0)
    else:
        provider.connection.close_connection()
        wire.server_sends(provider.connection.data_to_send(), 0)
    assert len(wire.servers) == 2 and addon.failures == [] and addon.attempts == 2
    again = Http2Provider(wire, 1)
    again.answer(200, "text/event-stream", b"ok", end=False)
    assert wire.answer.endswith(b"ok") or body_of(wire.answer).endswith(b"ok")


def test_http2_that_ends_at_its_first_request_is_a_failure() -> None:
    addon = Addon(2, same_port=True)
    wire, _ = wire_with_http2(addon)
    wire.server_closes(0)
    assert len(addon.failures) == 1 and addon.attempts == 2
