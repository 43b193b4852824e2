"""The messages of a client of Chat Completions as those of the Messages API: roles take turns, results come together.

What the system says before anything else is the field `system`; what it says later stays at its place, where the
rules of the target know what to make of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from turnout.dialects.chat.client.asked import Call, Said
from turnout.dialects.chat.client.contents import Block, blocks_of, text_block, words_of
from turnout.errors import InvalidRequest
from turnout.wire.splice import top_level

_SYSTEM = ("system", "developer")


class Conversation(NamedTuple):
    system: list[Block]
    messages: list[dict[str, Any]]


def conversation_of(said: Iterable[Said]) -> Conversation:
    """Raises InvalidRequest for messages that nobody can have said."""
    system: list[Block] = []
    messages: list[dict[str, Any]] = []
    for message in said:
        if message.role in _SYSTEM and not messages:
            system += words_of(message.content)
            continue
        role, blocks = _turn(message)
        if not blocks:
            continue
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += blocks
        else:
            messages.append({"role": role, "content": blocks})
    return Conversation(system, messages)


def _turn(message: Said) -> tuple[str, list[Block]]:
    match message.role:
        case "user":
            return "user", blocks_of(message.content)
        case "assistant":
            return "assistant", _answer(message)
        case "tool":
            return "user", [_result(message)]
        case "function":
            raise InvalidRequest("Messages of the role `function` are not supported. Use tools and the role `tool`.")
        case _:
            return "system", words_of(message.content)


def _answer(message: Said) -> list[Block]:
    """What it thought is left out: such clients send it back without its signature, and who signs takes no other."""
    blocks = words_of(message.content)
    blocks += [text_block(message.refusal)] if message.refusal else []
    return blocks + [_call(call) for call in message.tool_calls or ()]


def _call(call: Call) -> Block:
    if call.function is None:
        raise InvalidRequest(f"The request body has a tool call of type {call.type!r}, which is not supported.")
    return {"type": "tool_use", "id": call.id, "name": call.function.name, "input": _input(call.function.arguments)}


def _input(arguments: str | None) -> Any:
    """The arguments as they are written. Those that are no JSON object, which a model may have written, are one in it:
    the Messages API takes nothing else."""
    if not arguments or not arguments.strip():
        return {}
    written = arguments.encode("utf-8", "surrogatepass")
    return {"arguments": arguments} if top_level(written) is None else msgspec.Raw(written)


def _result(message: Said) -> Block:
    if message.tool_call_id is None:
        raise InvalidRequest("The request body has a message of the role `tool` without a tool_call_id.")
    blocks = blocks_of(message.content)
    return {"type": "tool_result", "tool_use_id": message.tool_call_id, **({"content": blocks} if blocks else {})}
