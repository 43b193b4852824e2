"""What single models of Anthropic's refuse, as its documentation and the catalogue in Claude Code say.

Told a second time, apart from the data that rewriting works with: a mistake there has to show.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_GENERATION = re.compile(r"claude-[a-z]+-(\d{1,2})(?:-(\d{1,2}))?(?!\d)")
_ALWAYS_THINKS = re.compile(r"claude-(?:(?:haiku|sonnet|opus)-5-5|fable-5|mythos-5)")
_DEFAULTS = {"temperature": 1, "top_p": 1, "top_k": None}


def generation(model: str) -> tuple[int, int] | None:
    """(4, 5) for claude-haiku-4-5-20251001; None for names that are not Claude's."""
    found = _GENERATION.match(model)
    return (int(found[1]), int(found[2] or 0)) if found else None


def model_violation(body: dict[str, Any], version: str) -> str | None:
    """The first thing that the model of the body refuses, in Anthropic's words."""
    known = generation(body["model"])
    return next(_violations(body, known, version), None) if known else None


def _violations(body: dict[str, Any], known: tuple[int, int], version: str) -> Iterator[str]:
    model, most = body["model"], 64_000 if known <= (4, 5) else 128_000
    if body["max_tokens"] > most:
        yield f"max_tokens: {body['max_tokens']} > {most}, which is the maximum allowed number of output tokens"
    yield from _of_thinking(body, known)
    efforts = {"low", "medium", "high"} if known < (4, 6) else {"low", "medium", "high", "max"}
    effort = (body.get("output_config") or {}).get("effort")
    if effort is not None and known <= (4, 5) and "opus-4-5" not in model:
        yield "This model does not support the effort parameter"
    if effort is not None and effort not in (efforts if known < (4, 7) else efforts | {"max", "xhigh"}):
        yield f"output_config.effort: {effort} is not supported by this model"
    if known >= (4, 6) and body["messages"][-1].get("role") == "assistant":
        yield ("This model does not support assistant message prefill. The conversation must end with a user message.")
    for name in _DEFAULTS:
        if name in body and (version >= "2026-10-21" or (known >= (4, 7) and body[name] != _DEFAULTS[name])):
            yield f"`{name}` is not supported"


def _of_thinking(body: dict[str, Any], known: tuple[int, int]) -> Iterator[str]:
    kind = (body.get("thinking") or {}).get("type")
    always = _ALWAYS_THINKS.match(body["model"]) is not None
    if kind == "adaptive" and known < (4, 6):
        yield "adaptive thinking is not supported on this model"
    if kind == "enabled" and known >= (4, 7):
        yield (
            '"thinking.type.enabled" is not supported for this model. '
            'Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
        )
    if kind == "disabled" and always:
        yield (
            '"thinking.type.disabled" is not supported for this model. '
            'Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
        )
    effort = (body.get("output_config") or {}).get("effort")
    if kind == "disabled" and "opus-5" in body["model"] and effort in ("xhigh", "max"):
        yield '"thinking.type.disabled" is not supported at this effort'
    if kind == "between_tools" and "sonnet-5-5" not in body["model"]:
        yield '"thinking.type.between_tools" is not supported for this model.'
    if always and (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
        yield "Thinking may not be enabled when tool_choice forces tool use."
