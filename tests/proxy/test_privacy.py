"""Who is asking, from which device and in which session is between the client and a first party."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.proxy.support import ask, route
from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import API_KEY, ScriptedProvider

HEADERS = {
    "traceparent": "00-id01trace-id02span-01",
    "tracestate": "id03state=1",
    "baggage": "user=id04baggage",
    "x_claude_code_session_id": "id05session",
    "x_claude_code_agent_id": "id06agent",
    "x_claude_code_prompt_id": "id07prompt",
    "x_claude_1p_request_class": "id08class",
    "x_stainless_os": "id09os",
    "x_app": "id10app",
    "x_client_request_id": "id11request",
    "anthropic_dangerous_direct_browser_access": "id12browser",
    "anthropic_organization_id": "id13organization",
    "anthropic_workspace_id": "id14workspace",
    "anthropic_user_profile_id": "id15profile",
    "cookie": "a=id16cookie",
    "forwarded": "for=id17forwarded",
    "x_forwarded_for": "id18address",
    "via": "1.1 id19proxy",
    "x_request_id": "id20request",
}
IDS = json.dumps({"device_id": "id21device", "account_uuid": "id22account", "session_id": "id05session"})
BODY: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "max_tokens": 128_000,
    "metadata": {"user_id": IDS},
    "system": "x-anthropic-billing-header: cc_version=2.1.332.id23fingerprint; cc_entrypoint=id24entry;\nBe kind.",
    "safeguards": [{"type": "dangerous_tool_use", "classifier_context": {"home_dir": "/home/id25person"}}],
    "diagnostics": {"previous_message_id": "msg_id26diagnostics"},
    "container": "container_id27",
    "thread": {"type": "continue", "previous_message_id": "msg_id28thread"},
    "user_profile_id": "id29profile",
    "workspace_id": "id30workspace",
    "fallback_credit_token": "id31credit",
    "tags": {"team": "id32tag"},
    "what_comes_next": {"id": "id33future"},
    "mcp_servers": [{"type": "url", "name": "m", "url": "https://id34.example", "authorization_token": "id35token"}],
    "thinking": {"type": "adaptive", "display": "updates", "block_binding": {"id": "id36binding"}},
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "hello", "id": "id37block"}], "id": "id38message"},
        {"role": "system", "content": [], "output_config": {"effort": "low", "id": "id39entry"}},
        {
            "role": "assistant",
            "content": [
                {
                    "type": "tool_use",
                    "id": "toolu_1",
                    "name": "Bash",
                    "input": {},
                    "caller": {"type": "code_execution", "tool_id": "id40caller"},
                }
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"},
                {"type": "container_upload", "file_id": "file_id41"},
            ],
        },
    ],
    "tools": [{"name": "Bash", "description": "d", "input_schema": {"type": "object"}, "custom_id": "id42tool"}],
}
BETAS = (
    "claude-code-20250219,dangerous-tool-use-2026-09-03,cache-diagnosis-2026-04-07,message-threads-2026-08-12,"
    "request-tags-2026-08-21,mcp-client-2025-11-20,fallback-credit-2026-07-01,per-turn-control-2026-07-01"
)
ALL_IDS = [f"id{number:02}" for number in range(1, 43)]
GATEWAYS = frozenset(("id37", "id40", "id42"))
"""Fields of blocks and tools, which a gateway to Claude gets as they are: they are of the conversation, not of who
holds it."""


def test_the_ids_are_all_there() -> None:
    """Else nothing would be proven."""
    assert [id for id in ALL_IDS if id not in json.dumps(BODY) + json.dumps(HEADERS)] == []


@pytest.mark.parametrize(
    ("preset", "model", "spared"),
    [
        ("mine", "some-model", frozenset()),
        ("zai", "glm-5.3", frozenset()),
        ("vllm", "qwen3-coder", frozenset()),
        ("openrouter", "moonshotai/kimi-k3", frozenset()),
        ("openrouter", "anthropic/claude-opus-5.5", GATEWAYS),
        ("litellm", "claude-opus-5-5", GATEWAYS),
    ],
)
async def test_no_id_reaches_a_foreign_provider(
    proxy: StartProxy, client: httpx.AsyncClient, preset: str, model: str, spared: frozenset[str]
) -> None:
    async with ScriptedProvider(strict="nothing") as upstream:
        table = f'[providers.{preset}]\nbase_url = "{upstream.url}"\nauth = "none"\n'
        running = await proxy(table + route(f"{preset}/{model}"))
        answer = await ask(client, running.url, BODY, anthropic_beta=BETAS, **HEADERS)
        (request,) = upstream.messages
    assert answer.status_code == 200
    received = json.dumps(request.headers) + request.target + request.body.decode()
    assert [id for id in ALL_IDS if id in received and id not in spared] == []
    assert "Be kind." in received and "python-httpx" in received, "what is needed is there"


@pytest.mark.parametrize(
    ("table", "target"),
    [
        ('[providers.mine]\nauth = "none"\nbase_url = "{}"\n' + route("mine"), "/v1/messages?beta=true"),
        ('[providers.anthropic]\nbase_url = "{}"\n', "/v1/messages?agent=id43&beta=true&user_id=id44"),
    ],
    ids=["another provider", "a first party"],
)
async def test_what_a_query_tells(proxy: StartProxy, client: httpx.AsyncClient, table: str, target: str) -> None:
    async with ScriptedProvider(strict="nothing") as upstream:
        running = await proxy(table.format(upstream.url))
        asked = f"{running.url}/v1/messages?agent=id43&beta=true&user_id=id44"
        answer = await client.post(asked, json=BODY, headers={"x-api-key": API_KEY, "anthropic-version": "2023-06-01"})
        (request,) = upstream.messages
    assert (answer.status_code, request.target) == (200, target)


async def test_a_first_party_gets_all_of_it(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    async with ScriptedProvider(strict="nothing") as upstream:
        running = await proxy(f'[providers.anthropic]\nbase_url = "{upstream.url}"\n')
        await ask(client, running.url, BODY, anthropic_beta=BETAS, **HEADERS)
        (request,) = upstream.messages
    received = json.dumps(request.headers) + request.body.decode()
    assert [id for id in ALL_IDS if id not in received] == ["id16"], "but for the cookie"
