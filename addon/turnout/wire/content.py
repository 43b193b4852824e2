"""What an event means for an answer that has begun: a word of it, its failure, or only that there will be one."""

from __future__ import annotations

import msgspec

from turnout.wire.splice import UNREADABLE
from turnout.wire.sse import Event

_ABOUT_THE_BLOCK = frozenset(("type", "id", "name", "caller"))
"""What a block is announced with. A tool that is named without its input cannot be run yet; tool results, whole
thinking and blocks of kinds to come have members beside these."""


class _Said(msgspec.Struct):
    type: object = None
    content_block: object = None
    delta: object = None
    error: object = None


_SAID = msgspec.json.Decoder(_Said)


def is_error(event: Event) -> bool:
    """Whether an event tells of a failure: by its name or, where it has none, by what it holds."""
    if event.name:
        return event.name == "error"
    try:
        said = _SAID.decode(event.data)
    except UNREADABLE:
        return False
    return said.type == "error" or bool(said.error)


def says_something(event: Event) -> bool:
    """Whether a client that has seen this event has seen something of the answer.

    It has not with the start of the message, pings, starts of blocks that are still empty, empty deltas, ends of
    blocks, and events that nobody knows. The end of the message says that there is no more: also a word.
    """
    try:
        said = _SAID.decode(event.data)
    except UNREADABLE:
        return False
    name = event.name or said.type
    delta = said.delta if isinstance(said.delta, dict) else {}
    if name == "content_block_start":
        block = said.content_block if isinstance(said.content_block, dict) else {}
        return any(value for member, value in block.items() if member not in _ABOUT_THE_BLOCK)
    if name == "content_block_delta":
        return any(value for member, value in delta.items() if member != "type")
    return name == "message_stop" or (name == "message_delta" and bool(delta.get("stop_reason")))
