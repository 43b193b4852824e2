"""The anthropic Python SDK asks Turnout to count the tokens of a request to a provider that does not count (A9)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import anthropic
import pytest

from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import ScriptedProvider
from turnout.testing.proxy import RunningProxy

KEY = "sk-ant-api03-fake-key-of-the-sdk"
TOOL: dict[str, Any] = {
    "name": "weather",
    "description": "Tells the weather of a place.",
    "input_schema": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
}
ASK: dict[str, Any] = {
    "model": "claude-opus-4-6",
    "system": "Answer in one sentence.",
    "messages": [{"role": "user", "content": "How is the weather in Oslo today?"}],
    "tools": [TOOL],
}


@dataclass
class Providers:
    """A vendor that does not count, and Anthropic, which does."""

    vendor: ScriptedProvider
    anthropic: ScriptedProvider


@pytest.fixture
async def providers() -> AsyncIterator[Providers]:
    async with (
        ScriptedProvider(strict="generic", accepts="fake-vendor-key", forbid=["sk-ant"]) as vendor,
        ScriptedProvider(accepts=KEY) as anthropic,
    ):
        yield Providers(vendor, anthropic)
        assert vendor.violations == anthropic.violations == []
        assert vendor.refusals == anthropic.refusals == []
        assert vendor.requests == [], "it is not asked for what it does not have"


async def turnout(proxy: StartProxy, providers: Providers, how: str) -> RunningProxy:
    return await proxy(
        f"""
        [providers.anthropic]
        base_url = "{providers.anthropic.url}"
        [providers.vendor]
        base_url = "{providers.vendor.url}"
        credentials = ["fake-vendor-key"]
        count_tokens = "{how}"
        [[routes]]
        model = "*"
        to = ["vendor/some-model"]
        """
    )


def client(turnout: RunningProxy, **options: Any) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(api_key=KEY, base_url=turnout.url, **options)


async def test_an_estimate_says_that_it_is_one(proxy: StartProxy, providers: Providers) -> None:
    running = await turnout(proxy, providers, "estimate")
    async with client(running) as sdk:
        answer = await sdk.messages.with_raw_response.count_tokens(**ASK)
        longer = await sdk.messages.count_tokens(**{**ASK, "system": ASK["system"] * 100})
        without_tools = await sdk.messages.count_tokens(**{**ASK, "tools": []})
    counted = answer.http_response.json()["input_tokens"]
    assert answer.headers["x-turnout-estimate"] == "o200k_base"
    assert longer.input_tokens - counted == pytest.approx(99 * 5, rel=0.3)
    assert 15 <= without_tools.input_tokens <= 40
    assert without_tools.input_tokens < counted < 600
    assert providers.anthropic.requests == []


async def test_anthropic_counts_for_another_provider(proxy: StartProxy, providers: Providers) -> None:
    """With the client's own key, which reaches no one but Anthropic."""
    running = await turnout(proxy, providers, "anthropic")
    async with client(running) as sdk:
        answer = await sdk.messages.with_raw_response.count_tokens(**ASK)
    (request,) = providers.anthropic.requests
    assert request.path == "/v1/messages/count_tokens"
    assert request.model == ASK["model"]
    assert answer.http_response.json()["input_tokens"] == len(request.body) // 4
    assert "x-turnout-estimate" not in answer.headers


@pytest.mark.parametrize("how", ["none", "anthropic"])
async def test_nobody_counts(proxy: StartProxy, providers: Providers, how: str) -> None:
    """`anthropic` without a credential for it is nobody too. The SDK, which retries 5xx, is told not to."""
    running = await turnout(proxy, providers, how)
    sdk = anthropic.AsyncAnthropic(auth_token="local-dev-key", api_key=None, base_url=running.url, max_retries=2)
    async with sdk:
        with pytest.raises(anthropic.InternalServerError) as caught:
            await sdk.messages.count_tokens(**ASK)
    response = caught.value.response
    assert (response.status_code, response.headers["x-should-retry"]) == (501, "false")
    assert caught.value.body["error"]["type"] == "not_supported"  # type: ignore[index]
    assert response.request.headers["x-stainless-retry-count"] == "0"
    assert providers.anthropic.requests == []
    assert len(await running.finished(1)) == 1
