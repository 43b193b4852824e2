"""Clients of OpenAI's Chat Completions, by its own SDK, on providers of both dialects (B5)."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import openai
import pytest
import pytest_asyncio
from openai.types.chat import ChatCompletion, ParsedChatCompletion

from tests.proxy.support import QUICK, provider_table, route
from turnout.errors import FAILED
from turnout.journey.dispatch import Dispatcher
from turnout.testing import events, replies
from turnout.testing.chat import CHAT_VENDORS, Call, Text, Thought, answer
from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import ScriptedProvider
from turnout.testing.replies import StreamReply, close_after, sse

KEY = "key-1"
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Looks.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"at": {"type": "string"}},
            "required": ["at"],
            "additionalProperties": False,
        },
    },
}
ASK: dict[str, Any] = {
    "model": "gpt-6-sol",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Look here and there."}],
    "tools": [TOOL],
    "reasoning_effort": "low",
}
PLACES = ("here", "thére")

LOOKS = [
    events.message_start(cache_read=5),
    *events.thinking_block(0, ["Both ", "at once."]),
    *events.text_block(1, ["Let me ", "look."]),
    *events.tool_use_block(2, "look", {"at": PLACES[0]}, id="toolu_1"),
    *events.tool_use_block(3, "look", {"at": PLACES[1]}, id="toolu_2"),
    events.message_delta("tool_use"),
    events.message_stop(),
]

TOO_LONG = "context_length_exceeded"

Serve = Callable[..., Awaitable[openai.AsyncOpenAI]]


@pytest_asyncio.fixture
async def serve(proxy: StartProxy) -> AsyncIterator[Serve]:
    """An SDK that speaks to a proxy with these providers, in this order."""
    async with AsyncExitStack() as stack:

        async def start(*providers: ScriptedProvider, extra: str = "", root: str = "/v1") -> openai.AsyncOpenAI:
            tables = ""
            for number, provider in enumerate(providers):
                await stack.enter_async_context(provider)
                tables += provider_table(f"p{number}", provider, key=KEY, extra=extra if number == 0 else "")
            running = await proxy(tables + route(*(f"p{number}" for number in range(len(providers)))) + QUICK)
            sdk = openai.AsyncOpenAI(api_key="sk-of-the-client", base_url=running.url + root, max_retries=0)
            return await stack.enter_async_context(sdk)

        yield start


def messages_kind(*script: Any, **more: Any) -> ScriptedProvider:
    return ScriptedProvider(*script, accepts=KEY, strict="anthropic", **more)


def chat_kind(*script: Any) -> ScriptedProvider:
    return ScriptedProvider(*script, accepts=KEY, vendor=CHAT_VENDORS["llamacpp"])


async def streamed(sdk: openai.AsyncOpenAI, **more: Any) -> ParsedChatCompletion[None]:
    asked = {**ASK, "stream_options": {"include_usage": True}, **more}
    async with sdk.chat.completions.stream(**asked) as stream:
        return await stream.get_final_completion()


def plain(completion: ChatCompletion) -> dict[str, Any]:
    """Without what is made up for each answer, and what the SDK adds."""
    (choice,) = completion.choices
    message = choice.message
    calls = [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or ()]
    thoughts = getattr(message, "reasoning_content", None)
    assert completion.usage is not None
    counts = completion.usage.prompt_tokens, completion.usage.completion_tokens
    told = {"content": message.content, "thoughts": thoughts, "calls": calls}
    return {**told, "counts": counts, "why": choice.finish_reason}


EXPECTED = {
    "content": "Let me look.",
    "thoughts": "Both at once.",
    "calls": [("look", {"at": place}) for place in PLACES],
    "why": "tool_calls",
}


@pytest.mark.parametrize("kind", ["anthropic", "openai"])
async def test_a_task_with_tools(serve: Serve, kind: str) -> None:
    """Streamed and whole are the same; the second turn brings the results."""
    if kind == "anthropic":
        provider = messages_kind([sse(LOOKS), sse(LOOKS), sse(events.stream_of("Nothing there."))])
    else:
        said = answer(Thought("Both at once."), Text("Let me look."), *(Call("look", {"at": each}) for each in PLACES))
        provider = chat_kind([said, said, answer(Text("Nothing there."))])
    sdk = await serve(provider, extra='kind = "openai"' if kind == "openai" else "")
    first = await streamed(sdk)
    whole = await sdk.chat.completions.create(**ASK)
    assert plain(first) == plain(whole)
    assert plain(first) | EXPECTED == plain(first)
    assert first.model == whole.model == ASK["model"]

    told = first.choices[0].message
    assert told.tool_calls is not None
    results = [{"role": "tool", "tool_call_id": call.id, "content": "Nothing."} for call in told.tool_calls]
    history = [*ASK["messages"], told.model_dump(exclude_none=True, exclude={"parsed"}), *results]
    last = await streamed(sdk, messages=history)
    assert last.choices[0].message.content == "Nothing there."
    assert not provider.violations and not provider.refusals and not provider.problems


async def test_counts_hold_what_came_from_the_cache(serve: Serve) -> None:
    sdk = await serve(messages_kind(sse(LOOKS)))
    usage = (await streamed(sdk)).usage
    assert usage is not None and usage.prompt_tokens_details is not None
    assert (usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens) == (30, 5)


async def test_the_path_without_a_version(serve: Serve) -> None:
    sdk = await serve(messages_kind(sse()), root="")
    assert (await sdk.chat.completions.create(**ASK)).choices[0].message.content == "Hello from a scripted provider."


async def test_another_target_answers_and_nobody_notices(serve: Serve) -> None:
    first, second = messages_kind(replies.error(529, "overloaded_error")), messages_kind(sse(LOOKS))
    sdk = await serve(first, second)
    assert plain(await streamed(sdk)) | EXPECTED == plain(await streamed(sdk))
    assert len(first.messages) == 1 and len(second.messages) == 2


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("status", "type", "message", "raised", "code"),
    [
        (400, "invalid_request_error", "prompt is too long: 9 tokens > 5 maximum", "BadRequestError", TOO_LONG),
        (404, "not_found_error", "model: gpt-6-sol", "NotFoundError", "model_not_found"),
        (429, "rate_limit_error", "Slow down", "RateLimitError", "rate_limit_exceeded"),
        (500, "api_error", "Oh", "InternalServerError", None),
    ],
)
async def test_errors_are_openais(
    serve: Serve, status: int, type: str, message: str, raised: str, code: str | None, stream: bool
) -> None:
    sdk = await serve(messages_kind(replies.error(status, type, message)))
    with pytest.raises(getattr(openai, raised)) as caught:
        await (streamed(sdk) if stream else sdk.chat.completions.create(**ASK))
    assert caught.value.code == code and message in caught.value.message


@pytest.mark.parametrize(
    ("more", "words"),
    [({"n": 2}, "n = 2 is not supported"), ({"messages": []}, "no messages"), ({"logprobs": True}, "logprobs")],
)
async def test_what_nobody_can_give_is_refused_at_once(serve: Serve, more: dict[str, Any], words: str) -> None:
    provider = messages_kind(sse())
    sdk = await serve(provider)
    with pytest.raises(openai.BadRequestError, match=words):
        await sdk.chat.completions.create(**{**ASK, **more})
    assert not provider.messages


async def test_a_stream_that_breaks_off_raises(serve: Serve) -> None:
    sdk = await serve(messages_kind(close_after(6, LOOKS)))
    with pytest.raises(openai.APIError, match="p0"):
        await streamed(sdk)


async def pinged(client: httpx.AsyncClient, url: str, gate: asyncio.Event) -> str:
    """A stream; the gate opens when a sign of life has come."""
    text = ""
    async with client.stream("POST", f"{url}/v1/chat/completions", json={**ASK, "stream": True}) as answer:
        assert answer.status_code == 200
        async for part in answer.aiter_text():
            text += part
            if ": ping\n\n" in text:
                gate.set()
    return text


@pytest.mark.parametrize("last", ["answer", "error"])
async def test_a_client_that_waits_for_the_first_word(
    proxy: StartProxy, client: httpx.AsyncClient, last: str
) -> None:
    """It gets comments, and then the answer of another target or the error, as what they are in its dialect."""
    gate = asyncio.Event()
    begun = StreamReply([*LOOKS[:2], gate, events.error("overloaded_error", "Too busy")])
    second = sse(LOOKS) if last == "answer" else replies.error(529, "overloaded_error", "Busy as well")
    async with messages_kind(begun) as one, messages_kind(second) as other:
        tables = provider_table("p0", one, key=KEY) + provider_table("p1", other, key=KEY) + route("p0", "p1")
        running = await proxy(tables + QUICK + '[timeouts]\nping_after = "50ms"\n')
        text = await pinged(client, running.url, gate)
    assert "event:" not in text and text.startswith(": ping\n\n")
    if last == "answer":
        assert text.endswith("data: [DONE]\n\n") and '"finish_reason":"tool_calls"' in text
    else:
        told = json.loads(text.strip().rpartition("data: ")[2])
        assert told["error"]["code"] == "overloaded" and "usy" in told["error"]["message"]


async def test_who_may_not_enter_is_told_in_its_words(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with messages_kind(sse()) as provider:
        access = '[access]\nkeys = ["of-a-client"]\n'
        running = await proxy(provider_table("p0", provider, key=KEY) + route("p0") + access)
        sdk = openai.AsyncOpenAI(api_key="another", base_url=f"{running.url}/v1", max_retries=0)
        with pytest.raises(openai.AuthenticationError):
            await sdk.chat.completions.create(**ASK)
        allowed = sdk.with_options(api_key="of-a-client")
        assert (await allowed.chat.completions.create(**ASK)).choices[0].finish_reason == "stop"
        await sdk.close()


async def test_a_compressed_request_is_opened(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with messages_kind(sse()) as provider:
        running = await proxy(provider_table("p0", provider, key=KEY) + route("p0"))
        content = gzip.compress(json.dumps(ASK).encode())
        headers = {"content-type": "application/json", "content-encoding": "gzip"}
        answer = await client.post(f"{running.url}/chat/completions", content=content, headers=headers)
    assert answer.json()["object"] == "chat.completion" and answer.headers["content-type"] == "application/json"


async def test_what_is_sent_to_anthropic(serve: Serve) -> None:
    """A request of the Messages API, under its version and with the provider's own key."""
    provider = messages_kind(sse())
    sdk = await serve(provider)
    await sdk.chat.completions.create(**ASK)
    (sent,) = provider.messages
    assert sent.lower["anthropic-version"] == "2023-06-01" and "sk-of-the-client" not in str(sent.headers)
    assert sent.json["system"] == [{"type": "text", "text": "Be brief."}]
    assert sent.json["tools"][0]["input_schema"] == TOOL["function"]["parameters"]
    assert sent.json["output_config"] == {"effort": "low"} and sent.json["thinking"] == {"type": "adaptive"}


async def test_a_first_party_does_not_learn_who_its_client_is_at_openai(serve: Serve) -> None:
    provider = messages_kind(sse())
    sdk = await serve(provider, extra="first_party = true")
    ids = {"OpenAI-Organization": "org-1", "OpenAI-Project": "proj-1"}
    await sdk.chat.completions.create(**ASK, extra_headers=ids)
    (sent,) = provider.messages
    assert not [name for name in sent.lower if name.startswith("openai-")]


async def test_a_fault_while_the_client_waits_says_what_it_is(
    proxy: StartProxy, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failed(*_: Any) -> bool:
        raise RuntimeError("a fault")

    monkeypatch.setattr(Dispatcher, "failed", failed)
    gate = asyncio.Event()
    async with messages_kind(StreamReply([*LOOKS[:2], gate, events.error("overloaded_error", "Busy")])) as provider:
        tables = provider_table("p0", provider, key=KEY) + route("p0")
        running = await proxy(tables + QUICK + '[timeouts]\nping_after = "50ms"\n')
        text = await pinged(client, running.url, gate)
    assert "event:" not in text
    assert json.loads(text.strip().rpartition("data: ")[2])["error"]["message"] == FAILED
