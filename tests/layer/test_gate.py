"""What is not prepared is not sent, and whatever ends an attempt ends it in the same way (A17, C1)."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import brotli
import pytest
from mitmproxy import http
from mitmproxy.proxy import events
from mitmproxy.proxy.layer import NextLayerHook
from mitmproxy.proxy.layers import modes

from tests.layer.driver import Wire, body_of, is_ended, make_options
from tests.layer.scenery import END, OPTIONS, REQUEST, STREAM_HEAD, Addon, Clock, Monitor, chunk, plain
from turnout.proxy import timed
from turnout.proxy.steering import engage, steering

CLOSED = b"Turnout is not in charge of this request"
CLOSING_REQUEST = REQUEST.replace(b"Host: t", b"Host: t\r\nConnection: Close")
CHUNKED = b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"


def refused(wire: Wire) -> bool:
    """The client was told to come again, in JSON, and nothing was dialled."""
    head, _, body = wire.answer.partition(b"\r\n\r\n")
    told = head.startswith(b"HTTP/1.1 503") and b"x-should-retry: true" in head and CLOSED in body
    return told and not wire.servers


# --- not prepared, not sent ---


def test_without_an_addon_every_request_is_refused() -> None:
    wire = Wire({}, OPTIONS)
    wire.client_sends(REQUEST)
    assert refused(wire)
    wire.client_sends(REQUEST)
    assert wire.answer.count(b"HTTP/1.1 503") == 2, "the connection can be used again"


def test_a_request_that_was_admitted_but_not_prepared_is_refused() -> None:
    """The hook that prepares it raised, or another addon kept it from being called."""
    addon = Addon()
    wire = addon.wire()
    del wire.hooks["request"]
    wire.client_sends(REQUEST)
    assert refused(wire) and "response" in wire.seen


def test_what_was_prepared_for_the_attempt_before_is_not_sent_again() -> None:
    addon = Addon()
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.hooks["request"] = lambda flow: None
    wire.server_sends(plain(529, b"{}"))
    assert len(wire.servers) == 1 and wire.answer.startswith(b"HTTP/1.1 503") and CLOSED in wire.answer


@pytest.mark.parametrize(
    "change",
    [
        lambda flow: setattr(flow.request, "host", "elsewhere.example"),
        lambda flow: setattr(flow.request, "port", 9999),
        lambda flow: setattr(flow.request, "scheme", "https"),
    ],
)
def test_an_address_that_another_addon_has_changed_is_not_dialled(change: Callable[[http.HTTPFlow], None]) -> None:
    """The credential in the request is bound to the address it was prepared for."""
    addon = Addon()
    wire = addon.wire()

    def request(flow: http.HTTPFlow) -> None:
        addon.request(flow)
        change(flow)

    wire.hooks["request"] = request
    wire.client_sends(REQUEST)
    assert refused(wire)


def test_a_request_that_another_addon_wants_streamed_is_routed_all_the_same() -> None:
    addon = Addon()
    wire = addon.wire()

    def head(flow: http.HTTPFlow) -> None:
        addon.requestheaders(flow)
        flow.request.stream = True

    wire.hooks["requestheaders"] = head
    wire.client_sends(REQUEST)
    assert addon.attempts == 1 and wire.servers[0].address == ("127.0.0.1", 9001)
    assert wire.received_by(0).endswith(b"{}")


def test_large_bodies_are_not_streamed_past_the_routes() -> None:
    """mitmproxy's stream_large_bodies, set while it runs and against our protest."""
    opts = make_options()
    opts.update(stream_large_bodies="1")
    for hooks in ({}, None):
        addon = Addon()
        wire = Wire(hooks if hooks is not None else addon.wire().hooks, opts)
        wire.client_sends(REQUEST.replace(b"Length: 2", b"Length: 8") + b"123456")
        assert addon.attempts == 0 or hooks is None
        assert refused(wire) if hooks is not None else wire.servers[0].address == ("127.0.0.1", 9001)


# --- reverse mode is HTTP, and dials nothing by itself ---


def reverse_wire(mode: str, hooks: dict[str, Callable[[http.HTTPFlow], None]], **changes: object) -> Wire:
    opts = make_options()
    opts.update(**changes)
    wire = Wire(hooks, opts, mode=mode)
    wire.context.layers = []
    wire.layer = modes.ReverseProxy(wire.context)  # type: ignore[assignment]
    wire.feed(events.Start())
    return wire


@pytest.mark.parametrize("strategy", ["lazy", "eager"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_option_opens_reverse_mode(scheme: str, strategy: str) -> None:
    """`next_layer` is not even asked, so that no option and no addon can make raw TCP of a connection."""
    wire = reverse_wire(f"{scheme}://127.0.0.1:9".join(["reverse:", ""]), {}, connection_strategy=strategy)
    wire.client_sends(REQUEST)
    assert refused(wire) and NextLayerHook.name not in wire.seen


def test_the_first_bytes_may_come_one_by_one() -> None:
    wire = reverse_wire("reverse:http://127.0.0.1:9", Addon().wire().hooks)
    for byte in REQUEST:
        wire.client_sends(bytes([byte]))
    assert wire.servers[0].address == ("127.0.0.1", 9001)


@pytest.mark.parametrize("scheme", ["tcp", "tls", "dns"])
def test_a_target_that_is_not_http_is_not_served(scheme: str) -> None:
    wire = reverse_wire(f"reverse:{scheme}://127.0.0.1:9", {})
    wire.client_sends(REQUEST)
    assert not wire.servers and not wire.answer and wire.client in wire.closed


def test_a_client_that_leaves_before_its_first_bytes() -> None:
    wire = reverse_wire("reverse:http://127.0.0.1:9", {})
    wire.client_leaves()
    assert wire.client in wire.closed and not wire.servers


def test_a_connection_that_says_nothing_is_closed() -> None:
    wire = reverse_wire("reverse:http://127.0.0.1:9", {})
    wire.client_sends(b"PO")
    assert wire.wakeups[0].delay == 60
    wire.wake(0)
    assert wire.client in wire.closed and not wire.answer


def test_a_timer_that_outlives_the_beginning_bothers_nobody() -> None:
    wire = reverse_wire("reverse:http://127.0.0.1:9", Addon().wire().hooks)
    wire.client_sends(REQUEST)
    wire.wake(0)
    wire.server_sends(plain(200, b"{}"))
    assert wire.answer.startswith(b"HTTP/1.1 200")


HALF_A_HELLO = b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + b"\0" * 16380
"""Records of TLS that announce a ClientHello of 16 MB."""


def test_a_handshake_without_end_is_cut_off() -> None:
    """mitmproxy would keep it all, and read it from its beginning with every piece."""
    wire = reverse_wire("reverse:http://127.0.0.1:9", {})
    for _ in range(3):
        wire.client_sends(HALF_A_HELLO)
    assert wire.client not in wire.closed
    wire.client_sends(HALF_A_HELLO)
    assert wire.client in wire.closed


def test_a_handshake_that_stops_is_cut_off() -> None:
    wire = reverse_wire("reverse:https://127.0.0.1:9", {})
    wire.client_sends(HALF_A_HELLO[:100])
    wire.wake(0)
    assert wire.client in wire.closed


# --- whatever ends an attempt ends it in the same way ---


BAD_HEADS = [
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, identity\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nbad name: x\r\ncontent-length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n{}",
    b"HTTP/1.1 abc OK\r\n\r\n",
    b"SSH-2.0-x\r\n\r\n",
]


@pytest.mark.parametrize("head", BAD_HEADS)
def test_a_head_that_mitmproxy_refuses_is_a_failed_attempt(head: bytes) -> None:
    addon = Addon()
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(head)
    assert addon.attempts == 2 and addon.failures[0] and addon.events == []
    wire.server_sends(plain(200, b"{}"))
    assert wire.answer.startswith(b"HTTP/1.1 200") and addon.events == ["response"]
    assert addon.flow is not None and addon.flow.error is None


@pytest.mark.parametrize("head", BAD_HEADS[:2])
def test_a_refused_head_of_the_last_target_is_told_by_the_addon(head: bytes) -> None:
    addon = Addon(1)
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(head)
    assert wire.answer.startswith(b"HTTP/1.1 529") and body_of(wire.answer) == b'{"all":"failed"}'


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("declared", [True, False])
def test_an_answer_over_the_limit_is_given_up(status: int, declared: bool) -> None:
    addon = Addon()
    wire = addon.wire()
    wire.client_sends(REQUEST)
    if declared:
        wire.server_sends(b"HTTP/1.1 %d X\r\ncontent-length: 1000001\r\n\r\n" % status)
    else:
        wire.server_sends(CHUNKED % status + chunk(b"x" * 999_999))
        assert addon.attempts == 1
        wire.server_sends(chunk(b"xx"))
    assert addon.attempts == 2 and "larger than 1000000 bytes" in addon.failures[0]
    wire.server_sends(plain(200, b"{}"))
    assert wire.answer.startswith(b"HTTP/1.1 200")


def test_mitmproxys_own_limit_moves_on_as_well() -> None:
    opts = make_options()
    opts.update(body_size_limit="100")
    addon = Addon()
    wire = Wire(addon.wire().hooks, opts)
    wire.client_sends(REQUEST)
    wire.server_sends(plain(200, b"x" * 101))
    assert addon.attempts == 2 and "body_size_limit" in addon.failures[0] and addon.events == []


@pytest.mark.parametrize("name", ["gzip", "br", "deflate"])
def test_an_answer_that_unpacks_over_the_limit_is_given_up(name: str) -> None:
    """A small body may unpack into gigabytes, and mitmproxy opens whatever is asked for."""
    large = b"x" * 3_000_000
    packed = {"gzip": gzip.compress, "br": brotli.compress, "deflate": gzip.zlib.compress}[name](large)
    addon = Addon()
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(plain(200, packed).replace(b"\r\n\r\n", b"\r\ncontent-encoding: %s\r\n\r\n" % name.encode(), 1))
    assert addon.attempts == 2 and "larger than 1000000 bytes" in addon.failures[0]


@pytest.mark.parametrize(
    "breaks",
    [
        lambda wire: wire.server_closes(),
        lambda wire: wire.server_sends(b"zz\r\n"),
        lambda wire: wire.server_sends(b"0\r\nx: y\r\n" + b"z" * 70_000),
    ],
)
def test_a_stream_that_breaks_after_its_end_is_whole(breaks: Callable[[Wire], None]) -> None:
    """Only the framing of the connection is missing, which the client need not know."""
    addon = Addon()
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(STREAM_HEAD + chunk(b"ok") + chunk(b"the end"))
    breaks(wire)
    assert is_ended(wire.answer) and body_of(wire.answer) == b"okthe end" and addon.events == ["response"]
    assert addon.monitors[0].finished and addon.flow is not None and addon.flow.error is None


# --- the client ---


def test_the_wish_to_close_is_honoured_whatever_the_answer() -> None:
    """The header goes with the first attempt: `connection` is between the client and us (RFC 9110, 7.6.1)."""
    for status in (200, 529):
        addon = Addon(1)
        wire = addon.wire()
        wire.client_sends(CLOSING_REQUEST)
        wire.server_sends(plain(status, b"{}"))
        assert b"connection: close" in wire.answer and wire.client in wire.closed


def test_a_stream_is_closed_for_a_client_that_wants_it() -> None:
    wire = Addon().wire()
    wire.client_sends(CLOSING_REQUEST)
    wire.server_sends(STREAM_HEAD + chunk(b"ok") + END)
    assert b"connection: close" in wire.answer and is_ended(wire.answer) and wire.client in wire.closed


def test_a_client_that_reads_nothing_any_more_is_left(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A suspended Claude Code must not keep a slot. Its provider is not to blame, so no last words are said of it."""
    addon = Addon()
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(STREAM_HEAD + chunk(b"ok"))
    monkeypatch.setattr(timed, "has_unread", lambda client: True)
    clock.now += 19
    wire.wake()
    assert addon.events == []
    clock.now += 1
    wire.wake()
    assert addon.events == ["error"] and addon.flow is not None and addon.flow.error is not None
    assert addon.flow.error.msg == "the client has not read for 20 s"
    assert not hasattr(addon.monitors[0], "reason") and wire.client in wire.closed
    assert wire.servers[0] in wire.closed and not wire.streams


def test_a_slow_client_that_still_reads_is_served(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the provider sends is only read when the client has caught up: each read is a sign of life."""
    addon = Addon()
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(STREAM_HEAD + chunk(b"ok"))
    monkeypatch.setattr(timed, "has_unread", lambda client: True)
    for _ in range(5):
        clock.now += 19
        wire.wake()
        wire.server_sends(chunk(b"more"))
    wire.server_sends(END)
    assert addon.events == ["response"] and is_ended(wire.answer)


# --- faults of our own ---


class Failing(Monitor):
    """Raises in one of its methods."""

    def __init__(self, method: str) -> None:
        super().__init__()
        setattr(self, method, self._raise)

    def _raise(self, *_: object) -> None:
        raise RuntimeError("a fault in the monitor")


def broken_wire(method: str) -> tuple[Addon, Wire]:
    addon = Addon()
    wire = addon.wire()

    def request(flow: http.HTTPFlow) -> None:
        addon.request(flow)
        addon.monitors[-1] = Failing(method)
        engage(flow, addon.monitors[-1])

    wire.hooks["request"] = request
    wire.client_sends(REQUEST)
    return addon, wire


@pytest.mark.parametrize(("method", "answer"), [("peek", STREAM_HEAD + chunk(b"ok")), ("accepts", plain(200, b"{}"))])
def test_a_fault_before_the_answer_is_a_json_500(method: str, answer: bytes) -> None:
    addon, wire = broken_wire(method)
    wire.server_sends(answer)
    assert wire.answer.startswith(b"HTTP/1.1 500") and b"Turnout failed; see its log." in wire.answer
    assert addon.events == ["error"] and wire.client in wire.closed and not wire.streams


@pytest.mark.parametrize("method", ["relay", "finish"])
def test_a_fault_in_mid_stream_ends_the_stream(method: str) -> None:
    """The client sees a broken stream at once instead of waiting for one that never goes on."""
    addon, wire = broken_wire(method)
    wire.server_sends(STREAM_HEAD + chunk(b"ok") + chunk(b"more") + END)
    assert not is_ended(wire.answer) and wire.client in wire.closed
    assert addon.events == ["error"] and not wire.streams


def test_an_answer_that_a_fault_has_replaced_is_sent_whole() -> None:
    """A hook that failed at the answer's headers: the rest of the provider's body must not end up in our 500."""
    addon = Addon()
    wire = addon.wire()

    def fail(flow: http.HTTPFlow) -> None:
        steering(flow).monitor = None
        flow.response = http.Response.make(500, b'{"fault":1}')

    wire.hooks["responseheaders"] = fail
    wire.client_sends(REQUEST)
    wire.server_sends(STREAM_HEAD + chunk(b"ok"))
    assert wire.answer.startswith(b"HTTP/1.1 500") and body_of(wire.answer) == b'{"fault":1}'
    assert addon.events == ["response"] and wire.servers[0] in wire.closed


def test_a_fault_in_another_mode_is_mitmproxys_own() -> None:
    wire = Wire({}, OPTIONS, mode="regular")

    def fail(flow: http.HTTPFlow) -> None:
        flow.response.stream = Failing("relay")  # type: ignore[union-attr]

    wire.hooks["responseheaders"] = fail
    wire.client_sends(REQUEST)
    with pytest.raises(RuntimeError):
        wire.server_sends(STREAM_HEAD + chunk(b"ok"))
