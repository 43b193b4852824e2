"""A scripted provider as a server of Chat Completions: its endpoints, its key, and a task of several tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests import NO_TLS
from tests.e2e.chat import SHELL, TITLE, chat_vendor, reads, task_script, tool_texts
from tests.e2e.claude_code import COMMAND, FINAL_TEXT, RESULT
from tests.scripted.chat_bodies import Body, function, plain, user
from turnout.testing.chat import CHAT_VENDORS, ChatProblem, Style, Text, answer
from turnout.testing.fixtures import StartProvider
from turnout.testing.provider import ScriptedProvider, ScriptedProviderThread

KEY = "sk-fake-key-of-the-vendor"
BODY: Body = {"model": "gpt-4.1", "messages": [user("a")]}
PATHS = {
    "plain": "/v1",
    "gemini": "/v1beta/openai",
    "deepseek": "",
    "zai": "/api/paas/v4",
    "qwen": "/compatible-mode/v1",
    "fireworks": "/inference/v1",
    "groq": "/openai/v1",
    "openrouter": "/api/v1",
}


async def ask(
    provider: ScriptedProvider,
    method: str = "POST",
    path: str = "/chat/completions",
    body: Any = BODY,
    **headers: str,
) -> httpx.Response:
    given = {name.replace("_", "-"): value for name, value in {"authorization": f"Bearer {KEY}", **headers}.items()}
    async with httpx.AsyncClient(verify=NO_TLS) as client:
        return await client.request(
            method,
            provider.url + path,
            json=body if method == "POST" else None,
            headers={name: value for name, value in given.items() if value},
        )


@pytest.mark.parametrize("name", PATHS)
async def test_the_endpoints_live_where_the_vendor_has_them(name: str) -> None:
    async with ScriptedProvider(vendor=CHAT_VENDORS[name], accepts=KEY, serves=["gpt-*"]) as provider:
        assert provider.url == f"http://127.0.0.1:{provider.port}{PATHS[name]}"
        assert (await ask(provider)).status_code == 200
        models = (await ask(provider, "GET", "/models")).json()
        assert [model["id"] for model in models["data"]] == ["gpt-*"]
        assert (await ask(provider, path="/v1/messages")).status_code == 404
        assert (await provider.arrived()).json == BODY
    assert len(provider.messages) == 1 and len(provider.problems) == 1 and provider.violations == []


@pytest.mark.parametrize(
    ("name", "authorization", "status", "part"),
    [
        ("openai", "", 401, "You didn't provide an API key."),
        ("openai", "Bearer other", 401, '"code": "invalid_api_key"'),
        ("openai", KEY, 401, "Incorrect API key provided"),
        ("gemini", "Bearer other", 400, "API key not valid. Please pass a valid API key."),
        ("deepseek", "Bearer other", 401, "authentication_error"),
        ("moonshot", "Bearer other", 401, "invalid_authentication_error"),
        ("zai", "Bearer other", 401, "token expired or incorrect"),
        ("groq", "Bearer other", 401, "Invalid API Key"),
        ("cerebras", "Bearer other", 401, "wrong_api_key"),
        ("mistral", "Bearer other", 401, '{"detail": "Unauthorized"}'),
        ("vllm", "", 200, ""),
        ("ollama", "Bearer other", 200, ""),
    ],
)
async def test_the_key_comes_as_bearer(name: str, authorization: str, status: int, part: str) -> None:
    """C6"""
    async with ScriptedProvider(vendor=CHAT_VENDORS[name], accepts=KEY) as provider:
        response = await ask(provider, authorization=authorization)
    assert response.status_code == status and part in json.dumps(response.json())


@pytest.mark.parametrize(
    ("headers", "path", "part"),
    [
        ({"anthropic_version": "2023-06-01"}, "/chat/completions", "the header anthropic-version"),
        ({"anthropic_beta": "a"}, "/chat/completions", "the header anthropic-beta"),
        ({"x_claude_code_session_id": "a"}, "/chat/completions", "the header x-claude-code-session-id"),
        ({"authorization": "", "x_api_key": KEY}, "/chat/completions", "the header x-api-key"),
        ({}, "/chat/completions?beta=true", "the query of /v1/chat/completions?beta=true"),
    ],
)
async def test_what_belongs_to_the_messages_api_is_noted(headers: dict[str, str], path: str, part: str) -> None:
    async with ScriptedProvider(vendor=CHAT_VENDORS["openai"], accepts=KEY) as provider:
        await ask(provider, path=path, **headers)
    assert len(provider.violations) == 1 and part in provider.violations[0]


async def test_answers_bear_a_request_id_of_openais() -> None:
    async with ScriptedProvider(vendor=CHAT_VENDORS["openai"], accepts=KEY) as provider:
        response = await ask(provider)
    assert response.headers["x-request-id"] and "request-id" not in response.headers
    assert "anthropic-organization-id" not in response.headers


async def test_a_model_it_does_not_serve_is_not_found() -> None:
    async with ScriptedProvider(vendor=CHAT_VENDORS["openai"], accepts=KEY, serves=["gpt-6*"]) as provider:
        response = await ask(provider)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (404, "model_not_found")
    assert error["message"] == "The model `gpt-4.1` does not exist or you do not have access to it."


async def test_a_refusal_over_the_wire() -> None:
    async with ScriptedProvider(vendor=CHAT_VENDORS["gemini"], accepts=KEY) as provider:
        response = await ask(provider, body={**BODY, "system": "a"})
    message = 'Invalid JSON payload received. Unknown name "system": Cannot find field.'
    assert response.json() == [{"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}]
    assert [problem.path for problem in provider.problems] == [("system",)]


def test_the_fixture_starts_one(provider: StartProvider) -> None:
    first = provider([answer(Text("one")), answer(Text("two"))], vendor=CHAT_VENDORS["openai"], accepts=KEY)
    with openai.OpenAI(api_key=KEY, base_url=first.url, max_retries=0) as client:
        given: Any = {"model": "gpt-4.1", "messages": [user("a")]}
        said = [client.chat.completions.create(**given).choices[0].message.content for _ in range(3)]
        assert said == ["one", "two", "two"]
        with pytest.raises(openai.BadRequestError, match="Unknown parameter: 'top_k'."):
            client.chat.completions.create(**given, extra_body={"top_k": 5})
        assert [model.id for model in client.models.list()] == ["*"]


STEPS = [[("Read", "file_path"), ("Read", "file_path")], [("Bash", "command")], []]


@pytest.mark.parametrize("name", ["openai", "plain", "deepseek", "moonshot", "openrouter", "mistral", "gemini"])
def test_a_task_of_several_tools(tmp_path: Path, name: str) -> None:
    """A client that gives back what it was given gets through the task, and its vendor refuses nothing."""
    steps = reads(tmp_path / "a", tmp_path / "b"), [SHELL]
    script = task_script(*steps, thinks=name in ("deepseek", "moonshot", "openrouter"))
    body = plain(name, messages=[user("go")], tools=[function(), function("Read")], stream=None)
    seen = []
    with chat_vendor(name, KEY, script) as provider, httpx.Client() as client:
        for _ in STEPS:
            headers = {"authorization": f"Bearer {KEY}"}
            reply = client.post(f"{provider.url}/chat/completions", json=body, headers=headers)
            message = reply.json()["choices"][0]["message"]
            calls = message.get("tool_calls", [])
            seen.append([(each["function"]["name"], min(json.loads(each["function"]["arguments"]))) for each in calls])
            results = [{"role": "tool", "tool_call_id": each["id"], "content": RESULT} for each in calls]
            message = {key: value for key, value in message.items() if key != "reasoning"}
            body = {**body, "messages": [*body["messages"], message, *results]}
    assert seen == STEPS and message["content"] == FINAL_TEXT
    assert provider.problems == [] and provider.violations == []
    assert tool_texts(provider.messages[-1]) == [RESULT] * 3
    assert COMMAND in provider.messages[-1].body.decode().replace('\\"', '"')


def test_openrouter_misses_the_details_it_gave(tmp_path: Path) -> None:
    script = task_script(reads(tmp_path / "a", tmp_path / "b"), [SHELL])
    body = plain("openrouter", messages=[user("go")], tools=[function("Read")], stream=None)
    headers = {"authorization": f"Bearer {KEY}"}
    with chat_vendor("openrouter", KEY, script) as provider, httpx.Client() as client:
        first = client.post(f"{provider.url}/chat/completions", json=body, headers=headers)
        message = first.json()["choices"][0]["message"]
        results = [{"role": "tool", "tool_call_id": each["id"], "content": "a"} for each in message["tool_calls"]]
        statuses = []
        for kept in (message, {key: message[key] for key in ("role", "content", "tool_calls")}):
            later = {**body, "messages": [*body["messages"], kept, *results]}
            statuses.append(client.post(f"{provider.url}/chat/completions", json=later, headers=headers).status_code)
    assert statuses == [200, 400]
    assert [problem.said for problem in provider.problems if isinstance(problem, ChatProblem)] == [
        "reasoning_details must be passed back unmodified"
    ]


def test_a_task_starts_again_when_the_user_asks_again(tmp_path: Path) -> None:
    """And what brings no tools gets a title."""
    script = task_script(reads(tmp_path / "a", tmp_path / "b"))
    done = [user("go"), {"role": "assistant", "content": FINAL_TEXT}, user("again")]
    quiet = CHAT_VENDORS["plain"]
    with chat_vendor(quiet, KEY, script) as provider, httpx.Client() as client:
        answers = []
        for more in ({"tools": [function("Read")]}, {}):
            given = {"model": "some-model", "messages": done, **more}
            headers = {"authorization": f"Bearer {KEY}"}
            reply = client.post(f"{provider.url}/chat/completions", json=given, headers=headers)
            answers.append(reply.json()["choices"][0]["message"])
    assert [call["function"]["name"] for call in answers[0]["tool_calls"]] == ["Read", "Read"]
    assert answers[1]["content"] == TITLE


def test_a_provider_of_its_own_prefix() -> None:
    vendor = CHAT_VENDORS["vllm"]
    with ScriptedProviderThread(answer(style=Style(done=False)), vendor=vendor, prefix="/models/v1") as provider:
        response = httpx.post(f"{provider.url}/chat/completions", json={**BODY, "stream": True})
    assert provider.url.endswith("/models/v1") and "[DONE]" not in response.text
