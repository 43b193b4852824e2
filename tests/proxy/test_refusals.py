"""What is refused, over real sockets: in JSON, as soon as it is decided, and so that the client can read it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.proxy.support import HEADERS, anthropic_table, ask, text_of
from tests.proxy.test_failover import nothing_held, pair
from tests.proxy.test_hardening import PLAIN, head, raw
from turnout.proxy import bounds, http1
from turnout.testing import events, replies
from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import ScriptedProvider
from turnout.testing.wire import Answer, RecordedRequest

KEYS = '[access]\nkeys = ["turnout-key-of-the-test"]\nmax_body = "64KB"\n'
KEY = "x-turnout-key: turnout-key-of-the-test"
ANNOUNCED = "Content-Length: 1000000000"


def parts_of(answer: bytes) -> tuple[int, dict[str, str], dict[str, object]]:
    """Status, headers and error of the one answer on a connection that was closed after it."""
    top, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = top.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert headers["content-length"] == str(len(body)) and headers["connection"] == "close", answer
    return int(status.split()[1]), headers, json.loads(body)["error"]


REFUSED = {
    "wrong key": (head(ANNOUNCED), 401),
    "wrong key, chunked": (head("Transfer-Encoding: chunked"), 401),
    "wrong key, expecting": (head(ANNOUNCED, "Expect: 100-continue"), 401),
    "wrong key, small": (head("Content-Length: 10"), 401),
    "wrong Host": (head(ANNOUNCED, KEY).replace(b"Host: 127.0.0.1", b"Host: evil.example"), 403),
    "wrong Origin": (head(ANNOUNCED, KEY, "Origin: https://evil.example"), 403),
    "too large": (head(ANNOUNCED, KEY), 413),
    "too large, chunked": (head("Transfer-Encoding: chunked", KEY) + b"1ffff\r\n" + b"x" * 65537, 413),
    "unknown path": (head("Content-Length: 1000", KEY, path="/v1/x"), 404),
    "unknown method": (head("Content-Length: 1000", KEY).replace(b"POST", b"BREW", 1), 404),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_refusal_comes_before_the_body(proxy: StartProxy, name: str) -> None:
    """The client sends no more than this, and waits."""
    data, expected = REFUSED[name]
    running = await proxy(KEYS)
    status, _, error = parts_of(await raw(running.port, data))
    assert status == expected and error["message"]
    (flow,) = await running.finished()
    assert flow.response.status_code == expected and flow.comment.startswith("refused") and not flow.live
    assert flow.request.raw_content == b"" and flow.error is None
    nothing_held(running)


@pytest.mark.parametrize("size", [100_000, 20_000_000])
async def test_a_client_that_sends_it_all_can_read_the_refusal(
    proxy: StartProxy, client: httpx.AsyncClient, size: int
) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(size // 50_000):
            yield b"x" * 50_000

    running = await proxy(KEYS)
    answer = await client.post(f"{running.url}/v1/messages", content=body(), headers=HEADERS)
    assert answer.status_code == 401 and answer.json()["error"]["type"] == "authentication_error"
    answer = await client.post(f"{running.url}/v1/messages", content=body(), headers=dict([KEY.split(": ")]))
    assert answer.status_code == 413 and answer.json()["error"]["type"] == "request_too_large"
    assert len(await running.finished(2)) == 2


async def test_a_client_that_never_reads_is_cut_off(proxy: StartProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it still sends is thrown away, up to a limit."""
    monkeypatch.setattr(http1, "LINGER_BYTES", 1_000_000)
    running = await proxy(KEYS)
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(head(ANNOUNCED))
    with pytest.raises(ConnectionError):
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
    writer.transport.abort()
    assert len(await running.finished()) == 1


MALFORMED = {
    "two lengths": (head("Content-Length: 5", "Content-Length: 6"), PLAIN),
    "no length": (head("Content-Length: abc"), b""),
    "negative length": (head("Content-Length: -1"), b""),
    "length and chunks": (head("Content-Length: 5", "Transfer-Encoding: chunked"), b"0\r\n\r\n"),
    "two encodings": (head("Transfer-Encoding: chunked", "Transfer-Encoding: identity"), b"0\r\n\r\n"),
    "unknown encoding": (head("Transfer-Encoding: rot13"), b""),
    "bad chunk": (head("Transfer-Encoding: chunked"), b"zz\r\n"),
    "bad trailers": (head("Transfer-Encoding: chunked"), b"0\r\nno colon\r\n\r\n"),
    "a space in the path": (head(path="/v1/mes sages"), b""),
    "no slash": (head(path="v1/messages"), b""),
    "unknown scheme": (head(path="ftp://127.0.0.1/v1/messages"), b""),
    "no such version": (head(version="3"), b""),
    "no version": (b"GET /health\r\n\r\n", b""),
    "one word": (b"hello\r\n\r\n", b""),
    "no colon": (head("nothing"), b""),
    "no name": (head(": nothing"), b""),
    "a space in a name": (head("a b: c"), b""),
    "a folded first line": (head().replace(b"\r\nHost", b"\r\n Host"), b""),
    "CONNECT": (head().replace(b"POST /v1/messages", b"CONNECT example.com:443"), b""),
    "bytes": (bytes(range(128, 256)) + b"\r\n\r\n", b""),
    "no end": (head()[:-2] + b"a: b\r\n" * 20_000, b""),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_is_no_request_gets_json(proxy: StartProxy, name: str) -> None:
    running = await proxy(KEYS)
    status, headers, error = parts_of(await raw(running.port, *MALFORMED[name]))
    assert status == (431 if name == "no end" else 400) and headers["content-type"] == "application/json"
    assert error["type"] == "invalid_request_error" and error["message"]
    answer = await raw(running.port, head("Connection: close", KEY, path="/health").replace(b"POST", b"GET", 1))
    assert answer.startswith(b"HTTP/1.1 200"), "and others are served"
    nothing_held(running)


@pytest.mark.parametrize("lines", [("Content-Length: abc",), ("Content-Length: 1", "Transfer-Encoding: chunked")])
async def test_the_shape_is_that_of_the_path(proxy: StartProxy, lines: tuple[str, ...]) -> None:
    running = await proxy()
    answer = await raw(running.port, head(*lines, path="/v1/chat/completions"))
    assert answer.startswith(b"HTTP/1.1 400")
    assert set(json.loads(answer.partition(b"\r\n\r\n")[2])) == {"error"}, "OpenAI's"


@pytest.mark.parametrize("line", ["Connection: close", "Connection: Close", "Connection: foo, close"])
async def test_connection_close_is_honoured_by_refusals(proxy: StartProxy, line: str) -> None:
    running = await proxy(KEYS)
    assert parts_of(await raw(running.port, head(line, "Content-Length: 2") + b"{}"))[0] == 401


async def test_a_flood_of_header_lines_holds_nobody_up(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    running = await proxy()
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(head()[:-2] + b"a: b\r\n" * 500_000)
    assert (await client.get(f"{running.url}/health", timeout=2)).status_code == 200
    assert (await reader.read()).startswith(b"HTTP/1.1 431")
    writer.close()


class Raw:
    """An answer byte for byte; then silence."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = parts

    async def play(self, request: RecordedRequest, answer: Answer, headers: replies.Headers) -> None:
        for part in self.parts:
            await answer.raw(part)
        await asyncio.Event().wait()


JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"

ENDLESS = {
    "header lines": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000,
    "one line": b"HTTP/1.1 200 " + b"a" * bounds.MAX_HEAD,
    "empty lines": b"\r\n" * 100,
    "interim answers": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100,
    "chunk extension": JSON_HEAD + b"1;" + b"a" * 10_000,
    "trailers": JSON_HEAD + b"2\r\n{}\r\n0\r\n" + b"a: b\r\n" * 20_000,
}


@pytest.mark.parametrize("name", ENDLESS)
async def test_an_answer_without_end_is_a_failure(proxy: StartProxy, client: httpx.AsyncClient, name: str) -> None:
    """It moves on at once, without waiting for a deadline."""
    first = ScriptedProvider(Raw(ENDLESS[name]), accepts="key-1")
    async with first, ScriptedProvider(accepts="key-2") as second:
        running = await proxy(pair(first, second))
        answer = await ask(client, running.url)
        assert answer.status_code == 200 and text_of(answer)
        assert len(await running.finished(2)) == 2
        nothing_held(running)


async def test_trailers_end_messages_both_ways(proxy: StartProxy) -> None:
    """They are dropped, and the connections go on."""
    stream = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    for event in events.stream_of():
        stream += b"%x\r\n%s\r\n" % (len(event.encode()), event.encode())

    class Trailing:
        async def play(self, request: RecordedRequest, answer: Answer, headers: replies.Headers) -> None:
            await answer.raw(stream + b"0\r\nserver-timing: total;dur=5\r\n\r\n")
            request.finished.set()

    async with ScriptedProvider(Trailing()) as upstream:
        running = await proxy(anthropic_table(upstream))
        body = PLAIN.replace(b'"max_tokens"', b'"stream":true,"max_tokens"')
        asked = head("Transfer-Encoding: chunked") + b"%x\r\n%s\r\n0\r\nx-trailer: 1\r\n\r\n" % (len(body), body)
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        for _ in range(2):
            writer.write(asked)
            answer = await asyncio.wait_for(reader.readuntil(b"\r\n0\r\n\r\n"), 5)
            assert answer.startswith(b"HTTP/1.1 200") and b"message_stop" in answer and b"server-timing" not in answer
        writer.close()
        assert [request.body for request in upstream.messages] == [body] * 2
        nothing_held(running)
