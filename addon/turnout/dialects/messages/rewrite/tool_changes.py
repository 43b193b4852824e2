"""Tools that come and go within a conversation, for providers that know only those of the request.

Blocks: types/beta/beta_request_tool_{addition,removal}_block_param.py of Anthropic's SDK.
"""

from __future__ import annotations

from collections.abc import Iterator

from turnout.dialects.messages.rewrite.conversation import block_type, content_blocks, role
from turnout.dialects.messages.rewrite.document import Document
from turnout.dialects.messages.rewrite.tree import Node, Object, is_list, opened, text
from turnout.settings.rewriting import Pair, Rewrite

ADDITION, REMOVAL = "tool_addition", "tool_removal"


def settle_tools(document: Document, rules: Rewrite, refused: tuple[Pair, ...]) -> None:
    """The tools of the request become those that are offered at its end.

    What was added stands behind the client's own tools, in the order of the conversation: the list only grows with it,
    but for what is removed. The blocks themselves become text where others of their kind do.
    """
    if not _is_refused(rules, refused):
        return
    changes = list(_changes(document))
    if not changes:
        return
    offered: dict[str, Node] = {}
    for tool in document.blocks("tools") or []:
        members = opened(tool)
        offered[_name(members) if isinstance(members, dict) else f"#{len(offered)}"] = tool
    gone: set[str] = set()
    for kind, tool in changes:
        definition = opened(tool.get("definition"))
        name = _name(definition if isinstance(definition, dict) else tool)
        if kind == REMOVAL:
            gone.add(name)
            continue
        gone.discard(name)
        if isinstance(definition, dict):
            offered[name] = definition
    left = [tool for name, tool in offered.items() if name not in gone]
    if left:
        document.put("tools", left)
    else:
        document.remove("tools")
    document.note("tool_changes")


def _is_refused(rules: Rewrite, refused: tuple[Pair, ...]) -> bool:
    types = {*rules.refused_blocks, *(kind for pair in refused for kind in pair.blocks)}
    return ADDITION in types and ADDITION not in (rules.blocks or ())


def _changes(document: Document) -> Iterator[tuple[str, Object]]:
    for message in document.messages:
        if role(message) != "system" or not is_list(message.get("content")):
            continue
        for block in content_blocks(message):
            kind = block_type(block)
            if kind in (ADDITION, REMOVAL) and isinstance(tool := opened(block.get("tool")), dict):
                yield kind, tool


def _name(tool: Object) -> str:
    """By which a tool, or a set of tools of one server, is referred to."""
    if "server_name" in tool and "name" in tool:  # one tool of a set, which has no place of its own
        return f"{text(tool['server_name'])}/{text(tool['name'])}"
    return text(tool.get("name") or tool.get("mcp_server_name") or tool.get("server_name"))
