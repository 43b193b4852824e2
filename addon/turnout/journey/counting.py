"""Token counts that Turnout gives itself, for providers that do not count."""

from __future__ import annotations

import asyncio

from turnout.exchange import Exchange, LocalAnswer
from turnout.gate.local import json_answer
from turnout.wire.counting import TOKENIZER, count

ESTIMATE_HEADER = "x-turnout-estimate"
"""Marks a count that is not the provider's own; its value names the tokenizer."""


async def estimated_count(exchange: Exchange) -> LocalAnswer:
    """The answer of `count_tokens`, estimated in a thread: a tokenizer takes its time over a megabyte."""
    tokens = await asyncio.to_thread(count, exchange.request.fields)
    exchange.ending = f"estimated {tokens} tokens"
    return json_answer({"input_tokens": tokens}, headers={ESTIMATE_HEADER: TOKENIZER})
