"""Why an answer ended, and what it has cost, in Anthropic's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnout.dialects.messages.reply import OPENAI_REASONS, is_count

FAILURES = frozenset(("error", "network_error", "insufficient_system_resource"))
"""Reasons that tell of a failure: OpenRouter, Z.AI, DeepSeek."""

_REASONS = {
    **OPENAI_REASONS,
    "max_tokens": "max_tokens",
    "repetition_truncation": "max_tokens",
    "tool_use": "tool_use",
    "sensitive": "refusal",
    "refusal": "refusal",
    "stop_sequence": "stop_sequence",
    "model_context_window_exceeded": "model_context_window_exceeded",
}
"""All others (`stop`, `end_turn`, `eos`) are the end of a turn."""


def stop_reason(told: str, *, called: bool, refused: bool) -> str:
    """Anthropic's `stop_reason` for a `finish_reason`; "" for an answer whose provider gave none.

    Some servers tell `stop` of an answer that calls tools, some `tool_calls` of one that calls none.
    """
    reason = _REASONS.get(told.lower(), "end_turn")
    if reason in ("end_turn", "tool_use", "stop_sequence"):
        if called:
            return "tool_use"
        if refused:
            return "refusal"
        return "stop_sequence" if reason == "stop_sequence" else "end_turn"
    return reason


def counts_of(usage: Mapping[str, Any]) -> dict[str, int]:
    """Anthropic's counts, as far as the provider tells them. Its input is without what the cache gave and took."""
    prompt, output = _count(usage, "prompt_tokens"), _output(usage)
    within = _within(usage, "prompt_tokens_details")
    # The second is DeepSeek's, the third Moonshot's.
    read = _first(
        _count(within, "cached_tokens"), _count(usage, "prompt_cache_hit_tokens"), _count(usage, "cached_tokens")
    )
    written = _count(within, "cache_write_tokens")
    counts = {
        "input_tokens": None if prompt is None else max(0, prompt - (read or 0) - (written or 0)),
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "output_tokens": output,
    }
    return {name: count for name, count in counts.items() if count is not None}


def _output(usage: Mapping[str, Any]) -> int | None:
    """All that was written. xAI counts what was thought apart from `completion_tokens`, and in the total (its docs on
    consumption); everybody else counts it among them."""
    output = _count(usage, "completion_tokens")
    thought = _count(_within(usage, "completion_tokens_details"), "reasoning_tokens")
    if output is None or not thought:
        return output
    apart = _count(usage, "total_tokens") == (_count(usage, "prompt_tokens") or 0) + output + thought
    return output + thought if apart else output


def _within(usage: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    details = usage.get(name)
    return details if isinstance(details, dict) else {}


def _count(usage: Mapping[str, Any], name: str) -> int | None:
    count = usage.get(name)
    return count if is_count(count) else None


def _first(*counts: int | None) -> int | None:
    return next((count for count in counts if count is not None), None)
