"""What an answer has cost: the token counts in a message, and in the events of a stream."""

from __future__ import annotations

from itertools import islice
from typing import Any

import msgspec

from turnout.dialects.messages.reply import is_count
from turnout.wire.splice import UNREADABLE


class Facts(msgspec.Struct):
    """What is read of an event's data or of a whole message; all else is skipped. Foreign, so of any type."""

    type: Any = None
    message: Any = None
    delta: Any = None
    usage: Any = None


_FACTS = msgspec.json.Decoder(Facts)


def facts_of(data: bytes) -> Facts | None:
    try:
        return _FACTS.decode(data)
    except UNREADABLE:
        return None


def read_usage(body: bytes) -> dict[str, int]:
    """The token counts of a complete JSON message, named as in `MessageStream.usage`; {} for anything else."""
    facts = facts_of(body)
    return counts_of(facts.usage) if facts is not None and facts.type == "message" else {}


MOST_COUNTS = 40
_LONGEST_COUNT_NAME = 80


def counts_of(usage: object) -> dict[str, int]:
    """Anthropic has about ten counts; there is no end to the names that others may invent."""
    counts: dict[str, int] = {}
    if isinstance(usage, dict):
        for name, value in usage.items():
            members = {f"{name}.{inner}": count for inner, count in value.items()} if isinstance(value, dict) else {}
            counts |= {key: count for key, count in (members or {name: value}).items() if is_count(count)}
    short = ((name, count) for name, count in counts.items() if len(name) <= _LONGEST_COUNT_NAME)
    return dict(islice(short, MOST_COUNTS))
