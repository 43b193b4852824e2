"""Presets × shapes: what Claude Code sends, rewritten as a preset says, passes the strict validator of that vendor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest

from tests.wire.shapes import SHAPES, Body, Shape, shape
from turnout.settings.load import load, presets
from turnout.settings.model import Provider
from turnout.settings.rewriting import Rewrite, rules_for
from turnout.testing.vendors import VENDORS, Problem, markers
from turnout.wire.rewrite import Rewritten, Subject, rewrite

MODELS = {
    "minimax": ("MiniMax-M3", "MiniMax-M2.5", "MiniMax-M3.1-Flash-Preview"),
    "moonshot": ("kimi-k3", "kimi-k2.5", "kimi-k2-0905-preview"),
    "zai": ("glm-5.3", "glm-4.6", "glm-4.6v"),
    "deepseek": ("deepseek-v4-pro",),
    "qwen": ("qwen3-coder-plus", "qwen3-vl-plus"),
    "openrouter": ("anthropic/claude-opus-5.5", "anthropic/claude-sonnet-4.6", "anthropic/claude-haiku-4.5"),
    "fireworks": ("accounts/fireworks/models/glm-5", "accounts/fireworks/models/qwen3-vl-235b"),
    "ollama": ("qwen3-coder",),
    "lmstudio": ("qwen3-coder",),
    "llamacpp": ("qwen3-coder",),
    "vllm": ("qwen3-coder",),
    "litellm": ("claude-opus-5-5", "claude-haiku-4-5"),
    "generic": ("some-model",),
}
"""At least one model of every kind that a vendor treats in a way of its own."""

CASES = [
    pytest.param(name, model, each, id=f"{name}/{model.rpartition('/')[2]}: {each.name}")
    for name, models in MODELS.items()
    for model in models
    for each in SHAPES
]
TAKEN_AS_SENT = {
    *((name, each.name) for name in ("openrouter", "litellm", "vllm") for each in SHAPES),
    *(("ollama", f"web search, {family}") for family in ("opus", "haiku")),
}
"""What vendors may take as it is."""


@cache
def provider(name: str) -> Provider:
    """The provider as a configuration gives it that only routes to it; `generic` is one that has no preset."""
    own = f'[providers.{name}]\nbase_url = "http://127.0.0.1:1"\nauth = "none"\n' if name not in presets() else ""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "mitm.conf"
        file.write_text(f'{own}[[routes]]\nmodel = "*"\nto = ["{name}"]\n', encoding="utf-8")
        return load(str(file), {}).providers[name]


def rewritten(name: str, model: str, body: Body, betas: tuple[str, ...]) -> Rewritten:
    """What is sent to the vendor for a body that asks for a model of Anthropic's."""
    target, sent = provider(name), json.dumps(body, ensure_ascii=False).encode()
    subject = Subject(model=model, client_model=str(body["model"]), betas=betas, signs_as=target.signs_as)
    return again(name, sent, subject)


def again(name: str, body: bytes, subject: Subject) -> Rewritten:
    fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    return rewrite(body, fields, rules(name, subject.model), subject)


@cache
def rules(name: str, model: str) -> Rewrite:
    return rules_for(provider(name).rewrite, model)


def blocks(body: Body, kind: str, *roles: str) -> list[dict[str, Any]]:
    """All blocks of a type in messages of these roles, those in tool results included, in their order."""
    return [block for message in body["messages"] if message["role"] in roles for block in _inside(message, kind)]


def _inside(holder: dict[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    content = holder.get("content", [])
    for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
        if block.get("type") == kind:
            yield block
        if block.get("type") == "tool_result":
            yield from _inside(block, kind)


def texts(body: Body, *roles: str) -> list[str]:
    return [block["text"] for block in blocks(body, "text", *roles)]


def is_subsequence(some: list[Any], all_of_them: list[Any]) -> bool:
    rest = iter(all_of_them)
    return all(any(each == other for other in rest) for each in some)


@pytest.mark.parametrize("name, model, sent", CASES)
def test_the_vendor_gets_what_it_takes(name: str, model: str, sent: Shape) -> None:
    done = rewritten(name, model, sent.body, sent.betas)
    after = json.loads(done.body)
    VENDORS[name].check(after, done.betas)
    assert done.rules
    # What is Anthropic's alone tells others of the account, or changes with every request and voids their caches.
    assert b"x-anthropic-billing-header" not in done.body
    assert not any(beta.startswith("oauth-") for beta in done.betas)
    check_that_nothing_is_lost(name, model, sent.body, after)
    check_breakpoints(name, sent.body, after)
    check_second_pass(name, model, sent.model, done)


def check_that_nothing_is_lost(name: str, model: str, before: Body, after: Body) -> None:
    """What the vendor takes goes on as it came."""
    for role in ("user", "assistant"):
        assert is_subsequence(texts(before, role), texts(after, role))
    assert all(any(words in kept for kept in _everything(after)) for words in texts(before, "system"))
    assert [tool["input"] for tool in blocks(before, "tool_use", "assistant")] == [
        tool["input"] for tool in blocks(after, "tool_use", "assistant")
    ]
    own_tools = [tool for tool in before["tools"] if tool.get("type", "custom") == "custom"]
    kept = [tool for tool in after.get("tools", []) if tool.get("type", "custom") == "custom"]
    for field in ("name", "description", "input_schema"):
        assert [tool[field] for tool in own_tools] == [tool[field] for tool in kept]
    if VENDORS[name].for_model(model).image_sources:
        assert blocks(before, "image", "user") == blocks(after, "image", "user")
    assert after["max_tokens"] == before["max_tokens"] and after["metadata"] == before["metadata"]


def _everything(body: Body) -> list[str]:
    system = body.get("system", [])
    return [block["text"] for block in system] + texts(body, "user", "assistant", "system")


def check_breakpoints(name: str, before: Body, after: Body) -> None:
    """A18: only the keys that a vendor does not know leave a marker. Only tools lose theirs, where they have none."""
    places = VENDORS[name].cache_places
    marked = [path for path, _ in markers(before) if path[0] in places]
    assert [path[0] for path, _ in markers(after)] == [path[0] for path in marked]


def check_second_pass(name: str, model: str, client_model: str, once: Rewritten) -> None:
    """What has been made for the vendor needs no further change."""
    subject = Subject(model=model, client_model=client_model, betas=once.betas, signs_as=provider(name).signs_as)
    twice = again(name, once.body, subject)
    assert twice.body is once.body and (twice.betas, twice.rules) == (once.betas, ())


def refuses(name: str, sent: Shape) -> bool:
    try:
        VENDORS[name].check({**sent.body, "model": MODELS[name][0]}, sent.betas)
    except Problem:
        return True
    return False


@pytest.mark.parametrize("name", MODELS)
def test_the_vendor_refuses_what_claude_code_sends(name: str) -> None:
    """Without this the test above would prove nothing."""
    taken = [each.name for each in SHAPES if (name, each.name) not in TAKEN_AS_SENT and not refuses(name, each)]
    assert taken == []


@pytest.mark.parametrize(
    "name, shape_name",
    [
        ("openrouter", "fresh, opus"),
        ("litellm", "fresh, opus"),
        ("vllm", "searched, opus"),
        ("vllm", "odd tools, opus"),
    ],
)
def test_those_who_take_most_of_it_refuse_some(name: str, shape_name: str) -> None:
    assert refuses(name, shape(shape_name))


def test_every_preset_but_anthropic_is_in_the_table() -> None:
    assert set(MODELS) == set(presets()) - {"anthropic"} | {"generic"}
    assert presets()["anthropic"].get("rewrite") is None


# --- what single vendors keep ---


def sent_to(name: str, model: str, shape_name: str) -> Body:
    sent = shape(shape_name)
    found: Body = json.loads(rewritten(name, model, sent.body, sent.betas).body)
    return found


@pytest.mark.parametrize("name", ["deepseek", "fireworks", "ollama", "vllm"])
def test_effort_is_kept_where_it_is_honoured(name: str) -> None:
    sent = shape("fresh, opus")
    done = rewritten(name, MODELS[name][0], sent.body, sent.betas)
    assert json.loads(done.body)["output_config"] == {"effort": "high"}
    assert "effort-2025-11-24" in done.betas


def test_kimi_k3_gets_the_nearest_effort_it_knows_and_no_thinking_switch() -> None:
    sent = shape("fresh, opus")
    for asked, given in {"low": "low", "medium": "high", "high": "high", "xhigh": "max", "max": "max"}.items():
        body = {**sent.body, "output_config": {"effort": asked}}
        after = json.loads(rewritten("moonshot", "kimi-k3", body, sent.betas).body)
        assert after["output_config"] == {"effort": given} and "thinking" not in after


def test_minimax_markers_lose_their_scope_alone() -> None:
    """A18"""
    before, after = shape("fresh, opus").body, sent_to("minimax", "MiniMax-M3", "fresh, opus")
    assert "scope" in before["system"][2]["cache_control"]
    assert after["system"][1]["cache_control"] == {"type": "ephemeral"}


def test_deepseek_searches_with_a_forced_tool_and_without_thinking() -> None:
    sent = shape("fresh, opus")
    body = {**sent.body, "tool_choice": {"type": "tool", "name": "Bash"}}
    after = json.loads(rewritten("deepseek", "deepseek-v4-pro", body, sent.betas).body)
    assert (after["tool_choice"], after["thinking"]) == (body["tool_choice"], {"type": "disabled"})


def test_ollama_searches_itself() -> None:
    assert sent_to("ollama", "qwen3-coder", "web search, opus")["tools"] == shape("web search, opus").body["tools"]


@pytest.mark.parametrize("name, warmest, coldest", [("minimax", 1, 0.01), ("deepseek", 2, 0), ("zai", 1, 0)])
def test_temperatures_stay_in_the_range_of_the_vendor(name: str, warmest: float, coldest: float) -> None:
    for temperature, given in ((5, warmest), (-1, coldest), (0.5, 0.5)):
        body = {**shape("title, haiku").body, "temperature": temperature}
        assert json.loads(rewritten(name, MODELS[name][0], body, ()).body)["temperature"] == given


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("openrouter", "litellm")])
def test_warming_a_cache_becomes_a_request_for_one_token(name: str) -> None:
    """`max_tokens: 0` is Anthropic's alone."""
    body = {**shape("title, haiku").body, "max_tokens": 0}
    assert json.loads(rewritten(name, MODELS[name][0], body, ()).body)["max_tokens"] == 1
