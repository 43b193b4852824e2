"""What Anthropic takes in a turn of the assistant that comes back to it. Texts of the refusals follow the API's."""

from __future__ import annotations

import re
from typing import Any

from turnout.testing.refusal import require

_OWN_RUN = re.compile(r"srvtoolu_[a-zA-Z0-9_]+")
_RESULT = re.compile(r"\w+_tool_result")
_TYPES = frozenset(
    ("text", "thinking", "redacted_thinking", "tool_use", "server_tool_use", "mcp_tool_use", "mcp_tool_result")
    + ("compaction", "fallback")
)
_TOOLS = frozenset(
    ("web_search", "web_fetch", "code_execution", "bash_code_execution", "text_editor_code_execution")
    + ("tool_search_tool_regex", "tool_search_tool_bm25", "advisor")
)


def check_answer(blocks: list[dict[str, Any]], place: str) -> None:
    """Raises Refusal for a block that no answer of Anthropic's holds, or that it would not know again."""
    runs: set[str] = set()
    for position, block in enumerate(blocks):
        here, kind = f"{place}.content.{position}", block["type"]
        require(kind != "tool_result", f"{place}: `tool_result` blocks can only be in `user` messages")
        known = kind in _TYPES or _RESULT.fullmatch(kind) is not None
        require(known, f"{here}: Input tag '{kind}' found using 'type' does not match any of the expected tags")
        if kind == "tool_use":
            require(len(str(block.get("id"))) <= 64, f"{here}.tool_use.id: String should have at most 64 characters")
        if kind == "server_tool_use":
            _check_run(block, f"{here}.server_tool_use")
            runs.add(block["id"])
        elif kind != "mcp_tool_result" and _RESULT.fullmatch(kind):
            missing = f"{here}: `{kind}` block must have a corresponding `server_tool_use` block before it"
            require(block.get("tool_use_id") in runs, missing)
            _check_pages(block, f"{here}.{kind}")


def _check_run(block: dict[str, Any], here: str) -> None:
    matched = _OWN_RUN.fullmatch(str(block.get("id"))) is not None
    require(matched, f"{here}.id: String should match pattern '^srvtoolu_[a-zA-Z0-9_]+$'")
    require(block.get("name") in _TOOLS, f"{here}.name: Input should be {', '.join(sorted(_TOOLS))}")


def _check_pages(block: dict[str, Any], here: str) -> None:
    content = block.get("content")
    if block["type"] != "web_search_tool_result" or not isinstance(content, list):
        return
    for position, page in enumerate(content):
        require(bool(page.get("encrypted_content")), f"{here}.content.{position}.encrypted_content: Field required")
