"""The page of a request, whatever its API: settings, what it consists of, and the conversation, newest turn first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
from turnout.wire.splice import top_level

MOST_TURNS = 1000
"""Older turns are not shown at all: nobody reads that far, and ten thousands of small turns would take seconds."""

_OLD = Limit(letters=600, lines=10)
"""How much is shown of each text in turns before the newest exchange."""
_TOOL_NAME_WIDTH = 36
_DESCRIPTION_WIDTH = 100
_SHOWN_APART = frozenset(("model", "messages", "system", "tools"))

_RAW_LIST = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Block:
    """A content block of the Messages API, or what is shown as one."""

    raw: bytes
    """As it is in the body; its length is the size that is shown."""
    value: Any


@dataclass(frozen=True, slots=True)
class Turn:
    """One message."""

    number: int
    role: str
    raw: bytes
    blocks: tuple[Block, ...]
    others: Mapping[str, Any]
    """Members of the message that are in no block."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a request asks for, read by the renderer of its API."""

    api: str
    """`Messages`."""
    body: bytes
    model: str | None
    settings: list[tuple[str, str]]
    messages: bytes
    """All turns, as they are in the body."""
    turns: Sequence[Turn]
    """The newest MOST_TURNS of them."""
    system: Sequence[Block]
    tools: Sequence[Block]
    """Each in the shape that it has in the Messages API."""


def conversation_fields(body: Body) -> Mapping[str, msgspec.Raw] | None:
    """The members of a JSON object with a list of `messages`; None for any other body."""
    if b'"messages"' not in body.data or not body.data.lstrip().startswith(b"{"):
        return None
    fields = top_level(body.data)
    if fields is None or "messages" not in fields or not bytes(fields["messages"]).startswith(b"["):
        return None
    return fields


def listed(raw: msgspec.Raw | None) -> list[msgspec.Raw]:
    """The elements of a list; none of null and of what is not there."""
    return _RAW_LIST.decode(raw) if raw is not None and bytes(raw) != b"null" else []


def blocks_of(raw: msgspec.Raw | None) -> tuple[Block, ...]:
    """Content as blocks; a text, or anything that is no list, becomes one."""
    if raw is None:
        return ()
    data = bytes(raw)
    if data.startswith(b"["):
        return tuple(Block(bytes(part), msgspec.json.decode(part)) for part in listed(raw))
    value = msgspec.json.decode(data)
    if value is None:
        return ()
    return (Block(data, {"type": "text", "text": value} if isinstance(value, str) else value),)


def settings_of(fields: Mapping[str, msgspec.Raw], first: Sequence[str]) -> dict[str, str]:
    """All members of the request but the long ones, in words; those of `first` come first."""
    return {
        name: words(msgspec.json.decode(fields[name]))
        for name in (*first, *fields)
        if name in fields and name not in _SHOWN_APART
    }


def page(request: Request) -> str:
    newest = _newest_exchange(request.turns)
    names = _tool_names(request.turns)
    turns = reversed(request.turns)
    texts = [_turn_text(turn, None if turn.number >= newest else _OLD, names) for turn in turns]
    older = request.turns[0].number - 1 if request.turns else 0
    if older:
        texts.append(rule(f"{counted(older, 'older turn')} left out; see Raw"))
    if request.tools:
        lines = [_tool_line(len(tool.raw), tool.value) for tool in request.tools]
        texts.append("\n".join((rule(f"Tools · {_tools(request.tools)}"), "", *lines)))
    if request.system:
        texts.append(_section(f"System · {_system(request.system)}", request.system, None, {}))
    return "\n\n".join((_head(request, newest), *texts)) + "\n"


def _tool_names(turns: Iterable[Turn]) -> ToolNames:
    uses = [block.value for turn in turns for block in turn.blocks if block_type(block.value).endswith("tool_use")]
    pairs = ((use.get("id"), use.get("name")) for use in uses)
    return {used: name for used, name in pairs if isinstance(used, str) and isinstance(name, str)}


def _newest_exchange(turns: Iterable[Turn]) -> int:
    """The number of the turn from which on all is shown: the last words of both sides, and what follows them."""
    last = {turn.role: turn.number for turn in turns if turn.role in ("user", "assistant")}
    return min(last.values(), default=1)


def _head(request: Request, newest: int) -> str:
    blocks = [block for turn in request.turns for block in turn.blocks]
    number = request.turns[-1].number if request.turns else 0
    marks = _marks(block.value for block in blocks)
    about = [
        ("system", _system(request.system)),
        ("tools", _tools(request.tools)),
        ("conversation", joined(counted(number, "turn"), weight(request.messages), marks)),
    ]
    files = [len(block.raw) for block in blocks if _holds_file(block)]
    if files:
        note = "their bytes make the estimated tokens far too high"
        about.append(("images, documents", joined(counted(len(files), "block"), size(sum(files)), note)))
    about.append(("order", "newest turn first; tools and system prompt come last"))
    if newest > 1:
        about.append(("", f"long texts of turns before turn {newest} are shortened"))
    title = rule(joined(f"{request.api} request", request.model or "no model", weight(request.body)))
    return "\n\n".join((title, rows(request.settings), rows(about)))


def _holds_file(block: Block) -> bool:
    source = block.value.get("source") if isinstance(block.value, dict) else None
    return b'"base64"' in block.raw or (isinstance(source, dict) and source.get("type") == "base64")


def _marks(blocks: Iterable[Any]) -> str:
    count = sum(1 for block in blocks if cache_mark(block))
    return counted(count, "cache mark") if count else ""


def _system(blocks: Sequence[Block]) -> str:
    return _weighed(counted(len(blocks), "block"), blocks)


def _tools(tools: Sequence[Block]) -> str:
    return _weighed(f"{len(tools):,}", tools)


def _weighed(count: str, blocks: Sequence[Block]) -> str:
    if not blocks:
        return "none"
    return joined(count, weight(b",".join(block.raw for block in blocks)), _marks(block.value for block in blocks))


def _turn_text(turn: Turn, limit: Limit | None, names: ToolNames) -> str:
    others = f"{words(turn.others)}" if turn.others and limit is not None else ""
    text = _section(joined(f"Turn {turn.number}", turn.role, weight(turn.raw), others), turn.blocks, limit, names)
    return text if not turn.others or others else f"{text}\n\n  other members\n{pretty(turn.others)}"


def _section(title: str, blocks: Iterable[Block], limit: Limit | None, names: ToolNames) -> str:
    texts = [block_text(block.value, weight=size(len(block.raw)), limit=limit, names=names) for block in blocks]
    return "\n\n".join((rule(title), *(texts or ["  (empty)"])))


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
