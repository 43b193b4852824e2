"""The scripted provider itself: it answers as told, refuses what Anthropic refuses, and sees what a client does."""

from __future__ import annotations

import asyncio
import json as json_codec
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest

from tests import NO_TLS
from tests.e2e.claude_code import RESULT, executable, run_claude, sign_in, tool_turn_script
from turnout.testing import events, replies
from turnout.testing.provider import API_KEY, ScriptedProvider, ScriptedProviderThread
from turnout.testing.replies import Reply
from turnout.testing.strict import Credential

MESSAGE: dict[str, Any] = {
    "model": "claude-opus-4-6",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "hi"}],
}
STREAM = {**MESSAGE, "stream": True}
HEADERS = {"x-api-key": API_KEY, "anthropic-version": "2023-06-01", "content-type": "application/json"}
OAUTH = "sk-ant-oat01-fake"


async def post(
    provider: ScriptedProvider, body: Any = STREAM, path: str = "/v1/messages", **headers: str
) -> httpx.Response:
    async with httpx.AsyncClient(verify=NO_TLS, base_url=provider.url) as client:
        merged = {**HEADERS, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return await client.post(path, content=json_codec.dumps(body), headers=merged)


async def test_the_script_is_played_in_order_and_its_last_reply_repeats() -> None:
    async with ScriptedProvider([replies.error(429, "rate_limit_error"), replies.sse()]) as provider:
        statuses = [(await post(provider)).status_code for _ in range(3)]
    assert statuses == [429, 200, 200]
    assert provider.violations == [] and provider.refusals == []


async def test_a_callable_chooses_by_request() -> None:
    def by_model(request: Any) -> Reply:
        return replies.error(529, "overloaded_error") if "opus" in request.model else replies.sse()

    async with ScriptedProvider(by_model) as provider:
        assert (await post(provider)).status_code == 529
        assert (await post(provider, {**STREAM, "model": "claude-sonnet-4-6"})).status_code == 200


@pytest.mark.parametrize("gzip", [False, True])
async def test_a_stream_arrives_with_the_model_that_was_asked_for(gzip: bool) -> None:
    async with ScriptedProvider(gzip=gzip) as provider:
        response = await post(provider)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert (response.headers.get("content-encoding") == "gzip") is gzip
    names = [line.removeprefix("event: ") for line in response.text.splitlines() if line.startswith("event: ")]
    assert (names[0], names[-1]) == ("message_start", "message_stop")
    assert '"model":"claude-opus-4-6"' in response.text


async def test_without_stream_the_same_reply_is_a_message() -> None:
    async with ScriptedProvider(replies.sse(events.tool_turn("Bash", {"command": "ls"}))) as provider:
        message = (await post(provider, MESSAGE)).json()
    assert [block["type"] for block in message["content"]] == ["text", "tool_use"]
    assert message["content"][1]["input"] == {"command": "ls"}
    assert (message["stop_reason"], message["usage"]["output_tokens"]) == ("tool_use", 15)


async def test_a_gate_inside_a_stream_holds_it() -> None:
    gate = asyncio.Event()
    steps = events.stream_of("ab", 2)
    async with (
        ScriptedProvider(replies.sse([*steps[:1], gate, *steps[1:]])) as provider,
        httpx.AsyncClient(verify=NO_TLS) as client,
        client.stream("POST", f"{provider.url}/v1/messages", json=STREAM, headers=HEADERS) as response,
    ):
        chunks = response.aiter_bytes()
        assert b"message_start" in await anext(chunks)
        assert not (await provider.arrived()).finished.is_set()
        gate.set()
        rest = b"".join([chunk async for chunk in chunks])
        assert b"message_stop" in rest


@pytest.mark.parametrize(
    "reply",
    [
        replies.close_before_headers(),
        replies.close_before_headers(reset=True),
        replies.garbage(),
        replies.close_after(2),
    ],
    ids=["close", "reset", "garbage", "mid-stream"],
)
async def test_broken_answers_are_errors_of_the_transport(reply: Reply) -> None:
    async with ScriptedProvider(reply) as provider:
        with pytest.raises(httpx.TransportError):
            await post(provider)


@pytest.mark.parametrize(
    ("reply", "content"),
    [
        (replies.empty_stream(), b""),
        (replies.truncated(), b"".join(step.encode("claude-opus-4-6") for step in events.stream_of()[:-1])),
        (replies.error_event(), events.error().encode()),
        (replies.base_resp(1002), b'{"base_resp": {"status_code": 1002, "status_msg": "scripted"}}'),
    ],
    ids=["empty", "truncated", "error-event", "base_resp"],
)
async def test_failures_inside_a_200(reply: Reply, content: bytes) -> None:
    async with ScriptedProvider(reply) as provider:
        response = await post(provider)
    assert (response.status_code, response.content) == (200, content)


@pytest.mark.parametrize("reply", [replies.hang(), replies.hang_after(2)], ids=["silent", "mid-stream"])
async def test_a_departure_is_seen_while_the_reply_hangs(reply: Reply) -> None:
    async with ScriptedProvider(reply) as provider:
        asking = asyncio.create_task(post(provider))
        request = await provider.arrived()
        assert not request.closed.is_set()
        asking.cancel()
        await asyncio.wait_for(request.closed.wait(), 10)
        assert not request.finished.is_set()


async def test_keep_alive_and_chunked_requests() -> None:
    async def chunks() -> Any:
        yield json_codec.dumps(STREAM).encode()[:10]
        yield json_codec.dumps(STREAM).encode()[10:]

    async with ScriptedProvider() as provider, httpx.AsyncClient(verify=NO_TLS, base_url=provider.url) as client:
        for _ in range(2):
            assert (await client.post("/v1/messages?beta=true", content=chunks(), headers=HEADERS)).status_code == 200
        assert (await client.head("/")).status_code == 404
    first, second, _ = provider.requests
    assert (first.connection, second.connection) == (0, 0)
    assert first.body == json_codec.dumps(STREAM).encode()
    assert (first.target, first.path) == ("/v1/messages?beta=true", "/v1/messages")


@pytest.mark.parametrize(
    ("accepts", "headers", "status"),
    [
        (API_KEY, {}, 200),
        (API_KEY, {"x_api_key": "sk-ant-api03-other"}, 401),
        (API_KEY, {"authorization": f"Bearer {API_KEY}"}, 401),  # both headers
        (Credential("x-api-key", API_KEY), {}, 200),
        (Credential("bearer", API_KEY), {}, 401),
        ("mm-key", {"authorization": "Bearer mm-key"}, 401),
        (Credential("none"), {}, 401),
        (["sk-ant-api03-first", API_KEY], {}, 200),
    ],
)
async def test_exactly_the_one_credential(accepts: Any, headers: dict[str, str], status: int) -> None:
    async with ScriptedProvider(accepts=accepts) as provider:
        response = await post(provider, **headers)
    assert response.status_code == status
    if status == 401:
        assert response.json()["error"]["type"] == "authentication_error"


@pytest.mark.parametrize(("betas", "status"), [("oauth-2025-04-20,claude-code-20250219", 200), ("", 401)])
async def test_an_oauth_token_needs_its_beta(betas: str, status: int) -> None:
    async with ScriptedProvider(accepts=OAUTH) as provider, httpx.AsyncClient(verify=NO_TLS) as client:
        headers = {"authorization": f"Bearer {OAUTH}", "anthropic-version": "2023-06-01", "anthropic-beta": betas}
        response = await client.post(f"{provider.url}/v1/messages", json=STREAM, headers=headers)
    assert response.status_code == status


def turn(*contents: list[dict[str, Any]]) -> dict[str, Any]:
    """A request whose messages alternate between user and assistant."""
    roles = ["user", "assistant"] * len(contents)
    return {
        **MESSAGE,
        "messages": [{"role": role, "content": item} for role, item in zip(roles, contents, strict=False)],
    }


TEXT = {"type": "text", "text": "x"}
USE = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}
TOOL_RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "y"}
TOOL = {"name": "Bash", "input_schema": {"type": "object"}}
MARK = {"cache_control": {"type": "ephemeral"}}


@pytest.mark.parametrize(
    ("body", "status", "part"),
    [
        ({**MESSAGE, "surprise": 1}, 400, "surprise: Extra inputs are not permitted"),
        ({**MESSAGE, "context_management": {"edits": []}}, 400, "context_management: Extra inputs are not permitted"),
        ({**MESSAGE, "model": ""}, 400, "model"),
        ({**MESSAGE, "model": "claude-opus-4-6[1m]"}, 404, "model: claude-opus-4-6[1m]"),
        ({key: value for key, value in MESSAGE.items() if key != "max_tokens"}, 400, "max_tokens: Field required"),
        ([], 400, "not valid JSON"),
        ({**MESSAGE, "messages": []}, 400, "at least one message"),
        ({**MESSAGE, "messages": [{"role": "system", "content": "x"}]}, 400, "role"),
        ({**MESSAGE, "messages": [{"role": "user", "content": ""}]}, 400, "non-empty"),
        (turn([TEXT], [USE]), 400, "toolu_1"),
        (turn([TEXT], [USE], [TEXT]), 400, "toolu_1"),
        (turn([TEXT], [USE], [TEXT, TOOL_RESULT]), 400, "must come first"),
        (turn([TEXT], [TEXT], [TOOL_RESULT]), 400, "unexpected `tool_use_id`"),
        (turn([TEXT], [TEXT, USE], [TOOL_RESULT, TEXT]), 200, ""),
        ({**MESSAGE, "tools": [TOOL, TOOL]}, 400, "unique"),
        ({**MESSAGE, "tools": [{"name": "Bash"}]}, 400, "input_schema"),
        ({**MESSAGE, "tools": [TOOL], "tool_choice": {"type": "tool", "name": "Read"}}, 400, "not found"),
        ({**MESSAGE, "thinking": {"type": "enabled", "budget_tokens": 2048}}, 400, "greater than"),
        ({**MESSAGE, "thinking": {"type": "adaptive"}}, 200, ""),
        ({**MESSAGE, "model": "claude-haiku-4-5", "thinking": {"type": "adaptive"}}, 400, "adaptive thinking"),
        ({**MESSAGE, "system": [{**TEXT, **MARK}] * 5}, 400, "maximum of 4"),
        ({**MESSAGE, "system": [{**TEXT, "cache_control": {"type": "ephemeral", "scope": "global"}}]}, 400, "scope"),
    ],
)
async def test_bodies_are_held_to_anthropics_rules(body: Any, status: int, part: str) -> None:
    async with ScriptedProvider() as provider:
        response = await post(provider, body)
    assert response.status_code == status, response.text
    if status != 200:
        assert part in response.json()["error"]["message"]
        assert len(provider.refusals) == 1


def noted(**fields: Any) -> dict[str, Any]:
    """A conversation of the newest generation with a word of the system in it."""
    messages = [*MESSAGE["messages"], {"role": "system", "content": "x", **fields}]
    return {**MESSAGE, "model": "claude-opus-5-5", "messages": messages}


REFERENCE = {**TOOL_RESULT, "content": [{"type": "tool_reference", "tool_name": "Read"}]}


@pytest.mark.parametrize(
    ("body", "beta"),
    [
        ({**MESSAGE, "context_management": {"edits": []}}, "context-management-2025-06-27"),
        ({**MESSAGE, "safeguards": []}, "dangerous-tool-use-2026-09-03"),
        ({**MESSAGE, "tools": [{**TOOL, "defer_loading": True}]}, "advanced-tool-use-2025-11-20"),
        (turn([TEXT], [USE], [REFERENCE]), "tool-search-tool-2025-10-19"),
        ({**noted(), "model": "claude-opus-4-6"}, "mid-conversation-system-2026-04-07"),
        (noted(output_config={"effort": "low"}), "mid-conversation-output-config-2026-07-01"),
        (noted(output_config={"effort": "low"}, content=[]), "mid-conversation-output-config-2026-07-01"),
    ],
)
async def test_a_beta_unlocks_its_field(body: dict[str, Any], beta: str) -> None:
    async with ScriptedProvider() as provider:
        assert (await post(provider, body)).status_code == 400
        assert (await post(provider, body, anthropic_beta=beta)).status_code == 200


async def test_only_the_system_has_options_of_its_own() -> None:
    body = {**MESSAGE, "messages": [{"role": "user", "content": "x", "output_config": {"effort": "low"}}]}
    async with ScriptedProvider() as provider:
        response = await post(provider, body, anthropic_beta="per-turn-control-2026-07-01")
    assert response.json()["error"]["message"] == "messages.0.output_config: Extra inputs are not permitted"


FORCED = {"tools": [TOOL], "tool_choice": {"type": "any"}}


@pytest.mark.parametrize(
    ("model", "fields", "status"),
    [
        ("claude-opus-5-5", {"thinking": {"type": "disabled"}}, 400),
        ("claude-fable-5-2", {"thinking": {"type": "disabled"}}, 400),
        ("claude-opus-5", {"thinking": {"type": "disabled"}}, 200),
        ("claude-haiku-5-5", FORCED, 400),
        ("claude-opus-5", FORCED, 200),
        ("claude-opus-5", {**FORCED, "thinking": {"type": "adaptive"}}, 400),
    ],
)
async def test_models_that_always_think(model: str, fields: dict[str, Any], status: int) -> None:
    async with ScriptedProvider() as provider:
        assert (await post(provider, {**MESSAGE, "model": model, **fields})).status_code == status


async def test_the_other_endpoints() -> None:
    counted = {key: value for key, value in MESSAGE.items() if key != "max_tokens"}
    async with (
        ScriptedProvider() as provider,
        httpx.AsyncClient(verify=NO_TLS, base_url=provider.url, headers=HEADERS) as client,
    ):
        count = await client.post("/v1/messages/count_tokens", json=counted)
        refused = await client.post("/v1/messages/count_tokens", json=MESSAGE)
        models = await client.get("/v1/models?limit=1000")
        model = await client.get(f"/v1/models/{models.json()['first_id']}")
        nothing = await client.get("/v1/nothing")
    assert count.json() == {"input_tokens": len(provider.requests[0].body) // 4}
    assert [item.status_code for item in (refused, models, model, nothing)] == [400, 200, 200, 404]


async def test_a_model_it_does_not_serve_is_not_found() -> None:
    async with ScriptedProvider(serves=["MiniMax-*"]) as provider:
        assert (await post(provider)).json()["error"]["message"] == "model: claude-opus-4-6"


@pytest.mark.parametrize(
    ("headers", "part"),
    [
        ({"x_turnout_key": "k"}, "x-turnout-key"),
        ({"cookie": "a=b"}, "cookie"),
        ({"via": "1.1 proxy"}, "via"),
        ({"host": "api.anthropic.com"}, "host is"),
        ({"authorization": "Bearer x"}, "two credentials"),
        ({"user_agent": "secret-text"}, "'secret-text' reached the provider in a header"),
    ],
)
async def test_what_no_proxy_may_send_is_noted(headers: dict[str, str], part: str) -> None:
    async with ScriptedProvider(forbid=["secret-text"]) as provider:
        await post(provider, **headers)
    assert len(provider.violations) == 1 and part in provider.violations[0]


async def test_a_forbidden_text_in_the_body_is_noted() -> None:
    async with ScriptedProvider(forbid=["secret-text"]) as provider:
        await post(provider, {**MESSAGE, "system": "a secret-text"})
    assert provider.violations == ["'secret-text' reached the provider in the body"]


def test_the_sdk_is_content_with_it() -> None:
    with ScriptedProviderThread() as provider:
        client = anthropic.Anthropic(api_key=API_KEY, base_url=provider.url, max_retries=0)
        with client, client.messages.stream(**MESSAGE) as stream:
            message = stream.get_final_message()
    assert message.model == "claude-opus-4-6"
    assert provider.violations == [] and provider.refusals == []


@pytest.mark.e2e
@pytest.mark.claude
def test_claude_code_is_content_with_it(home: Path) -> None:
    executable()
    with ScriptedProviderThread(tool_turn_script()) as provider:
        run_claude(provider.url, home, {"ANTHROPIC_API_KEY": API_KEY}).assert_answered()
    first, second = provider.messages
    assert first.streams and len(first.body) > 20_000
    assert RESULT in json_codec.dumps(second.tool_results)
    assert provider.violations == [] and provider.refusals == []


@pytest.mark.e2e
@pytest.mark.claude
def test_claude_code_sends_its_own_login_to_any_base_url(home: Path) -> None:
    executable()
    sign_in(home, OAUTH)
    with ScriptedProviderThread(tool_turn_script(), accepts=OAUTH) as provider:
        run_claude(provider.url, home, {}).assert_answered()
    assert provider.messages[0].betas.count("oauth-2025-04-20") == 1
    assert provider.violations == [] and provider.refusals == []
