"""What the failover is driven with: requests and answers, a monitor that reads words, an addon with its attempts."""

from __future__ import annotations

from mitmproxy import http

from tests.layer.driver import Wire, make_options
from turnout.proxy.steering import engage, steering

OPTIONS = make_options()

REQUEST = b"POST /v1/messages HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\n{}"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
PING = b"event: ping\n\n"
LAST_WORDS = b"event: error\n\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def plain(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
        status,
        len(body),
        body,
    )


class Monitor:
    """Begun from `go` on, valid from `ok` on, failed from `bad` on; complete answers are accepted below status 400.

    `hm` and all that begins like it is no sign of life.
    """

    answer_within = 10.0
    sign_within = 6.0
    start_within = 30.0
    content_within = 8.0
    word_within = 40.0
    idle_within = 20.0
    ping_after: float | None = None
    held_ping_after = 100.0
    largest = 10**6
    over = closing = False

    def __init__(self) -> None:
        self.held = b""
        self.begun = False
        self.ended = False
        self.finished = False

    def peek(self, data: bytes) -> bool | None:
        self.held += data
        self.begun = self.begun or b"go" in self.held or b"ok" in self.held
        return False if b"bad" in self.held else True if b"ok" in self.held else None

    def concludes(self) -> bool:
        return b"whole" in self.held

    @property
    def alive(self) -> bool:
        return not self.held.startswith(b"hm")

    def relay(self, data: bytes) -> list[bytes]:
        data, self.held = self.held + data, b""
        self.ended = self.ended or b"the end" in data
        return [data] if data else []

    def finish(self) -> list[bytes]:
        self.finished = True
        return self.relay(b"")

    def __call__(self, data: bytes) -> list[bytes]:
        return self.relay(data) if data else self.finish()

    def accepts(self, response: http.Response) -> bool:
        return response.status_code < 400

    def ping(self) -> bytes:
        return PING

    def interrupted(self, reason: str) -> bytes:
        self.reason = reason
        return b"" if self.ended else LAST_WORDS


class Addon:
    """As many attempts as `plan` says, each to a port of its own; then a local 529."""

    def __init__(self, plan: int = 3, *, same_port: bool = False) -> None:
        self.plan = plan
        self.same_port = same_port
        self.attempts = 0
        self.failures: list[str] = []
        self.monitors: list[Monitor] = []
        self.flow: http.HTTPFlow | None = None
        self.events: list[str] = []

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        steering(flow).max_body = 10**6

    def request(self, flow: http.HTTPFlow) -> None:
        self.flow = flow
        if flow.response is not None:
            return
        self.attempts += 1
        flow.request.data.host = "127.0.0.1"
        flow.request.data.port = 9000 if self.same_port else 9000 + self.attempts
        flow.request.data.scheme = b"http"
        self.monitors.append(Monitor())
        engage(flow, self.monitors[-1])

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        assert flow.response is not None
        if "event-stream" in flow.response.headers.get("content-type", "") and steering(flow).monitor:
            flow.response.stream = self.monitors[-1]

    def upstream_failed(self, flow: http.HTTPFlow) -> None:
        self.failures.append(steering(flow).failure)
        if self.attempts < self.plan:
            steering(flow).again = True
        else:
            flow.response = http.Response.make(529, b'{"all":"failed"}', {"content-type": "application/json"})

    def response(self, flow: http.HTTPFlow) -> None:
        self.events.append("response")

    def error(self, flow: http.HTTPFlow) -> None:
        self.events.append("error")

    def wire(self) -> Wire:
        names = ("requestheaders", "request", "responseheaders", "upstream_failed", "response", "error")
        return Wire({name: getattr(self, name) for name in names}, OPTIONS)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


FAILURES = {
    "refused": None,
    "closed before headers": lambda wire: wire.server_closes(),
    "429": lambda wire: wire.server_sends(plain(429, b'{"secret":"first"}')),
    "error event": lambda wire: wire.server_sends(STREAM_HEAD + chunk(b"bad event")),
    "error event in two chunks": lambda wire: wire.server_sends(STREAM_HEAD + chunk(b"b") + chunk(b"ad")),
    "empty stream": lambda wire: wire.server_sends(STREAM_HEAD + END),
    "undecided stream ends": lambda wire: wire.server_sends(STREAM_HEAD + chunk(b"hm") + END),
    "dies before the first event": lambda wire: (wire.server_sends(STREAM_HEAD + chunk(b"hm")), wire.server_closes()),
    "dies inside a complete answer": lambda wire: (wire.server_sends(plain(200, b"123")[:-1]), wire.server_closes()),
    "not HTTP": lambda wire: wire.server_sends(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
}


def fail(wire: Wire, how: str) -> None:
    """Play one failure for the attempt under way. `refused` was arranged before the connect."""
    play = FAILURES[how]
    if play is not None:
        play(wire)
