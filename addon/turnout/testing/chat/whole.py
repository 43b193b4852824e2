"""A chat completion in one piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from turnout.testing.chat.script import Call, Part, Text, Thought, Usage
from turnout.testing.chat.signing import sealed_text, signed_call, signed_text
from turnout.testing.chat.style import Style, call_ids
from turnout.testing.wire import RecordedRequest

CREATED = 1_790_000_000
"""Seconds since 1970, in the autumn of 2026."""


def whole(parts: Sequence[Part], finish: str | None, usage: Usage, style: Style, request: RecordedRequest) -> Any:
    """The JSON of `chat.completion`."""
    message: dict[str, Any] = {"role": "assistant", "content": _content(parts, style) or None}
    message |= _thoughts([part for part in parts if isinstance(part, Thought)], style)
    calls = tool_calls(parts, style, request)
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish or usual_finish(parts, style)}
    start = head("chat.completion", request)
    return {**start, "choices": [choice], "usage": counts(usage, style), **style.beside}


def head(kind: str, request: RecordedRequest) -> dict[str, Any]:
    """What every object of an answer begins with."""
    return {"id": "chatcmpl-scripted", "object": kind, "created": CREATED, "model": request.model}


def usual_finish(parts: Sequence[Part], style: Style) -> str:
    """The finish reason of an answer that nothing cut short."""
    return style.calls_end if any(isinstance(part, Call) for part in parts) else "stop"


def counts(usage: Usage, style: Style) -> dict[str, Any]:
    """The object `usage`."""
    result: dict[str, Any] = {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }
    if style.counts_hits:
        result["prompt_cache_hit_tokens"] = usage.cached
        result["prompt_cache_miss_tokens"] = usage.prompt - usage.cached
    return result


def tool_calls(parts: Sequence[Part], style: Style, request: RecordedRequest) -> list[dict[str, Any]]:
    """The calls of an answer, complete."""
    calls = [part for part in parts if isinstance(part, Call)]
    result: list[dict[str, Any]] = []
    for call, told in zip(calls, call_ids(style, request, [call.name for call in calls]), strict=True):
        function = {"name": call.name, "arguments": call.text}
        entry = {"id": told if call.id is None else call.id, "type": "function", "function": function}
        if style.signs_calls and not result:
            entry["extra_content"] = {"google": {"thought_signature": signed_call(call.name, call.arguments)}}
        result.append(entry)
    return result


def detail(thought: Thought, index: int) -> dict[str, Any]:
    """An element of `reasoning_details`, complete."""
    if thought.encrypted:
        known = {"type": "reasoning.encrypted", "data": sealed_text(thought.text), "id": f"rs_scripted{index}"}
        return {**known, "format": "openai-responses-v1", "index": index}
    signature = signed_text(thought.text)
    known = {"type": "reasoning.text", "text": thought.text, "signature": signature}
    return {**known, "format": "anthropic-claude-v1", "index": index}


def unsigned_detail(text: str) -> dict[str, Any]:
    """An element of MiniMax's `reasoning_details`, or a piece of it."""
    known = {"type": "reasoning.text", "id": "reasoning-text-1", "format": "MiniMax-response-v1", "index": 0}
    return {**known, "text": text}


def in_tags(thought: str) -> str:
    """A thought that stands in the text."""
    return f"<think>\n{thought}\n</think>\n\n"


def _content(parts: Sequence[Part], style: Style) -> str:
    said = ""
    for part in parts:
        if isinstance(part, Text):
            said += part.text
        elif isinstance(part, Thought) and style.reasoning == "think":
            said += in_tags(part.text)
    return said


def _thoughts(thoughts: list[Thought], style: Style) -> dict[str, Any]:
    if not thoughts or style.reasoning in ("think", "none"):
        return {}
    text = "".join(thought.text for thought in thoughts if not thought.encrypted)
    if style.reasoning == "unsigned":
        return {"reasoning_content": text, "reasoning_details": [unsigned_detail(text)]}
    if style.reasoning != "reasoning_details":
        return {style.reasoning: text}
    details = [detail(thought, index) for index, thought in enumerate(thoughts)]
    return {"reasoning": text or None, "reasoning_details": details}
