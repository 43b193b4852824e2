"""Tools that a provider does not have, fields of tools that it does not know, choices that it does not offer."""

from __future__ import annotations

from turnout.dialects.messages.rewrite.document import Document
from turnout.dialects.messages.rewrite.thoughts import can_be_off
from turnout.dialects.messages.rewrite.tree import Node, is_list, opened, opened_elements, text
from turnout.settings.rewriting import Pair, Rewrite


def fit_tools(document: Document, rules: Rewrite, unpaired: tuple[Pair, ...]) -> None:
    """`unpaired`: the pairs of which the provider takes no beta, so that their tools mean nothing to it."""
    idle = frozenset(name for pair in unpaired for name in pair.tools)
    if rules.tool_fields is None and rules.server_tools is None and not rules.refused_tools and not idle:
        return
    tools = document.blocks("tools")
    if tools is None or (not tools and rules.tool_fields is None):
        return
    members = [opened(tool) for tool in tools]
    kept = [(raw, tool) for raw, tool in zip(tools, members, strict=True) if _is_offered(tool, rules, idle)]
    fitted = [_known_fields(raw, tool, rules) for raw, tool in kept]
    if len(kept) < len(tools):
        document.note("server_tools")
    if any(new is not raw for new, (raw, _) in zip(fitted, kept, strict=True)):
        document.note("tool_fields")
    if tools and len(kept) == len(tools) and all(new is raw for new, raw in zip(fitted, tools, strict=True)):
        return
    if fitted:
        document.put("tools", fitted)
    else:
        # Also for a client that has none: those that make functions of them refuse an empty list.
        document.remove("tools")
        document.note("tools")
    _drop_idle_choice(document, {text(tool.get("name")) for _, tool in kept if isinstance(tool, dict)})


def typed_tools(tools: Node) -> tuple[str, ...]:
    """The types of the tools that Anthropic defines, such as `web_search_20250305`; a client's own have none."""
    if tools is None or not is_list(tools):
        return ()
    return tuple(dict.fromkeys(filter(None, map(_typed, opened_elements(tools)))))


def _typed(tool: Node) -> str:
    """The type of a tool that Anthropic defines; empty for a client's own."""
    name = text(tool.get("type")) if isinstance(tool, dict) else ""
    return "" if name == "custom" else name


def _is_offered(tool: Node, rules: Rewrite, idle: frozenset[str]) -> bool:
    name = _typed(tool)
    if name:
        return rules.executes(name)
    return not (idle and isinstance(tool, dict) and text(tool.get("name")) in idle)


def _known_fields(raw: Node, tool: Node, rules: Rewrite) -> Node:
    if rules.tool_fields is None or not isinstance(tool, dict) or _typed(tool):
        return raw
    known = {name: value for name, value in tool.items() if name in rules.tool_fields}
    return raw if len(known) == len(tool) else known


def _drop_idle_choice(document: Document, names: set[str]) -> None:
    choice = document.table("tool_choice")
    if "tool_choice" in document and (not names or (choice.get("type") == "tool" and choice.get("name") not in names)):
        document.remove("tool_choice")
        document.note("tool_choice")


def fit_tool_choice(document: Document, rules: Rewrite) -> None:
    choice = document.table("tool_choice")
    action = next((action for kind, action in rules.tool_choice.items() if kind == choice.get("type")), "keep")
    if action in ("keep", choice.get("type")):
        return
    if action == "without_thinking" and can_be_off(document, rules):
        if document.value("thinking") == {"type": "disabled"}:
            return
        document.put("thinking", {"type": "disabled"})
    elif action in ("auto", "any", "without_thinking"):
        alone = {"disable_parallel_tool_use"}
        kind = "any" if action == "any" else "auto"
        document.put("tool_choice", {"type": kind, **{key: choice[key] for key in alone & choice.keys()}})
    else:
        document.remove("tool_choice")
    document.note("tool_choice")
