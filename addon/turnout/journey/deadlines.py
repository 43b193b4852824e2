"""How long an attempt may take until its answer begins, and until it says something."""

from __future__ import annotations

import math
from dataclasses import dataclass

from turnout.settings.model import Timeouts

HASTE = 30.0
"""Seconds to the first sign of life where another target can answer: of a hundred that a client may be ready to wait,
the other one gets most. Anthropic sends `message_start` and a ping as soon as it has read the prompt."""
HASTE_PER_BYTE = 30.0 / 10**6
"""More for a long prompt: a megabyte is about 250,000 tokens, and 8,000 a second are read where nothing is cached."""
MOST_HASTE = 60.0

NEXT_SIGN = 60.0
"""Seconds from one sign of life to the next, where another target can answer. Gateways send theirs every 10 to 30, the
official one every 15."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """All in seconds."""

    answer: float
    """From the sent request to the first sign of life, or to the end of an answer that is not streamed."""
    sign: float
    """From one sign of life to the next, until the answer begins."""
    start: float
    """From the sent request to the beginning of the answer, whatever signs of life there are."""
    content: float
    """Longest silence of an answer that has begun, until it says something."""
    word: float
    """From its beginning to its first word, however much it pings."""
    idle: float
    """Longest silence after that."""
    ping_after: float


def deadlines(timeouts: Timeouts, *, stream: bool, size: int, others: bool) -> Deadlines:
    """What fits the plan, and what the user has set in any case.

    `size`: bytes of the request. `others`: another target can answer if this one does not. The last one gets the time
    that clients give, 600 s for an answer to begin; of an answer that has begun they are told by pings, so that a model
    may think for as long as its provider gives signs of life: to give up would gain nothing.
    """
    first, idle, whole = timeouts.first_event, timeouts.idle, timeouts.request
    given = timeouts.model_fields_set
    hurry = others and stream
    answer, sign, content = first if stream else whole, max(first, idle), max(first, idle)
    if hurry:
        answer, sign = min(first, MOST_HASTE, float(round(HASTE + size * HASTE_PER_BYTE))), NEXT_SIGN
        content = min(idle, max(NEXT_SIGN, answer))
    if "first_event" in given and stream:
        answer, sign, content = first, first, max(first, content)
    if "idle" in given:
        sign, content = min(sign, idle), idle
    start = whole / 2 if hurry and "request" not in given else whole
    return Deadlines(
        answer=answer,
        sign=sign,
        start=max(start, answer),
        content=content,
        word=whole if hurry else math.inf,
        idle=idle,
        ping_after=timeouts.ping_after,
    )
