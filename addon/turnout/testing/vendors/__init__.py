"""The vendors that speak the Messages API, each refusing what it is known to refuse, and what nobody knows about it.

A cell that the protocol notes (6.2) mark unknown is taken as refused: rewriting has to be safe there. Exceptions are
fields of the API's first years (stop_sequences, top_k, metadata.user_id, `cache_control.type`), without which the
clients that the vendors name in their own guides would not work.
"""

from __future__ import annotations

from dataclasses import replace

from turnout.testing.vendors import phrases
from turnout.testing.vendors.problem import Answer, Problem
from turnout.testing.vendors.vendor import BLOCKS, FIELDS, TOOL_FIELDS, Vendor, markers

__all__ = ["VENDORS", "Answer", "Problem", "Vendor", "markers"]

IGNORED = FIELDS | {"context_management", "container", "mcp_servers", "service_tier"}
"""The fields of which several vendors say that they ignore them."""

EFFORTS = ("low", "medium", "high", "xhigh", "max")
ALWAYS_AUTO = ("auto",)
CHOICE_TYPE = frozenset(("type",))
NO_PARALLEL_SWITCH = frozenset(("type", "name"))
CLAUDE_FIELDS = FIELDS | {"context_management", "output_config"}
THINKING_OF_CLAUDE = ("enabled", "adaptive", "disabled", "between_tools")

_LITELLM = Vendor(
    "litellm",
    phrases.litellm,
    counts_tokens=True,
    fields=CLAUDE_FIELDS,
    betas=None,
    roles=("user", "assistant", "system"),
    blocks=None,
    image_sources=("base64", "url"),
    tool_fields=None,
    server_tools=("*",),
    thinking=THINKING_OF_CLAUDE,
    thinking_fields=frozenset(("type", "budget_tokens", "display")),
    by_generation=True,
    efforts=EFFORTS,
    output_fields=frozenset(("format",)),
    cache_keys=frozenset(("type", "ttl")),
)
"""Passes everything on to Claude."""

_OPENROUTER = replace(
    _LITELLM,
    name="openrouter",
    say=phrases.openrouter,
    auth=("bearer",),
    counts_tokens=False,
    fields=CLAUDE_FIELDS | {"fallbacks", "cache_control"},
)

_ALL = (
    Vendor("generic", phrases.anthropic),
    Vendor(
        "minimax",
        phrases.minimax,
        fields=IGNORED,
        warm=True,
        models=(
            ("MiniMax-M2*", {"image_sources": (), "thinking": ("enabled",)}),
            ("MiniMax-M3.1-Flash*", {"thinking": ("enabled",)}),
        ),
    ),
    Vendor(
        "moonshot",
        phrases.moonshot,
        auth=("bearer",),
        tool_choices=ALWAYS_AUTO,
        choice_fields=CHOICE_TYPE,
        models=(
            (
                "kimi-k3*",
                {
                    "betas": ("effort-*",),
                    "efforts": ("low", "high", "max"),
                    "fields": FIELDS - {"thinking", "temperature"},
                },
            ),
            ("kimi-k2.7-code*", {"thinking": ("enabled",)}),
            ("kimi-k2", {"image_sources": ()}),
            ("kimi-k2-*", {"image_sources": ()}),
        ),
    ),
    Vendor(
        "zai",
        phrases.zai,
        tool_choices=ALWAYS_AUTO,
        choice_fields=CHOICE_TYPE,
        image_sources=(),
        models=(
            ("glm-*[0-9]v*", {"image_sources": ("base64",)}),
            ("glm-5.3*", {"thinking": ("enabled",)}),
        ),
    ),
    Vendor(
        "deepseek",
        phrases.deepseek,
        fields=IGNORED,
        betas=None,
        block_fields=False,
        image_sources=(),
        forces_without_thinking=True,
        gives_back=True,
        efforts=EFFORTS,
        cache_keys=None,
        temperatures=(0, 2),
    ),
    Vendor(
        "qwen",
        phrases.qwen,
        tool_choices=ALWAYS_AUTO,
        choice_fields=CHOICE_TYPE,
        image_sources=(),
        temperatures=(0, 2),
        models=(("*vl*", {"image_sources": ("base64",)}),),
    ),
    Vendor(
        "fireworks",
        phrases.fireworks,
        auth=("bearer",),
        betas=("effort-*",),
        tool_fields=TOOL_FIELDS - {"cache_control"},
        tool_choices=ALWAYS_AUTO,
        choice_fields=CHOICE_TYPE,
        efforts=("low", "medium", "high", "max"),
        cache_places=("system", "messages"),
        image_sources=(),
        temperatures=(0, 2),
        models=(("*vl*", {"image_sources": ("base64",)}),),
    ),
    Vendor(
        "ollama",
        phrases.ollama,
        auth=(),
        fields=IGNORED,
        betas=None,
        server_tools=("web_search_*",),
        efforts=EFFORTS,
        cache_keys=None,
        temperatures=(0, 2),
    ),
    Vendor("lmstudio", phrases.anthropic, auth=()),
    Vendor(
        "llamacpp",
        phrases.llamacpp,
        auth=(),
        counts_tokens=True,
        betas=None,
        choice_fields=NO_PARALLEL_SWITCH,
        cache_keys=None,
        temperatures=(0, 2),
    ),
    Vendor(
        "vllm",
        phrases.vllm,
        auth=(),
        counts_tokens=True,
        fields=None,
        betas=None,
        roles=("user", "assistant", "system"),
        blocks={**BLOCKS, "redacted_thinking": frozenset(("data",))},
        block_fields=False,
        image_sources=("base64", "url"),
        tool_fields=None,
        choice_fields=None,
        thinking=THINKING_OF_CLAUDE,
        thinking_fields=frozenset(("type", "budget_tokens", "display", "block_binding")),
        cache_keys=None,
        temperatures=(0, 2),
    ),
    _LITELLM,
    _OPENROUTER,
)

VENDORS = {vendor.name: vendor for vendor in _ALL}
"""By name of the preset; `generic` is a server that nobody has described."""
