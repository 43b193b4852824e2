"""One attempt's answer, from its headers to its end (A10, C1, C3)."""

from __future__ import annotations

import gc
import gzip
import json
import re
import weakref
import zlib
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http

from tests.wire.packing import flushed, pack
from turnout.dialects.messages.signatures import fingerprint
from turnout.exchange import Endpoint
from turnout.health.decision import decide
from turnout.health.verdict import Verdict
from turnout.journey.answer import END_WITHIN, PING, AnswerMonitor
from turnout.journey.expectation import Expectation
from turnout.proxy.unpacking import unpack
from turnout.settings.model import Limits, Provider, Retry, Timeouts
from turnout.testing.events import (
    Event,
    error,
    message_delta,
    message_start,
    message_stop,
    ping,
    stream_of,
    tool_use_block,
)
from turnout.wire.headers import is_event_stream, lowered

TIMEOUTS = Timeouts(first_event=1, request=2, idle=3, ping_after=4)
SSE = {"content-type": "text/event-stream; charset=utf-8"}
JSON = {"content-type": "application/json"}
MESSAGE = {"type": "message", "model": "upstream", "content": [], "usage": {"input_tokens": 7, "output_tokens": 2}}


class Watched:
    """A monitor and how often it reported its first event."""

    def __init__(
        self,
        *,
        stream: bool = True,
        model: str | None = None,
        endpoint: Endpoint = "messages",
        **provider: Any,
    ) -> None:
        self.first_events = self.begins = 0
        chosen = Provider.model_validate({"name": "minimax", "base_url": "https://m", **provider})
        self.minted: list[list[str]] = []
        self.monitor = AnswerMonitor(
            chosen,
            TIMEOUTS,
            Limits(),
            Expectation(endpoint, stream, model),
            self._count,
            lambda fingerprints: self.minted.append(list(fingerprints)),
            self._begins,
        )

    def _begins(self) -> None:
        self.begins += 1

    def _count(self) -> None:
        self.first_events += 1

    def begin(self, headers: dict[str, str] = SSE, status: int = 200) -> bool:
        answer = http.Response.make(status)
        answer.headers = http.Headers([(name.encode(), value.encode()) for name, value in headers.items()])
        return self.monitor.streams(answer)

    def play(self, chunks: Iterable[bytes]) -> bytes:
        """What the stream does with chunks: peek until decided, then relay."""
        seen: bool | None = None
        sent: list[bytes] = []
        for chunk in chunks:
            if seen:
                sent += self.monitor.relay(chunk)
                continue
            seen = self.monitor.peek(chunk)
            if seen:
                sent += self.monitor.relay(b"")
        return b"".join(sent)


def encoded(*events: Event) -> bytes:
    return b"".join(event.encode("upstream") for event in events)


WHOLE = encoded(*stream_of("Hello", 2))


def reply(content: bytes | dict[str, Any], status: int = 200, headers: dict[str, str] = JSON) -> http.Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return http.Response.make(status, body, headers)


TEXT = (
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
    b'"content_block":{"type":"text","text":""}}\n\n'
)
SAID = TEXT + (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"Hi"}}\n\n'
)
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
CALL = TEXT.replace(b'"text","text":""', b'"tool_use","id":"toolu_1","name":"Bash","input":{}')


# --- limits ---


@pytest.mark.parametrize(("stream", "pings", "within", "ping_after"), [(True, False, 1, 4), (False, True, 2, None)])
def test_limits(stream: bool, pings: bool, within: float, ping_after: float | None) -> None:
    monitor = Watched(stream=stream, pings=pings).monitor
    assert (monitor.answer_within, monitor.idle_within, monitor.ping_after) == (within, 3, ping_after)


def test_an_answer_may_be_as_large_as_the_settings_say() -> None:
    assert Watched().monitor.largest == Limits().answer == 32_000_000


# --- what others ask of it ---

REFUSED = {"type": "invalid_request_error", "message": "top_k: Extra inputs are not permitted"}


@pytest.mark.parametrize(("provider", "learns"), [({}, True), ({"first_party": True}, False)])
def test_what_a_provider_refuses_is_learned_only_from_some(provider: dict[str, Any], learns: bool) -> None:
    watched = Watched(stream=False, **provider)
    assert watched.monitor.refusal is None
    watched.monitor.accepts(reply({"type": "error", "error": REFUSED}, 400))
    assert (watched.monitor.refusal is not None) is learns


def test_what_it_means_that_an_answer_broke_off() -> None:
    """The provider's own error event says more than the break; a whole answer means nothing."""
    whole, cut, told = Watched(), Watched(), Watched()
    for watched in (whole, cut, told):
        watched.begin()
    whole.play([WHOLE])
    whole.monitor.finish()
    cut.play([WHOLE[:-200]])
    cut.monitor.interrupted("reset by peer")
    busy = b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}'
    told.play([WHOLE[:-200].rpartition(b"\n\n")[0] + b"\n\n", b"event: error\n", b"data: " + busy + b"\n\n"])
    told.monitor.interrupted("reset by peer")
    assert whole.monitor.broken is None and whole.monitor.complete
    assert cut.monitor.broken is not None and cut.monitor.broken.reason == "reset by peer"
    assert told.monitor.broken is not None and told.monitor.broken.verdict is Verdict.OVERLOADED
    assert not cut.monitor.complete and not told.monitor.complete


@pytest.mark.parametrize("body", [json.dumps(MESSAGE).encode(), b"[]", b"1", b'"text"', b"{}"])
def test_json_in_the_place_of_a_stream_is_no_answer(body: bytes) -> None:
    """Valid JSON that tells of no fault is none either, whether it comes at once or bit by bit."""
    for frames in (body, b"data: " + body + b"\n\n", b"event: message_start\n\n" + body):
        watched = Watched()
        watched.begin()
        for start in range(0, len(frames), 40):
            watched.monitor.peek(frames[start : start + 40])
        judgement = watched.monitor.failed("the stream ended before its first event")
        assert judgement.verdict is Verdict.TRANSIENT and watched.first_events == 0


# --- headers ---


@pytest.mark.parametrize(
    ("status", "headers", "streams"),
    [
        (200, SSE, True),
        (201, {"Content-Type": "TEXT/EVENT-STREAM"}, True),
        (200, JSON, False),
        (200, {}, False),
        (429, SSE, False),
        (302, SSE, False),
    ],
)
def test_only_a_good_event_stream_is_relayed(status: int, headers: dict[str, str], streams: bool) -> None:
    assert Watched().begin(headers, status) is streams


def test_lower_case_headers_with_values_joined() -> None:
    fields = ((b"X-A", b"1"), (b"x-a", b"2"), (b"Content-Type", b"text/event-stream"), (b"x-b", b"\xff"))
    found = lowered(http.Headers(fields))
    assert found == {"x-a": "1, 2", "content-type": "text/event-stream", "x-b": "\udcff"} and is_event_stream(found)


# --- streams ---


def test_a_stream_is_relayed_byte_for_byte() -> None:
    """C3."""
    watched = Watched()
    assert watched.begin()
    assert watched.play([WHOLE[:40], WHOLE[40:300], WHOLE[300:]]) == WHOLE
    monitor = watched.monitor
    assert monitor(b"") == [] and monitor.complete and not monitor.interruption and monitor.received == WHOLE
    assert watched.first_events == 1 and monitor.usage["output_tokens"] == 15 and monitor.judgement is None


@given(st.lists(st.integers(0, len(WHOLE)), max_size=6))
def test_however_it_is_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(WHOLE)]
    watched = Watched()
    watched.begin()
    sent = watched.play(WHOLE[start:end] for start, end in zip(places, places[1:], strict=False) if start < end)
    assert sent + b"".join(watched.monitor.finish()) == WHOLE
    assert watched.monitor.complete and watched.first_events == 1


def test_the_model_of_the_client_stands_in_the_answer() -> None:
    """A10."""
    watched = Watched(model="claude-opus-4-6")
    watched.begin()
    assert watched.play([WHOLE]) == WHOLE.replace(b'"model":"upstream"', b'"model":"claude-opus-4-6"')
    assert watched.monitor.received == WHOLE


def test_nothing_is_decided_before_a_meaningful_event() -> None:
    watched = Watched()
    watched.begin()
    assert watched.monitor.peek(b": hello\n\n") is None and watched.monitor.peek(ping().encode()) is None
    assert watched.monitor.alive and not watched.monitor.begun
    assert watched.monitor.peek(message_start("m").encode()) is None and watched.monitor.begun
    assert watched.first_events == 0 and watched.begins == 1
    assert watched.monitor.peek(message_delta().encode()) is True
    assert watched.first_events == 1 and watched.begins == 1


@pytest.mark.parametrize("cut", [False, True])
def test_an_answer_that_fails_before_its_first_word_has_failed(cut: bool) -> None:
    """Nothing of it has been said: it can still be another's (BerriAI/litellm#38610)."""
    watched = Watched()
    watched.begin()
    beginning = encoded(message_start("m"), ping())
    assert watched.monitor.peek(beginning) is None and watched.monitor.begun
    if not cut:
        assert watched.monitor.peek(error("overloaded_error").encode()) is False
    judgement = watched.monitor.failed("server closed connection" if cut else "")
    assert judgement.verdict is (Verdict.TRANSIENT if cut else Verdict.OVERLOADED)
    assert watched.first_events == 0 and watched.begins == 1


@pytest.mark.parametrize(
    ("begins", "verdict", "said"),
    [
        (error("overloaded_error").encode(), Verdict.OVERLOADED, "200 with overloaded_error"),
        (encoded(ping(), error("rate_limit_error", "slow")), Verdict.THROTTLE, "200 with rate_limit_error"),
        (
            b'data: {"base_resp":{"status_code":1008,"status_msg":"balance"}}\n\n',
            Verdict.QUOTA,
            "200 with base_resp 1008",
        ),
        (b"event: message_start\ndata: not JSON\n\n", Verdict.TRANSIENT, "does not begin with a Messages event"),
        (b"data: nonsense\n\n", Verdict.TRANSIENT, "does not begin with a Messages event"),
    ],
)
def test_a_stream_that_begins_with_an_error(begins: bytes, verdict: Verdict, said: str) -> None:
    """A10, C1: an error inside a 200 is a failure."""
    watched = Watched(error_codes={"1008": "quota"})
    watched.begin()
    assert watched.monitor.peek(begins) is False and watched.first_events == 0
    judgement = watched.monitor.failed("")
    assert judgement is watched.monitor.judgement and judgement.verdict is verdict and said in judgement.reason


@pytest.mark.parametrize(
    ("sent", "reason", "verdict", "said"),
    [
        (b"", "empty stream", Verdict.TRANSIENT, "empty stream"),
        (b"", "", Verdict.TRANSIENT, "no answer"),
        (b": hello\n\n", "connection reset", Verdict.TRANSIENT, "connection reset"),
        (b'{"code":500,"msg":"404 NOT_FOUND","success":false}', "empty stream", Verdict.NOT_FOUND, "200 with code 500"),
        (b"", "no first event within 120 s", Verdict.TRANSIENT, "no first event within 120 s"),
    ],
)
def test_a_stream_that_never_began(sent: bytes, reason: str, verdict: Verdict, said: str) -> None:
    watched = Watched()
    watched.begin()
    assert not sent or watched.monitor.peek(sent) is None
    judgement = watched.monitor.failed(reason)
    assert (judgement.verdict, judgement.reason) == (verdict, said)
    assert watched.monitor.failed("something else") is judgement
    assert judgement.timed_out is reason.startswith("no first event")


@pytest.mark.parametrize(
    ("chunks", "kept"),
    [
        ([encoded(message_start("m"))], encoded(message_start("m"))),
        ([encoded(message_start("m")), TEXT], encoded(message_start("m")) + TEXT),
        ([encoded(message_start("m")), CALL], encoded(message_start("m")) + CALL),
        ([encoded(message_start("m"), message_delta()), CALL], encoded(message_start("m"), message_delta()) + CALL),
        ([encoded(message_start("m")), b"event: message_stop\ndata: {"], encoded(message_start("m"))),
    ],
)
def test_a_stream_that_ends_early_ends_in_an_error_event(chunks: list[bytes], kept: bytes) -> None:
    """Never a fake end."""
    watched = Watched()
    watched.begin()
    sent = watched.play(chunks) + b"".join(watched.monitor.finish())
    assert sent.startswith(kept + b"event: error\ndata: ") and sent.endswith(b"}\n\n")
    told = json.loads(sent.rpartition(b"data: ")[2])
    assert told["error"]["message"] == "minimax: the provider ended its stream before message_stop"
    assert not watched.monitor.complete and "before message_stop" in watched.monitor.interruption


@pytest.mark.parametrize("first_party", [True, False])
@pytest.mark.parametrize("ending", ["end", "reset", "silence"])
@pytest.mark.parametrize("cut", [0, 1, 30])
def test_an_answer_that_has_stopped_is_whole(first_party: bool, ending: str, cut: int) -> None:
    """S11: it gets the message_stop that it lacks, and nobody is to blame."""
    begun = WHOLE.partition(b"event: message_stop")[0] + STOP[: len(STOP) - cut]
    watched = Watched(model=None if first_party else "upstream", first_party=first_party)
    watched.begin()
    sent = watched.play([begun])
    monitor = watched.monitor
    assert (monitor.idle_within, monitor.over) == ((3, True) if cut == 0 else (3, False))
    if ending != "end":
        assert monitor.interrupted("reset") == b""
    sent += b"".join(monitor.finish())
    assert sent.count(b"event: message_stop") == 1 and sent.endswith(b"}\n\n") and b"event: error" not in sent
    assert monitor.complete and monitor.over and monitor.broken is None and monitor.usage["output_tokens"] == 15


def test_an_answer_that_has_stopped_may_take_little_time_to_end() -> None:
    watched = Watched()
    watched.monitor._idle_within = 100
    watched.begin()
    watched.play([encoded(message_start("m"))])
    assert watched.monitor.idle_within == 100 and not watched.monitor.closing
    watched.monitor.relay(message_delta().encode())
    assert watched.monitor.idle_within == END_WITHIN and watched.monitor.closing
    watched.monitor.relay(PING)
    assert watched.monitor.closing


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-8, identity", "none"])
@pytest.mark.parametrize("kind", [SSE, {}])
def test_a_character_set_is_no_encoding(encoding: str, kind: dict[str, str]) -> None:
    watched = Watched(model="m")
    headers = {**kind, "content-encoding": encoding}
    assert watched.begin(headers) is (kind is SSE)
    answer = reply(WHOLE, headers=kind)
    answer.headers["content-encoding"] = encoding
    assert unpack(answer, 10**6) and "content-encoding" not in answer.headers
    assert watched.monitor.accepts(answer) and (answer.content or b"").endswith(b'"message_stop"}\n\n')


def test_a_message_may_begin_with_a_byte_order_mark() -> None:
    watched = Watched(model="m", stream=False)
    assert watched.monitor.accepts(answer := reply(b"\xef\xbb\xbf" + json.dumps(MESSAGE).encode()))
    assert json.loads(answer.content or b"")["model"] == "m"


def test_a_byte_order_mark_of_a_first_party_stays() -> None:
    watched = Watched(stream=False, first_party=True)
    body = b"\xef\xbb\xbf" + json.dumps(MESSAGE).encode()
    assert watched.monitor.accepts(answer := reply(body)) and answer.content == body


def test_a_call_that_cannot_be_completed_is_told() -> None:
    """S14."""
    watched = Watched(model="m")
    watched.begin()
    sent = watched.play([encoded(message_start("m")) + CALL + encoded(message_stop())])
    assert sent.startswith(encoded(message_start("m"))) and b"message_stop" not in sent
    assert (
        json.loads(sent.rpartition(b"data: ")[2])["error"]["message"] == "minimax: the answer ended inside a tool call"
    )
    monitor = watched.monitor
    assert monitor.over and not monitor.complete and monitor.finish() == [] and monitor.interrupted("reset") == b""
    assert monitor.broken is not None and monitor.broken.verdict is Verdict.TRANSIENT


def test_nothing_is_relayed_after_the_end() -> None:
    watched = Watched()
    watched.begin()
    assert watched.play([WHOLE + b"data: [DONE]\n\n"]) == WHOLE and watched.monitor.over
    assert watched.monitor.relay(WHOLE) == [] and watched.monitor.finish() == []


@pytest.mark.parametrize(
    ("data", "verdict", "said"),
    [
        (b'{"error":{"message":"busy","type":"overloaded_error"}}', Verdict.OVERLOADED, "overloaded_error"),
        (
            b'{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}',
            Verdict.THROTTLE,
            "rate_limit_error",
        ),
        (b'{"error":"out of luck"}', Verdict.TRANSIENT, "api_error"),
        (b'{"error":{"code":429,"message":"slow"}}', Verdict.THROTTLE, "rate_limit_error"),
        (b'{"base_resp":{"status_code":1002,"status_msg":"slow"}}', Verdict.THROTTLE, "rate_limit_error"),
        (b'{"code":500,"msg":"oops"}', Verdict.TRANSIENT, "api_error"),
    ],
)
def test_an_error_without_its_event_line(data: bytes, verdict: Verdict, said: str) -> None:
    """In mid-stream, and in the place of an answer."""
    late, early = (Watched(model="claude-x", error_codes={"1002": "throttle"}) for _ in range(2))
    late.begin(), early.begin()
    sent = late.play([encoded(message_start("m")) + SAID, b"data: " + data + b"\n\n"])
    name, _, told = sent.rpartition(b"event: ")[2].partition(b"\ndata: ")
    assert name == b"error" and json.loads(told)["type"] == "error" and json.loads(told)["error"]["type"] == said
    assert late.monitor.broken is not None and late.monitor.broken.verdict is verdict and late.monitor.over
    assert early.monitor.peek(b"data: " + data + b"\n\n") is False
    assert early.monitor.failed("").verdict is verdict


CHUNK = b'{"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"hi"}}]}'


@pytest.mark.parametrize(
    ("sent", "ends"),
    [
        (b"data: " + CHUNK + b"\n\ndata: [DONE]\n\n", False),
        (b"data: [DONE]\n\n", False),
        (b'event: response.created\ndata: {"type":"response.created"}\n\n', False),
        (b'data: {"type":"response.created"}\n\n', False),
        (json.dumps(MESSAGE).encode(), True),
        (b"data: " + json.dumps(MESSAGE).encode() + b"\n\n", False),
        (b"{}", True),
        (b"<html>Welcome to nginx!</html>", True),
        (b"<html>\n\n<body>", True),
        (b"event: message_start\ndata: {\n\n", False),
    ],
)
@pytest.mark.parametrize("first_party", [True, False])
def test_what_no_answer_can_be_made_of_is_not_asked_for_again(sent: bytes, ends: bool, first_party: bool) -> None:
    """The same request would bring the same form: the next target is asked."""
    watched = Watched(model="m", first_party=first_party)
    watched.begin()
    assert watched.monitor.peek(sent) is (None if ends else False)
    judgement = watched.monitor.failed("the stream ended before its first event")
    assert (judgement.verdict, judgement.retryable, judgement.timed_out) == (Verdict.TRANSIENT, False, False)
    step = decide(judgement, owned=True, retries=0, waited=0, retry=Retry(), alternatives=True)
    assert step.action == "next"


@pytest.mark.parametrize(
    "sent", [b"", b": hi\n\n", ping().encode(), b"\n\n", b"data: {", b"event: error\ndata: busy\n\n"]
)
def test_what_just_broke_off_may_be_asked_for_again(sent: bytes) -> None:
    watched = Watched()
    watched.begin()
    watched.monitor.peek(sent)
    judgement = watched.monitor.failed("the stream ended before its first event")
    assert (judgement.verdict, judgement.retryable) == (Verdict.TRANSIENT, None)


def test_an_error_event_of_the_provider_is_the_end() -> None:
    watched = Watched()
    watched.begin()
    whole = encoded(message_start("m"), message_delta(), error())
    assert watched.play([whole]) == whole and watched.monitor.finish() == []
    assert watched.monitor.interrupted("reset") == b"" and not watched.monitor.complete
    broken = watched.monitor.broken
    assert broken is not None and broken.verdict is Verdict.OVERLOADED, "an error event in mid-stream is no success"


def test_last_words_inside_a_stream() -> None:
    watched = Watched()
    watched.begin()
    watched.play([encoded(message_start("m")) + SAID, b"event: content_block_del"])
    words = watched.monitor.interrupted("silent for 180 s")
    assert words.startswith(b"event: error\ndata: ") and b"minimax: silent for 180 s" in words
    assert watched.monitor.interruption == "silent for 180 s"


def test_last_words_after_a_part_of_a_huge_frame() -> None:
    watched = Watched()
    watched.begin()
    watched.play([encoded(message_start("m")), b"event: content_block_delta\ndata: " + b"x" * (2 << 20)])
    assert watched.monitor.ping() == b"" and watched.monitor.interrupted("reset").startswith(b"\n\nevent: error\n")


def test_a_stream_that_ends_after_a_part_of_a_huge_frame() -> None:
    """The part was sent already: the blank line ends it, or the client would read the error as its data."""
    watched = Watched()
    watched.begin()
    watched.play([encoded(message_start("m")), b"event: content_block_delta\ndata: " + b"x" * (2 << 20)])
    (*rest, words) = watched.monitor.finish()
    assert rest == [] and words.startswith(b"\n\nevent: error\n") and watched.monitor.interruption


def test_of_an_endless_stream_so_much_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnout.journey.arriving.KEPT", 1000)
    watched = Watched()
    watched.begin()
    more = encoded(message_delta())
    sent = watched.play([encoded(message_start("m")), *[more] * 100])
    assert sent.endswith(more * 100) and watched.monitor.cut
    assert 1000 <= len(watched.monitor.received) < 1000 + len(more)


def test_nothing_follows_a_proper_end() -> None:
    watched = Watched()
    watched.begin()
    watched.play([WHOLE])
    assert watched.monitor.interrupted("reset") == b"" and not watched.monitor.interruption


def test_pings_only_between_frames() -> None:
    watched = Watched()
    watched.begin()
    watched.play([encoded(message_start("m"))])
    assert watched.monitor.ping() == PING


# --- an encoding that was not asked for ---


@pytest.mark.parametrize(("encoding", "wbits"), [("gzip", 31), ("deflate", 15)])
def test_a_compressed_stream_is_opened_on_the_way(encoding: str, wbits: int) -> None:
    machine = zlib.compressobj(wbits=wbits)
    packed = machine.compress(WHOLE) + machine.flush()
    watched = Watched()
    assert watched.begin({**SSE, "content-encoding": encoding})
    pieces = [packed[start : start + 7] for start in range(0, len(packed), 7)]
    assert watched.play(pieces) == WHOLE and watched.monitor.complete and watched.monitor.received == WHOLE


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, br", "x-gzip"])
def test_every_known_encoding_is_opened_on_the_way(encoding: str) -> None:
    watched = Watched()
    assert watched.begin({**SSE, "content-encoding": encoding})
    packed = pack(WHOLE, encoding)
    assert watched.play([packed[start : start + 7] for start in range(0, len(packed), 7)]) == WHOLE
    assert watched.monitor.complete and watched.monitor.finish() == []


def test_members_of_gzip_one_after_another() -> None:
    """Wei-Shaw/claude-relay-service#1029: every flush of the edge is a member of its own."""
    watched = Watched()
    watched.begin({**SSE, "content-encoding": "gzip"})
    frames = [frame + b"\n\n" for frame in WHOLE.split(b"\n\n")[:-1]]
    assert watched.play(map(gzip.compress, frames[:4])) == b"".join(frames[:4])
    for frame in frames[4:]:
        assert b"".join(watched.monitor.relay(gzip.compress(frame))) == frame
    assert watched.monitor.complete and watched.monitor.finish() == []


def test_an_encoding_that_nobody_knows_is_not_streamed_and_no_answer() -> None:
    watched = Watched()
    assert not watched.begin({**SSE, "content-encoding": "pack200"})
    packed = reply(b"\x00\x01")
    packed.headers["content-encoding"] = "pack200"
    whole = Watched(stream=False)
    assert not whole.monitor.accepts(packed)
    assert whole.monitor.failed("").reason == "200 answered with pack200 data that cannot be read"


def test_a_compressed_stream_that_is_not_one_is_told() -> None:
    watched = Watched()
    watched.begin({**SSE, "content-encoding": "gzip"})
    assert watched.monitor.peek(b"not gzip at all") is False
    judgement = watched.monitor.failed("")
    assert judgement.verdict is Verdict.TRANSIENT and judgement.reason == "its gzip data cannot be read"


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_data_that_breaks_in_the_middle_is_told_at_once_and_once(encoding: str) -> None:
    watched = Watched()
    watched.begin({**SSE, "content-encoding": encoding})
    first = encoded(message_start("m")) + SAID
    packed = flushed(first, encoding)
    assert watched.play([packed]) == first
    [words] = watched.monitor.relay(b"\xff" * 400)
    assert words.startswith(b"event: error\n") and b"data cannot be read" in words
    assert watched.monitor.relay(b"\xff") == watched.monitor.finish() == [] and watched.monitor.interrupted("x") == b""
    assert watched.monitor.broken is not None and watched.monitor.broken.verdict is Verdict.TRANSIENT


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_a_compressed_stream_that_ends_early_is_told(encoding: str) -> None:
    watched = Watched()
    watched.begin({**SSE, "content-encoding": encoding})
    watched.play([flushed(encoded(message_start("m")) + SAID, encoding)])
    assert b"ended its stream before message_stop" in b"".join(watched.monitor.finish())


# --- what was not asked for ---


def test_a_stream_for_a_client_that_wants_a_count() -> None:
    watched = Watched(stream=False, endpoint="count_tokens")
    assert not watched.begin()
    assert not watched.monitor.accepts(reply(WHOLE, headers=SSE))
    assert watched.monitor.failed("").reason == "200 answered with a stream that was not asked for"


@pytest.mark.parametrize("content", [{"status": "ok"}, {"content": "hello"}, {"content": ["hello"]}])
def test_json_that_is_no_message_for_a_client_that_wants_a_stream(content: dict[str, Any]) -> None:
    watched = Watched()
    assert not watched.monitor.accepts(reply(content))
    assert watched.monitor.failed("").reason == "200 answered with JSON instead of a stream"


THINKING = {"type": "thinking", "thinking": "t", "signature": "sig"}


@pytest.mark.parametrize("headers", [JSON, SSE])
def test_a_message_for_a_client_that_wants_a_stream(headers: dict[str, str]) -> None:
    watched = Watched(model="claude-x")
    response = reply({**MESSAGE, "content": [THINKING]}, headers=headers)
    response.encode("gzip")
    assert watched.monitor.accepts(response) and watched.first_events == 1 and watched.monitor.converted == "JSON"
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert "content-encoding" not in response.headers
    assert response.headers["content-length"] == str(len(response.raw_content or b""))
    content = response.content or b""
    assert content.startswith(b"event: message_start\n") and b'"claude-x"' in content
    assert watched.monitor.usage == {"input_tokens": 7, "output_tokens": 2}
    assert watched.monitor.complete and watched.monitor.broken is None and len(watched.minted) == 1


@given(st.data())
def test_a_message_under_the_name_of_a_stream(data: st.DataObject) -> None:
    """Nothing is decided before it has come as a whole, in whatever pieces."""
    body = json.dumps({**MESSAGE, "content": [THINKING]}, indent=1).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    whole, streamed = Watched(model="claude-x"), Watched(model="claude-x")
    response = reply(body)
    assert whole.monitor.accepts(response) and streamed.begin()
    assert [streamed.monitor.peek(piece) for piece in [b"\n", *pieces]] == [None] * (len(pieces) + 1)
    assert streamed.monitor.concludes() and streamed.first_events == 1
    sent = b"".join(streamed.monitor.finish()).lstrip()
    assert _without_ids(sent) == _without_ids(response.content or b"")
    assert streamed.monitor.complete and streamed.minted == [[PRINT]] == whole.minted
    assert streamed.monitor.received.lstrip() == body


def _without_ids(sent: bytes) -> bytes:
    return re.sub(rb"msg_[0-9a-f]{24}", b"msg", sent)


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (b"", Verdict.TRANSIENT),
        (b'{"content":[{}', Verdict.TRANSIENT),
        (b'{"choices":[]}', Verdict.TRANSIENT),
        (b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}', Verdict.OVERLOADED),
        (b'{"content":[],"error":{"type":"overloaded_error","message":"x"}}', Verdict.OVERLOADED),
        (WHOLE[:40] + b'{"content":[]}', Verdict.TRANSIENT),
    ],
)
def test_what_does_not_conclude(body: bytes, verdict: Verdict) -> None:
    watched = Watched()
    watched.begin()
    assert watched.monitor.peek(body) is None and not watched.monitor.concludes()
    assert watched.monitor.failed("the stream ended before its first event").verdict is verdict
    assert watched.first_events == 0 and watched.monitor.converted == ""


def test_json_that_is_too_large_is_given_up() -> None:
    watched = Watched()
    watched.begin()
    watched.monitor.largest = 100
    assert [watched.monitor.peek(b"{" + b" " * 59) for _ in range(2)] == [None, False]
    assert watched.monitor.failed("").reason == "the stream does not begin with a Messages event"


@pytest.mark.parametrize("headers", [JSON, SSE])
def test_a_stream_for_a_client_that_wants_a_message(headers: dict[str, str]) -> None:
    watched = Watched(stream=False, model="claude-x")
    response = reply(encoded(*stream_of("Hello", 2)[:-2]) + THOUGHT + encoded(message_delta(), message_stop()))
    response.headers["content-type"] = headers["content-type"]
    assert not watched.begin() and watched.monitor.accepts(response)
    told = json.loads(response.content or b"")
    assert [block["type"] for block in told["content"]] == ["text", "thinking"]
    assert told["content"][1] == {**THINKING, "thinking": ""} and told["model"] == "claude-x"
    assert told["usage"]["output_tokens"] == watched.monitor.usage["output_tokens"] == 15
    assert response.headers["content-type"] == "application/json"
    assert response.headers["content-length"] == str(len(response.raw_content or b""))
    assert watched.monitor.converted == "a stream" and watched.first_events == 1 and watched.minted == [[PRINT]]


@pytest.mark.parametrize(
    ("body", "verdict", "said"),
    [
        (WHOLE[:-60], Verdict.TRANSIENT, "the provider ended its stream before message_stop"),
        (encoded(message_start("m"), error()), Verdict.OVERLOADED, "200 with overloaded_error"),
        (encoded(error("invalid_request_error", "x")), Verdict.REQUEST, "200 with invalid_request_error"),
        (
            encoded(message_start("m"), *tool_use_block(0, "Bash", {"a": "b"}), message_delta(), message_stop())
            .replace(b'b\\"}', b"b"),
            Verdict.TRANSIENT,
            "a tool use in the stream is no JSON",
        ),
    ],
)  # fmt: skip
def test_a_stream_that_adds_up_to_no_message(body: bytes, verdict: Verdict, said: str) -> None:
    """Nobody has seen anything of it: a probe has not succeeded, and the next target may answer."""
    watched = Watched(stream=False)
    assert not watched.monitor.accepts(reply(body, headers=SSE)) and watched.first_events == 0
    assert (watched.monitor.failed("").verdict, watched.monitor.failed("").reason) == (verdict, said)


def test_json_that_is_no_message() -> None:
    watched = Watched(stream=False)
    assert not watched.monitor.accepts(reply({"status": "ok"}))
    assert watched.monitor.failed("").reason == "200 answered without content"


# --- complete answers ---


@pytest.mark.parametrize("model", [None, "claude-opus-4-6"])
def test_a_message(model: str | None) -> None:
    watched = Watched(stream=False, model=model, first_party=True)
    response = reply(MESSAGE)
    assert watched.monitor.accepts(response) and watched.first_events == 1
    assert json.loads(response.content or b"") == {**MESSAGE, "model": model or "upstream"}
    assert response.headers["content-length"] == str(len(response.raw_content or b""))
    assert watched.monitor.usage == {"input_tokens": 7, "output_tokens": 2}


def test_a_body_without_a_model_stays() -> None:
    response = reply(b'{ "input_tokens":5 }')
    watched = Watched(stream=False, model="x", endpoint="count_tokens")
    assert watched.monitor.accepts(response) and response.content == b'{ "input_tokens":5 }'


def test_an_encoded_message_is_read_and_encoded_again() -> None:
    response = reply(MESSAGE)
    response.encode("gzip")
    watched = Watched(stream=False, model="x")
    assert watched.monitor.accepts(response)
    assert response.headers["content-encoding"] == "gzip" and json.loads(response.content or b"")["model"] == "x"


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_fault_of_the_request_goes_to_the_client_as_it_is(status: int) -> None:
    """C1."""
    body = b'{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: Field required"}}'
    response = reply(body, status)
    watched = Watched(model="x")
    assert watched.monitor.accepts(response) and response.content == body
    assert watched.monitor.judgement is not None and watched.monitor.judgement.verdict is Verdict.REQUEST
    assert watched.first_events == 0 and watched.monitor.usage == {}


@pytest.mark.parametrize(
    ("content", "status", "headers", "verdict", "said"),
    [
        (b"", 429, JSON, Verdict.THROTTLE, "429 throttle"),
        (b"<html>", 502, {"content-type": "text/html"}, Verdict.TRANSIENT, "502 web page"),
        (b"{}", 529, JSON, Verdict.OVERLOADED, "529 overloaded"),
        (b"{}", 401, JSON, Verdict.CREDENTIAL, "401 authentication_error"),
        (
            b"<html>",
            200,
            {"content-type": "text/html; charset=utf-8"},
            Verdict.TRANSIENT,
            "200 web page",
        ),
        (b"", 200, {}, Verdict.TRANSIENT, "200 answered with nothing instead of JSON"),
        (b"[]", 200, JSON, Verdict.TRANSIENT, "200 answered with application/json instead of JSON"),
        (
            b'{"base_resp":{"status_code":1002,"status_msg":"x"}}',
            200,
            JSON,
            Verdict.THROTTLE,
            "200 with base_resp 1002",
        ),
        (
            b'{"type":"error","error":{"type":"invalid_request_error","message":"x"}}',
            200,
            JSON,
            Verdict.REQUEST,
            "200 with invalid_request_error",
        ),
    ],
)
def test_answers_that_do_not_reach_the_client(
    content: bytes, status: int, headers: dict[str, str], verdict: Verdict, said: str
) -> None:
    """A10, C1."""
    watched = Watched(stream=False, error_codes={"1002": "throttle"})
    response = reply(content, status, headers)
    assert not watched.monitor.accepts(response) and watched.first_events == 0
    judgement = watched.monitor.failed("")
    assert (judgement.verdict, judgement.reason) == (verdict, said)


def test_a_whole_stream_of_a_replay() -> None:
    watched = Watched(model="claude-x")
    response = reply(WHOLE, headers=SSE)
    assert watched.monitor.accepts(response) and watched.first_events == 1 and watched.monitor.complete
    assert response.content == WHOLE.replace(b'"model":"upstream"', b'"model":"claude-x"')


def test_a_whole_stream_that_was_recorded_encoded() -> None:
    response = reply(WHOLE, headers=SSE)
    response.encode("gzip")
    watched = Watched()
    assert watched.monitor.streams(response) and watched.monitor.accepts(response)
    assert response.content == WHOLE and watched.monitor.usage["output_tokens"] == 15


@pytest.mark.parametrize(
    ("content", "verdict", "said"),
    [
        (error().encode(), Verdict.OVERLOADED, "200 with overloaded_error"),
        (b"", Verdict.TRANSIENT, "the stream ended before its first event"),
        (ping().encode(), Verdict.TRANSIENT, "the stream ended before its first event"),
    ],
)
def test_a_whole_stream_that_failed(content: bytes, verdict: Verdict, said: str) -> None:
    watched = Watched()
    assert not watched.monitor.accepts(reply(content, headers=SSE))
    assert (watched.monitor.failed("").verdict, watched.monitor.failed("").reason) == (verdict, said)


def test_a_whole_stream_that_breaks_off() -> None:
    response = reply(encoded(message_start("m")) + SAID, headers=SSE)
    watched = Watched()
    assert watched.monitor.accepts(response) and b"event: error" in (response.content or b"")
    assert watched.monitor.interruption and encoded(message_stop()) not in (response.content or b"")


# --- providers that are not first party ---

KIMI = b'{"type":"tool_use","id":"functions.Bash:0","name":"Bash","input":{}}'


def test_a_foreign_message_is_made_anthropics() -> None:
    """A10."""
    response = reply(b'{"id":"1","content":[' + KIMI + b'],"base_resp":{"status_code":0},"provider":"x"}')
    watched = Watched(stream=False, model="claude-x")
    assert watched.monitor.accepts(response)
    told = json.loads(response.content or b"")
    assert told == {
        "id": "1",
        "content": [{"type": "tool_use", "id": "functions_Bash_0", "name": "Bash", "input": {}}],
        "type": "message",
        "model": "claude-x",
        "role": "assistant",
        "usage": {
            "input_tokens": 0,
            "output_tokens": 0,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
        "stop_reason": "tool_use",
        "stop_sequence": None,
    }
    assert response.headers["content-length"] == str(len(response.raw_content or b""))


def test_a_foreign_count_of_tokens() -> None:
    response = reply(b'{"input_tokens": 5, "base_resp":{"status_code":0}}')
    watched = Watched(stream=False, model="x", endpoint="count_tokens")
    assert watched.monitor.accepts(response) and response.content == b'{"input_tokens":5}'


@pytest.mark.parametrize(("model", "first_party"), [("claude-x", True), (None, False)])
def test_a_first_partys_answer_keeps_everything_but_the_model(model: str | None, first_party: bool) -> None:
    """C3: also when the route chose another model of it."""
    start = b'event: message_start\ndata: {"message":{"model":"m"},"x":1}\n\n'
    rest = (
        b'event: content_block_start\ndata: {"content_block":' + KIMI + b'}\n\n'
        b'event: content_block_delta\ndata: {"delta":{"partial_json":"{}"}}\n\n'
        b'event: error\ndata: {"error":"odd"}\n\n'
    )
    watched = Watched(model=model, first_party=first_party)
    watched.begin()
    expected = start.replace(b'"m"', b'"claude-x"') if model else start
    assert watched.play([start + rest]) == expected + rest


@pytest.mark.parametrize(
    ("data", "kind", "said"),
    [
        (b'{"error":{"type":"overloaded_error","message":"busy"}}', "overloaded_error", "busy"),
        (b'{"error":{"code":502,"message":"provider down"}}', "api_error", "provider down"),
        (b'{"base_resp":{"status_code":1002,"status_msg":"slow"}}', "rate_limit_error", "slow"),
        (b'{"detail":[{"loc":["body","top_k"],"msg":"no"}]}', "api_error", "top_k: no"),
        (b"out of luck", "api_error", "out of luck"),
        (b"{}", "api_error", "minimax reported an error without words"),
        (b"", "api_error", "minimax reported an error without words"),
    ],
)
def test_an_error_event_in_a_shape_of_its_own(data: bytes, kind: str, said: str) -> None:
    """A10: what the client reads is Anthropic's shape with the provider's words."""
    watched = Watched(model="claude-x", error_codes={"1002": "throttle"})
    watched.begin()
    watched.play([WHOLE[: WHOLE.index(b"event: message_stop")]])
    sent = watched.monitor.relay(b"event: error\ndata: " + data + b"\n\n")
    (frame,) = sent
    assert frame.startswith(b"event: error\ndata: ") and frame.endswith(b"\n\n")
    assert json.loads(frame.partition(b"data: ")[2]) == {"type": "error", "error": {"type": kind, "message": said}}


@pytest.mark.parametrize(
    ("status", "body", "content_type", "sent", "kind", "said"),
    [
        (400, b'{"error":{"code":"1210","message":"bad"}}', "a", 400, "invalid_request_error", "bad"),
        (422, b'{"detail":[{"loc":["body","x"],"msg":"Extra"}]}', "a", 400, "invalid_request_error", "x: Extra"),
        (413, b"too big", "text/plain", 413, "request_too_large", "too big"),
    ],
)
@pytest.mark.parametrize("first_party", [False, True])
def test_a_refused_request(
    status: int, body: bytes, content_type: str, sent: int, kind: str, said: str, first_party: bool
) -> None:
    """A10: a first party's words are not touched."""
    response = reply(body, status, {"content-type": content_type, "x-should-retry": "false"})
    watched = Watched(model="x", first_party=first_party)
    assert watched.monitor.accepts(response)
    if first_party:
        assert (response.status_code, response.content) == (status, body)
        assert response.headers["content-type"] == content_type
        return
    assert response.status_code == sent
    assert json.loads(response.content or b"") == {"type": "error", "error": {"type": kind, "message": said}}
    assert response.headers["content-type"] == "application/json" and response.headers["x-should-retry"] == "false"
    assert response.headers["content-length"] == str(len(response.raw_content or b""))


# --- whose thinking it is ---

THOUGHT = (
    b'event: content_block_start\ndata: {"index":0,"content_block":{"type":"thinking","thinking":""}}\n\n'
    b'event: content_block_delta\ndata: {"index":0,"delta":{"type":"signature_delta","signature":"sig"}}\n\n'
)
PRINT = fingerprint("sig", "")


def test_minted_blocks_are_told_before_the_last_chunk() -> None:
    """The ledger knows them when the client can send them back."""
    watched = Watched()
    watched.begin()
    watched.play([encoded(message_start("m")), THOUGHT])
    assert watched.minted == []
    assert watched.monitor.relay(encoded(message_stop())) and watched.minted == [[PRINT]]
    watched.monitor.finish()
    watched.monitor.tell_minted()
    assert watched.minted == [[PRINT]]


@pytest.mark.parametrize("ending", ["finish", "interrupted", "error", "left"])
def test_minted_blocks_of_an_answer_that_breaks_off(ending: str) -> None:
    watched = Watched()
    watched.begin()
    watched.play([encoded(message_start("m")), THOUGHT])
    if ending == "finish":
        watched.monitor.finish()
    elif ending == "error":
        watched.monitor.relay(error().encode())
    elif ending == "interrupted":
        watched.monitor.interrupted("reset")
    else:
        watched.monitor.tell_minted()
    assert watched.minted == [[PRINT]]


def test_minted_blocks_of_whole_answers() -> None:
    message, stream, plain = Watched(stream=False), Watched(), Watched()
    block = {"type": "thinking", "thinking": "t", "signature": "sig"}
    assert message.monitor.accepts(reply({**MESSAGE, "content": [block]}))
    assert stream.monitor.accepts(reply(encoded(message_start("m")) + THOUGHT + encoded(message_stop()), headers=SSE))
    assert plain.monitor.accepts(reply(WHOLE, headers=SSE))
    assert (message.minted, stream.minted, plain.minted) == ([[PRINT]], [[PRINT]], [])


@given(
    st.binary(max_size=80),
    st.sampled_from([200, 204, 302, 400, 429, 500, 529]),
    st.sampled_from([JSON, SSE, {}]),
    st.sampled_from([None, "x"]),
)
def test_whatever_comes_is_judged(content: bytes, status: int, headers: dict[str, str], model: str | None) -> None:
    watched = Watched(model=model)
    accepted = watched.monitor.accepts(reply(content, status, headers))
    judgement = watched.monitor.failed("") if not accepted else None
    assert accepted or (judgement is not None and judgement.verdict is not Verdict.OK)


def test_a_monitor_keeps_nothing_alive() -> None:
    """It holds the request, by its callbacks: in a cycle those megabytes would wait for the garbage collector."""
    gc.disable()
    try:
        monitor = AnswerMonitor(
            Provider.model_validate({"name": "minimax", "base_url": "https://m"}),
            TIMEOUTS,
            Limits(),
            Expectation("messages", True, "opus"),
        )
        known = weakref.ref(monitor)
        del monitor
        assert known() is None
    finally:
        gc.enable()
