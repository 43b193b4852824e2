"""The anthropic Python SDK through Turnout, without retries of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest

from turnout.testing import replies
from turnout.testing.events import tool_turn
from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import ScriptedProvider
from turnout.testing.proxy import RunningProxy

KEY = "sk-ant-api03-fake-key-of-the-sdk"
MODEL = "claude-opus-4-6"
ASK: dict[str, Any] = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}]}
TEXT = "Hello from a scripted provider."


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider(accepts=KEY, gzip=True) as provider:
        yield provider
        assert provider.violations == []


@pytest.fixture
async def turnout(proxy: StartProxy, provider: ScriptedProvider) -> RunningProxy:
    return await proxy(
        f"""
        [access]
        max_body = "100KB"
        [providers.anthropic]
        base_url = "{provider.url}"
        [retry]
        max_elapsed = "0s"
        """
    )


def sync_client(turnout: RunningProxy, key: str = KEY) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key=key, base_url=turnout.url, max_retries=0)


def async_client(turnout: RunningProxy, key: str = KEY) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(api_key=key, base_url=turnout.url, max_retries=0)


async def test_sync(turnout: RunningProxy, provider: ScriptedProvider) -> None:
    def ask() -> tuple[Any, Any, list[str]]:
        with sync_client(turnout) as client:
            created = client.messages.create(**ASK)
            with client.messages.stream(**ASK) as stream:
                pieces = list(stream.text_stream)
                return created, stream.get_final_message(), pieces

    created, streamed, pieces = await asyncio.to_thread(ask)
    assert created.content[0].text == streamed.content[0].text == "".join(pieces) == TEXT
    assert len(pieces) == 3
    assert provider.refusals == []


async def test_async(turnout: RunningProxy, provider: ScriptedProvider) -> None:
    async with async_client(turnout) as client:
        created = await client.messages.create(**ASK)
        async with client.messages.stream(**ASK) as stream:
            streamed = await stream.get_final_message()
    assert created.content[0].text == streamed.content[0].text == TEXT  # type: ignore[union-attr]
    assert (streamed.model, streamed.usage.input_tokens, streamed.usage.output_tokens) == (MODEL, 25, 15)
    assert provider.refusals == []


async def test_a_stream_is_a_stream(turnout: RunningProxy, provider: ScriptedProvider) -> None:
    """C3: the first events reach the client while the provider still holds the rest back."""
    gate = asyncio.Event()
    steps = tool_turn("Bash", {"command": "ls"})
    provider.play(replies.sse([*steps[:4], gate, *steps[4:]]))
    async with async_client(turnout) as client:
        stream = await client.messages.create(**ASK, stream=True)
        seen = []
        async with stream:
            async for event in stream:
                seen.append(event.type)
                if len(seen) == 4:
                    assert not provider.messages[0].finished.is_set()
                    gate.set()
    assert seen == [step.name for step in steps]


async def test_a_client_that_leaves_cancels_the_provider(turnout: RunningProxy, provider: ScriptedProvider) -> None:
    provider.play(replies.hang_after(4))
    async with async_client(turnout) as client:
        stream = await client.messages.create(**ASK, stream=True)
        async for _ in stream:
            break
        await stream.close()
        request = await provider.arrived()
        await asyncio.wait_for(request.closed.wait(), 10)


async def test_count_tokens(turnout: RunningProxy, provider: ScriptedProvider) -> None:
    """A9."""
    async with async_client(turnout) as client:
        counted = await client.messages.count_tokens(model=MODEL, messages=ASK["messages"])
    assert counted.input_tokens == len(provider.requests[0].body) // 4
    assert provider.refusals == []


async def test_models(turnout: RunningProxy, provider: ScriptedProvider) -> None:
    """D6, E11."""
    async with async_client(turnout) as client:
        listed = [model.id async for model in client.models.list(limit=1000)]
        one = await client.models.retrieve(listed[0])
    assert any(name.startswith("claude-") for name in listed)
    assert one.id == listed[0]
    assert provider.requests == []


async def test_the_providers_401_is_an_authentication_error(turnout: RunningProxy, provider: ScriptedProvider) -> None:
    """C1: a client's own bad key is the client's to see, with the provider's own words."""
    async with async_client(turnout, "sk-ant-api03-fake-and-wrong") as client:
        with pytest.raises(anthropic.AuthenticationError) as caught:
            await client.messages.create(**ASK)
    assert "invalid" in caught.value.message
    assert len(provider.requests) == 1


async def test_the_providers_429_is_a_rate_limit_error(turnout: RunningProxy, provider: ScriptedProvider) -> None:
    provider.play(replies.error(429, "rate_limit_error", "slow down", {"retry-after": "30"}))
    async with async_client(turnout) as client:
        with pytest.raises(anthropic.RateLimitError) as caught:
            await client.messages.create(**ASK)
    assert "slow down" in caught.value.message
    assert 1 <= int(caught.value.response.headers["retry-after"]) <= 60


async def test_a_body_over_the_limit_is_413(turnout: RunningProxy, provider: ScriptedProvider) -> None:
    """C5."""
    async with async_client(turnout) as client:
        with pytest.raises(anthropic.APIStatusError) as caught:
            await client.messages.create(**{**ASK, "system": "x" * 200_000})
    assert caught.value.status_code == 413
    assert caught.value.body["error"]["type"] == "request_too_large"  # type: ignore[index]
    assert provider.requests == []
