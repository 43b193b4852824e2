"""Recorded requests on the wire again, as the client sent them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.recordings.flows import plain, request, streamed
from turnout.recordings.reading import RecordedExchange, recording_of
from turnout.recordings.replay.sending import (
    Destination,
    Received,
    Sender,
    Unreachable,
    credentials_in,
    recorded_starts,
    send_all,
    sendable_fields,
    sendable_path,
)
from turnout.redaction.secret import Secret
from turnout.testing import replies
from turnout.testing.events import message_start, ping
from turnout.testing.provider import API_KEY, ScriptedProvider
from turnout.testing.replies import Reply
from turnout.testing.wire import RecordedRequest

KEY = (("x-api-key", Secret(API_KEY)),)


def exchanges(count: int = 1, **changes: Any) -> list[RecordedExchange]:
    return list(recording_of([plain(request(**changes), after=float(number)) for number in range(count)]).exchanges)


def test_headers_of_the_old_connection_and_secrets_are_left_out() -> None:
    fields = (
        (b"Host", b"127.0.0.1:8082"),
        (b"Content-Length", b"7"),
        (b"Connection", b"keep-alive"),
        (b"Proxy-Authorization", b"Basic abc"),
        (b"Expect", b"100-continue"),
        (b"X-Api-Key", b"sk-ant-api03-still-there"),
        (b"Helicone-Auth", b"Bearer abc"),
        (b"X-Custom", b"***"),
        (b"X-Other", b"token=***"),
        (b"X-Forward", b"Bearer sk-ant-api03-still-there"),
        (b"Referer", b"https://ada:correct-horse@gateway.example/"),
        (b"Origin", b"https://gateway.example/?access_token=abc"),
        (b"Anthropic-Beta", b"a,b"),
        (b"accept-encoding", b"gzip, br"),
    )
    assert sendable_fields(fields) == [(b"Anthropic-Beta", b"a,b"), (b"accept-encoding", b"gzip, br")]


@pytest.mark.parametrize(
    ("recorded", "sent"),
    [
        ("/v1/messages?beta=true&x=%7e[]", "/v1/messages?beta=true&x=%7e[]"),
        ("/v1/messages?a;b&&c=", "/v1/messages?a;b&&c="),
        ("/v1/messages?", "/v1/messages?"),
        ("/v1/messages?key=abc&beta=true&access_token=def", "/v1/messages?beta=true"),
        ("/v1/messages?API%5FKEY=abc", "/v1/messages"),
        ("/v1/messages?beta=true;key=abc", "/v1/messages?beta=true"),
        ("/v1/messages?x=sk-ant-api03-still-there&page_token=2", "/v1/messages?page_token=2"),
        ("/v1/messages?sk-ant-api03-still-there", "/v1/messages"),
        ("/v1/messages?key=***&x=***&beta=true", "/v1/messages?beta=true"),
        ("/sk-ant-api03-still-there/v1/messages", "/***/v1/messages"),
        ("/\udce4?key=abc&\udce4", "/\udce4?\udce4"),
    ],
)
def test_a_query_loses_its_credentials(recorded: str, sent: str) -> None:
    """G1: a plain mitmdump and a HAR file hold them as they were."""
    assert sendable_path(recorded) == sent


def test_the_names_of_recorded_credentials() -> None:
    fields = (
        (b"X-Api-Key", b"sk-ant-api03-still-there"),
        (b"authorization", b"***"),
        (b"cookie", b""),
        (b"x-forward", b"Bearer sk-ant-api03-still-there"),
        (b"x-custom", b"fine"),
    )
    path = "/sk-ant-api03-still-there?key=abc&token=***&sk-ant-api03-still-there=1&beta=true"
    (exchange,) = exchanges()
    request = type(exchange.request)("POST", path, fields, exchange.request.body)
    assert list(credentials_in(request)) == ["x-api-key", "x-forward", "the path", "key", "***"]
    assert list(credentials_in(exchange.request)) == []


async def test_recorded_credentials_are_not_sent() -> None:
    (exchange,) = exchanges(path="/v1/messages?key=abc&beta=true")
    fields = (*exchange.request.fields, (b"x-forward", b"Bearer sk-ant-api03-still-there"))
    sent = type(exchange.request)("POST", exchange.request.path, fields, exchange.request.body)
    async with ScriptedProvider() as provider, Sender(Destination(provider.url, KEY)) as sender:
        await sender.send(sent)
    (arrived,) = provider.requests
    assert arrived.target == "/v1/messages?beta=true" and "x-forward" not in arrived.lower


async def test_a_request_arrives_as_it_was_recorded() -> None:
    """A1: path, body and headers byte for byte; nothing of a client library is added."""
    body = (
        b'{ "model":"claude-opus-4-6", "max_tokens":1,"stream":true,\n'
        b'"messages":[{"role":"user","content":"\xc3\xa4"}]}'
    )
    (exchange,) = exchanges(body=body, path="/v1/messages?beta=true&x=%7e[]")
    async with ScriptedProvider(prefix="/anthropic") as provider, Sender(Destination(provider.url, KEY)) as sender:
        answer = await sender.send(exchange.request)
    (arrived,) = provider.requests
    assert arrived.target == "/anthropic/v1/messages?beta=true&x=%7e[]"
    assert arrived.body == body
    assert arrived.lower == {
        "host": f"127.0.0.1:{provider.port}",
        "content-length": str(len(body)),
        "anthropic-version": "2023-06-01",
        "content-type": "application/json",
        "user-agent": "claude-cli/2.1.197",
        "x-api-key": API_KEY,
    }
    assert answer.status == 200 and answer.problem == ""
    assert answer.content_type.startswith("text/event-stream")
    assert b"message_stop" in answer.body
    assert answer.first_event is not None and 0 < answer.first_event <= answer.total


async def test_an_admission_is_made_of_what_is_on_the_wire() -> None:
    """Method and path, with the path of the base URL, and again for every request."""
    (exchange,) = exchanges(path="/v1/messages?beta=true&key=abc")
    asked: list[tuple[str, str]] = []

    def admission(method: str, path: str) -> list[tuple[str, Secret]]:
        asked.append((method, path))
        return [("x-turnout-proof", Secret(f"proof {len(asked)}"))]

    async with (
        ScriptedProvider(prefix="/anthropic") as provider,
        Sender(Destination(provider.url, KEY, admission)) as sender,
    ):
        await sender.send(exchange.request)
        await sender.send(exchange.request)
    assert [request.lower["x-turnout-proof"] for request in provider.requests] == ["proof 1", "proof 2"]
    assert asked == [("POST", request.target) for request in provider.requests]


async def test_compressed_answers_are_opened() -> None:
    (exchange,) = exchanges()
    fields = (*exchange.request.fields, (b"accept-encoding", b"gzip"))
    sent = type(exchange.request)("POST", exchange.request.path, fields, exchange.request.body)
    async with ScriptedProvider(gzip=True) as provider, Sender(Destination(provider.url, KEY)) as sender:
        answer = await sender.send(sent)
    assert answer.body == streamed().content


async def test_a_redirect_is_an_answer_and_takes_no_credential_along() -> None:
    async with ScriptedProvider() as elsewhere:
        moved = replies.json(307, {}, {"location": f"{elsewhere.url}/v1/messages"})
        async with ScriptedProvider(moved) as provider, Sender(Destination(provider.url, KEY)) as sender:
            answer = await sender.send(exchanges()[0].request)
    assert answer.status == 307 and elsewhere.requests == []


async def test_cookies_of_one_answer_are_not_sent_with_the_next_request() -> None:
    script = replies.json(200, {}, {"set-cookie": "session=1; Path=/"})
    async with ScriptedProvider(script) as provider, Sender(Destination(provider.url, KEY)) as sender:
        for exchange in exchanges(2):
            await sender.send(exchange.request)
    assert all("cookie" not in arrived.lower for arrived in provider.requests)


async def test_a_proxy_of_the_environment_sees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ScriptedProvider() as proxy, ScriptedProvider() as provider:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        async with Sender(Destination(provider.url, KEY)) as sender:
            await sender.send(exchanges()[0].request)
    assert proxy.requests == [] and len(provider.messages) == 1


@pytest.mark.parametrize(
    ("reply", "status"),
    [(replies.close_after(3), 200), (replies.close_before_headers(), None), (replies.garbage(), None)],
)
async def test_a_lost_connection_is_told(reply: Reply, status: int | None) -> None:
    async with ScriptedProvider(reply) as provider, Sender(Destination(provider.url, KEY)) as sender:
        answer = await sender.send(exchanges()[0].request)
    assert answer.status == status and answer.problem


async def test_nobody_there_is_an_error_at_the_first_request_alone() -> None:
    async with ScriptedProvider() as provider, Sender(Destination(provider.url, KEY)) as sender:
        url = provider.url
        assert (await sender.send(exchanges()[0].request)).status == 200
        await provider.__aexit__(None, None, None)
        late = await sender.send(exchanges()[0].request)
    assert late.status is None and late.problem
    async with Sender(Destination(url, KEY)) as sender:
        with pytest.raises(Unreachable, match=f"nothing answers at {url}"):
            await send_all(exchanges(3), sender, lambda *_: None, concurrency=2)


async def test_a_refused_connection_ends_nothing_that_is_under_way() -> None:
    """The first request is not answered yet when the second finds nobody."""
    gate = asyncio.Event()
    async with ScriptedProvider(replies.sse(gate=gate)) as provider, Sender(Destination(provider.url, KEY)) as sender:
        first = asyncio.create_task(sender.send(exchanges()[0].request))
        await provider.arrived()
        provider._server.close()
        second = await sender.send(exchanges()[0].request)
        gate.set()
        assert (await first).status == 200
    assert second.status is None and second.problem


async def test_a_refused_connection_waits_for_one_that_is_being_made() -> None:
    """Whether anybody is there is known when the last handshake has ended."""
    refuse, began = asyncio.Event(), asyncio.Event()

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        began.set()
        await refuse.wait()
        writer.transport.abort()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with Sender(Destination(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")) as sender:
        first = asyncio.create_task(sender.send(exchanges()[0].request))
        await began.wait()
        server.close()
        second = asyncio.create_task(sender.send(exchanges()[0].request))
        done, _ = await asyncio.wait([first, second], timeout=0.2)
        assert done == set()
        refuse.set()
        failures = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(each) for each in failures] == [Unreachable, Unreachable]


async def test_an_answer_without_end() -> None:
    """A peer that pings for ever."""
    endless = replies.sse([message_start(), *[ping()] * 100_000], delay=0.01)
    async with ScriptedProvider(endless) as provider, Sender(Destination(provider.url, KEY), 0.3) as sender:
        answer = await sender.send(exchanges()[0].request)
        await provider.requests[0].closed.wait()
    assert answer.status == 200 and b"event: ping" in answer.body
    assert answer.problem == "not at its end after 0.3 s" and answer.total >= 0.3


async def test_a_silent_peer() -> None:
    async with ScriptedProvider(replies.hang()) as provider, Sender(Destination(provider.url, KEY), 0.1) as sender:
        answer = await sender.send(exchanges()[0].request)
    assert (answer.status, answer.problem) == (None, "not at its end after 0.1 s")


async def play(script: Callable[[RecordedRequest], Reply], count: int, **how: Any) -> tuple[list[int], int]:
    """The numbers of the exchanges in the order in which they were answered, and how many connections were used."""
    order: list[int] = []

    def arrived(exchange: RecordedExchange, received: Received) -> None:
        assert received.status == 200
        order.append(exchange.number)

    async with ScriptedProvider(script) as provider, Sender(Destination(provider.url, KEY)) as sender:
        await send_all(exchanges(count), sender, arrived, **how)
    return order, len({request.connection for request in provider.requests})


async def test_one_after_the_other_on_one_connection() -> None:
    assert await play(lambda _: replies.sse(), 4) == ([1, 2, 3, 4], 1)


async def test_as_many_at_a_time_as_wanted() -> None:
    """Three are answered only when three are there; the fourth comes when one of them has been."""
    gate, arrived, under_way = asyncio.Event(), [], []

    def script(request: RecordedRequest) -> Reply:
        arrived.append(request)
        under_way.append(sum(not each.finished.is_set() for each in arrived))
        if len(arrived) == 3:
            gate.set()
        return replies.sse(gate=gate)

    order, connections = await play(script, 5, concurrency=3)
    assert sorted(order) == [1, 2, 3, 4, 5]
    assert max(under_way) == 3 and connections <= 3


async def test_requests_wait_for_their_time() -> None:
    started = asyncio.get_running_loop().time()
    await play(lambda _: replies.sse(), 3, concurrency=3, starts=[0.0, 0.05, 0.1])
    assert asyncio.get_running_loop().time() - started >= 0.1


def test_recorded_distances() -> None:
    flows = [plain(after=after) for after in (0.0, 1.5, 1.0, 4.0)]
    assert recorded_starts(recording_of(flows).exchanges) == [0.0, 1.5, 1.5, 4.0]
    assert recorded_starts([]) == []
