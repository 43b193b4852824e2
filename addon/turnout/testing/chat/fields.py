"""The fields of a Chat Completions request.

Sources: the request types of OpenAI's SDK (3.57); what each vendor adds, its documentation.
"""

from __future__ import annotations

CLASSIC = frozenset(
    ("model", "messages", "max_tokens", "temperature", "top_p", "n", "stop", "stream", "stream_options", "user")
    + ("presence_penalty", "frequency_penalty", "logit_bias", "seed", "response_format")
    + ("tools", "tool_choice", "parallel_tool_calls")
)
"""The API of 2024, before reasoning models changed it; most compatible servers were written for it."""

CURRENT = CLASSIC | frozenset(
    ("max_completion_tokens", "reasoning_effort", "audio", "logprobs", "top_logprobs", "metadata", "modalities")
    + ("moderation", "prediction", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention")
    + ("safety_identifier", "service_tier", "store", "verbosity", "web_search_options", "function_call", "functions")
)

MESSAGE_FIELDS: dict[str, frozenset[str]] = {
    "system": frozenset(("role", "content")),
    "developer": frozenset(("role", "content")),
    "user": frozenset(("role", "content")),
    "assistant": frozenset(("role", "content", "tool_calls")),
    "tool": frozenset(("role", "content", "tool_call_id")),
}

PART_FIELDS: dict[str, frozenset[str]] = {
    "text": frozenset(("text",)),
    "refusal": frozenset(("refusal",)),
    "image_url": frozenset(("image_url",)),
    "input_audio": frozenset(("input_audio",)),
    "file": frozenset(("file",)),
}
"""By type, beside the type."""

TEXT_ALONE: dict[str, tuple[str, ...]] = {
    "system": ("text",),
    "developer": ("text",),
    "user": ("text",),
    "assistant": ("text",),
    "tool": ("text",),
}
"""The types of parts by role."""

WITH_IMAGES = {**TEXT_ALONE, "user": ("text", "image_url")}
EVERY_PART = {
    **TEXT_ALONE,
    "user": ("text", "image_url", "input_audio", "file"),
    "assistant": ("text", "refusal"),
}


def with_fields(role: str, *names: str) -> dict[str, frozenset[str]]:
    """The fields of messages, with more of them in those of one role."""
    return {**MESSAGE_FIELDS, role: MESSAGE_FIELDS[role] | set(names)}


REASONING_CONTENT = with_fields("assistant", "reasoning_content")
