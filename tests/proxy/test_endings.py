"""What is left of an attempt: no cookie for the client, its time in its flow, and the thinking it has signed."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from tests.proxy.support import BODY, HEADERS, QUICK, anthropic_table, ask, provider_table, route
from turnout.dialects.messages.signatures import fingerprint
from turnout.testing import events, replies
from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import API_KEY, ScriptedProvider
from turnout.testing.replies import Reply, sse

COOKIE = {"set-cookie": "__cf_bm=of-the-provider; path=/"}

ANSWERS: dict[str, Callable[[], Reply]] = {
    "answer": lambda: sse(headers=COOKIE),
    "refusal": lambda: replies.error(400, "invalid_request_error", "no", COOKIE),
    "failure": lambda: replies.error(529, "overloaded_error", "busy", COOKIE),
    "dead credential": lambda: replies.error(401, "authentication_error", "no", COOKIE),
    "error inside a success": lambda: replies.WholeReply(200, b'{"error":{"message":"no"}}', COOKIE),
}


@pytest.mark.parametrize(
    ("what", "first_party", "stream"),
    [
        ("answer", False, True),
        ("answer", True, False),
        ("refusal", True, True),
        ("refusal", False, False),
        ("failure", False, True),
        ("dead credential", False, True),
        ("error inside a success", False, False),
    ],
)
async def test_no_cookie_of_a_provider_reaches_the_client(
    proxy: StartProxy, client: httpx.AsyncClient, what: str, first_party: bool, stream: bool
) -> None:
    async with ScriptedProvider(ANSWERS[what](), accepts=API_KEY if first_party else "key-1") as upstream:
        table = (
            anthropic_table(upstream)
            if first_party
            else provider_table("first", upstream, key="key-1") + route("first")
        )
        running = await proxy(QUICK + table)
        answer = await ask(client, running.url, {"stream": stream})
        await running.finished()
    assert upstream.messages and "set-cookie" not in answer.headers and not client.cookies


@pytest.mark.parametrize(
    "reply",
    [
        lambda: replies.error(529, "overloaded_error"),
        lambda: replies.error_event(),
        lambda: replies.WholeReply(200, b"<html>", {"content-type": "text/html"}),
        lambda: replies.close_after(0),
    ],
    ids=["error", "error event", "HTML", "head alone"],
)
async def test_a_failed_attempt_tells_when_its_answer_ended(
    proxy: StartProxy, client: httpx.AsyncClient, reply: Callable[[], Reply]
) -> None:
    """Its duration is shown, and HAR files need it."""
    async with ScriptedProvider(reply(), accepts="key-1") as first, ScriptedProvider(accepts="key-2") as second:
        tables = provider_table("first", first, key="key-1") + provider_table("second", second, key="key-2")
        running = await proxy(QUICK + tables + route("first", "second"))
        await ask(client, running.url)
        attempt, final = await running.finished(2)
    assert attempt.response.timestamp_end >= attempt.response.timestamp_start
    assert final.response.timestamp_end >= attempt.response.timestamp_end


async def test_the_thinking_of_a_stream_that_the_client_left_is_known(
    proxy: StartProxy, client: httpx.AsyncClient
) -> None:
    """It may send back what it has got so far."""
    thought = [events.message_start(), *events.thinking_block(0, ["a thought"], "c2lnbmVk")]
    script = replies.StreamReply([*thought, *events.text_block(1, ["and"])[:2]], ending="hang")
    async with ScriptedProvider(script, accepts="key-1") as first:
        running = await proxy(provider_table("first", first, key="key-1") + route("first"))
        async with client.stream("POST", f"{running.url}/v1/messages", json=BODY, headers=HEADERS) as answer:
            seen = ""
            async for part in answer.aiter_text():
                seen += part
                if '"text_delta"' in seen:
                    break
        await running.finished()
    signatures = running.addon.bridge.dispatcher.knowledge.signatures
    assert signatures.minted_by(fingerprint("c2lnbmVk", "a thought")) == "first"


async def test_one_who_keeps_account_and_fails_keeps_no_other_from_it(
    proxy: StartProxy, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The totals of usage and the comment of the flow are told of the same end."""
    async with ScriptedProvider(sse(), accepts="key-1") as upstream:
        running = await proxy(QUICK + provider_table("p", upstream, key="key-1") + route("p"))

        def explode(*_: object) -> None:
            raise RuntimeError("a fault")

        monkeypatch.setattr(running.addon.bridge.usage, "add", explode)
        assert (await ask(client, running.url)).status_code == 200
        (flow,) = await running.finished()
    assert "→ p 200" in flow.comment
