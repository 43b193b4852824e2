"""Clients of the Messages API on providers of Chat Completions, through the running proxy (D2)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.proxy.support import BODY, HEADERS, QUICK, anthropic_table, ask, route, text_of
from turnout.dialects.messages.assembled import assembled
from turnout.testing.chat import (
    CHAT_VENDORS,
    Call,
    Failure,
    Text,
    Thought,
    Usage,
    answer,
    context_length_exceeded,
    error,
)
from turnout.testing.chat.whole import unsigned_detail
from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import API_KEY, ScriptedProvider
from turnout.testing.replies import WholeReply, sse
from turnout.testing.replies import error as anthropic_error
from turnout.testing.replies import json as json_reply
from turnout.testing.wire import RecordedRequest

KEY = "a-key-of-the-provider"
MODELS = ("*",)

VENDORS = {
    "openai": ("openai", "gpt-6-sol"),
    "gemini": ("gemini", "gemini-3.8-flash"),
    "deepseek-openai": ("deepseek", "deepseek-v4-pro"),
    "moonshot-openai": ("moonshot", "kimi-k2.6"),
    "minimax-openai": ("minimax", "MiniMax-M3"),
    "zai-openai": ("zai", "glm-5.3"),
    "qwen-openai": ("qwen", "qwen3.8-max"),
    "xai": ("xai", "grok-4.6"),
    "groq": ("groq", "openai/gpt-oss-120b"),
    "cerebras": ("cerebras", "gpt-oss-120b"),
    "mistral": ("mistral", "mistral-medium-latest"),
    "fireworks-openai": ("fireworks", "accounts/fireworks/models/glm-5p2"),
    "openrouter-openai": ("openrouter", "z-ai/glm-5.3"),
    "ollama-openai": ("ollama", "gpt-oss:20b"),
    "llamacpp-openai": ("llamacpp", "any"),
    "vllm-openai": ("vllm", "any"),
    "lmstudio-openai": ("lmstudio", "any"),
    "own": ("plain", "any"),
}
"""By preset: the vendor that plays it, and a model of it."""

TOOLS = [
    {"name": name, "description": "d", "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}}
    for name in ("Read", "Bash")
]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def table(name: str, provider: ScriptedProvider, extra: str = "") -> str:
    kind = 'kind = "openai"\nauth = "bearer"\n' if name == "own" else ""
    return f'[providers.{name}]\n{kind}base_url = "{provider.url}"\ncredentials = ["{KEY}"]\n{extra}\n'


def playing(preset: str, *script: Any) -> ScriptedProvider:
    vendor = CHAT_VENDORS[VENDORS[preset][0]]
    return ScriptedProvider(*script, vendor=vendor, accepts=KEY, serves=MODELS, prefix="/v1")


def message_of(response: httpx.Response) -> dict[str, Any]:
    """The message of an answer, in whichever form it came."""
    assert response.status_code == 200, response.text
    found = assembled(response.content, response.headers["content-type"])
    assert found is not None and found.complete and found.error is None, response.text
    return found.message


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("preset", VENDORS)
async def test_an_answer(proxy: StartProxy, client: httpx.AsyncClient, preset: str, stream: bool) -> None:
    async with playing(preset, answer(Text("Hel"), Text("lo."), usage=Usage(cached=5))) as upstream:
        running = await proxy(table(preset, upstream) + route(f"{preset}/{VENDORS[preset][1]}"))
        message = message_of(await ask(client, running.url, {"stream": stream}))
        flow = running.flows[-1]
    assert upstream.problems == [] and upstream.violations == []
    assert message["content"] == [{"type": "text", "text": "Hello."}]
    assert (message["model"], message["stop_reason"], message["role"]) == (BODY["model"], "end_turn", "assistant")
    usage = message["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (20, 5, 15)
    assert "chat completions" in flow.metadata["turnout.body"] and flow.metadata["turnout.verdict"] == "ok"
    assert json.loads(flow.metadata["turnout.usage"])["output_tokens"] == 15


async def turn(client: httpx.AsyncClient, url: str, messages: list[Any], **fields: Any) -> list[dict[str, Any]]:
    asked = {"thinking": {"type": "adaptive"}, "max_tokens": 9000, "stop_sequences": ["END"]}
    body = {"messages": messages, "tools": TOOLS, **asked, **fields}
    content: list[dict[str, Any]] = message_of(await ask(client, url, body))["content"]
    messages.append({"role": "assistant", "content": content})
    return content


THOUGHTFUL = {
    "minimax-openai": {"reasoning_details": [unsigned_detail("Both files.")]},
    "fireworks-openai": {"reasoning_content": "Both files."},
    "qwen-openai": {},
    "xai": {},
}
"""What else stands in an answer that comes back, where it is worth a look."""
SEEING = ("minimax-openai", "qwen-openai", "xai")


@pytest.mark.parametrize(
    ("preset", "stream"), [*((preset, True) for preset in VENDORS), *((preset, False) for preset in THOUGHTFUL)]
)
async def test_a_task_with_tools(proxy: StartProxy, client: httpx.AsyncClient, preset: str, stream: bool) -> None:
    """Two calls at once, then another, each answered; what the vendor wants back comes back, and nothing else."""
    script = [
        answer(Thought("Both files."), Call("Read", {"path": "a"}), Call("Read", {"path": "b"})),
        answer(Thought("Now run it."), Text("Running."), Call("Bash", {"path": "c"})),
        answer(Text("Done.")),
    ]
    async with playing(preset, script) as upstream:
        running = await proxy(table(preset, upstream) + route(f"{preset}/{VENDORS[preset][1]}"))
        messages: list[Any] = [{"role": "user", "content": "Do it."}]
        content = await turn(client, running.url, messages, stream=stream)
        first = [block for block in content if block["type"] == "tool_use"]
        assert [(call["name"], call["input"]) for call in first] == [("Read", {"path": "a"}), ("Read", {"path": "b"})]
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
        results = [
            {"type": "tool_result", "tool_use_id": first[1]["id"], "content": [{"type": "text", "text": "B"}, image]},
            {"type": "tool_result", "tool_use_id": first[0]["id"], "content": "A"},
        ]
        messages.append({"role": "user", "content": results})
        content = await turn(client, running.url, messages, stream=stream)
        second = [block for block in content if block["type"] == "tool_use"]
        assert len({first[0]["id"], first[1]["id"], second[0]["id"]}) == 3
        result = {"type": "tool_result", "tool_use_id": second[0]["id"], "content": "no such file", "is_error": True}
        messages.append({"role": "user", "content": [result]})
        last = await turn(client, running.url, messages, stream=stream)
    assert upstream.problems == [] and upstream.violations == [], upstream.problems
    assert last[-1] == {"type": "text", "text": "Done."}
    bodies = [request.json["messages"] for request in upstream.messages]
    assert bodies[1][: len(bodies[0])] == bodies[0] and bodies[2][: len(bodies[1])] == bodies[1]
    if preset in THOUGHTFUL:
        _, answered, *results = bodies[1]
        assert {key: answered[key] for key in answered.keys() - {"role", "content", "tool_calls"}} == THOUGHTFUL[preset]
        assert ('"image_url"' in json.dumps(results)) == (preset in SEEING)


async def test_the_same_conversation_begins_with_the_same_bytes(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """Caches of prompts, and what is bound to a prefix, live from that."""
    async with playing("own", [answer(Call("Read", {"path": "a"})), answer()]) as upstream:
        running = await proxy(table("own", upstream) + route("own"))
        messages: list[Any] = [{"role": "user", "content": "Do it."}]
        (call,) = await turn(client, running.url, messages)
        result = {"type": "tool_result", "tool_use_id": call["id"], "content": ""}
        messages.append({"role": "user", "content": [result]})
        await turn(client, running.url, messages)
    one, two = (request.body.rstrip(b"]}") for request in upstream.messages)
    assert two.startswith(one)


async def test_over_to_it_and_home_again(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """Each attempt is made of what the client sent; thoughts of the one are no business of the other."""
    overloaded = anthropic_error(529, "overloaded_error")
    script = [answer(Thought("Hm."), Call("Read", {"path": "a"}), usage=Usage(reasoning=3))]
    async with (
        ScriptedProvider([overloaded, sse()]) as home,
        playing("deepseek-openai", script) as upstream,
    ):
        tables = QUICK + anthropic_table(home) + table("deepseek-openai", upstream)
        running = await proxy(tables + route("anthropic", "deepseek-openai/deepseek-v4-pro"))
        messages: list[Any] = [{"role": "user", "content": "Do it."}]
        content = await turn(client, running.url, messages)
        assert [block["type"] for block in content] == ["thinking", "tool_use"]
        running.addon.bridge.dispatcher.cooldowns.forget("anthropic")
        results = [{"type": "tool_result", "tool_use_id": content[1]["id"], "content": "A"}]
        messages.append({"role": "user", "content": results})
        await turn(client, running.url, messages)
    assert upstream.problems == [] and home.refusals == [] and len(home.messages) == 2
    sent = json.dumps(home.messages[1].json["messages"])
    assert "Hm." not in sent and "tool_use" in sent


ERRORS = {
    "its key is refused": (error(401, "Incorrect API key", code="invalid_api_key"), 502, "api_error"),
    "no quota": (error(429, "You exceeded your current quota", code="insufficient_quota"), 429, "billing_error"),
    "too many": (error(429, "Rate limit reached", code="rate_limit_exceeded"), 429, "rate_limit_error"),
    "no such model": (error(404, "The model `x` does not exist", code="model_not_found"), 404, "not_found_error"),
    "too long": (context_length_exceeded(), 400, "invalid_request_error"),
    "down": (error(503, "overloaded"), 503, "overloaded_error"),
    "its fault": (error(500, "oops"), 500, "api_error"),
}


@pytest.mark.parametrize("case", ERRORS)
async def test_errors_are_those_of_the_messages_api(proxy: StartProxy, client: httpx.AsyncClient, case: str) -> None:
    reply, status, kind = ERRORS[case]
    async with playing("own", reply) as upstream:
        running = await proxy(QUICK + table("own", upstream) + route("own"))
        told = await ask(client, running.url)
    said = told.json()
    assert (told.status_code, said["type"], said["error"]["type"]) == (status, "error", kind)
    assert ("prompt is too long" in said["error"]["message"]) == (case == "too long")


KEYED = ["openai", "gemini", "zai-openai", "cerebras", "mistral", "lmstudio-openai", *THOUGHTFUL]


@pytest.mark.parametrize("preset", KEYED)
async def test_a_wrong_key_is_the_keys_fault(proxy: StartProxy, client: httpx.AsyncClient, preset: str) -> None:
    """Gemini and xAI say so in a 400, MiniMax in a 200. The client is not sent to log in."""
    vendor = replace(CHAT_VENDORS[VENDORS[preset][0]], keyless=False)
    async with ScriptedProvider(vendor=vendor, accepts="another-key", serves=MODELS, prefix="/v1") as upstream:
        running = await proxy(QUICK + table(preset, upstream) + route(f"{preset}/{VENDORS[preset][1]}"))
        told = await ask(client, running.url)
        flows = await running.finished(2)
    assert flows[0].metadata["turnout.verdict"] == "credential"
    assert (told.status_code, told.json()["error"]["type"]) == (502, "api_error")


async def test_too_long_in_the_words_of_alibaba(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with playing("qwen-openai", context_length_exceeded(1000, 2000)) as upstream:
        running = await proxy(QUICK + table("qwen-openai", upstream) + route("qwen-openai/qwen3.8-max"))
        told = await ask(client, running.url)
    assert told.status_code == 400 and "prompt is too long" in told.json()["error"]["message"]


async def test_an_error_before_the_first_word_moves_on(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with playing("own", answer(Failure())) as upstream, playing("groq", answer(Text("there"))) as other:
        tables = QUICK + table("own", upstream) + table("groq", other)
        running = await proxy(tables + route("own", "groq/openai/gpt-oss-120b"))
        told = await ask(client, running.url)
    assert text_of(told) == "there" and "x-turnout-served-by" in told.headers


async def test_an_error_after_it_is_told(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with playing("own", answer(Text("Hel"), Failure("gone"))) as upstream:
        running = await proxy(QUICK + table("own", upstream) + route("own"))
        told = await ask(client, running.url)
    assert "event: error" in told.text and "gone" in told.text and "message_stop" not in told.text


async def test_a_key_that_an_error_quotes_stays_here(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """A shared Turnout's key is nobody's business, and Claude Code would log in anew."""
    quoting = Failure(f"Incorrect API key provided: {KEY}", 401)
    async with playing("own", answer(Text("Hel"), quoting)) as upstream:
        running = await proxy(QUICK + table("own", upstream) + route("own"))
        told = await ask(client, running.url)
    assert KEY not in told.text and "authentication_error" not in told.text
    assert "own refused the configured credential" in told.text


@pytest.mark.parametrize("cut", [3, 4])
async def test_an_answer_that_breaks_off(proxy: StartProxy, client: httpx.AsyncClient, cut: int) -> None:
    async with playing("own", answer(Text("Hel"), Text("lo"), cut=cut, ending="close")) as upstream:
        running = await proxy(QUICK + table("own", upstream) + route("own"))
        told = ""
        with pytest.raises(httpx.RemoteProtocolError):
            async with client.stream("POST", f"{running.url}/v1/messages", json=BODY, headers=HEADERS) as response:
                async for part in response.aiter_text():
                    told += part
    assert "event: error" in told and "message_stop" not in told


async def test_without_its_last_words_it_is_whole(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """No usage and no [DONE] after the reason."""
    vendor = replace(CHAT_VENDORS["plain"].style, done=False)
    async with playing("own", answer(Text("Hello."), style=vendor)) as upstream:
        running = await proxy(QUICK + table("own", upstream, "rewrite.chat.stream_usage = false") + route("own"))
        message = message_of(await ask(client, running.url))
    assert message["content"] == [{"type": "text", "text": "Hello."}]


WHOLE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "other",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
}


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_json_where_a_stream_was_asked_for(proxy: StartProxy, client: httpx.AsyncClient, kind: str) -> None:
    async with playing("own", json_reply(200, WHOLE, {"content-type": kind})) as upstream:
        running = await proxy(QUICK + table("own", upstream) + route("own"))
        told = await ask(client, running.url)
        (flow,) = await running.finished()
    assert told.headers["content-type"].startswith("text/event-stream") and "JSON" in flow.comment
    assert message_of(told)["content"] == [{"type": "text", "text": "Hello."}]


async def test_a_stream_where_json_was_asked_for(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    chunk = {**WHOLE, "object": "chat.completion.chunk"}
    body = b"data: " + json.dumps(chunk).encode() + b"\n\ndata: [DONE]\n\n"
    reply = WholeReply(200, body, {"content-type": "text/event-stream"})
    async with playing("own", reply) as upstream:
        running = await proxy(QUICK + table("own", upstream) + route("own"))
        told = await ask(client, running.url, {"stream": False})
    assert message_of(told)["content"] == [{"type": "text", "text": "Hello."}] and told.json()["type"] == "message"


@pytest.mark.parametrize("stream", [True, False])
async def test_what_is_no_answer_moves_on(proxy: StartProxy, client: httpx.AsyncClient, stream: bool) -> None:
    nothing = json_reply(200, {"object": "chat.completion", "choices": []})
    async with playing("own", nothing) as upstream, playing("groq", answer(Text("there"))) as other:
        tables = QUICK + table("own", upstream) + table("groq", other)
        running = await proxy(tables + route("own", "groq/openai/gpt-oss-120b"))
        told = message_of(await ask(client, running.url, {"stream": stream}))
    assert told["content"] == [{"type": "text", "text": "there"}]


async def test_a_server_that_is_moved(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    moved = json_reply(308, {}, {"location": "https://elsewhere.example/v1/chat/completions"})
    async with playing("own", moved) as upstream:
        running = await proxy(QUICK + table("own", upstream) + route("own"))
        told = await ask(client, running.url)
    assert 'set base_url = "https://elsewhere.example/v1"' in told.json()["error"]["message"]


def refusing(field: str, message: str) -> Any:
    """Refuses a field as OpenAI does, then answers."""

    def reply(request: RecordedRequest) -> Any:
        return error(400, message, code="unsupported_parameter") if field in request.json else answer()

    return reply


LEARNED = {
    "max_tokens": (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        {},
        'rewrite.models."m".chat.output_limit = "max_completion_tokens"',
    ),
    "stream_options": ("Unknown parameter: 'stream_options'.", {}, 'rewrite.models."m".chat.stream_usage = false'),
    "stop": (
        "Unsupported parameter: 'stop' is not supported with this model.",
        {"stop_sequences": ["END"]},
        'rewrite.drop = ["stop_sequences"]',
    ),
}


@pytest.mark.parametrize("field", LEARNED)
async def test_what_it_refuses_is_learned(
    proxy: StartProxy, client: httpx.AsyncClient, field: str, caplog: pytest.LogCaptureFixture
) -> None:
    message, fields, line = LEARNED[field]
    vendor = replace(CHAT_VENDORS["plain"], fields=None)
    async with ScriptedProvider(refusing(field, message), vendor=vendor, accepts=KEY, serves=MODELS) as upstream:
        running = await proxy(table("own", upstream) + route("own/m"))
        for _ in range(2):
            assert (await ask(client, running.url, fields)).status_code == 200
    assert [field in request.json for request in upstream.messages] == [True, False, False]
    assert f"[providers.own] {line}" in caplog.text


async def test_tokens_are_not_counted_there(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with playing("own") as upstream:
        running = await proxy(table("own", upstream) + route("own"))
        told = await client.post(f"{running.url}/v1/messages/count_tokens", json=BODY, headers=HEADERS)
    assert told.status_code == 501 and upstream.requests == []


async def test_a_silent_one_is_pinged(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    gate = asyncio.Event()
    async with playing("own", answer(Text("Hel"), gate, Text("lo."))) as upstream:
        running = await proxy(table("own", upstream, 'timeouts.ping_after = "50ms"') + route("own"))
        async with client.stream("POST", f"{running.url}/v1/messages", json=BODY, headers=HEADERS) as told:
            lines = []
            async for line in told.aiter_lines():
                lines.append(line)
                if line == "event: ping":
                    gate.set()
    assert "event: message_stop" in lines


async def test_the_clients_key_does_not_leave(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with playing("own") as upstream:
        running = await proxy(table("own", upstream) + route("own"))
        await ask(client, running.url, anthropic_beta="effort-2025-11-24", x_claude_code_session_id="s")
    sent = upstream.messages[0]
    assert API_KEY not in json.dumps(sent.headers) and sent.lower["authorization"] == f"Bearer {KEY}"
    assert not [name for name in sent.lower if name.startswith(("anthropic", "x-claude", "x-api"))]
