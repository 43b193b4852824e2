"""A request of the Messages API (or to count its tokens): what it asks for, and the conversation, newest turn first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from turnout.inspect.conversation.blocks import ToolNames, block_text, block_type
from turnout.inspect.conversation.layout import (
    Limit,
    cache_mark,
    counted,
    joined,
    line,
    pretty,
    rows,
    rule,
    size,
    weight,
    words,
)
from turnout.inspect.conversation.renderer import Body
from turnout.wire.splice import text_of, top_level

_OLD = Limit(letters=600, lines=10)
"""How much is shown of each text in turns before the newest exchange."""
_MOST_TURNS = 1000
"""Older turns are not shown at all: nobody reads that far, and ten thousands of small turns would take seconds."""

_FIRST = ("max_tokens", "stream", "thinking", "output_config", "tool_choice")
_SHOWN_APART = frozenset(("model", "messages", "system", "tools"))
_TOOL_NAME_WIDTH = 36
_DESCRIPTION_WIDTH = 100

_RAW_LIST = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class _Block:
    raw: bytes
    value: Any


@dataclass(frozen=True, slots=True)
class _Turn:
    number: int
    role: str
    raw: bytes
    blocks: tuple[_Block, ...]
    others: Mapping[str, Any]
    """Members of the message that the API does not define."""


def matches(body: Body) -> bool:
    """`messages` is a list and a model is named, or it is the body of a platform that names the model in the path."""
    if b'"messages"' not in body.data or not body.data.lstrip().startswith(b"{"):
        return False
    fields = top_level(body.data)
    if fields is None or "messages" not in fields or not bytes(fields["messages"]).startswith(b"["):
        return False
    return "anthropic_version" in fields or ("model" in fields and text_of(fields["model"]) is not None)


def render(body: Body) -> str:
    fields = top_level(body.data)
    if fields is None:
        raise ValueError("This is no JSON object.")
    raw_turns = _list(fields["messages"])
    begin = max(0, len(raw_turns) - _MOST_TURNS)
    turns = [_turn(number, raw) for number, raw in enumerate(raw_turns[begin:], begin + 1)]
    newest = _newest_exchange(turns)
    names = _tool_names(turns)
    texts = [_turn_text(turn, None if turn.number >= newest else _OLD, names) for turn in reversed(turns)]
    if begin:
        texts.append(rule(f"{counted(begin, 'older turn')} left out; see Raw"))
    system = _blocks(fields.get("system"))
    if tools := _list(fields.get("tools")):
        texts.append(_section_of_tools(fields["tools"], tools))
    if system:
        texts.append(_section(f"System · {_system(fields, system)}", system, None, {}))
    return "\n\n".join((_head(body.data, fields, turns, system, newest), *texts)) + "\n"


def _tool_names(turns: list[_Turn]) -> ToolNames:
    uses = [block.value for turn in turns for block in turn.blocks if block_type(block.value).endswith("tool_use")]
    pairs = ((use.get("id"), use.get("name")) for use in uses)
    return {used: name for used, name in pairs if isinstance(used, str) and isinstance(name, str)}


def _list(raw: msgspec.Raw | None) -> list[msgspec.Raw]:
    return _RAW_LIST.decode(raw) if raw is not None and bytes(raw) != b"null" else []


def _blocks(raw: msgspec.Raw | None) -> tuple[_Block, ...]:
    """Content as blocks; a text, or anything that is no list, becomes one."""
    if raw is None:
        return ()
    data = bytes(raw)
    if data.startswith(b"["):
        return tuple(_Block(bytes(part), msgspec.json.decode(part)) for part in _RAW_LIST.decode(raw))
    value = msgspec.json.decode(data)
    if value is None:
        return ()
    return (_Block(data, {"type": "text", "text": value} if isinstance(value, str) else value),)


def _turn(number: int, raw: msgspec.Raw) -> _Turn:
    fields = top_level(raw)
    if fields is None:
        return _Turn(number, "?", bytes(raw), (_Block(bytes(raw), msgspec.json.decode(raw)),), {})
    role = text_of(fields["role"]) if "role" in fields else None
    others = {name: msgspec.json.decode(value) for name, value in fields.items() if name not in ("role", "content")}
    return _Turn(number, role or "?", bytes(raw), _blocks(fields.get("content")), others)


def _newest_exchange(turns: list[_Turn]) -> int:
    """The number of the turn from which on all is shown: the last words of both sides, and what follows them."""
    last = {turn.role: turn.number for turn in turns if turn.role in ("user", "assistant")}
    return min(last.values(), default=1)


def _head(
    data: bytes, fields: Mapping[str, msgspec.Raw], turns: list[_Turn], system: tuple[_Block, ...], newest: int
) -> str:
    model = text_of(fields["model"]) if "model" in fields else None
    blocks = [block for turn in turns for block in turn.blocks]
    messages = bytes(fields["messages"])
    number = turns[-1].number if turns else 0
    about = [
        ("system", _system(fields, system)),
        ("tools", _tools(fields["tools"]) if "tools" in fields else "none"),
        ("conversation", joined(counted(number, "turn"), weight(messages), _marks(block.value for block in blocks))),
    ]
    files = [len(block.raw) for block in blocks if b'"base64"' in block.raw]
    if files:
        note = "their bytes make the estimated tokens far too high"
        about.append(("images, documents", joined(counted(len(files), "block"), size(sum(files)), note)))
    about.append(("order", "newest turn first; tools and system prompt come last"))
    if newest > 1:
        about.append(("", f"long texts of turns before turn {newest} are shortened"))
    title = rule(joined("Messages request", model or "no model", weight(data)))
    return "\n\n".join((title, rows(_settings(fields)), rows(about)))


def _settings(fields: Mapping[str, msgspec.Raw]) -> list[tuple[str, str]]:
    """All members of the request but the long ones; the ones that are looked for most come first."""
    found = {
        name: words(msgspec.json.decode(fields[name]))
        for name in (*_FIRST, *fields)
        if name in fields and name not in _SHOWN_APART
    }
    if "max_tokens" not in found:
        found = {"max_tokens": "none (as in a request to count tokens)", **found}
    return list(found.items())


def _marks(blocks: Iterable[Any]) -> str:
    count = sum(1 for block in blocks if cache_mark(block))
    return counted(count, "cache mark") if count else ""


def _system(fields: Mapping[str, msgspec.Raw], blocks: tuple[_Block, ...]) -> str:
    if not blocks:
        return "none"
    marks = _marks(block.value for block in blocks)
    return joined(counted(len(blocks), "block"), weight(bytes(fields["system"])), marks)


def _tools(raw: msgspec.Raw) -> str:
    tools = _list(raw)
    marks = _marks(msgspec.json.decode(tool) for tool in tools)
    return joined(f"{len(tools):,}", weight(bytes(raw)), marks) if tools else "none"


def _turn_text(turn: _Turn, limit: Limit | None, names: ToolNames) -> str:
    others = f"{words(turn.others)}" if turn.others and limit is not None else ""
    text = _section(joined(f"Turn {turn.number}", turn.role, weight(turn.raw), others), turn.blocks, limit, names)
    # An assistant's calls in another dialect, for example: no block shows them.
    return text if not turn.others or others else f"{text}\n\n  other members\n{pretty(turn.others)}"


def _section(title: str, blocks: tuple[_Block, ...], limit: Limit | None, names: ToolNames) -> str:
    texts = [block_text(block.value, weight=size(len(block.raw)), limit=limit, names=names) for block in blocks]
    return "\n\n".join((rule(title), *(texts or ["  (empty)"])))


def _section_of_tools(raw: msgspec.Raw, tools: list[msgspec.Raw]) -> str:
    lines = [_tool_line(len(bytes(tool)), msgspec.json.decode(tool)) for tool in tools]
    return "\n".join((rule(f"Tools · {_tools(raw)}"), "", *lines))


def _tool_line(length: int, tool: Any) -> str:
    """A tool's name, its size, its mark, and the beginning of what it says of itself."""
    fields = tool if isinstance(tool, dict) else {}
    kind, description = fields.get("type"), fields.get("description")
    name = words(fields.get("name") or kind or "?", _TOOL_NAME_WIDTH * 2)
    about = joined(
        cache_mark(fields),
        kind if isinstance(kind, str) and kind not in ("custom", name) else "",
        "deferred" if fields.get("defer_loading") is True else "",
        line(description, _DESCRIPTION_WIDTH) if isinstance(description, str) else "",
    )
    return f"  {name:<{_TOOL_NAME_WIDTH}} {size(length):>8}  {about}".rstrip()
