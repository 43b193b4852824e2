"""Those who serve the models of others, and the servers on one's own machine."""

from __future__ import annotations

from dataclasses import replace

from turnout.testing.chat import phrases
from turnout.testing.chat.fields import (
    CLASSIC,
    CURRENT,
    EVERY_PART,
    REASONING_CONTENT,
    TEXT_ALONE,
    WITH_IMAGES,
    with_fields,
)
from turnout.testing.chat.style import Style
from turnout.testing.chat.vendor import EVERY_ABSENCE, ChatVendor

ALL_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

_LENIENT = ChatVendor(
    "lenient",
    fields=None,
    keyless=True,
    message_fields=None,
    text_arrays=True,
    no_content=EVERY_ABSENCE,
    empty_results=True,
    function_fields=frozenset(("name", "description", "parameters", "strict")),
)

HOSTS = (
    ChatVendor(
        "groq",
        phrases.groq,
        Style(reasoning="reasoning", arguments="whole"),
        path="/openai/v1",
        fields=CLASSIC - {"logit_bias"} | {"max_completion_tokens", "service_tier", "reasoning_format"},
        text_arrays=True,
        no_content=("absent", "empty"),
        efforts=("low", "medium", "high"),
        most_choices=1,
    ),
    ChatVendor(
        "cerebras",
        phrases.cerebras,
        Style(reasoning="reasoning", arguments="whole", usage="at finish"),
        fields=CLASSIC - {"frequency_penalty", "presence_penalty", "logit_bias", "parallel_tool_calls", "n"}
        | {"max_completion_tokens", "reasoning_format", "clear_thinking"},
        parts=TEXT_ALONE,
        choices=("none", "auto"),
        efforts=("low", "medium", "high"),
    ),
    ChatVendor(
        "openrouter",
        phrases.openrouter,
        Style(reasoning="reasoning_details", usage="always", keep_alive="OPENROUTER PROCESSING", failure="chunk"),
        path="/api/v1",
        fields=CURRENT | {"provider", "models", "transforms", "plugins", "reasoning", "usage", "top_k", "min_p"},
        roles=("system", "developer", "user", "assistant", "tool"),
        message_fields=with_fields("assistant", "reasoning", "reasoning_details"),
        parts={**EVERY_PART, "assistant": ("text",)},
        marked_parts=True,
        text_arrays=True,
        image_addresses=True,
        no_content=EVERY_ABSENCE,
        empty_results=True,
        function_fields=frozenset(("name", "description", "parameters", "strict")),
        longest_id=64,
        efforts=ALL_EFFORTS,
        gives_back="reasoning_details",
    ),
    ChatVendor(
        "fireworks",
        phrases.fireworks,
        Style(usage="at finish"),
        path="/inference/v1",
        message_fields=REASONING_CONTENT,
        parts=TEXT_ALONE,
        text_arrays=True,
        efforts=ALL_EFFORTS,
        thinking=("enabled", "disabled"),
        thinking_fields=frozenset(("type", "budget_tokens")),
        models=(("*vl*", {"parts": WITH_IMAGES}),),
    ),
    replace(
        _LENIENT,
        name="ollama",
        say=phrases.ollama,
        style=Style(reasoning="reasoning", arguments="whole"),
        efforts=("none", "low", "medium", "high"),
    ),
    # The newest gives calls ids of 32 letters and digits; older ones gave none.
    replace(_LENIENT, name="llamacpp", say=phrases.llamacpp, style=Style(ids="none"), image_addresses=True),
    replace(
        _LENIENT, name="vllm", say=phrases.vllm, style=Style(reasoning="reasoning", ids="long"), image_addresses=True
    ),
    replace(
        _LENIENT,
        name="lmstudio",
        say=phrases.lmstudio,
        style=Style(ids="counted", calls_end="stop"),
        choices=("none", "auto", "required"),
    ),
)
