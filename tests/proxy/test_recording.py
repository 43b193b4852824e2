"""What stays of an exchange: the client's request, every attempt, markers, and no secret."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.proxy.support import BODY, HEADERS, QUICK, anthropic_table, ask, provider_table, route, text_of
from turnout.flows.backup import backup_of
from turnout.testing import replies
from turnout.testing.events import stream_of
from turnout.testing.fixtures import StartProvider, StartProxy
from turnout.testing.provider import API_KEY, ScriptedProvider
from turnout.testing.recording import read_flows

SECRET = "sk-ant-api03-Canary0123456789abcdef"


async def test_a_failover_is_recorded_from_both_sides(
    proxy: StartProxy, provider: StartProvider, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """The pristine request of the client, and each attempt as it was sent; markers tell which is which."""
    first = provider(replies.error(529, "overloaded_error"), accepts="key-of-first")
    second = provider(accepts="key-of-second")
    config = QUICK + provider_table("first", first, key="key-of-first")
    config += provider_table("second", second, key="key-of-second") + route("first", "second/other-model")
    file = tmp_path / "day.mitm"
    running = await proxy(config, options={"turnout_record": str(file)})
    assert (await ask(client, running.url)).status_code == 200
    await running.finished(2)
    await running.stop_recording()
    attempt, exchange = read_flows(file)
    assert [flow.metadata["turnout.part"] for flow in (attempt, exchange)] == ["attempt", "exchange"]
    assert attempt.metadata["turnout.exchange"] == exchange.metadata["turnout.exchange"]
    assert [attempt.marked, exchange.marked] == [":warning:", ":twisted_rightwards_arrows:"]
    assert backup_of(attempt) is None
    assert attempt.request.port == first.port and json.loads(attempt.request.content)["model"] == BODY["model"]
    assert exchange.request.port == second.port and json.loads(exchange.request.content)["model"] == "other-model"
    exchange.revert()
    assert exchange.request.port == running.port and json.loads(exchange.request.content) == BODY
    assert exchange.request.headers["x-api-key"] == "***"
    for secret in (API_KEY, "key-of-first", "key-of-second"):
        assert secret.encode() not in file.read_bytes()


async def test_what_turnout_answers_and_refuses_itself_is_recorded_too(
    proxy: StartProxy, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    file = tmp_path / "day.mitm"
    running = await proxy("", options={"turnout_record": str(file)})
    await client.get(f"{running.url}/health")
    await client.get(f"{running.url}/nowhere")
    await running.finished(2)
    await running.stop_recording()
    served, refused = read_flows(file)
    assert (served.marked, refused.marked, refused.response.status_code) == ("", ":x:", 404)
    assert refused.comment.startswith("refused: ")


async def test_an_exchange_that_ends_in_an_error_is_marked(
    proxy: StartProxy, provider: StartProvider, client: httpx.AsyncClient
) -> None:
    first = provider(replies.error(400, "invalid_request_error", "no"))
    running = await proxy(QUICK + anthropic_table(first))
    assert (await ask(client, running.url)).status_code == 400
    (flow,) = await running.finished()
    assert flow.marked == ":x:"


async def test_a_marker_of_the_user_stays(
    proxy: StartProxy, provider: StartProvider, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    script = tmp_path / "mark.py"
    script.write_text("def requestheaders(flow):\n    flow.marked = ':star:'\n")
    running = await proxy(
        QUICK + anthropic_table(provider(replies.error(400, "invalid_request_error", "no"))), scripts=[script]
    )
    await ask(client, running.url)
    (flow,) = await running.finished()
    assert flow.marked == ":star:"


def _says(secret: str) -> replies.Reply:
    return replies.sse(stream_of(f"Your key is {secret}, is it not?"))


@pytest.mark.parametrize("stream", [True, False])
async def test_secrets_in_bodies_reach_whom_they_are_for_and_stay_nowhere(
    proxy: StartProxy, provider: StartProvider, client: httpx.AsyncClient, tmp_path: Path, stream: bool
) -> None:
    """The provider and the client get every byte; what is shown and saved has stars in its place."""
    only = provider(_says(SECRET))
    file = tmp_path / "day.mitm"
    running = await proxy(anthropic_table(only), options={"turnout_record": str(file)})
    body: dict[str, Any] = {"stream": stream, "messages": [{"role": "user", "content": f"is {SECRET} my key?"}]}
    answer = await ask(client, running.url, body, x_debug=SECRET)
    text = text_of(answer) if stream else answer.json()["content"][0]["text"]
    assert text == f"Your key is {SECRET}, is it not?"
    assert SECRET in only.messages[0].body.decode() and only.messages[0].lower["x-debug"] == SECRET
    (flow,) = await running.finished()
    await running.stop_recording()
    assert "Canary" not in repr(flow.get_state())
    assert b"Canary" not in file.read_bytes()
    (recorded,) = read_flows(file)
    assert recorded.request.get_state() == flow.request.get_state()
    assert json.loads(recorded.request.content)["messages"][0]["content"].endswith(" my key?")


async def test_a_gzipped_answer_with_a_secret_arrives_whole(
    proxy: StartProxy, provider: StartProvider, client: httpx.AsyncClient
) -> None:
    only = provider(_says(SECRET), gzip=True)
    running = await proxy(anthropic_table(only))
    answer = await ask(client, running.url, {"stream": False}, accept_encoding="gzip")
    assert SECRET in answer.json()["content"][0]["text"]
    (flow,) = await running.finished()
    assert "Canary" not in repr(flow.get_state()) and b"Your key is *" in flow.response.content


async def test_a_client_that_leaves_is_no_error_of_anybody(
    proxy: StartProxy, provider: StartProvider, client: httpx.AsyncClient
) -> None:
    running = await proxy(anthropic_table(provider(replies.hang_after(4))))
    async with client.stream("POST", f"{running.url}/v1/messages", json=BODY, headers=HEADERS) as answer:
        async for _ in answer.aiter_bytes():
            break
    (flow,) = await running.finished()
    assert flow.marked == ""


async def test_of_a_huge_answer_a_part_is_kept(
    proxy: StartProxy, provider: StartProvider, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await proxy(anthropic_table(provider(replies.sse(stream_of("word " * 500, n_chunks=100)))))
    monkeypatch.setattr(sys.modules["turnout.journey.arriving"], "KEPT", 3000)
    answer = await ask(client, running.url)
    assert text_of(answer) == "word " * 500
    (flow,) = await running.finished()
    assert flow.comment.endswith("the answer is kept in part") and len(flow.response.content) < len(answer.content)


async def test_what_hangs_at_the_end_is_recorded(
    proxy: StartProxy, provider: StartProvider, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """It is often the reason for Ctrl-C."""
    file = tmp_path / "day.mitm"
    async with ScriptedProvider(replies.hang_after(4)) as slow:
        running = await proxy(anthropic_table(slow), options={"turnout_record": str(file)})
        async with client.stream("POST", f"{running.url}/v1/messages", json=BODY, headers=HEADERS) as answer:
            await anext(answer.aiter_bytes())
            running.addon.bridge.abandon_all()
            await running.stop_recording()
    (flow,) = read_flows(file)
    assert flow.comment.endswith("under way when Turnout ended")
    assert b"message_start" in flow.response.content and API_KEY not in repr(flow.get_state())


@pytest.mark.parametrize(("option", "value"), [("turnout_record", "/nowhere/at/all.mitm"), ("turnout_keep", "many")])
async def test_an_option_that_cannot_be_used_is_refused_and_changes_nothing(
    proxy: StartProxy, option: str, value: str
) -> None:
    from mitmproxy.exceptions import OptionsError

    running = await proxy("")
    before = getattr(running.master.options, option)
    with pytest.raises(OptionsError, match=option):
        running.master.options.update(**{option: value})
    assert getattr(running.master.options, option) == before


async def test_a_recording_goes_on_in_another_file(
    proxy: StartProxy, provider: StartProvider, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    running = await proxy(anthropic_table(provider()), options={"turnout_record": str(tmp_path / "a.mitm")})
    await ask(client, running.url)
    await running.finished(1)
    running.master.options.update(turnout_record=str(tmp_path / "b.mitm"))
    await ask(client, running.url)
    await running.finished(2)
    await running.stop_recording()
    assert [len(read_flows(tmp_path / name)) for name in ("a.mitm", "b.mitm")] == [1, 1]


async def test_no_credential_is_shown_while_a_request_is_under_way(
    proxy: StartProxy, provider: StartProvider, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """mitmweb shows a flow from its first moment on; the provider gets what it must get all the same."""
    gate = asyncio.Event()
    first = provider(replies.error(529, "overloaded_error"), accepts="key-of-first-0123")
    script = tmp_path / "watch.py"
    script.write_text(WATCH)
    async with ScriptedProvider(replies.sse(gate=gate), accepts="key-of-second-0123") as second:
        config = QUICK + provider_table("first", first, key="key-of-first-0123")
        config += provider_table("second", second, key="key-of-second-0123") + route("first", "second")
        running = await proxy(config, scripts=[script])
        asking = asyncio.ensure_future(ask(client, running.url, x_api_key="sk-ant-api03-the-clients-own"))
        sent = await second.arrived()
        watch = running.master.addons.get("watch")
        seen = [*watch.seen, repr(watch.flow.get_state())]
        gate.set()
        assert (await asking).status_code == 200
    assert sent.lower["authorization"] == "Bearer key-of-second-0123"
    assert sent.lower["x-other-addon"] == "yes", "what another addon adds is sent on"
    for secret in ("key-of-first-0123", "key-of-second-0123", "the-clients-own"):
        assert not [state for state in seen if secret in state]
    assert len(seen) >= 4


WATCH = """
class Watch:
    def __init__(self):
        self.seen = []

    def requestheaders(self, flow):
        self.flow = flow
        self.seen.append(repr(flow.get_state()))

    def request(self, flow):
        flow.request.headers["x-other-addon"] = "yes"
        self.requestheaders(flow)

    def responseheaders(self, flow):
        self.seen.append(repr(flow.get_state()))


addons = [Watch()]
"""


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
@pytest.mark.parametrize("was_there", [True, False])
async def test_what_mitmproxy_saves_is_for_the_user_alone(
    proxy: StartProxy, provider: StartProvider, client: httpx.AsyncClient, tmp_path: Path, was_there: bool
) -> None:
    """It opens its file before any script is loaded, writes the other when they are gone, and sets no mode."""
    stream, har = tmp_path / "day.mitm", tmp_path / "day.har"
    if was_there:
        for file in (stream, har):
            file.touch()
            file.chmod(0o644)
    options = {"save_stream_file": str(stream), "hardump": str(har)}
    running = await proxy(QUICK + anthropic_table(provider()), options=options)
    assert (await ask(client, running.url)).status_code == 200
    await running.stop()
    assert BODY["model"].encode() in har.read_bytes() and read_flows(stream)
    assert {stat.S_IMODE(file.stat().st_mode) for file in (stream, har)} == {0o600}
