"""The vendors that speak Chat Completions, each refusing what it is known to refuse, and what nobody knows about it.

Known is what the PROTOCOL notes (5.1, 5.7, 7) say, and what the quoted refusals of these servers tell.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from turnout.testing.chat import phrases
from turnout.testing.chat.fields import CLASSIC, CURRENT, EVERY_PART, TEXT_ALONE, WITH_IMAGES, with_fields
from turnout.testing.chat.style import Style
from turnout.testing.chat.vendor import Absence, ChatVendor

OPENAI_EFFORTS = ("none", "low", "medium", "high", "xhigh")
ALL_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
EVERY_ABSENCE: tuple[Absence, ...] = ("null", "empty", "absent")
REASONING_CONTENT = with_fields("assistant", "reasoning_content")

_REASONS: dict[str, Any] = {
    "fields": CURRENT - {"function_call", "functions"},
    "unsupported": {"max_tokens": "max_completion_tokens", "stop": "", "top_p": "", "logit_bias": "", "logprobs": ""},
    "defaults": {"temperature": 1, "presence_penalty": 0, "frequency_penalty": 0},
    "efforts": OPENAI_EFFORTS,
}
_NEVER_IDLE = {"efforts": OPENAI_EFFORTS[1:]}

_OPENAI = ChatVendor(
    "openai",
    fields=CURRENT - {"reasoning_effort"},
    roles=("system", "developer", "user", "assistant", "tool"),
    message_fields={role: names | {"name"} for role, names in with_fields("assistant", "refusal").items()},
    parts=EVERY_PART,
    text_arrays=True,
    image_addresses=True,
    no_content=EVERY_ABSENCE,
    empty_results=True,
    function_fields=frozenset(("name", "description", "parameters", "strict")),
    longest_id=40,
    most_tools=128,
    schemas="openai",
    models=(
        ("gpt-[5-9]*", _REASONS),
        ("o[1-9]*", _REASONS),
        ("gpt-5.6*", {"tools_without_effort": True}),
        ("gpt-6*", {"tools_without_effort": True}),
        ("gpt-6-astra*", _NEVER_IDLE),
        ("gpt-6.1-sol*", _NEVER_IDLE),
    ),
)

_MISTRAL_ORDER = {
    "": ("system", "user"),
    "system": ("system", "user", "assistant"),
    "user": ("system", "user", "assistant"),
    "assistant": ("user", "assistant", "tool"),
    "tool": ("assistant", "tool"),
}
"""As the open source of its request validator (mistral-common) has it."""

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

_ALL = (
    ChatVendor("plain"),
    _OPENAI,
    ChatVendor(
        "gemini",
        phrases.gemini,
        Style(ids="counted", arguments="whole", signs_calls=True),
        path="/v1beta/openai",
        fields=CLASSIC - {"logit_bias", "parallel_tool_calls"} | {"max_completion_tokens", "extra_body"},
        call_fields=frozenset(("id", "type", "function", "extra_content")),
        text_arrays=True,
        no_content=("null", "absent"),
        names=r"[a-zA-Z_][a-zA-Z0-9_-]{0,63}",
        schemas="gemini",
        efforts=("none", "minimal", "low", "medium", "high"),
        models=(("*gemini-3*", {"gives_back": "thought_signature", "efforts": ("minimal", "low", "medium", "high")}),),
    ),
    ChatVendor(
        "deepseek",
        phrases.deepseek,
        Style(counts_hits=True, keep_alive="keep-alive"),
        path="",
        fields=CLASSIC - {"n", "seed", "logit_bias", "user"} | {"logprobs", "top_logprobs"},
        message_fields=REASONING_CONTENT,
        parts=TEXT_ALONE,
        text_arrays=True,
        no_content=("null", "empty"),
        choices_while_thinking=("none", "auto"),
        efforts=("low", "medium", "high", "xhigh", "max"),
        thinking=("enabled", "disabled"),
        thinks=True,
        gives_back="turn",
        models=(("*flash*", {"parts": WITH_IMAGES}),),
    ),
    ChatVendor(
        "moonshot",
        phrases.moonshot,
        Style(ids="functions"),
        fields=CLASSIC - {"seed", "logit_bias", "parallel_tool_calls", "user"} | {"max_completion_tokens"},
        defaults={"temperature": 1, "top_p": 0.95, "n": 1, "presence_penalty": 0, "frequency_penalty": 0},
        message_fields=REASONING_CONTENT,
        no_content=("null", "empty"),
        names=r"[a-zA-Z][a-zA-Z0-9_-]{0,63}",
        choices=("none", "auto", "function"),
        choices_while_thinking=("none", "auto"),
        thinking=("enabled", "disabled"),
        thinking_fields=frozenset(("type", "keep")),
        thinks=True,
        thinks_or_tries=True,
        gives_back="calls",
        models=(
            ("kimi-k3*", {"efforts": ("low", "high", "max")}),
            ("kimi-k2.7-code*", {"thinking": ("enabled",)}),
            ("kimi-k2", {"parts": TEXT_ALONE, "thinks": False}),
            ("kimi-k2-*", {"parts": TEXT_ALONE}),
        ),
    ),
    ChatVendor(
        "zai",
        phrases.zai,
        Style(arguments="whole", usage="at finish"),
        path="/api/paas/v4",
        fields=frozenset(("model", "messages", "max_tokens", "temperature", "top_p", "stop", "stream", "tools"))
        | {"stream_options", "tool_choice", "tool_stream", "response_format", "request_id", "user_id", "do_sample"},
        message_fields=REASONING_CONTENT,
        parts=TEXT_ALONE,
        no_content=("null", "empty"),
        needs_user=True,
        choices=("auto",),
        thinking=("enabled", "disabled"),
        temperatures=(0, 1),
        most_stops=1,
        models=(
            ("glm-5.2*", {"efforts": ("none", "minimal", "low", "medium", "high", "xhigh", "max")}),
            ("glm-5.3*", {"efforts": ("low", "high", "max")}),
            ("glm-*[0-9]v*", {"parts": WITH_IMAGES}),
            ("glm-5.3-flash*", {"parts": WITH_IMAGES}),
        ),
    ),
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
        "mistral",
        phrases.mistral,
        Style(ids="nine", arguments="whole", usage="at finish"),
        fields=CLASSIC - {"stream_options", "user", "seed", "logit_bias"}
        | {"random_seed", "safe_prompt", "prompt_mode"},
        text_arrays=True,
        no_content=("null", "empty"),
        follows=_MISTRAL_ORDER,
        function_fields=frozenset(("name", "description", "parameters", "strict")),
        call_ids=r"[a-zA-Z0-9]{9}",
        choices=("none", "auto", "any", "required", "function"),
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

CHAT_VENDORS = {vendor.name: vendor for vendor in _ALL}
"""By name; `plain` is a server that nobody has described."""
