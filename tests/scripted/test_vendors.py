"""The validators of the vendors: each takes the plain API and refuses what it is known to refuse, in its own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tests import NO_TLS
from tests.dialects.messages.shapes import IMAGE, Body, assistant, call, result, text, thinking, user
from turnout.testing.provider import ScriptedProvider
from turnout.testing.vendors import VENDORS, Problem

MODELS = {
    "minimax": "MiniMax-M3",
    "moonshot": "kimi-k2.5",
    "zai": "glm-4.6",
    "deepseek": "deepseek-v4-pro",
    "fireworks": "accounts/fireworks/models/glm-5",
}
TOOL: Body = {"name": "Bash", "description": "runs", "input_schema": {"type": "object"}}
SEARCH = {"type": "search_result", "source": "a", "title": "a", "content": [text("a")]}
HEADERS = {
    "anthropic-version": "2023-06-01",
    "content-type": "application/json",
    "user-agent": "claude-cli/2.1.332 (external, cli)",
}
OWN_WAYS: dict[str, Body] = {
    "minimax": {"thinking": {"type": "adaptive"}},
    "kimi-coding": {"thinking": None, "temperature": None},
}
"""What single vendors want in another way; None for what they do not take."""

ALL = sorted(VENDORS)
IMITATORS = [name for name in ALL if name not in ("openrouter", "litellm", "vercel")]


def plain(name: str, **more: Any) -> Body:
    """What every vendor takes: the API of the years when tools and thinking came."""
    body: Body = {
        "model": MODELS.get(name, "some-model"),
        "max_tokens": 4096,
        "system": [text("be kind", cache_control={"type": "ephemeral"})],
        "messages": [
            user(text("go")),
            assistant(thinking("well", ""), text("I go."), call("toolu_01", command="go")),
            user(result("toolu_01", [text("gone")], is_error=False), text("and now?")),
        ],
        "tools": [TOOL],
        "tool_choice": {"type": "auto"},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "stream": True,
        "stop_sequences": ["stop"],
        "top_k": 5,
        "temperature": 1,
        "metadata": {"user_id": "a"},
    }
    whole = {**body, **OWN_WAYS.get(name, {}), **more}
    return {field: value for field, value in whole.items() if value is not None}


def ask(*blocks: Body) -> list[Body]:
    return [user(*blocks)]


@pytest.mark.parametrize("name", ALL)
def test_the_plain_api_is_taken(name: str) -> None:
    VENDORS[name].check(plain(name))


BROKEN: dict[str, Body] = {
    "no messages": {"messages": []},
    "the assistant first": {"messages": [assistant(text("hi"))]},
    "an empty message": {"messages": ask()},
    "empty text": {"messages": ask(text(""))},
    "blank text": {"messages": ask(text(" \n"))},
    "a call without result": {"messages": [user(text("a")), assistant(call("toolu_1")), user(text("b"))]},
    "a call at the end": {"messages": [user(text("a")), assistant(call("toolu_1"))]},
    "a result without call": {"messages": ask(result("toolu_1", "a"))},
    "text before the result": {
        "messages": [user(text("a")), assistant(call("toolu_1")), user(text("b"), result("toolu_1", "c"))]
    },
    "empty text in a result": {
        "messages": [user(text("a")), assistant(call("toolu_1")), user(result("toolu_1", [text("")]))]
    },
    "thinking without signature": {"messages": [user(text("a")), assistant({"type": "thinking", "thinking": "b"})]},
    "a foreign id": {"messages": [user(text("a")), assistant(call("a.b")), user(result("a.b", "c"))]},
    "no room to answer": {"max_tokens": 0},
    "a small budget": {"thinking": {"type": "enabled", "budget_tokens": 1023}},
    "a large budget": {"thinking": {"type": "enabled", "budget_tokens": 4096}},
    "the same tool twice": {"tools": [TOOL, TOOL]},
    "a bad name of a tool": {"tools": [{**TOOL, "name": "a b"}]},
    "a forced tool that is not there": {"tool_choice": {"type": "tool", "name": "Read"}},
    "five breakpoints": {"messages": ask(*(text(str(at), cache_control={"type": "ephemeral"}) for at in range(5)))},
    "a suffix in the model": {"model": "some-model[1m]"},
    "empty system text": {"system": [text("")]},
}


def taken(name: str, changes: Mapping[str, Body]) -> set[str]:
    """Those of the changes with which a vendor takes the plain API still."""
    return {what for what, change in changes.items() if takes(name, {**plain(name), **change})}


def takes(name: str, body: Body) -> bool:
    try:
        VENDORS[name].check(body)
    except Problem:
        return False
    return True


@pytest.mark.parametrize("name", ALL)
def test_the_rules_of_the_api_hold_everywhere(name: str) -> None:
    assert taken(name, BROKEN) == set()


NEWS: dict[str, tuple[Body, set[str]]] = {
    "a system role": ({"messages": [*ask(text("a")), {"role": "system", "content": "b"}]}, {"vllm"}),
    "adaptive thinking": ({"thinking": {"type": "adaptive"}}, {"minimax", "vllm"}),
    "a server tool": ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, {"ollama", "ollama-cloud"}),
    "a typed tool": ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, set()),
    "deferred tools": ({"tools": [{**TOOL, "defer_loading": True}]}, {"vllm"}),
    "typed custom tools": ({"tools": [{**TOOL, "type": "custom"}]}, {"vllm"}),
    "a scope": (
        {"system": [text("a", cache_control={"type": "ephemeral", "scope": "global"})]},
        {"deepseek", "ollama", "ollama-cloud", "llamacpp", "vllm"},
    ),
    "an hour": (
        {"system": [text("a", cache_control={"type": "ephemeral", "ttl": "1h"})]},
        {"deepseek", "ollama", "ollama-cloud", "llamacpp", "vllm"},
    ),
    "an effort": (
        {"output_config": {"effort": "high"}},
        {"deepseek", "fireworks", "ollama", "ollama-cloud", "vllm"},
    ),
    "a format": ({"output_config": {"format": {"type": "json_schema", "schema": {}}}}, {"vllm"}),
    "a document": ({"messages": ask({"type": "document", "source": {"type": "text", "data": "a"}})}, set()),
    "a search result": ({"messages": ask(SEARCH)}, set()),
    "redacted thinking": (
        {"messages": [*ask(text("a")), assistant({"type": "redacted_thinking", "data": "b"})]},
        {"vllm"},
    ),
    "an image": (
        {"messages": ask(IMAGE)},
        {"generic", "minimax", "moonshot", "kimi-coding", "ollama", "ollama-cloud", "lmstudio", "llamacpp", "vllm"},
    ),
    "the address of an image": (
        {"messages": ask({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}})},
        {"vllm"},
    ),
    "context management": (
        {"context_management": {"edits": []}},
        {"minimax", "deepseek", "ollama", "ollama-cloud", "vllm"},
    ),
    "a marker at the top": ({"cache_control": {"type": "ephemeral"}}, {"vllm"}),
    "an unknown field": ({"thread": {"type": "create"}}, {"vllm"}),
    "more metadata": ({"metadata": {"user_id": "a", "team": "b"}}, {"vllm"}),
}


@pytest.mark.parametrize("name", IMITATORS)
def test_what_came_later_is_refused_unless_the_notes_say_that_it_is_taken(name: str) -> None:
    expected = {news for news, (_, takers) in NEWS.items() if name in takers}
    assert taken(name, {news: change for news, (change, _) in NEWS.items()}) == expected


@pytest.mark.parametrize("name", ALL)
def test_an_unknown_beta(name: str) -> None:
    if name in ("deepseek", "ollama", "ollama-cloud", "llamacpp", "vllm"):
        VENDORS[name].check(plain(name), ("context-management-2025-06-27",))
    else:
        with pytest.raises(Problem, match="beta"):
            VENDORS[name].check(plain(name), ("context-management-2025-06-27",))


@pytest.mark.parametrize(
    "name, change",
    [
        ("minimax", {"temperature": 0}),
        ("minimax", {"model": "MiniMax-M2.5", "messages": ask(IMAGE)}),
        ("minimax", {"model": "MiniMax-M3.1-Flash-Preview", "thinking": {"type": "disabled"}}),
        ("moonshot", {"model": "kimi-k3"}),
        ("moonshot", {"tool_choice": {"type": "any"}}),
        ("zai", {"tool_choice": {"type": "tool", "name": "Bash"}}),
        ("zai", {"temperature": 1.5}),
        ("deepseek", {"tool_choice": {"type": "tool", "name": "Bash"}}),
        ("deepseek", {"temperature": 2.5}),
        ("fireworks", {"tools": [{**TOOL, "cache_control": {"type": "ephemeral"}}]}),
        ("openrouter", {"model": "anthropic/claude-opus-5.5"}),
        ("openrouter", {"inference_geo": "us"}),
        ("openrouter", {"system": [text("a", cache_control={"type": "ephemeral", "scope": "global"})]}),
        ("litellm", {"model": "claude-haiku-4-5", "thinking": {"type": "adaptive"}}),
        ("litellm", {"cache_control": {"type": "ephemeral"}}),
        ("litellm", {"model": "claude-opus-5-5", "thinking": {"type": "disabled"}}),
        ("minimax", {"max_tokens": 524_289}),
        ("zai", {"model": "glm-5.3", "max_tokens": 131_073}),
        ("qwen", {"model": "qwen3.8-max", "max_tokens": 65_537}),
        ("openrouter", {"model": "anthropic/claude-opus-5.5", "thinking": {"type": "adaptive"},
                        "tools": [{**TOOL, "defer_loading": True}]}),
        ("vllm", {"tools": [{**TOOL, "name": "DeferredToolPlaceholder"}]}),
    ],
)
def test_what_single_vendors_refuse(name: str, change: Body) -> None:
    with pytest.raises(Problem):
        VENDORS[name].check({**plain(name), **change})


async def refused(name: str, **change: Any) -> tuple[int, Any]:
    """What the vendor answers over the wire."""
    async with ScriptedProvider(accepts="key-1", strict=name) as provider, httpx.AsyncClient(verify=NO_TLS) as client:
        headers = {**HEADERS, "authorization": "Bearer key-1"} if "bearer" in VENDORS[name].auth else HEADERS
        response = await client.post(f"{provider.url}/v1/messages", json=plain(name, **change), headers=headers)
    assert len(provider.problems) == 1 and provider.violations == []
    return response.status_code, response.json()


async def test_deepseek_is_a_rust_server() -> None:
    status, body = await refused("deepseek", messages=ask(SEARCH))
    assert status == 422
    assert "messages[0].content[0].type: unknown variant `search_result`" in body["error"]["message"]
    status, body = await refused("deepseek", tool_choice={"type": "tool", "name": "Bash"})
    assert (status, body["error"]["message"]) == (400, "Thinking mode does not support this tool_choice")


async def test_minimax_answers_with_400_or_with_an_error_inside_a_200() -> None:
    """A10"""
    turn = [user(text("a")), assistant(call("toolu_1")), user(result("toolu_1", [SEARCH]))]
    status, body = await refused("minimax", messages=turn)
    assert status == 400 and body["error"]["message"].endswith("invalid tool_result content (2013)")
    status, body = await refused("minimax", temperature=0)
    assert (status, body["base_resp"]["status_code"]) == (200, 2013)


async def test_zai_answers_with_codes() -> None:
    status, body = await refused("zai", tool_choice={"type": "any"})
    assert (status, body["error"]["code"]) == (400, "1210")
    status, body = await refused("zai", messages=[{"role": "system", "content": "a"}])
    assert (status, body["error"]["code"]) == (400, "1214")


@pytest.mark.parametrize("name", ALL)
async def test_every_vendor_says_what_is_wrong(name: str) -> None:
    status, body = await refused(name, max_tokens=0)
    assert status in (200, 400)
    assert "max_tokens" in str(body)


@pytest.mark.parametrize("name", ALL)
async def test_token_counting_is_there_where_a_vendor_has_it(name: str) -> None:
    async with ScriptedProvider(accepts="key-1", strict=name) as provider, httpx.AsyncClient(verify=NO_TLS) as client:
        headers = {**HEADERS, "authorization": "Bearer key-1"}
        body = {key: value for key, value in plain(name).items() if key not in ("max_tokens", "stream")}
        response = await client.post(f"{provider.url}/v1/messages/count_tokens", json=body, headers=headers)
    counts = name in ("llamacpp", "vllm", "litellm")
    assert response.status_code == (200 if counts else 404)


@pytest.mark.parametrize(
    "name, header, status",
    [
        ("moonshot", "x-api-key", 401),
        ("moonshot", "authorization", 200),
        ("openrouter", "x-api-key", 401),
        ("fireworks", "x-api-key", 401),
        ("zai", "x-api-key", 200),
        ("zai", "authorization", 200),
        ("ollama", "", 200),
        ("minimax", "", 401),
    ],
)
async def test_keys_come_in_the_header_that_the_vendor_reads(name: str, header: str, status: int) -> None:
    """C6"""
    async with ScriptedProvider(accepts="key-1", strict=name) as provider, httpx.AsyncClient(verify=NO_TLS) as client:
        key = {"x-api-key": "key-1", "authorization": "Bearer key-1"}.get(header, "")
        headers = {**HEADERS, **({header: key} if header else {})}
        response = await client.post(f"{provider.url}/v1/messages", json=plain(name), headers=headers)
    assert response.status_code == status
