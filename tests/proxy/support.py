"""What tests of the running proxy share: configurations with scripted providers, and requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx

from turnout.testing.provider import API_KEY, ScriptedProvider

BODY: dict[str, Any] = {
    "model": "claude-opus-4-6",
    "max_tokens": 64,
    "stream": True,
    "messages": [{"role": "user", "content": "hello"}],
}
HEADERS = {"x-api-key": API_KEY, "anthropic-version": "2023-06-01", "content-type": "application/json"}

QUICK = "[retry]\nmax_elapsed = 0\n"
"""No same-target retries: each failure moves on at once."""


def provider_table(name: str, provider: ScriptedProvider, *, key: str = "", extra: str = "") -> str:
    """A configured provider at the scripted one, with a literal key of its own (or none needed)."""
    credentials = f'auth = "bearer"\ncredentials = ["{key}"]' if key else 'auth = "none"'
    sent_on = 'rewrite.profile = "none"'
    return f'[providers.{name}]\nbase_url = "{provider.url}"\n{credentials}\n{sent_on}\n{extra}\n'


def route(*targets: str, model: str = "*", when: str = "") -> str:
    names = ", ".join(f'"{target}"' for target in targets)
    condition = f"when = {when}\n" if when else ""
    return f'[[routes]]\nmodel = "{model}"\n{condition}to = [{names}]\n'


def anthropic_table(provider: ScriptedProvider) -> str:
    """The anthropic preset, pointed at the scripted provider."""
    return f'[providers.anthropic]\nbase_url = "{provider.url}"\n'


async def ask(
    client: httpx.AsyncClient, url: str, body: Mapping[str, Any] | None = None, **headers: str
) -> httpx.Response:
    """One Messages request; `headers` with underscores for dashes."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(f"{url}/v1/messages", json={**BODY, **(body or {})}, headers={**HEADERS, **given})


async def ask_directly(
    client: httpx.AsyncClient, provider: ScriptedProvider, key: str, body: Mapping[str, Any] | None = None
) -> httpx.Response:
    """The same request without the proxy, with the provider's own key."""
    headers = {**HEADERS, "authorization": f"Bearer {key}"}
    del headers["x-api-key"]
    return await client.post(f"{provider.url}/v1/messages", json={**BODY, **(body or {})}, headers=headers)


def text_of(answer: httpx.Response) -> str:
    """The text that a streamed answer adds up to."""
    found = ""
    for line in answer.text.splitlines():
        if line.startswith("data: "):
            found += json.loads(line[6:]).get("delta", {}).get("text", "")
    return found
