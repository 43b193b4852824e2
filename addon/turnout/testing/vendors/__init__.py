"""The vendors that speak the Messages API, each refusing what it is known to refuse, and what nobody knows about it.

A cell that the protocol notes (6.2) mark unknown is taken as refused: rewriting has to be safe there. Exceptions are
fields of the API's first years (stop_sequences, top_k, metadata.user_id, `cache_control.type`), without which the
clients that the vendors name in their own guides would not work.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

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
GATEWAY_BETAS = (
    *(
        "claude-code-*",
        "interleaved-thinking-*",
        "context-management-*",
        "context-1m-*",
        "effort-*",
        "compact-2026-01-12",
    ),
    *("structured-outputs-*", "extended-cache-ttl-*", "fine-grained-tool-streaming-*", "token-efficient-tools-*"),
    "output-128k-*",
)
THINKING_OF_CLAUDE = ("enabled", "adaptive", "disabled", "between_tools")

_CLAUDE: dict[str, Any] = {
    "fields": CLAUDE_FIELDS,
    "betas": GATEWAY_BETAS,
    "roles": ("user", "assistant", "system"),
    "blocks": None,
    "image_sources": ("base64", "url"),
    "tool_fields": None,
    "server_tools": (
        "web_search_*",
        "web_fetch_*",
        "code_execution_*",
        "tool_search_tool_*",
        "bash_*",
        "text_editor_*",
    ),
    "thinking": THINKING_OF_CLAUDE,
    "thinking_fields": frozenset(("type", "budget_tokens", "display")),
    "by_generation": True,
    "efforts": EFFORTS,
    "output_fields": frozenset(("format",)),
    "cache_keys": frozenset(("type", "ttl")),
}
"""What a gateway takes for the models of Anthropic's, which it passes on."""

_LITELLM_BETAS = (*GATEWAY_BETAS, "advanced-tool-use-*", "tool-search-tool-*", "thinking-token-count-*")

_LITELLM = Vendor(
    "litellm",
    phrases.litellm,
    counts_tokens=True,
    models=(
        (
            "*claude*",
            {
                **_CLAUDE,
                "betas": _LITELLM_BETAS,
            },
        ),
    ),
)

_OPENROUTER = Vendor(
    "openrouter",
    phrases.openrouter,
    auth=("bearer",),
    fields=FIELDS | {"provider", "models", "plugins"},
    models=(
        (
            "*claude*",
            {
                **_CLAUDE,
                "betas": (*GATEWAY_BETAS, "server-side-fallback-*"),
                "fields": CLAUDE_FIELDS | {"fallbacks", "cache_control", "provider", "models", "plugins"},
                "tool_search": False,
            },
        ),
    ),
)

_OLLAMA = Vendor(
    "ollama",
    phrases.ollama,
    auth=(),
    fields=IGNORED,
    betas=None,
    server_tools=("web_search_*",),
    efforts=EFFORTS,
    cache_keys=None,
    temperatures=(0, 2),
)

_VERCEL = Vendor(
    "vercel",
    phrases.litellm,
    models=(("*claude*", {**_CLAUDE, "tool_search": False}),),
)

_ALL = (
    Vendor("generic", phrases.anthropic),
    Vendor(
        "minimax",
        phrases.minimax,
        fields=IGNORED,
        warm=True,
        most_output=524_288,
        thinking=("adaptive", "disabled"),
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
                    "fields": FIELDS - {"thinking", "temperature", "top_p"},
                },
            ),
            ("kimi-k2.7-code*", {"thinking": ("enabled",)}),
            ("kimi-k2", {"image_sources": ()}),
            ("kimi-k2-*", {"image_sources": ()}),
        ),
    ),
    Vendor(
        "kimi-coding",
        phrases.moonshot,
        auth=("bearer",),
        fields=FIELDS - {"thinking", "temperature", "top_p"},
        tool_choices=ALWAYS_AUTO,
        choice_fields=CHOICE_TYPE,
        agents=("claude-cli/*",),
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
            ("glm-5.[23]*", {"most_output": 131_072}),
            ("glm-5.3-flash*", {"image_sources": ("base64",)}),
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
        most_output=393_216,
        models=(("*flash*", {"image_sources": ("base64",)}),),
    ),
    Vendor(
        "qwen",
        phrases.qwen,
        tool_choices=ALWAYS_AUTO,
        choice_fields=CHOICE_TYPE,
        image_sources=(),
        temperatures=(0, 2),
        models=(
            ("*vl*", {"image_sources": ("base64",)}),
            ("qwen3.8-*", {"image_sources": ("base64",), "most_output": 65_536}),
        ),
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
    _OLLAMA,
    replace(_OLLAMA, name="ollama-cloud", auth=("bearer",)),
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
    _VERCEL,
)

VENDORS = {vendor.name: vendor for vendor in _ALL}
"""By name of the preset; `generic` is a server that nobody has described."""
