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

from tests.dialects.messages.shapes import SHAPES, Body, Shape, shape
from turnout.dialects.messages.rewrite import Rewritten, Subject, rewrite
from turnout.settings.load import load, presets
from turnout.settings.model import Provider
from turnout.settings.rewriting import Rewrite, rules_for
from turnout.testing.vendors import VENDORS, Problem, markers

MODELS = {
    "minimax": ("MiniMax-M3", "MiniMax-M2.5", "MiniMax-M3.1-Flash-Preview"),
    "moonshot": ("kimi-k3", "kimi-k2.7-code", "kimi-k2.5", "kimi-k2-0905-preview"),
    "kimi-coding": ("kimi-for-coding",),
    "zai": ("glm-5.3", "glm-5.3-flash", "glm-4.6", "glm-4.6v"),
    "deepseek": ("deepseek-v4-pro", "deepseek-flash"),
    "qwen": ("qwen3-coder-plus", "qwen3-vl-plus", "qwen3.8-max"),
    "openrouter": (
        *("anthropic/claude-opus-5.5", "anthropic/claude-sonnet-4.6", "anthropic/claude-haiku-4.5"),
        "moonshotai/kimi-k3",
    ),
    "vercel": ("anthropic/claude-sonnet-5.5", "zai/glm-5.3"),
    "fireworks": ("accounts/fireworks/models/glm-5", "accounts/fireworks/models/qwen3-vl-235b"),
    "ollama": ("qwen3-coder",),
    "ollama-cloud": ("qwen3-coder",),
    "lmstudio": ("qwen3-coder",),
    "llamacpp": ("qwen3-coder",),
    "vllm": ("qwen3-coder",),
    "litellm": ("claude-opus-5-5", "claude-haiku-4-5", "gpt-6-sol"),
    "generic": ("some-model",),
}
"""At least one model of every kind that a vendor treats in a way of its own."""

TELLING = (
    *("fresh, opus", "hour, opus", "thinking, opus", "top-level marker, opus"),
    *("fresh, haiku", "images, haiku", "title, haiku", "odd tools, haiku"),
    *("newest auto", "newest found", "newest changes", "newest bare", "newest title"),
)
"""Shapes for the further models of a vendor, which differ from its first in thinking, efforts and images alone."""

CASES = [
    pytest.param(name, model, each, id=f"{name}/{model.rpartition('/')[2]}: {each.name}")
    for name, models in MODELS.items()
    for model in models
    for each in SHAPES
    if model == models[0] or each.name in TELLING
]
TAKEN_AS_SENT = {
    *((name, each.name) for name in ("openrouter", "litellm", "vercel", "vllm") for each in SHAPES),
    *((name, f"web search, {family}") for name in ("ollama", "ollama-cloud") for family in ("opus", "haiku")),
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


@pytest.mark.parametrize("name", ["generic", "zai", "vllm"])
def test_no_tools_are_no_list_of_them(name: str) -> None:
    """As the request for a title has it. OpenAI: "Invalid 'tools': empty array"."""
    body = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}], "tools": []}
    assert "tools" not in json.loads(rewritten(name, "some-model", body, ()).body)


def check_that_nothing_is_lost(name: str, model: str, before: Body, after: Body) -> None:
    """What the vendor takes goes on as it came."""
    for role in ("user", "assistant"):
        assert is_subsequence(texts(before, role), texts(after, role))
    assert all(any(words in kept for kept in _everything(after)) for words in texts(before, "system"))
    assert [tool["input"] for tool in blocks(before, "tool_use", "assistant")] == [
        tool["input"] for tool in blocks(after, "tool_use", "assistant")
    ]
    own_tools = own_at_the_end(before)
    kept = [
        tool
        for tool in after.get("tools", [])
        if tool.get("type", "custom") == "custom" and tool["name"] != "DeferredToolPlaceholder"
    ]
    for field in ("name", "description", "input_schema"):
        assert [tool[field] for tool in own_tools] == [tool[field] for tool in kept]
    if VENDORS[name].for_model(model).image_sources:
        assert blocks(before, "image", "user") == blocks(after, "image", "user")
    assert after["max_tokens"] <= before["max_tokens"] and "metadata" not in after


def own_at_the_end(body: Body) -> list[Body]:
    """The client's own tools that can be called, those added within the conversation behind the others."""
    own = [tool for tool in body["tools"] if tool.get("type", "custom") == "custom"]
    for message in body["messages"]:
        for block in message["content"] if message["role"] == "system" else ():
            if isinstance(block, dict) and block["type"] == "tool_addition":
                own.append(block["tool"]["definition"])
            elif isinstance(block, dict) and block["type"] == "tool_removal":
                own = [tool for tool in own if tool["name"] != block["tool"]["name"]]
    return [tool for tool in own if tool["name"] != "DeferredToolPlaceholder"]


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
    speaking = {name for name, preset in presets().items() if preset.get("kind", "anthropic") == "anthropic"}
    assert set(MODELS) == speaking - {"anthropic"} | {"generic"}
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


BASH = {"name": "Bash", "description": "run", "input_schema": {"type": "object"}}


def after_edit(name: str, model: str, *betas: str, **fields: Any) -> Body:
    """What is sent for the plainest of the shapes with other fields."""
    made: Body = json.loads(rewritten(name, model, {**shape("title, haiku").body, **fields}, betas).body)
    return made


@pytest.mark.parametrize(
    "name, model, warmest, coldest",
    [
        ("minimax", "MiniMax-M3", 1, 0.01),
        ("deepseek", "deepseek-v4-pro", 2, 0),
        ("zai", "glm-5.3", 1, 0),
        ("qwen", "qwen3-coder-plus", 2, 0),
    ],
)
def test_temperatures_stay_in_the_range_of_the_vendor(name: str, model: str, warmest: float, coldest: float) -> None:
    for temperature, given in ((5, warmest), (-1, coldest), (0.5, 0.5)):
        assert after_edit(name, model, temperature=temperature)["temperature"] == given


@pytest.mark.parametrize("model", ["kimi-k3", "kimi-k2.5"])
def test_kimi_has_temperatures_of_its_own(model: str) -> None:
    assert not after_edit("moonshot", model, temperature=0.5, top_p=0.9).keys() & {"temperature", "top_p"}


@pytest.mark.parametrize("name", MODELS)
def test_warming_a_cache_becomes_a_request_for_one_token(name: str) -> None:
    """`max_tokens: 0` is Anthropic's alone."""
    assert after_edit(name, MODELS[name][0], max_tokens=0)["max_tokens"] == 1


@pytest.mark.parametrize("name", ["moonshot", "zai", "qwen", "fireworks"])
@pytest.mark.parametrize("asked", ["any", "tool", "none", "auto"])
def test_a_choice_of_tools_that_is_not_known_becomes_auto(name: str, asked: str) -> None:
    choice = {"type": asked, "disable_parallel_tool_use": True, **({"name": "Bash"} if asked == "tool" else {})}
    assert after_edit(name, MODELS[name][0], tools=[BASH], tool_choice=choice)["tool_choice"] == {"type": "auto"}


def test_llamacpp_honours_a_choice_of_tools_one_at_a_time_or_not() -> None:
    choice = {"type": "any", "disable_parallel_tool_use": True}
    assert after_edit("llamacpp", "qwen3-coder", tools=[BASH], tool_choice=choice)["tool_choice"] == {"type": "any"}


def test_a_vendor_nobody_has_described_gets_what_all_take() -> None:
    assert after_edit("generic", "some-model", thinking={"type": "between_tools"})["thinking"] == {"type": "disabled"}
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    after = after_edit("generic", "some-model", messages=[{"role": "user", "content": [image]}])
    assert not blocks(after, "image", "user") and blocks(after, "text", "user")


def test_what_only_anthropic_knows_goes_to_nobody_else() -> None:
    fields = ("container", "inference_geo", "diagnostics", "service_tier", "billing_policy", "safeguards")
    odd = {"citations": [], "caller": {}, "toolset_name": "t", "transformations": []}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "c", **odd}], **odd}
    after = after_edit(
        "generic",
        "some-model",
        **dict.fromkeys(fields, "x"),
        output_config={"task_budget": {"total": 1}},
        thinking={"type": "enabled", "budget_tokens": 1024, "display": "omitted", "block_binding": "none"},
        system=[{"type": "text", "text": "s", "citations": []}],
        messages=[
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "n", "input": {}, **odd}]},
            {"role": "user", "content": [result]},
        ],
    )
    assert not after.keys() & set(fields) and not after.get("output_config")
    assert after["thinking"] == {"type": "enabled", "budget_tokens": 1024}
    assert after["system"] == [{"type": "text", "text": "s"}]
    use, answer = after["messages"][0]["content"][0], after["messages"][1]["content"][0]
    assert use == {"type": "tool_use", "id": "toolu_1", "name": "n", "input": {}}
    assert answer.keys() == {"type", "tool_use_id", "content"}
    assert answer["content"] == [{"type": "text", "text": "c"}]


@pytest.mark.parametrize(
    "name, model",
    [
        ("minimax", "MiniMax-M2.5"),
        ("minimax", "MiniMax-M3.1-Flash-Preview"),
        ("moonshot", "kimi-k3"),
        ("zai", "glm-5.3"),
    ],
)
def test_who_always_thinks_is_not_told_when(name: str, model: str) -> None:
    assert "thinking" not in after_edit(name, model, thinking={"type": "between_tools"})
    assert "thinking" not in after_edit(name, model, thinking={"type": "disabled"})


def test_fireworks_counts_the_highest_effort_as_high() -> None:
    for asked, given in {"xhigh": "high", "high": "high", "low": "low"}.items():
        after = after_edit("fireworks", MODELS["fireworks"][0], "effort-2025-11-24", output_config={"effort": asked})
        assert after["output_config"] == {"effort": given}


@pytest.mark.parametrize("name, model", [("moonshot", "kimi-k2"), ("moonshot", "kimi-k2-0905-preview")])
def test_who_reads_text_only_gets_a_note_for_an_image(name: str, model: str) -> None:
    assert not blocks(sent_to(name, model, "images, opus"), "image", "user")


def test_vllm_takes_images_by_their_address() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    messages = [{"role": "user", "content": [image]}]
    assert after_edit("vllm", "qwen3-coder", messages=messages)["messages"] == messages
    assert not blocks(after_edit("ollama", "qwen3-coder", messages=messages), "image", "user")


BETAS_OF_GATEWAYS = ("context-management-2025-06-27", "effort-2025-11-24", "compact-2026-01-12")
OTHER_BETAS = (
    "oauth-2025-04-20",
    "prompt-caching-scope-2026-01-05",
    "prompt-caching-evict-2026-05-12",
    "mcp-client-2025-11-20",
    "fast-mode-2026-02-01",
    "message-threads-2026-09-01",
    "request-tags-2026-09-01",
    "cache-diagnosis-2026-04-07",
    "compact-2026-09-01",
    "fallback-credit-2026-06-01",
    "task-budgets-2026-03-13",
    "thinking-binding-controls-2026-09-01",
)
OTHER_FIELDS = (
    "container",
    "inference_geo",
    "diagnostics",
    "service_tier",
    "billing_policy",
    "safeguards",
    "output_format",
)


@pytest.mark.parametrize("name, more", [("openrouter", {"fallbacks"}), ("litellm", set())])
def test_gateways_to_claude_get_what_the_cloud_platforms_take(name: str, more: set[str]) -> None:
    fallback = "server-side-fallback-2026-06-01"
    marker = {"type": "ephemeral", "ttl": "1h"}
    body = {
        **shape("title, haiku").body,
        **dict.fromkeys((*OTHER_FIELDS, "fallbacks"), "x"),
        "system": [{"type": "text", "text": "a", "cache_control": {**marker, "scope": "global", "other": True}}],
        "cache_control": {"type": "ephemeral"},
    }
    done = rewritten(name, MODELS[name][0], body, (*BETAS_OF_GATEWAYS, *OTHER_BETAS, fallback))
    after = json.loads(done.body)
    assert done.betas == BETAS_OF_GATEWAYS + ((fallback,) if more else ())
    assert after.keys() & {*OTHER_FIELDS, "fallbacks"} == more
    assert after["system"][0]["cache_control"] == marker
    assert ("cache_control" in after) is (name == "openrouter")
