"""The HTTP/1 connections, driven by events: what is bounded, refused in JSON, and answered before it has come."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from mitmproxy import http
from mitmproxy.connection import ConnectionState
from mitmproxy.net.http import http1
from mitmproxy.proxy import events
from mitmproxy.proxy.layers import http as layer
from mitmproxy.proxy.layers.http import _http1
from mitmproxy.proxy.mode_specs import ProxyMode

from tests.layer.driver import Wire, body_of, is_ended
from tests.layer.scenery import END, REQUEST, STREAM_HEAD, Addon, Clock, chunk, plain
from turnout.proxy import bounds
from turnout.proxy import http1 as ours
from turnout.proxy.steering import steering

HEAD = b"POST /v1/messages HTTP/1.1\r\nHost: t\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
TRAILERS = b"0\r\nserver-timing: total;dur=5\r\nx-checksum: 1\r\n\r\n"


def error_of(answer: bytes) -> tuple[int, str]:
    """Status and error type of the one answer, which must be JSON of the length it tells, and the last."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert "connection: close" in lines and f"content-length: {len(body)}" in lines, answer
    assert "content-type: application/json" in lines
    error = json.loads(body)
    assert error["type"] == "error"
    return int(lines[0].split()[1]), error["error"]["type"]


def is_closing(wire: Wire) -> bool:
    """Closed for writing, still read."""
    return wire.client.state is ConnectionState.CAN_READ


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(ours.BoundedServer, "clock", staticmethod(clock))
    return clock


# --- what of mitmproxy this leans on ---


def test_the_seams_are_where_they_were() -> None:
    """Canary: names that are swapped, buffers that are replaced, states that are entered."""
    assert layer.Http1Server is ours.http1_server and layer.Http1Client is ours.http1_client
    wire = Addon().wire()
    server = wire.layer.connections[wire.client]
    assert type(server) is ours.BoundedServer and type(server.buf) is bounds.BoundedBuffer
    assert {"_data", "_multiple_lines_search"} <= vars(server.buf).keys()
    for name in ("read_headers", "read_body", "wait", "done", "send", "mark_done"):
        assert callable(getattr(_http1.Http1Server, name))
    wire.client_sends(REQUEST)
    client = wire.layer.connections[wire.servers[0]].child_layer
    assert type(client) is ours.BoundedClient and type(client.buf) is bounds.BoundedBuffer


def test_mitmproxy_still_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Canary: when mitmproxy bounds heads or reads trailers by itself, this module may shrink."""
    monkeypatch.setattr(layer, "Http1Server", _http1.Http1Server)
    wire = Addon().wire()
    wire.client_sends(HEAD + b"a: b\r\n" * 100_000)
    assert wire.answer == b"" and wire.client.state is ConnectionState.OPEN
    wire = Addon().wire()
    with pytest.raises(NotImplementedError, match="trailers"):
        wire.client_sends(CHUNKED + TRAILERS)


@pytest.mark.parametrize("mode", ["regular", "upstream:http://127.0.0.1:9", "transparent"])
def test_other_modes_keep_mitmproxys_own(mode: str) -> None:
    wire = Addon().wire()
    wire.client.proxy_mode = ProxyMode.parse(mode)
    assert type(layer.Http1Server(wire.context.fork())) is _http1.Http1Server
    assert type(layer.Http1Client(wire.context.fork())) is _http1.Http1Client


# --- heads ---


def flood(line: bytes, size: int) -> bytes:
    return line * (size // len(line) + 1)


FLOODS = {
    "header lines": HEAD + flood(b"a: b\r\n", bounds.MAX_HEAD),
    "one long header": HEAD + b"a: " + b"b" * bounds.MAX_HEAD,
    "a request line": b"POST /" + b"a" * bounds.MAX_HEAD,
    "no line at all": b"\x00" * (bounds.MAX_HEAD + 1),
    "lines with bare line feeds": HEAD + flood(b"a:\n", bounds.MAX_HEAD),
    "folded lines": HEAD + b"a: b\r\n" + flood(b" c\r\n", bounds.MAX_HEAD),
    "too many lines in a small head": HEAD + b"a:\r\n" * bounds.MAX_LINES + b"\r\n",
    "empty lines": b"\r\n" * (bounds.MAX_BLANK_LINES + 1),
    "empty lines, bare": b"\n" * (bounds.MAX_BLANK_LINES + 1),
}


@pytest.mark.parametrize("name", FLOODS)
@pytest.mark.parametrize("piece", [65535, 1000])
def test_a_head_without_end_is_refused(name: str, piece: int) -> None:
    wire, data = Addon().wire(), FLOODS[name]
    for start in range(0, len(data), piece):
        wire.client_sends(data[start : start + piece])
    assert error_of(wire.answer) == (431, "invalid_request_error")
    assert is_closing(wire) and not wire.seen and not wire.streams
    assert len(wire.layer.connections[wire.client].buf) == 0


def test_a_head_just_within_the_bounds_is_read() -> None:
    addon = Addon()
    wire = addon.wire()
    head = HEAD + b"a: b\r\n" * (bounds.MAX_LINES - 6) + b"Content-Length: 70000\r\n"
    head += b"c: " + b"d" * (bounds.MAX_HEAD - len(head) - 7) + b"\r\n\r\n"
    assert len(head) == bounds.MAX_HEAD
    wire.client_sends(head + b"\n" * 35_000)  # what follows is no part of it
    wire.client_sends(b"\n" * 35_000)
    assert addon.attempts == 1 and addon.flow is not None and len(addon.flow.request.raw_content or b"") == 70_000


@pytest.mark.parametrize("blank", [b"\r\n", b"\r\n\r\n", b"\n"])
def test_empty_lines_before_a_request_do_not_hold_it_up(blank: bytes) -> None:
    """RFC 9112 §2.2."""
    addon = Addon()
    wire = addon.wire()
    for _ in range(bounds.MAX_BLANK_LINES + 1):
        wire.client_sends(blank + REQUEST)
        wire.server_sends(plain(200, b"{}"))
    assert wire.answer.count(b"HTTP/1.1 200") == bounds.MAX_BLANK_LINES + 1, "the bound is on each"


def test_the_error_is_in_the_dialect_of_the_path() -> None:
    for data in (b"GET", b"a b\r\n\r\n", b"HTTP/1.1\r\nno colon\r\n\r\n", b"HTTP/1.1\r\nContent-Length: a\r\n\r\n"):
        wire = Addon().wire()
        wire.client_sends(b"POST /v1/chat/completions " + data + (b"x" * bounds.MAX_HEAD if data == b"GET" else b""))
        error = json.loads(wire.answer.partition(b"\r\n\r\n")[2])
        assert "type" not in error and error["error"]["type"] == "invalid_request_error", data
        assert error["error"]["code"] is None


def test_a_head_that_drips_is_given_up(clock: Clock) -> None:
    wire = Addon().wire()
    wire.client_sends(HEAD)
    clock.now += ours.HEAD_WITHIN - 1
    wire.client_sends(b"a: b\r\n")
    wire.wake()
    assert wire.answer == b"" and len(wire.wakeups) == 2, "a timer that comes early is set again"
    clock.now += 1
    wire.wake()
    assert error_of(wire.answer) == (408, "invalid_request_error") and is_closing(wire)


def test_a_timer_serves_every_head(clock: Clock) -> None:
    addon = Addon()
    wire = addon.wire()
    for _ in range(10):
        wire.client_sends(REQUEST[:20])
        wire.client_sends(REQUEST[20:])
        wire.server_sends(plain(200, b"{}"))
    assert len([wakeup for wakeup in wire.wakeups if wakeup.delay == ours.HEAD_WITHIN]) == 1
    clock.now += ours.HEAD_WITHIN
    wire.wake(0)
    assert wire.answer.count(b"HTTP/1.1") == 10 and wire.client.state is ConnectionState.OPEN
    wire.client_sends(REQUEST[:20])
    clock.now += ours.HEAD_WITHIN
    wire.wake()
    assert b"HTTP/1.1 408" in wire.answer, "and the next has one again"


def test_what_a_client_sends_ahead_is_bounded() -> None:
    """mitmproxy keeps whatever comes while a request is answered."""
    addon = Addon()
    wire = addon.wire()
    wire.client_sends(REQUEST)
    for _ in range(ours.MAX_AHEAD // 65535 + 1):
        assert wire.client not in wire.closed
        wire.client_sends(b"x" * 65535)
    assert wire.client in wire.closed and addon.events == ["error"]
    assert wire.servers[0] in wire.closed, "and nothing is fetched for it any more"


def test_a_request_sent_ahead_is_answered_in_its_turn() -> None:
    wire = Addon().wire()
    wire.client_sends(REQUEST + REQUEST)
    wire.server_sends(plain(200, b"1"))
    wire.server_sends(plain(200, b"2"))
    assert wire.answer.count(b"HTTP/1.1 200") == 2 and wire.answer.endswith(b"2")


# --- the heads of providers ---


ANSWERS_WITHOUT_END = {
    "header lines": b"HTTP/1.1 200 OK\r\n" + flood(b"a: b\r\n", bounds.MAX_HEAD),
    "a status line": b"HTTP/1.1 200 " + b"a" * bounds.MAX_HEAD,
    "too many lines": b"HTTP/1.1 200 OK\r\n" + b"a:\r\n" * bounds.MAX_LINES + b"\r\n",
    "empty lines": b"\r\n" * (bounds.MAX_BLANK_LINES + 1),
    "chunk extensions": JSON_HEAD + b"1;" + b"a" * bounds.MAX_CHUNK_LINE,
    "many extensions": JSON_HEAD + b"1;%s\r\nx\r\n" % (b"a" * 1000) * 20,
    "trailers": JSON_HEAD + chunk(b"{}") + b"0\r\n" + flood(b"a: b\r\n", bounds.MAX_HEAD),
    "bad trailers": JSON_HEAD + chunk(b"{}") + b"0\r\nno colon\r\n\r\n",
}


@pytest.mark.parametrize("name", ANSWERS_WITHOUT_END)
def test_an_answer_without_end_ends_the_attempt(name: str) -> None:
    addon = Addon(2)
    wire, data = addon.wire(), ANSWERS_WITHOUT_END[name]
    wire.client_sends(REQUEST)
    for start in range(0, len(data), 65535):
        wire.server_sends(data[start : start + 65535], 0)
    assert addon.attempts == 2 and wire.answer == b"" and wire.servers[0] in wire.closed
    wire.server_sends(plain(200, b"second"))
    assert body_of(wire.answer) == b"second" and addon.events == ["response"] and not wire.streams


@pytest.mark.parametrize("data", [ANSWERS_WITHOUT_END["empty lines"], ANSWERS_WITHOUT_END["chunk extensions"]])
def test_a_failure_is_told_once(data: bytes) -> None:
    """mitmproxy tells another when the connection has closed, which is none of this attempt any more."""
    addon = Addon(1)
    wire = addon.wire()
    wire.held = {"upstream_failed"}
    wire.client_sends(REQUEST)
    wire.server_sends(data)
    wire.feed(events.ConnectionClosed(wire.servers[0]))
    wire.resume()
    assert body_of(wire.answer) == b'{"all":"failed"}' and addon.events == ["response"]
    assert wire.client.state is ConnectionState.OPEN


def test_small_chunks_are_within_the_bounds() -> None:
    """The bound is on what is not needed to frame the data."""
    wire = Addon().wire()
    wire.client_sends(REQUEST)
    wire.server_sends(JSON_HEAD)
    for _ in range(3000):
        wire.server_sends(b"0001\r\nx\r\n")
    wire.server_sends(END)
    assert body_of(wire.answer) == b"x" * 3000


# --- bodies that are none ---


@pytest.mark.parametrize(
    "body",
    {
        "no size": b"zz\r\n",
        "negative": b"-1\r\n",
        "longer than it says": b"2\r\n{}}}\r\n0\r\n\r\n",
        "half an end": b"2\r\n{}\rX0\r\n\r\n",
        "long line": b"1;" + b"a" * bounds.MAX_CHUNK_LINE,
        "many extensions": b"1;%s\r\nx\r\n" % (b"a" * 1000) * 20,
        "endless trailers": b"0\r\n" + flood(b"a: b\r\n", bounds.MAX_HEAD),
        "bad trailers": b"0\r\nno colon\r\n\r\n",
    }.items(),
    ids=lambda item: item[0],
)
def test_a_body_that_cannot_be_read_is_answered(body: tuple[str, bytes]) -> None:
    addon = Addon()
    wire = addon.wire()
    wire.client_sends(CHUNKED)
    for start in range(0, len(body[1]), 65535):
        wire.client_sends(body[1][start : start + 65535])
    assert error_of(wire.answer) == (400, "invalid_request_error")
    assert is_closing(wire) and addon.events == ["error"] and not wire.streams and not wire.servers


def test_a_body_that_is_cut_off_is_answered() -> None:
    """A client that closes one side still reads."""
    addon = Addon()
    wire = addon.wire()
    wire.client_sends(REQUEST[:-1])
    wire.client.state = ConnectionState.CAN_WRITE
    wire.feed(events.ConnectionClosed(wire.client))
    assert error_of(wire.answer) == (400, "invalid_request_error")
    assert addon.events == ["error"] and wire.client.state is ConnectionState.CLOSED


# --- trailers ---


@pytest.mark.parametrize("stream", [True, False])
def test_trailers_end_an_answer(stream: bool) -> None:
    """They are dropped, and both connections can be used again."""
    addon = Addon(same_port=True)
    wire = addon.wire()
    for number in (1, 2):
        wire.client_sends(CHUNKED + chunk(b"{}") + TRAILERS)
        wire.server_sends((STREAM_HEAD if stream else JSON_HEAD) + chunk(b"ok") + TRAILERS)
        assert is_ended(wire.answer)
        assert wire.answer.count(b"HTTP/1.1 200") == number and b"checksum" not in wire.answer
    assert b"checksum" not in wire.received_by() and len(wire.servers) == 1 and addon.events == ["response"] * 2


def test_trailers_that_come_in_pieces() -> None:
    wire = Addon().wire()
    wire.client_sends(REQUEST)
    wire.server_sends(STREAM_HEAD + chunk(b"ok"))
    for at in range(len(TRAILERS)):
        assert not is_ended(wire.answer)
        wire.server_sends(TRAILERS[at : at + 1])
    assert is_ended(wire.answer)


# --- interim answers ---

INTERIM = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
    b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\ncontent-length: 5\r\n\r\nHTTP/1.1 199\r\n\r\n"
)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_interim_answers_are_read_over(stream: bool, version: bytes) -> None:
    """Nothing of them reaches the client, and none of them is the answer."""
    addon = Addon(same_port=True)
    wire = addon.wire()
    wire.client_sends(REQUEST.replace(b"HTTP/1.1", b"HTTP/" + version, 1))
    wire.server_sends(INTERIM + (STREAM_HEAD if stream else JSON_HEAD) + chunk(b"ok") + TRAILERS)
    assert wire.answer.count(b"HTTP/1.") == 1 and b"200 OK" in wire.answer and b"ok" in wire.answer
    assert addon.attempts == 1 and addon.events == ["response"]


def test_interim_answers_that_come_in_pieces() -> None:
    addon = Addon()
    wire = addon.wire()
    wire.client_sends(REQUEST)
    for byte in INTERIM + STREAM_HEAD + chunk(b"ok"):
        wire.server_sends(bytes([byte]))
    assert body_of(wire.answer) == b"ok" and addon.attempts == 1


def test_interim_answers_without_end_are_no_answer() -> None:
    addon = Addon()
    wire = addon.wire()
    wire.client_sends(REQUEST)
    for _ in range(ours.MAX_INTERIM):
        wire.server_sends(b"HTTP/1.1 102 Processing\r\n\r\n")
    assert addon.attempts == 1
    wire.server_sends(b"HTTP/1.1 102 Processing\r\n\r\n")
    assert addon.attempts == 2 and "interim" in addon.failures[0]


def test_each_request_has_its_own_interim_answers() -> None:
    addon = Addon(same_port=True)
    wire = addon.wire()
    for _ in range(2):
        wire.client_sends(REQUEST)
        wire.server_sends(b"HTTP/1.1 102 Processing\r\n\r\n" * ours.MAX_INTERIM + STREAM_HEAD + chunk(b"ok") + END)
    assert addon.events == ["response"] * 2 and len(wire.servers) == 1


def test_another_protocol_is_no_interim_answer() -> None:
    addon = Addon()
    wire = addon.wire()
    wire.client_sends(REQUEST)
    wire.server_sends(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n")
    assert addon.attempts == 2 and "changes the protocol" in addon.failures[0]


# --- answers before their request has come ---


def refusing(status: int = 401) -> tuple[Addon, Wire]:
    addon = Addon()
    wire = addon.wire()

    def refuse(flow: http.HTTPFlow) -> None:
        addon.flow = flow
        flow.response = http.Response.make(status, b"{}", {"content-type": "application/json"})

    wire.hooks["requestheaders"] = refuse
    return addon, wire


ANNOUNCED = HEAD + b"Content-Length: 1000000000\r\n\r\n"


@pytest.mark.parametrize("head", [ANNOUNCED, CHUNKED, ANNOUNCED[:-2] + b"Expect: 100-continue\r\n\r\n"])
def test_a_refusal_does_not_wait_for_the_body(head: bytes) -> None:
    addon, wire = refusing()
    if b"Expect" in head:
        wire.hooks["requestheaders"] = _without_expect(wire.hooks["requestheaders"])
    wire.client_sends(head)
    assert wire.answer.startswith(b"HTTP/1.1 401") and wire.answer.endswith(b"\r\n\r\n{}")
    assert b"connection: close" in wire.answer and is_closing(wire)
    assert wire.seen.count("response") == 1 and "error" not in wire.seen and not wire.streams
    assert addon.flow is not None and not addon.flow.live and addon.flow.request.raw_content == b""
    wire.client_sends(b"x" * 65535)
    assert wire.answer.count(b"HTTP/1.1") == 1 and not wire.layer.connections[wire.client].buf


def test_an_invitation_to_send_does_not_close() -> None:
    wire = Addon().wire()
    wire.client_sends(HEAD + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert wire.answer.startswith(b"HTTP/1.1 100") and b"connection" not in wire.answer
    wire.client_sends(b"{}")
    wire.server_sends(plain(200, b"ok"))
    assert wire.answer.endswith(b"ok") and b"connection" not in wire.answer


def test_a_body_that_breaks_after_an_invitation_is_answered() -> None:
    wire = Addon().wire()
    wire.client_sends(CHUNKED[:-2] + b"Expect: 100-continue\r\n\r\n")
    wire.client_sends(b"zz\r\n")
    assert error_of(wire.answer.partition(b"\r\n\r\n")[2]) == (400, "invalid_request_error")


def test_a_request_that_nobody_answers_is_refused_all_the_same() -> None:
    """The addon that bounds bodies may be gone when one is too large."""
    wire = Addon().wire()

    def arrive(flow: http.HTTPFlow) -> None:
        steering(flow).max_body = 1

    wire.hooks = {"requestheaders": arrive}
    wire.client_sends(CHUNKED + chunk(b"{}"))
    assert error_of(wire.answer) == (413, "request_too_large") and not wire.servers and not wire.streams


@pytest.mark.parametrize("mode", ["regular", "transparent"])
def test_in_other_modes_nothing_is_answered_early(mode: str) -> None:
    addon, wire = refusing()
    wire.client.proxy_mode = ProxyMode.parse(mode)
    wire.client_sends(ANNOUNCED)
    assert wire.answer == b"" and addon.events == []


def _without_expect(refuse: Callable[[http.HTTPFlow], None]) -> Callable[[http.HTTPFlow], None]:
    def hook(flow: http.HTTPFlow) -> None:
        flow.request.headers.pop("expect")
        refuse(flow)

    return hook


def test_a_refused_request_that_is_here_keeps_its_connection() -> None:
    _, wire = refusing()
    for number in (1, 2):
        wire.client_sends(REQUEST)
        assert wire.answer.count(b"HTTP/1.1 401") == number and b"connection: close" not in wire.answer
    assert wire.client.state is ConnectionState.OPEN and not wire.streams


@pytest.mark.parametrize("late", ["requestheaders", "responseheaders", "response"])
def test_a_body_that_comes_while_the_refusal_is_made(late: str) -> None:
    addon, wire = refusing()
    wire.held = {late}
    wire.client_sends(REQUEST[:-2])
    wire.client_sends(REQUEST[-2:])
    assert wire.answer == b""
    while wire.waiting:
        wire.resume()
    assert wire.answer.startswith(b"HTTP/1.1 401") and wire.answer.count(b"HTTP/1.1") == 1
    assert addon.events == ["response"] and not wire.streams
    wire.client_sends(REQUEST)
    while wire.waiting:
        wire.resume()
    assert wire.answer.count(b"HTTP/1.1 401") == 2, "nothing is left of it on the wire"


@pytest.mark.parametrize("late", ["requestheaders", "responseheaders", "response"])
def test_a_client_that_leaves_while_the_refusal_is_made(late: str) -> None:
    addon, wire = refusing()
    wire.held = {late}
    wire.client_sends(ANNOUNCED)
    wire.client_leaves()
    while wire.waiting:
        wire.resume()
    assert len(addon.events) == 1 and not wire.streams


# --- closing ---


def test_a_refused_client_may_send_so_much() -> None:
    _, wire = refusing()
    wire.client_sends(ANNOUNCED)
    for _ in range(ours.LINGER_BYTES // 65535):
        wire.client_sends(b"x" * 65535)
    assert is_closing(wire)
    wire.client_sends(b"x" * 65535)
    assert wire.client in wire.closed


def test_a_client_behind_tls_is_told_by_the_header_alone() -> None:
    """An end of TCP without one of TLS would look as if the answer had been cut off."""
    _, wire = refusing()
    wire.client.tls = True
    wire.client_sends(ANNOUNCED)
    assert b"connection: close" in wire.answer and wire.client.state is ConnectionState.OPEN
    wire.wake()
    assert wire.client in wire.closed


def test_a_refused_client_that_is_silent_is_closed() -> None:
    _, wire = refusing()
    wire.client_sends(ANNOUNCED)
    assert wire.wakeups[-1].delay == ours.LINGER_LOOK
    wire.wake()
    assert wire.client in wire.closed


def test_a_refused_client_that_drips_is_closed() -> None:
    _, wire = refusing()
    wire.client_sends(ANNOUNCED)
    for _ in range(ours.LINGER_LOOKS):
        assert is_closing(wire)
        wire.client_sends(b"x")
        wire.wake()
    assert wire.client in wire.closed and len(wire.wakeups) == ours.LINGER_LOOKS


def test_a_timer_of_the_head_does_not_end_it() -> None:
    _, wire = refusing()
    wire.client_sends(ANNOUNCED[:20])
    wire.client_sends(ANNOUNCED[20:])
    wire.wake(0)
    assert is_closing(wire) and len(wire.wakeups) == 2


def test_a_client_behind_tls_that_closes_is_closed() -> None:
    _, wire = refusing()
    wire.client.tls = True
    wire.client_sends(ANNOUNCED)
    wire.client.state = ConnectionState.CAN_WRITE
    wire.feed(events.ConnectionClosed(wire.client))
    assert wire.client in wire.closed


def test_a_refused_client_that_closes_is_closed() -> None:
    _, wire = refusing()
    wire.client_sends(ANNOUNCED)
    wire.client_leaves()
    assert wire.client.state is ConnectionState.CLOSED and not wire.streams


@pytest.mark.parametrize("value", ["close", "Close", "keep-alive, CLOSE"])
def test_the_wish_to_close_is_told_and_done(value: str) -> None:
    """mitmproxy looks for lower case alone, and at a header that may be gone by then."""
    _, wire = refusing()
    wire.client_sends(HEAD + f"Connection: {value}\r\nContent-Length: 2\r\n\r\n{{}}".encode())
    assert b"connection: close" in wire.answer and wire.client in wire.closed


def test_a_head_that_can_be_shown_is_shown() -> None:
    addon = Addon()
    wire = addon.wire()
    wire.client_sends(HEAD + b"Content-Length: abc\r\n\r\n")
    assert error_of(wire.answer) == (400, "invalid_request_error")
    assert wire.seen == ["requestheaders", "error"] and not wire.streams


def test_in_other_modes_mitmproxy_refuses_as_ever() -> None:
    wire = Addon().wire()
    wire.client.proxy_mode = ProxyMode.parse("transparent")
    wire.client_sends(HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n")
    assert b"text/html" in wire.answer and wire.client in wire.closed


def test_what_mitmproxy_refuses_can_be_read_to_its_end() -> None:
    """Its own validation (mitmproxy/proxy/layers/http/__init__.py, `check_invalid`) closes with the body unread."""
    addon = Addon()
    wire = addon.wire()
    wire.client_sends(HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n")
    assert error_of(wire.answer) == (400, "invalid_request_error")
    assert is_closing(wire) and addon.events == ["error"]


def test_heads_are_read_by_mitmproxy() -> None:
    """Canary: the parser that is called in the place of the stock `read_headers`."""
    request = http1.read_request_head([b"GET / HTTP/1.1", b"a: b"])
    assert request.method == "GET" and http1.expected_http_body_size(request) == 0


@pytest.mark.parametrize("line", [b"POST /v1/messages HTTP/1.2", b"PRI * HTTP/2.0", b"GET / HTTP/3.0"])
def test_another_version_is_told_which_are_served(line: bytes) -> None:
    """mitmproxy closes, or serves it and closes without a word (RFC 9110, section 15.6.6)."""
    wire = Addon().wire()
    wire.client_sends(line + b"\r\nHost: t\r\n\r\n")
    assert error_of(wire.answer) == (505, "api_error") and is_closing(wire) and not wire.servers
