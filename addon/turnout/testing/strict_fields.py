"""What Anthropic's API takes, and what it takes with a beta only.

Sources: the types of its SDK (2.14), and the pairs in its gateway protocol.
"""

from __future__ import annotations

GA_FIELDS = frozenset(
    ("model", "messages", "max_tokens", "system", "stop_sequences", "stream", "temperature", "top_p", "top_k")
    + ("thinking", "tools", "tool_choice", "metadata", "service_tier", "output_config", "cache_control")
    + ("container", "inference_geo", "diagnostics")
)
COUNT_FIELDS = frozenset(
    ("model", "messages", "system", "thinking", "tools", "tool_choice", "output_config", "cache_control")
)

BETA_FIELDS: dict[str, tuple[str, ...]] = {
    "context_management": ("context-management-2025-06-27", "compact-2026-01-12"),
    "compaction": ("compact-2026-09-04",),
    "mcp_servers": ("mcp-client-2025-04-04", "mcp-client-2025-11-20", "mcp-client-2026-09-15"),
    "speed": ("fast-mode-2026-02-01",),
    "fallbacks": ("server-side-fallback-2026-06-01", "server-side-fallback-2026-07-01"),
    "fallback_credit_token": ("fallback-credit-2026-06-01", "fallback-credit-2026-07-01"),
    "thread": ("message-threads-2026-08-12",),
    "output_format": ("structured-outputs-2025-11-13",),
    "tags": ("request-tags-2026-08-21",),
    "safeguards": ("dangerous-tool-use-2026-09-03",),
}
"""Body fields that are unknown to the API unless one of their betas is in the header."""

TOOL_KEYS = frozenset(
    ("name", "description", "input_schema", "type", "cache_control", "strict", "eager_input_streaming")
    + ("allowed_callers", "input_examples", "defer_loading")
)
TOOL_SEARCH = ("advanced-tool-use-2025-11-20", "tool-search-tool-2025-10-19")
TOOL_CHANGES = ("mid-conversation-tool-changes-2026-07-01", "inline-tools-2026-09-15")
PER_MESSAGE = ("per-turn-control-2026-07-01", "mid-conversation-output-config-2026-07-01")
BETA_BLOCKS: dict[str, tuple[str, ...]] = {
    "tool_addition": TOOL_CHANGES,
    "tool_removal": TOOL_CHANGES,
    "tool_reference": TOOL_SEARCH,
    "mcp_tool_use": BETA_FIELDS["mcp_servers"],
    "mcp_tool_result": BETA_FIELDS["mcp_servers"],
}
BLOCKS = frozenset(
    ("text", "image", "document", "search_result", "thinking", "redacted_thinking", "tool_use", "tool_result")
    + ("server_tool_use", "web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result")
    + ("bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result")
    + ("container_upload", "compaction", "fallback", "advisor_tool_result")
)
