"""Flows that are sent again, reverted or forgotten, in a running proxy."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
from mitmproxy.http import HTTPFlow

from tests.proxy.support import BODY, QUICK, ask, provider_table, route
from turnout.proxy.steering import Steering, steering
from turnout.testing import replies
from turnout.testing.fixtures import StartProvider, StartProxy
from turnout.testing.provider import API_KEY, ScriptedProviderThread
from turnout.testing.proxy import RunningProxy
from turnout.testing.recording import read_flows

ASKED = {**BODY, "metadata": {"user_id": "ada"}, "temperature": 0.5}
RULES = 'rewrite.drop = ["metadata"]'


async def rewritten(
    proxy: StartProxy, provider: StartProvider, client: httpx.AsyncClient, **options: Any
) -> tuple[RunningProxy, ScriptedProviderThread, list[HTTPFlow]]:
    """A failed attempt at anthropic with the client's own key, and an exchange that another model has served."""
    first = provider([replies.error(529, "overloaded_error"), replies.sse()], accepts=API_KEY)
    second = provider(accepts="key-of-second-0123")
    config = QUICK + f'[providers.anthropic]\nbase_url = "{first.url}"\ncooldown = "1ms"\ncredentials = ["client"]\n'
    config += provider_table("second", second, key="key-of-second-0123").replace('rewrite.profile = "none"', RULES)
    running = await proxy(config + route("anthropic", "second/other-model"), options=options)
    assert (await ask(client, running.url, ASKED)).status_code == 200
    attempt, exchange = await running.finished(2)
    assert json.loads(exchange.request.content)["model"] == "other-model"
    assert "metadata" not in json.loads(exchange.request.content)
    return running, first, [attempt, exchange]


async def again(running: RunningProxy, *flows: HTTPFlow) -> None:
    count = len(running.flows)
    running.master.commands.call("replay.client", list(flows))
    await running.finished(count + len(flows))
    while running.master.commands.call("replay.client.count"):
        await asyncio.sleep(0)  # the end of a flow is told a moment before its replay is done


async def test_what_the_client_had_sent_is_sent_with_its_own_credential(
    proxy: StartProxy, provider: StartProvider, client: httpx.AsyncClient
) -> None:
    """The button of mitmweb: not what the last attempt had made of it, and as often as one likes."""
    running, first, (_, exchange) = await rewritten(proxy, provider, client)
    before = len(first.messages)
    for number in (1, 2):
        await again(running, exchange)
        assert exchange.response is not None and exchange.response.status_code == 200
        assert len(first.messages) == before + number
        assert first.messages[-1].json == ASKED and first.messages[-1].lower["x-api-key"] == API_KEY
        assert API_KEY not in repr(exchange.get_state())
    exchange.revert()
    assert json.loads(exchange.request.content or b"") == ASKED


async def test_what_the_user_has_edited_is_sent(
    proxy: StartProxy, provider: StartProvider, client: httpx.AsyncClient
) -> None:
    running, first, (_, exchange) = await rewritten(proxy, provider, client)
    exchange.request.text = json.dumps({**BODY, "max_tokens": 7})
    await again(running, exchange)
    assert first.messages[-1].json["max_tokens"] == 7


async def test_a_recording_is_sent_without_its_failed_attempts(
    proxy: StartProxy, provider: StartProvider, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """`-C day.mitm`: twice in one run changes nothing."""
    file = tmp_path / "day.mitm"
    running, first, _ = await rewritten(proxy, provider, client, turnout_record=str(file))
    await running.stop_recording()
    before = len(first.messages)
    for _ in range(2):
        attempt, exchange = read_flows(file)
        await again(running, attempt, exchange)
        assert attempt.response is None and attempt.metadata["turnout.part"] == "attempt"
        assert exchange.metadata["turnout.client_model"] == BODY["model"]
    assert [request.json for request in first.messages[before:]] == [ASKED, ASKED]


async def test_two_flows_of_one_id_do_not_mix(
    proxy: StartProxy, provider: StartProvider, client: httpx.AsyncClient
) -> None:
    running, _, (_, exchange) = await rewritten(proxy, provider, client)
    running.master.options.update(client_replay_concurrency=-1)
    twin = exchange.copy()
    twin.id = exchange.id
    await again(running, exchange, twin)
    assert [flow.response.status_code for flow in (exchange, twin) if flow.response] == [200, 200]
    assert exchange.metadata["turnout.exchange"] != twin.metadata["turnout.exchange"]


async def test_reverting_leaves_the_clients_connection_alone(
    proxy: StartProxy, provider: StartProvider, client: httpx.AsyncClient
) -> None:
    """Claude Code keeps its connection open; mitmproxy's connection objects are those of the flow."""
    running, _, (_, exchange) = await rewritten(proxy, provider, client)
    exchange.revert()
    assert exchange.response is not None and exchange.comment.startswith("claude-opus")
    assert (await ask(client, running.url)).status_code == 200


async def test_the_answer_of_a_failed_stream_is_recorded(
    proxy: StartProxy, provider: StartProvider, client: httpx.AsyncClient
) -> None:
    """An error event inside a 200: without its body a server replay would tell another story."""
    first, second = provider(replies.error_event(), accepts="key-of-first"), provider(accepts="key-of-second")
    config = QUICK + provider_table("first", first, key="key-of-first")
    config += provider_table("second", second, key="key-of-second") + route("first", "second")
    running = await proxy(config)
    await ask(client, running.url)
    attempt, _ = await running.finished(2)
    assert b"overloaded_error" in attempt.response.raw_content


async def test_what_was_for_the_way_alone_is_let_go(
    proxy: StartProxy, provider: StartProvider, client: httpx.AsyncClient
) -> None:
    """The body before masking, a second copy of the answer, and credentials."""
    running, _, (_, exchange) = await rewritten(proxy, provider, client)
    await ask(client, running.url)  # on the same connection: the first request is done with
    await running.finished(3)
    assert steering(exchange) == Steering()


async def test_a_later_addon_may_still_change_an_answer_that_holds_a_secret(
    proxy: StartProxy, provider: StartProvider, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    script = tmp_path / "later.py"
    script.write_text("def response(flow):\n    flow.response.headers['x-later'] = 'yes'\n")
    answer = replies.json(200, {"type": "message", "content": [{"type": "text", "text": "sk-ant-api03-Canary012345"}]})
    config = provider_table("first", provider(answer, accepts="key-of-first"), key="key-of-first") + route("first")
    running = await proxy(config, scripts=[script])
    reply = await ask(client, running.url, {"stream": False})
    assert reply.status_code == 200 and reply.headers["x-later"] == "yes"
