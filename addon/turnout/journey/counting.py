"""Token counts that Turnout gives itself, for providers that do not count, and how often it speaks of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from turnout.dialects.messages.counting import TOKENIZER, count
from turnout.exchange import Exchange, LocalAnswer, json_answer

ESTIMATE_HEADER = "x-turnout-estimate"
"""Marks a count that is not the provider's own; its value names the tokenizer."""

QUIET = 60.0
"""Seconds in which one line of log speaks for all counts that ended alike: Claude Code asks for 27 at once."""

_MOST_REMEMBERED = 100


class Uncounted:
    """Which counts that no provider gave have been told of."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[tuple[str, int], float] = {}

    def is_news(self, exchange: Exchange, status: int, *, served: bool) -> bool:
        """Whether the end of an exchange is worth a line: not when a count ended like another one just before.

        `served`: a provider has answered it, if only with an error.
        """
        if exchange.endpoint != "count_tokens" or (served and status < 400):
            return True
        now, key = self._clock(), (", ".join(map(str, exchange.plan)), status)
        last = self._told.get(key)
        if last is not None and now - last < QUIET:
            return False
        if len(self._told) >= _MOST_REMEMBERED:
            self._told.clear()
        self._told[key] = now
        return True


async def estimated_count(exchange: Exchange) -> LocalAnswer:
    """The answer of `count_tokens`, estimated in a thread: a tokenizer takes its time over a megabyte."""
    tokens = await asyncio.to_thread(count, exchange.request.fields)
    exchange.ending = f"estimated {tokens} tokens"
    return json_answer({"input_tokens": tokens}, headers={ESTIMATE_HEADER: TOKENIZER})
