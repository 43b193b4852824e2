"""Why an answer ended, what it has cost, and why there is none, in OpenAI's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnout.errors import error_body
from turnout.wire.splice import json_object

_REASONS = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""All others are the end of a turn."""


_ERRORS: Mapping[str, tuple[str, str | None]] = {
    "authentication_error": ("invalid_request_error", "invalid_api_key"),
    "permission_error": ("invalid_request_error", "permission_denied"),
    "not_found_error": ("invalid_request_error", "model_not_found"),
    "request_too_large": ("invalid_request_error", "request_too_large"),
    "rate_limit_error": ("rate_limit_error", "rate_limit_exceeded"),
    "billing_error": ("insufficient_quota", "insufficient_quota"),
    "overloaded_error": ("server_error", "overloaded"),
    "timeout_error": ("server_error", "timeout"),
    "api_error": ("server_error", None),
}
"""Type and code for each of Anthropic's types (https://platform.openai.com/docs/guides/error-codes)."""
_TOO_LONG = "prompt is too long"


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


def error_of(body: bytes) -> bytes | None:
    """An error of the Messages API as one of OpenAI's; None for what is none."""
    told = json_object(body) if b'"error"' in body else None
    error = told.get("error") if told is not None and told.get("type") == "error" else None
    if not isinstance(error, dict):
        return None
    kind, message = str(error.get("type", "")), str(error.get("message", ""))
    type, code = _ERRORS.get(kind, (kind or "server_error", None))
    if _TOO_LONG in message:
        code = "context_length_exceeded"
    more = {name: value for name, value in error.items() if name not in ("type", "message", "code", "param")}
    return error_body("openai", type, message, code=code, details=more)
