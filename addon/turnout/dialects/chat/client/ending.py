"""Why an answer ended, and what it has cost, in OpenAI's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_REASONS = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""All others are the end of a turn."""


def finish_reason(stop_reason: str | None) -> str:
    return _REASONS.get(stop_reason or "", "stop")


def usage_of(counts: Mapping[str, int]) -> dict[str, Any]:
    """The usage of Chat Completions, whose prompt holds what came from the cache and what went into it.

    `counts` are those of a message, by name.
    """
    read, written = counts.get("cache_read_input_tokens", 0), counts.get("cache_creation_input_tokens", 0)
    prompt, completion = counts.get("input_tokens", 0) + read + written, counts.get("output_tokens", 0)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
