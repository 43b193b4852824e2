"""What an event means for an answer that has begun: a word of it, or only that there will be one."""

from __future__ import annotations

import msgspec

from turnout.dialects.messages.events import Recognised
from turnout.wire.splice import UNREADABLE

_ABOUT_THE_BLOCK = frozenset(("type", "id", "name", "caller"))
"""What a block is announced with. A tool that is named without its input cannot be run yet; tool results, whole
thinking and blocks of kinds to come have members beside these."""


class _Said(msgspec.Struct):
    content_block: object = None
    delta: object = None


_SAID = msgspec.json.Decoder(_Said)


def says_something(event: Recognised) -> bool:
    """Whether a client that has seen this event has seen something of the answer.

    It has not with the start of the message, pings, starts of blocks that are still empty, empty deltas, ends of
    blocks, and events that nobody knows. The end of the message says that there is no more: also a word.
    """
    try:
        said = _SAID.decode(event.data)
    except UNREADABLE:
        return False
    delta = said.delta if isinstance(said.delta, dict) else {}
    if event.kind == "content_block_start":
        block = said.content_block if isinstance(said.content_block, dict) else {}
        return any(value for member, value in block.items() if member not in _ABOUT_THE_BLOCK)
    if event.kind == "content_block_delta":
        return any(value for member, value in delta.items() if member != "type")
    return event.kind == "message_stop" or (event.kind == "message_delta" and bool(delta.get("stop_reason")))
