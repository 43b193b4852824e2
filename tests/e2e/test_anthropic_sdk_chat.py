"""The anthropic Python SDK through Turnout on providers of Chat Completions: streams and whole answers (D2)."""

from __future__ import annotations

import re
from typing import Any

import anthropic
import pytest

from tests.e2e.config import CLIENT_KEY, VENDOR_KEY, chat_table, route
from tests.e2e.sdk import ASK, DONE, SCRIPT, VENDORS, assert_the_same
from turnout.testing.chat import CHAT_VENDORS, Failure, Text, answer, context_length_exceeded
from turnout.testing.chat import error as chat_error
from turnout.testing.fixtures import StartProvider, StartProxy


@pytest.fixture(autouse=True)
def key(home: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENDOR_KEY", VENDOR_KEY)


def client(url: str) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(api_key=CLIENT_KEY, base_url=url, max_retries=0)


@pytest.mark.parametrize("name", VENDORS)
async def test_a_stream_adds_up_to_the_whole_answer(proxy: StartProxy, provider: StartProvider, name: str) -> None:
    """And what the SDK has put together can be given back: the vendor refuses nothing."""
    preset, model = VENDORS[name]
    upstream = provider(SCRIPT, vendor=CHAT_VENDORS[name], accepts=VENDOR_KEY, prefix="/v1")
    running = await proxy(chat_table(upstream, preset) + route(f"{preset}/{model}"))
    async with client(running.url) as sdk:
        whole = await sdk.messages.create(**ASK)
        async with sdk.messages.stream(**ASK) as stream:
            pieces = [piece async for piece in stream.text_stream]
            streamed = await stream.get_final_message()
        calls = [block for block in streamed.content if block.type == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": "nothing"} for call in calls]
        more: list[Any] = [{"role": "assistant", "content": streamed.content}, {"role": "user", "content": results}]
        async with sdk.messages.stream(**{**ASK, "messages": ASK["messages"] + more}) as stream:
            assert await stream.get_final_text() == DONE
    assert upstream.problems == []
    assert_the_same(whole.model_dump(mode="json"), streamed.model_dump(mode="json"), pieces)


FAILURES = {
    "its own key": (chat_error(401, "Bad key", code="invalid_api_key"), anthropic.APIStatusError, "env:VENDOR_KEY"),
    "quota": (chat_error(429, "Quota exceeded", code="insufficient_quota"), anthropic.RateLimitError, "Quota"),
    "too many": (chat_error(429, "Slow down", code="rate_limit_exceeded"), anthropic.RateLimitError, "Slow down"),
    "too long": (context_length_exceeded(), anthropic.BadRequestError, "prompt is too long"),
    "down": (chat_error(503, "Down"), anthropic.InternalServerError, "Down"),
    "in the stream": (answer(Text("Hel"), Failure("It burns")), anthropic.APIStatusError, "It burns"),
}


@pytest.mark.parametrize("case", FAILURES)
async def test_what_goes_wrong_is_an_error_of_the_sdk(proxy: StartProxy, provider: StartProvider, case: str) -> None:
    """C1"""
    reply, kind, words = FAILURES[case]
    upstream = provider(reply, vendor=CHAT_VENDORS["plain"], accepts=VENDOR_KEY)
    running = await proxy(chat_table(upstream, "own") + route("own/any"))
    async with client(running.url) as sdk:
        with pytest.raises(kind, match=re.escape(words)):
            async with sdk.messages.stream(**ASK) as stream:
                await stream.get_final_message()
