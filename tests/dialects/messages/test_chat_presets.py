"""Presets of kind openai × shapes: what Claude Code sends becomes what can be said in Chat Completions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.dialects.messages.shapes import SHAPES, Body, Shape, shape
from tests.dialects.messages.test_presets import (
    BASH,
    TELLING,
    after_edit,
    blocks,
    check_second_pass,
    is_subsequence,
    own_at_the_end,
    rewritten,
    rules,
    texts,
)
from turnout.settings.load import presets
from turnout.settings.rewriting import Rewrite, rules_for

MODELS = {
    "openai": ("gpt-6-sol", "gpt-6-astra", "gpt-5.6-terra", "gpt-5-mini", "gpt-4.1", "o3"),
    "gemini": ("gemini-3.8-flash",),
    "xai": ("grok-4.7", "grok-4.3"),
    "mistral": ("mistral-medium-latest", "codestral-latest"),
    "deepseek-openai": ("deepseek-v4-pro", "deepseek-flash"),
    "moonshot-openai": ("kimi-k3", "kimi-k2.7-code", "kimi-k2.6"),
    "minimax-openai": ("MiniMax-M3", "MiniMax-M2.5"),
    "zai-openai": ("glm-5.3", "glm-5.2", "glm-4.6v"),
    "zai-coding": ("glm-5.3",),
    "qwen-openai": ("qwen3.8-max", "qwen3-coder-plus"),
    "openrouter-openai": ("anthropic/claude-opus-5.5", "openai/gpt-6-sol"),
    "vercel-openai": ("openai/gpt-6-sol",),
    "fireworks-openai": ("accounts/fireworks/models/glm-5p2", "accounts/fireworks/models/kimi-k2p6"),
    "groq": ("openai/gpt-oss-120b", "meta-llama/llama-4-maverick"),
    "cerebras": ("gpt-oss-120b", "qwen-3.8-27b"),
    "together": ("zai-org/GLM-5.3",),
    "nvidia": ("nvidia/nemotron-3-super-120b-a12b",),
    "github": ("openai/gpt-5-mini", "meta/llama-4"),
    "ollama-openai": ("qwen3-coder", "gpt-oss:20b"),
    "lmstudio-openai": ("qwen3-coder",),
    "llamacpp-openai": ("qwen3-coder",),
    "vllm-openai": ("qwen3-coder",),
    "sglang": ("qwen3-coder",),
}

FIELDS = {
    *("model", "messages", "max_tokens", "system", "stop_sequences", "stream", "temperature", "top_p", "tools"),
    *("tool_choice", "thinking", "output_config"),
}
BLOCKS = {"text", "image", "document", "thinking", "tool_use", "tool_result"}


def everywhere(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for below in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from everywhere(below)


def check_it_can_be_said(body: Body) -> None:
    """Nothing is left that the translation has no words for."""
    assert body.keys() <= FIELDS
    assert body.get("output_config", {}).keys() <= {"effort", "format"}
    assert body.get("thinking", {}).keys() <= {"type", "budget_tokens"}
    assert body.get("thinking", {}).get("type", "disabled") in ("adaptive", "enabled", "disabled")
    assert all(tool.keys() <= {"name", "description", "input_schema"} for tool in body.get("tools", ()))
    assert all(len(tool["name"]) <= 64 for tool in body.get("tools", ()))
    for message in body["messages"]:
        assert message.keys() == {"role", "content"} and message["role"] in ("user", "assistant")
        for block in message["content"] if isinstance(message["content"], list) else ():
            assert block["type"] in BLOCKS
    assert not any("cache_control" in each for each in everywhere({**body, "tools": []}))


@pytest.mark.parametrize(("name", "model"), [(name, model) for name, models in MODELS.items() for model in models])
def test_what_is_left_can_be_said(name: str, model: str) -> None:
    for sent in (each for each in SHAPES if each.name in TELLING):
        done = rewritten(name, model, sent.body, sent.betas)
        after = json.loads(done.body)
        check_it_can_be_said(after)
        assert b"x-anthropic-billing-header" not in done.body
        if "thoughts" not in done.rules:  # what stands in for a thought is nobody's own
            check_second_pass(name, model, sent.model, done)
        check_that_words_and_tools_stay(sent, after)


def check_that_words_and_tools_stay(sent: Shape, after: Body) -> None:
    for role in ("user", "assistant"):
        assert is_subsequence(texts(sent.body, role), texts(after, role))
    names = [tool["name"] for tool in after.get("tools", ())]
    assert [tool["name"] for tool in own_at_the_end(sent.body)] == names


def test_every_preset_of_the_kind_is_in_the_table() -> None:
    assert set(MODELS) == {name for name, preset in presets().items() if preset.get("kind") == "openai"}


def test_effort_and_format_need_no_beta() -> None:
    """Betas are Anthropic's: whether the client has sent one says nothing here."""
    wish = {"effort": "max", "format": {"type": "json_schema", "schema": {"type": "object"}}}
    after = after_edit("openai", "gpt-6-sol", output_config={**wish, "task_budget": {"total": 1}})
    assert after["output_config"] == wish


@pytest.mark.parametrize("asked", ["adaptive", "enabled", "disabled", "between_tools"])
def test_whether_to_think_is_left_to_the_translation(asked: str) -> None:
    thinking = {"type": asked, "display": "omitted", **({"budget_tokens": 2048} if asked == "enabled" else {})}
    after = after_edit("vllm-openai", "qwen3", thinking=thinking, max_tokens=9000)["thinking"]
    assert after == (
        {"type": "enabled", "budget_tokens": 2048}
        if asked == "enabled"
        else {"type": "disabled" if asked == "between_tools" else asked}
    )


def test_documents_stay_and_images_by_address_where_they_are_taken() -> None:
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}, "title": "t"}
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    messages = [{"role": "user", "content": [{**document, "citations": {"enabled": True}}, image]}]
    assert after_edit("openai", "gpt-6-sol", messages=messages)["messages"][0]["content"] == [document, image]
    assert not blocks(after_edit("ollama-openai", "qwen3", messages=messages), "image", "user")


@pytest.mark.parametrize("model", ["gpt-6-sol", "gpt-6.2-astra", "gpt-5-mini", "o3"])
def test_models_that_reason_have_no_sampling(model: str) -> None:
    given = {"temperature": 0.5, "top_p": 0.9, "top_k": 3, "stop_sequences": ["a"]}
    assert not after_edit("openai", model, **given).keys() & given.keys()
    assert after_edit("openai", "gpt-4.1", **given).keys() & given.keys() == {"temperature", "top_p", "stop_sequences"}


def test_openai_takes_tools_without_an_effort_alone() -> None:
    """danny-avila/LibreChat#14231; who cannot do without gets what it knows."""
    for model in ("gpt-5.4", "gpt-5.6-luna", "gpt-6-sol", "gpt-6-luna", "gpt-6.1-terra", "gpt-6.2-sol"):
        form = rules("openai", model).chat
        assert (form.extra, form.efforts) == ({"reasoning_effort": "none"}, ())
    for model in ("gpt-6-astra", "gpt-6.2-astra", "gpt-6.1-sol", "gpt-5", "gpt-5.1", "gpt-4.1"):
        assert rules("openai", model).chat.extra == {}
    assert rules("openai", "gpt-6.1-sol").chat.efforts[0] == "low"
    listed = presets()["openai"]["models"]
    assert all(rules("openai", model).chat.extra for model in listed), "the others take no tools"


@pytest.mark.parametrize(
    ("name", "model", "thought", "kept"),
    [("deepseek-openai", "deepseek-flash", "disabled", 0), ("moonshot-openai", "kimi-k3", None, 1)],
)
def test_who_wants_its_thoughts_back_gets_some_or_does_not_think(
    name: str, model: str, thought: str | None, kept: int
) -> None:
    """A call without its thought is a 400 (decolua/9router#2397)."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "a"}
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    ]
    after = after_edit(name, model, messages=messages, tools=[BASH], thinking={"type": "adaptive"})
    assert after.get("thinking", {}).get("type") == thought
    assert len(blocks(after, "thinking", "assistant")) == kept


@pytest.mark.parametrize(
    ("name", "asked", "given"),
    [
        ("zai-openai", "any", {"type": "auto"}),
        ("cerebras", "tool", {"type": "auto"}),
        ("moonshot-openai", "any", {"type": "auto"}),
        ("openai", "any", {"type": "any"}),
        ("deepseek-openai", "any", {"type": "any"}),
        ("llamacpp-openai", "tool", {"type": "any"}),
        ("llamacpp-openai", "any", {"type": "any"}),
        ("lmstudio-openai", "tool", {"type": "any"}),
    ],
)
def test_choices_of_tools_that_are_not_known_become_others(name: str, asked: str, given: dict[str, str]) -> None:
    choice = {"type": asked, **({"name": "Bash"} if asked == "tool" else {})}
    after = after_edit(name, MODELS[name][0], tools=[BASH], tool_choice=choice, thinking={"type": "adaptive"})
    assert after["tool_choice"] == given
    assert (after.get("thinking") == {"type": "disabled"}) == (name == "deepseek-openai")


def test_a_model_that_only_streams_its_thoughts_has_none_in_a_whole_answer() -> None:
    body = shape("fresh, opus").body
    for stream, mode in ((True, "adaptive"), (False, "disabled")):
        done = rewritten("qwen-openai", "qwen3.8-max", {**body, "stream": stream}, ())
        assert json.loads(done.body)["thinking"]["type"] == mode


@pytest.mark.parametrize(
    ("name", "model", "form"),
    [
        ("mistral", "mistral-large-latest", {"call_ids": "nine", "stream_usage": False}),
        ("gemini", "gemini-3.8-flash", {"schemas": "plain", "efforts": ("low", "medium", "high")}),
        ("minimax-openai", "MiniMax-M3", {"thoughts": "reasoning_details", "extra": {"reasoning_split": True}}),
        ("zai-coding", "glm-5.3", {"efforts": ("low", "high", "max"), "extra": {"tool_stream": True}}),
        ("zai-coding", "glm-4.6v", {"thinking_switch": "thinking", "extra": {}, "efforts": ()}),
        ("moonshot-openai", "kimi-k3", {"thinking_switch": "none", "efforts": ("low", "high", "max")}),
        ("moonshot-openai", "kimi-k2.6", {"thinking_switch": "thinking", "efforts": ()}),
        ("qwen-openai", "qwen3.7-max", {"thinking_switch": "enable_thinking", "efforts": ()}),
        ("qwen-openai", "qwen3-coder-plus", {"thinking_switch": "none"}),
        ("groq", "openai/gpt-oss-20b", {"no_content": "absent", "output_limit": "max_completion_tokens"}),
        ("github", "openai/gpt-5", {"output_limit": "max_completion_tokens", "parallel_switch": False}),
        ("openrouter-openai", "any/model", {"thoughts": "reasoning_details", "documents": "file"}),
        ("vllm-openai", "any", {"thoughts": "reasoning", "efforts": ("low", "medium", "high")}),
    ],
)
def test_forms_by_model(name: str, model: str, form: dict[str, Any]) -> None:
    found: Rewrite = rules(name, model)
    assert {key: getattr(found.chat, key) for key in form} == form
    assert rules_for(found, model, ({"max_tokens": 5},)).chat == found.chat, "what is learned leaves the form alone"
