"""The real Claude Code through Turnout to providers that know less than Anthropic and refuse what they do not know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.claude_code import HAIKU, House, OpenHouse, Run, providers, run_claude
from tests.e2e.turns import TITLE, Thinker, asks_for_title, text_of, thoughts, tool_outputs, with_titles
from tests.scripted.provider import ScriptedProviderThread
from tests.scripted.replies import base_resp, error
from tests.scripted.wire import RecordedRequest

pytestmark = [pytest.mark.e2e, pytest.mark.claude]

OPUS = "claude-opus-4-8"
MODELS = pytest.mark.parametrize("model", [OPUS, HAIKU], ids=["opus", "haiku"])
CLIENT_KEY = "sk-ant-api03-fake-key-of-the-client"
CREDENTIAL = {"ANTHROPIC_API_KEY": CLIENT_KEY}
VENDOR_KEY = "fake-key-of-the-vendor"
ENVIRONMENT = {"VENDOR_KEY": VENDOR_KEY}

VENDOR_MODELS = [
    ("minimax", "MiniMax-M3"),
    ("minimax", "MiniMax-M2.5"),
    ("moonshot", "kimi-k3"),
    ("moonshot", "kimi-k2.5"),
    ("zai", "glm-5.3"),
    ("zai", "glm-4.6"),
    ("deepseek", "deepseek-v4-pro"),
    ("generic", "some-model"),
]
"""`generic` is no preset: for Turnout it is a provider of the user's own, of which nothing is known."""

DIALECT = {"claude-code-20250219", "context-management-2025-06-27", "prompt-caching-scope-2026-01-05"}
"""Betas of Claude Code that only Anthropic knows."""


def vendor(name: str, thinker: Thinker, *, minted: bool = True) -> ScriptedProviderThread:
    """A strict vendor that is never to see anything of Anthropic's credentials."""
    return ScriptedProviderThread(
        strict=name, accepts=VENDOR_KEY, forbid=["sk-ant"], mint=thinker.mint if minted else None
    )


def table(provider: ScriptedProviderThread, name: str, extra: str = "") -> str:
    """A provider's table: of a preset it says no more than where it is and what opens it."""
    return f'[providers.{name}]\nbase_url = "{provider.url}"\ncredentials = ["env:VENDOR_KEY"]\n{extra}\n'


def route(*targets: str) -> str:
    return f'[[routes]]\nmodel = "*"\nto = {json.dumps(targets)}\n[retry]\nmax_elapsed = "0s"\n'


def run(house: House, home: Path, model: str, *options: str, nonessential: bool = False) -> Run:
    return run_claude(house.tap.url, home, CREDENTIAL, "--model", model, *options, nonessential=nonessential)


def assert_nothing_retried(house: House) -> None:
    """The client had each of its answers at once."""
    assert {request.lower["x-stainless-retry-count"] for request in house.tap.messages} == {"0"}


def told(flow: Any) -> str:
    return str(flow.metadata["turnout.body"])


@MODELS
@pytest.mark.parametrize(("name", "upstream"), VENDOR_MODELS)
def test_a_strict_vendor_takes_a_whole_conversation(
    opened: OpenHouse, claude_home: Path, name: str, upstream: str, model: str
) -> None:
    """A10, E6: two tool turns and an answer, then a second prompt on top of them; the vendor refuses nothing."""
    thinker = Thinker("vendor")
    provider = vendor(name, thinker)
    provider.play([thinker.call(), thinker.call(), thinker.says(), thinker.call(), thinker.says()])
    config = table(provider, name) + route(f"{name}/{upstream}")
    with providers(provider), opened(config, ENVIRONMENT) as house:
        run(house, claude_home, model).assert_answered()
        run(house, claude_home, model, "--continue").assert_answered()
        flows = house.flows()
    assert_nothing_retried(house)
    last = provider.messages[-1]
    assert len(provider.messages) == len(house.tap.messages) == 5
    assert {request.model for request in provider.messages} == {upstream}
    assert tool_outputs(last) == ["vendor-100", "vendor-101", "vendor-103"]
    assert thoughts(last) == thinker.blocks[:4], "a vendor's own thoughts go back to it as they were"
    assert not DIALECT & set(last.betas)
    assert texts(last) == texts(house.tap.messages[-1]), "nothing of what was said is lost"
    assert all(told(flow).startswith("rewritten: ") for flow in flows)
    assert all(" · rewritten: " in flow.comment for flow in flows)
    assert [flow.metadata["turnout.attempt"] for flow in flows] == ["1/1"] * 5


def texts(request: RecordedRequest) -> list[str]:
    """What user and assistant have said, whatever role a vendor knows for what the system says between them."""
    said = [text_of(message["content"]) for message in request.json["messages"] if message["role"] != "system"]
    return said[-1:] + [text for text in said if text.startswith("The tool")]
