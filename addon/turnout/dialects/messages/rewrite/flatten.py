"""Content blocks as text, for providers that do not know their type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from turnout.dialects.messages.rewrite.tree import Object, plain

IMAGE_NOTE = "[An image was here; this model cannot see it.]"

_TOOL_CHANGES = {
    "tool_addition": "[The tool {} can be used from here on.]",
    "tool_removal": "[The tool {} can no longer be used from here on.]",
}


def as_text(block: Object) -> str:
    """What a block says, as text; a note that it was left out when it says nothing in words."""
    block_type = plain(block.get("type"))
    if block_type == "image":
        return IMAGE_NOTE
    if block_type in ("tool_use", "server_tool_use", "mcp_tool_use"):
        return f"[{plain(block.get('name'))}: {msgspec.json.encode(block.get('input')).decode()}]"
    if block_type in _TOOL_CHANGES:
        return _TOOL_CHANGES[block_type].format(_changed_tool(plain(block.get("tool"))))
    members = {key: plain(value) for key, value in block.items() if key != "source"}
    source = plain(block["source"]) if "source" in block and block_type != "container_upload" else None
    words = _words(members, source)
    return words if words.strip() else f"[A block of type {block_type} was left out.]"


def _changed_tool(tool: Any) -> str:
    """The name of a tool, or of the server whose tools they are."""
    named = tool.get("definition", tool) if isinstance(tool, Mapping) else None
    names = (named.get(key) for key in ("name", "server_name", "mcp_server_name")) if isinstance(named, Mapping) else ()
    return next((name for name in names if isinstance(name, str)), "named here")


def _words(members: Mapping[str, Any], source: Any) -> str:
    parts = [str(members[key]) for key in ("title", "context", "tool_name") if isinstance(members.get(key), str)]
    if isinstance(source, str):
        parts.append(source)
    elif isinstance(source, Mapping):
        parts.append(_source(source))
    parts.append(_content(members.get("content")))
    if isinstance(members.get("text"), str):
        parts.append(members["text"])
    return "\n".join(part for part in parts if part)


def _source(source: Mapping[str, Any]) -> str:
    """The text of a document's source; a note for one that is not text."""
    if source.get("type") == "text":
        return str(source.get("data", ""))
    if source.get("type") == "content":
        return _content(source.get("content"))
    name = source.get("media_type") or source.get("type") or "file"
    place = f" {source['url']}" if isinstance(source.get("url"), str) else ""
    return f"[A document ({name}){place} was here; this model cannot read it.]"


def _content(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        return _result(content)
    return "\n".join(filter(None, map(_result, content))) if isinstance(content, list) else ""


def _result(item: Any) -> str:
    """One element of a result: text, a hit of a search, the output of a command, or an error."""
    if isinstance(item, str):
        return item
    if not isinstance(item, Mapping):
        return ""
    if item.get("type") == "image":
        return IMAGE_NOTE
    keys = ("title", "url", "text", "stdout", "stderr", "tool_name", "error_code")
    found = [item[key] for key in keys if isinstance(item.get(key), str) and item[key]]
    nested = _content(item.get("content"))
    source = item.get("source")
    found += [_source(source)] if isinstance(source, Mapping) else []
    return " ".join([*found, *([nested] if nested else [])])
