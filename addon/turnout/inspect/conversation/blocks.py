"""Content blocks of the Messages API, as they stand in requests and in answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from turnout.inspect.conversation.layout import (
    Limit,
    cache_mark,
    counted,
    extras,
    folded,
    indented,
    joined,
    pretty,
    pretty_input,
    shortened,
    size,
)

_OPAQUE_LINE = 400
"""Letters of a line of unknown JSON; what is longer is hardly for reading."""

ToolNames = Mapping[str, str]
"""Names of the tools by the ids of their uses, so that a result can say whose it is."""

NO_NAMES: ToolNames = {}


@dataclass(frozen=True, slots=True)
class _Readable:
    title: str
    text: str = ""


def block_text(block: Any, *, weight: str = "", limit: Limit | None = None, names: ToolNames = NO_NAMES) -> str:
    """A heading with what is known of the block, and below it, indented, what it says.

    `weight` joins the heading, `limit` is that of the text.
    """
    kind = block_type(block)
    readable = _FORMS.get(kind, _unknown)(block, names) if isinstance(block, dict) else _Readable("?", pretty(block))
    title = joined(readable.title, weight, cache_mark(block))
    text = shortened(readable.text.strip("\r\n"), limit)
    return f"  {title}\n{indented(text)}" if text.strip() else f"  {title}"


def block_type(block: Any) -> str:
    """The block's type; empty when it has none."""
    kind = block.get("type") if isinstance(block, dict) else None
    return kind if isinstance(kind, str) else ""


def _string(block: Mapping[str, Any], name: str) -> str:
    value = block.get(name)
    return value if isinstance(value, str) else ""


def _text(block: dict[str, Any], names: ToolNames) -> _Readable:
    text = block.get("text")
    title = joined("text", extras(block, "type", "text", "cache_control", "citations"))
    shown = folded(text) if isinstance(text, str) else pretty(text)
    citations = block.get("citations")
    if citations:
        shown += "\n\ncitations\n" + pretty(citations, _OPAQUE_LINE)
    return _Readable(title, shown)


def _thinking(block: dict[str, Any], names: ToolNames) -> _Readable:
    signature = _string(block, "signature")
    signed = f"signature of {counted(len(signature), 'character')}" if signature else "no signature"
    rest = extras(block, "type", "thinking", "signature", "cache_control")
    return _Readable(joined("thinking", signed, rest), folded(_string(block, "thinking")) or "(no text)")


def _redacted_thinking(block: dict[str, Any], names: ToolNames) -> _Readable:
    hidden = f"{counted(len(_string(block, 'data')), 'character')} that only the provider can read"
    return _Readable(joined("redacted_thinking", hidden, extras(block, "type", "data", "cache_control")))


def _tool_use(block: dict[str, Any], names: ToolNames) -> _Readable:
    partial = block.get("partial_input")
    title = joined(
        f"{block_type(block)} {_string(block, 'name') or '?'}",
        _string(block, "id"),
        extras(block, "type", "name", "id", "input", "partial_input", "cache_control"),
        "INPUT CUT SHORT" if isinstance(partial, str) else "",
    )
    return _Readable(title, partial if isinstance(partial, str) else pretty_input(block.get("input")))


def _tool_result(block: dict[str, Any], names: ToolNames) -> _Readable:
    used = _string(block, "tool_use_id")
    title = joined(
        f"{block_type(block)} of {names[used]}" if used in names else block_type(block),
        used,
        "ERROR" if block.get("is_error") is True else "",
        extras(block, "type", "tool_use_id", "is_error", "content", "cache_control"),
    )
    content = block.get("content")
    if isinstance(content, str):
        return _Readable(title, content)
    if not isinstance(content, list):
        return _Readable(title, "" if content is None else pretty(content, _OPAQUE_LINE))
    # A single text is the usual content, and needs no heading of its own.
    if len(content) == 1 and block_type(content[0]) == "text" and isinstance(content[0].get("text"), str):
        return _Readable(title, content[0]["text"])
    return _Readable(title, "\n".join(block_text(inner, names=names).removeprefix("  ") for inner in content))


def _image(block: dict[str, Any], names: ToolNames) -> _Readable:
    return _Readable(joined("image", _source(block.get("source")), extras(block, "type", "source", "cache_control")))


def _document(block: dict[str, Any], names: ToolNames) -> _Readable:
    source = block.get("source")
    rest = extras(block, "type", "source", "title", "context", "cache_control")
    text = _string(source, "data") if isinstance(source, dict) and source.get("type") == "text" else ""
    if isinstance(source, dict) and source.get("type") == "content":
        text = pretty(source.get("content"), _OPAQUE_LINE)
    title = joined("document", _string(block, "title"), _source(source), rest)
    return _Readable(title, "\n".join(part for part in (_string(block, "context"), text) if part))


def _source(source: Any) -> str:
    """Where an image or a document comes from: `image/png, 120.4 kB`, or its URL or file id."""
    if not isinstance(source, dict):
        return pretty(source, _OPAQUE_LINE)
    data = source.get("data")
    if isinstance(data, str):
        length = len(data) * 3 // 4 if source.get("type") == "base64" else len(data)
        return f"{_string(source, 'media_type') or '?'}, {size(length)}"
    return extras(source, "type", "content") or _string(source, "type")


def _unknown(block: dict[str, Any], names: ToolNames) -> _Readable:
    rest = {name: value for name, value in block.items() if name not in ("type", "cache_control")}
    return _Readable(block_type(block) or "?", pretty(rest, _OPAQUE_LINE) if rest else "")


_FORMS: dict[str, Callable[[dict[str, Any], ToolNames], _Readable]] = {
    "text": _text,
    "thinking": _thinking,
    "redacted_thinking": _redacted_thinking,
    "tool_use": _tool_use,
    "server_tool_use": _tool_use,
    "mcp_tool_use": _tool_use,
    "tool_result": _tool_result,
    "mcp_tool_result": _tool_result,
    "image": _image,
    "document": _document,
}
"""How a type of block is shown; a type that is not here is shown as JSON."""
