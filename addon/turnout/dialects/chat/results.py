"""The results of tools: each becomes a message of its own, directly behind the answer that called.

OpenAI refuses an answer with calls of which one has no result ("An assistant message with 'tool_calls' must be
followed by tool messages responding to each 'tool_call_id'"), and takes nothing but text in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from turnout.dialects.chat.parts import Contents, Part, text_part
from turnout.dialects.chat.turns import Block, blocks_of, missing

Message = dict[str, Any]

_ERROR = "Error"
_MISSING = "[There is no result of this call.]"
_NO_OUTPUT = "[No output.]"
"""OpenAI refuses messages without content."""
_OF_NO_CALL = "[The result of a call that is no longer in this conversation:]"


class Call(msgspec.Struct, gc=False):
    """A call that waits for its result."""

    client_id: str
    id: str
    """As the provider knows it."""


def user_turn(blocks: Sequence[Block], calls: Sequence[Call], contents: Contents, between: str = "") -> list[Message]:
    """The results of the calls in their order, and then what else the user says, in one message.

    What results show comes first in that message, since they can only name it. A result of no call that waits is
    something that the user says. `between`: what the assistant says in between, if anything.
    """
    results, said = _paired(blocks, calls)
    shown: list[Part] = []
    messages = [
        _tool_message(call, result, shown, contents) if result is not None else unanswered(call)
        for call, result in zip(calls, results, strict=True)
    ]
    parts = [*shown]
    for block in said:
        parts += _orphaned(block, contents) if block.type == "tool_result" else contents.parts((block,))
    if not parts:
        return messages
    said_between = [{"role": "assistant", "content": between}] if messages and between else []
    return [*messages, *said_between, {"role": "user", "content": contents.content(parts)}]


def unanswered(call: Call) -> Message:
    """What stands for the result of a call that has none: a client may give up between the two."""
    return {"role": "tool", "tool_call_id": call.id, "content": _MISSING}


def _paired(blocks: Sequence[Block], calls: Sequence[Call]) -> tuple[list[Block | None], list[Block]]:
    """The result of each call, and all other blocks. Of calls with the same id the first gets the first result."""
    results: list[Block | None] = [None] * len(calls)
    waiting: dict[str, list[int]] = {}
    for place, call in enumerate(calls):
        waiting.setdefault(call.client_id, []).append(place)
    others = []
    for block in blocks:
        if block.type != "tool_result":
            others.append(block)
            continue
        if block.tool_use_id is None:
            raise missing(block, "tool_use_id")
        if places := waiting.get(block.tool_use_id):
            results[places.pop(0)] = block
        else:
            others.append(block)
    return results, others


def _tool_message(call: Call, result: Block, shown: list[Part], contents: Contents) -> Message:
    parts = _parts(result, contents) or [text_part(_NO_OUTPUT)]
    for place, part in enumerate(parts):
        if part["type"] != "text":
            parts[place] = _named(part, shown)
    return {"role": "tool", "tool_call_id": call.id, "content": contents.content(_breaking(parts, result))}


def _named(part: Part, shown: list[Part]) -> Part:
    """A line that says where to find what a result shows; it is put there."""
    number = len(shown) // 2 + 1
    kind = "an image" if part["type"] == "image_url" else "a document"
    shown += (text_part(f"[Attachment {number}, from the result of a tool:]"), part)
    return text_part(f"[Here is {kind}: attachment {number} of the user's next message.]")


def _orphaned(result: Block, contents: Contents) -> list[Part]:
    return [text_part(_OF_NO_CALL), *_breaking(_parts(result, contents), result)]


def _parts(result: Block, contents: Contents) -> list[Part]:
    """All that a result holds; that it tells of an error is said at its start."""
    parts = contents.parts(blocks_of(result.content))
    if not result.is_error:
        return parts
    if not parts or parts[0]["type"] != "text":
        return [text_part(_ERROR), *parts]
    return [{**parts[0], "text": f"{_ERROR}: {parts[0]['text']}"}, *parts[1:]]


def _breaking(parts: list[Part], result: Block) -> list[Part]:
    """The parts with the cache breakpoint of the whole result at their end."""
    if result.cache_control is None or not parts:
        return parts
    return [*parts[:-1], {**parts[-1], "cache_control": result.cache_control}]
