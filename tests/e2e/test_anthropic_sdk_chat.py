"""The anthropic Python SDK through Turnout on providers of Chat Completions: streams and whole answers (D2)."""

from __future__ import annotations

import re
from typing import Any

import anthropic
import pytest

from tests.e2e.config import CLIENT_KEY, VENDOR_KEY, chat_table, route
from turnout.testing.chat import CHAT_VENDORS, Call, Failure, Text, Thought, Usage, answer, context_length_exceeded
from turnout.testing.chat import error as chat_error
from turnout.testing.fixtures import StartProvider, StartProxy

VENDORS = {
    "openai": ("openai", "gpt-6-sol"),
    "gemini": ("gemini", "gemini-3.8-flash"),
    "deepseek": ("deepseek-openai", "deepseek-v4-pro"),
    "moonshot": ("moonshot-openai", "kimi-k2.6"),
    "openrouter": ("openrouter-openai", "z-ai/glm-5.3"),
    "mistral": ("mistral", "mistral-medium-latest"),
    "llamacpp": ("llamacpp-openai", "any"),
    "plain": ("own", "any"),
}
"""The preset that is asked, and a model of it; `own` is no preset."""

THOUGHT, SAID, DONE = "Both at once.", "Let me look.", "Nothing there."
TOOL: Any = {
    "name": "look",
    "description": "Looks.",
    "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]},
}
ASK: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "max_tokens": 9000,
    "thinking": {"type": "adaptive"},
    "tools": [TOOL],
}


@pytest.fixture(autouse=True)
def key(home: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENDOR_KEY", VENDOR_KEY)


def client(url: str) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(api_key=CLIENT_KEY, base_url=url, max_retries=0)


def without_ids(message: Any) -> Any:
    """What a message says: its id and those of calls that the provider does not name are made up for each answer."""
    told = message.model_dump(mode="json", exclude_none=True)
    for item in (told, *told["content"]):
        item.pop("id", None)
    for block in told["content"]:
        if block.get("signature", "").startswith("chat."):
            block["signature"] = "sealed"  # with such an id in it
    return told


@pytest.mark.parametrize("name", VENDORS)
async def test_a_stream_adds_up_to_the_whole_answer(proxy: StartProxy, provider: StartProvider, name: str) -> None:
    """And what the SDK has put together can be given back: the vendor refuses nothing."""
    preset, model = VENDORS[name]
    calls = [Call("look", {"at": "here"}), Call("look", {"at": "thére"})]
    first = answer(Thought(THOUGHT), Text(SAID), *calls, usage=Usage(1000, 50, cached=900, reasoning=10))
    upstream = provider([first, first, answer(Text(DONE))], vendor=CHAT_VENDORS[name], accepts=VENDOR_KEY, prefix="/v1")
    running = await proxy(chat_table(upstream, preset) + route(f"{preset}/{model}"))
    messages: list[Any] = [{"role": "user", "content": "Look here and there."}]
    async with client(running.url) as sdk:
        whole = await sdk.messages.create(**ASK, messages=messages)
        async with sdk.messages.stream(**ASK, messages=messages) as stream:
            pieces = [piece async for piece in stream.text_stream]
            streamed = await stream.get_final_message()
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": "nothing"}
            for block in streamed.content
            if block.type == "tool_use"
        ]
        messages += [{"role": "assistant", "content": streamed.content}, {"role": "user", "content": results}]
        async with sdk.messages.stream(**ASK, messages=messages) as stream:
            last = await stream.get_final_text()
    assert upstream.problems == []
    assert without_ids(whole) == without_ids(streamed)
    assert len(pieces) > 1 and "".join(pieces) == SAID and last == DONE
    said = [block for block in streamed.content if block.type != "thinking"]
    assert [block.type for block in said] == ["text", "tool_use", "tool_use"]
    assert [block.input for block in said if block.type == "tool_use"] == [{"at": "here"}, {"at": "thére"}]
    assert len({block.id for block in said if block.type == "tool_use"}) == 2
    assert THOUGHT in "".join(block.thinking for block in streamed.content if block.type == "thinking")
    assert (streamed.model, streamed.stop_reason) == (ASK["model"], "tool_use")
    usage = streamed.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (100, 900, 50)


FAILURES = {
    "its own key": (
        chat_error(401, "Incorrect API key", code="invalid_api_key"),
        anthropic.APIStatusError,
        "env:VENDOR_KEY",
    ),
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
            async with sdk.messages.stream(**ASK, messages=[{"role": "user", "content": "a"}]) as stream:
                await stream.get_final_message()
