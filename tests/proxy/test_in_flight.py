"""A flow under way, looked at in every hook and in every turn of the event loop: whatever waits, no secret is in it."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.proxy.support import BODY, provider_table, route, text_of
from turnout.testing import replies
from turnout.testing.events import stream_of
from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import ScriptedProvider
from turnout.testing.proxy import RunningProxy
from turnout.testing.strict import Credential

KEYS = {"first": "key-of-first-Canary01-0123456789", "second": "key-of-second-Canary02-0123456789"}
PROMPT = "sk-ant-oat01-Canary03Prompt0123456789"
ANSWER = "sk-ant-api03-Canary04Answer00000000"
PATH = "/v1/messages?beta=true&api_key=Canary05Query&x=sk-ant-api03-Canary06Path00000000"
SENT = "/v1/messages?beta=true"
"""A credential of the client's goes to no provider, in whatever place it stands, nor does what none of them knows."""
HEADERS = {
    "x-api-key": "sk-ant-api03-Canary07ClientKey00000",
    "x-debug": "with sk-proj-Canary08OddHeader0123456789",
    "anthropic-version": "2023-06-01",
    "content-type": "application/json",
}
"""All secrets share a word, for which everything is searched."""

TRACE = {"x-trace": "sk-ant-api03-Canary09AnswerHeader0", "set-cookie": "id=Canary10Cookie"}


def good(**how: Any) -> replies.Reply:
    return replies.sse(stream_of(f"It is {ANSWER}.", n_chunks=5), headers=TRACE, **how)


def refusal(status: int = 429, type: str = "rate_limit_error", **headers: str) -> replies.Reply:
    message = f"the key {ANSWER} ({KEYS['first']}) is at its limit"
    return replies.error(status, type, message, {**TRACE, **headers})


class Watch:
    """An addon after Turnout's, and a task that looks whenever any other has run."""

    def __init__(self) -> None:
        self.flows: list[Any] = []
        self.found: dict[str, str] = {}
        self.seen: set[tuple[str, int | None]] = set()
        """Hooks (or `between`) and the status that the flow had then."""
        self._task = asyncio.ensure_future(self._turns())

    def look(self, when: str) -> None:
        for flow in self.flows:
            self.seen.add((when, flow.response.status_code if flow.response is not None else None))
            text = repr(flow.get_state())
            if "Canary" in text:
                at = text.index("Canary")
                self.found.setdefault(when, text[max(0, at - 200) : at + 60])

    async def _turns(self) -> None:
        while True:
            self.look("between")
            await asyncio.sleep(0)

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        assert self.found == {}

    def requestheaders(self, flow: Any) -> None:
        self.flows.append(flow)
        self.look("requestheaders")

    def request(self, flow: Any) -> None:
        self.look("request")

    def server_connect(self, data: Any) -> None:
        self.look("server_connect")

    def responseheaders(self, flow: Any) -> None:
        self.look("responseheaders")

    def upstream_failed(self, flow: Any) -> None:
        self.look("upstream_failed")

    def response(self, flow: Any) -> None:
        self.look("response")

    def error(self, flow: Any) -> None:
        self.look("error")


Watching = Callable[[str], Awaitable[tuple[RunningProxy, Watch]]]


@pytest_asyncio.fixture
async def watched(proxy: StartProxy) -> AsyncIterator[Watching]:
    watches: list[Watch] = []

    async def start(config: str) -> tuple[RunningProxy, Watch]:
        running = await proxy(config)
        watches.append(Watch())
        running.master.addons.add(watches[0])
        return running, watches[0]

    yield start
    for watch in watches:
        await watch.end()


def served_by(name: str, script: Any) -> ScriptedProvider:
    return ScriptedProvider(script, accepts=Credential("bearer", KEYS[name]))


def two(first: ScriptedProvider, second: ScriptedProvider, retry: str = "max_elapsed = 0", extra: str = "") -> str:
    tables = provider_table("first", first, key=KEYS["first"], extra=f'headers = ["x-debug"]\n{extra}')
    tables += provider_table("second", second, key=KEYS["second"], extra='headers = ["x-debug"]')
    return f"[retry]\n{retry}\n" + tables + route("first", "second")


def body(**more: Any) -> bytes:
    return json.dumps({**BODY, "messages": [{"role": "user", "content": f"What is {PROMPT}?"}], **more}).encode()


async def post(client: httpx.AsyncClient, url: str, content: bytes, **headers: str) -> httpx.Response:
    return await client.post(url + PATH, content=content, headers={**HEADERS, **headers})


def came_whole(provider: ScriptedProvider, content: bytes) -> None:
    """Every byte of the body, and the path as the client wrote it, but for its credential."""
    for request in provider.messages:
        assert hashlib.sha256(request.body).digest() == hashlib.sha256(content).digest()
        assert request.target.endswith(SENT) and request.lower["x-debug"] == HEADERS["x-debug"]


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_takes_its_time(watched: Watching, client: httpx.AsyncClient, stream: bool) -> None:
    gate, content = asyncio.Event(), body(stream=stream)
    script = good(gate=gate) if not stream else replies.sse([*stream_of(ANSWER)[:2], gate, *stream_of(ANSWER)[2:]])
    async with served_by("first", script) as first, served_by("second", good()) as second:
        running, watch = await watched(two(first, second))
        asking = asyncio.ensure_future(post(client, running.url, content))
        await first.arrived()
        gate.set()
        reply = await asking
        assert ANSWER in (text_of(reply) if stream else reply.text)
        if not stream:
            assert reply.headers["x-trace"] == TRACE["x-trace"] and "set-cookie" not in reply.headers
        await running.finished()
        came_whole(first, content)
    assert {when for when, _ in watch.seen} >= {"requestheaders", "request", "server_connect", "responseheaders"}


async def test_an_answers_headers_reach_the_client_while_it_streams(
    watched: Watching, client: httpx.AsyncClient
) -> None:
    async with served_by("first", good()) as first, served_by("second", good()) as second:
        running, watch = await watched(two(first, second))
        reply = await post(client, running.url, body())
        assert reply.headers["x-trace"] == TRACE["x-trace"] and ANSWER in text_of(reply)
        (flow,) = await running.finished()
        assert flow.response.headers["x-trace"] == "***"
    assert ("responseheaders", 200) in watch.seen


async def test_a_failover(watched: Watching, client: httpx.AsyncClient) -> None:
    content = body()
    async with served_by("first", refusal()) as first, served_by("second", good()) as second:
        running, watch = await watched(two(first, second))
        reply = await post(client, running.url, content)
        assert ANSWER in text_of(reply)
        await running.finished(2)
        came_whole(first, content)
        came_whole(second, content)
    assert ("upstream_failed", 429) in watch.seen


async def test_a_stream_that_fails(watched: Watching, client: httpx.AsyncClient) -> None:
    """What came of it is kept for the flow of the failed attempt."""
    script = replies.error_event(message=f"overloaded {ANSWER}")
    async with served_by("first", script) as first, served_by("second", good()) as second:
        running, _ = await watched(two(first, second))
        assert ANSWER in text_of(await post(client, running.url, body()))
        attempt, _ = await running.finished(2)
        assert b"overloaded" in attempt.response.raw_content


async def test_a_pause_before_a_retry(watched: Watching, client: httpx.AsyncClient) -> None:
    """The flow holds the answer of the failed attempt for as long as the pause lasts."""
    content = body()
    overloaded = refusal(529, "overloaded_error")
    async with served_by("first", [overloaded, overloaded, good()]) as first, served_by("second", good()) as second:
        running, watch = await watched(two(first, second, retry='initial = "20ms"\nmax_elapsed = "5s"'))
        assert ANSWER in text_of(await post(client, running.url, content))
        assert len(first.messages) == 3 and not second.messages
        await running.finished(3)
        came_whole(first, content)
    assert ("between", 529) in watch.seen


async def test_a_wait_for_a_slot(watched: Watching, client: httpx.AsyncClient) -> None:
    gate, content = asyncio.Event(), body()
    async with served_by("first", good(gate=gate)) as first, served_by("second", good()) as second:
        running, _ = await watched(two(first, second, extra="max_concurrent = 1\nslot_wait = 20"))
        slots = running.addon.bridge.dispatcher.slots
        both = [asyncio.ensure_future(post(client, running.url, content)) for _ in range(2)]
        while slots.snapshot()["first"]["waiting"] == 0:
            await asyncio.sleep(0)
        gate.set()
        assert all(ANSWER in text_of(reply) for reply in await asyncio.gather(*both))
        came_whole(first, content)


async def test_all_attempts_fail(watched: Watching, client: httpx.AsyncClient) -> None:
    """The client reads the provider's own words; whoever looks at the flow does not."""
    async with served_by("first", refusal()) as first, served_by("second", refusal(503, "api_error")) as second:
        running, _ = await watched(two(first, second))
        reply = await post(client, running.url, body())
        assert reply.status_code == 429 and ANSWER in reply.text
        await running.finished(3)


async def test_a_fault_of_the_request_itself(watched: Watching, client: httpx.AsyncClient) -> None:
    script = refusal(400, "invalid_request_error")
    async with served_by("first", script) as first, served_by("second", good()) as second:
        running, _ = await watched(two(first, second))
        reply = await post(client, running.url, body())
        assert reply.status_code == 400 and ANSWER in reply.text and reply.headers["x-trace"] == TRACE["x-trace"]
        await running.finished()


async def test_what_is_refused_or_answered_here(watched: Watching, client: httpx.AsyncClient) -> None:
    async with served_by("first", good()) as first, served_by("second", good()) as second:
        running, _ = await watched(two(first, second))
        secret = HEADERS["x-api-key"]
        refused = await client.post(f"{running.url}/v1/{secret}?key=Canary11", content=body(), headers=HEADERS)
        assert refused.status_code == 404 and secret in refused.text, "the client may read what it has written"
        model = await client.get(f"{running.url}/v1/models/{secret}?token=Canary12", headers=HEADERS)
        invalid = await post(client, running.url, b'{"model": "%s"' % secret.encode())
        assert (model.status_code, invalid.status_code) == (404, 400)
        flows = await running.finished(3)
        assert all(flow.response is not None and flow.comment for flow in flows)


async def test_a_client_that_leaves_before_the_answer(watched: Watching, client: httpx.AsyncClient) -> None:
    script = replies.sse([asyncio.Event()], headers=TRACE)
    async with served_by("first", script) as first, served_by("second", good()) as second:
        running, watch = await watched(two(first, second))
        asking = asyncio.ensure_future(post(client, running.url, body()))
        await first.arrived()
        asking.cancel()
        await running.finished()
    assert "error" in {when for when, _ in watch.seen}


async def test_a_client_that_leaves_in_the_middle(watched: Watching, client: httpx.AsyncClient) -> None:
    script = replies.sse([*stream_of(ANSWER)[:4], asyncio.Event()], headers=TRACE)
    async with served_by("first", script) as first, served_by("second", good()) as second:
        running, _ = await watched(two(first, second))
        async with client.stream("POST", running.url + PATH, content=body(), headers=HEADERS) as reply:
            await anext(reply.aiter_bytes())
        (flow,) = await running.finished()
        assert flow.error is not None and flow.response.raw_content


async def test_a_compressed_body(watched: Watching, client: httpx.AsyncClient) -> None:
    content, gate = body(), asyncio.Event()
    async with served_by("first", good(gate=gate)) as first, served_by("second", good()) as second:
        running, _ = await watched(two(first, second))
        packed = gzip.compress(content)
        asking = asyncio.ensure_future(post(client, running.url, packed, **{"content-encoding": "gzip"}))
        await first.arrived()
        gate.set()
        assert ANSWER in text_of(await asking)
        (flow,) = await running.finished()
        came_whole(first, content)
        flow.revert()
        assert len(flow.request.content) == len(content), "it can be read as its headers say"


async def test_a_flow_that_is_sent_again(watched: Watching, client: httpx.AsyncClient) -> None:
    """Secrets of the body and the path are gone; the client's credential is used, and not shown."""
    async with served_by("first", good()) as first, served_by("second", good()) as second:
        running, _ = await watched(two(first, second))
        await post(client, running.url, body())
        (flow,) = await running.finished()
        running.master.commands.call("replay.client", [flow])
        await running.finished(2)
        assert len(first.messages) == 2 and first.messages[1].target.endswith("?beta=true")
        assert len(first.messages[1].body) == len(first.messages[0].body)


async def test_an_explanation_of_a_flow_under_way(watched: Watching, client: httpx.AsyncClient) -> None:
    gate = asyncio.Event()
    async with served_by("first", good(gate=gate)) as first, served_by("second", good()) as second:
        running, watch = await watched(two(first, second))
        asking = asyncio.ensure_future(post(client, running.url, body()))
        await first.arrived()
        told = running.master.commands.call("turnout.explain", watch.flows[0])
        assert any(line.startswith("first") for line in told) and "Canary" not in "\n".join(told)
        gate.set()
        await asking


LATER = """
def request(flow):
    flow.request.headers["x-later"] = "yes"
    flow.request.content += b" "
def responseheaders(flow):
    flow.response.headers["x-later"] = "sk-ant-api03-Canary13Later0000000"
"""


async def test_what_a_later_addon_changes_stays_changed(
    proxy: StartProxy, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """It has seen the flow as it is shown, and what it puts there is sent."""
    script = tmp_path / "later.py"
    script.write_text(LATER)
    async with served_by("first", good()) as first, served_by("second", good()) as second:
        running = await proxy(two(first, second), scripts=[script])
        reply = await post(client, running.url, body())
        assert reply.headers["x-trace"] == TRACE["x-trace"] and "Canary13" in reply.headers["x-later"]
        (request,) = first.messages
        assert request.lower["x-later"] == "yes" and request.lower["x-debug"] == HEADERS["x-debug"]
        assert request.target.endswith(SENT) and request.body.endswith(b" ") and b"Canary" not in request.body
        (flow,) = await running.finished()
        assert "Canary" not in repr(flow.get_state())
