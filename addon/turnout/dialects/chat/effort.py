"""How much to think, in the words of Chat Completions."""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from turnout.settings.chat import ChatForm, Effort

_SCALE: tuple[Effort, ...] = get_args(Effort)
_OFF = frozenset(("disabled", "between_tools"))
_BY_BUDGET: tuple[tuple[int, Effort], ...] = ((4096, "high"), (2048, "medium"), (1024, "low"))
"""The smallest `budget_tokens` of an effort; the thresholds of litellm, which others have taken over."""
_WITHOUT_BUDGET = -1
"""llama.cpp: as many tokens as the model likes."""
_SMALLER: Effort = "minimal"
_ADAPTIVE: Effort = "medium"


class Thinking(msgspec.Struct):
    """The field `thinking` of a request."""

    type: str
    budget_tokens: int | None = None

    @property
    def off(self) -> bool:
        return self.type in _OFF


def thinking_fields(thinking: Thinking | None, effort: str | None, form: ChatForm) -> dict[str, Any]:
    """What says how much to think; nothing where the client says nothing. `effort`: `output_config.effort`.

    Thinking that is turned off stays off, whatever the effort: at Anthropic an effort means the answer as well, here
    it would turn thinking on again. A switch says so alone: beside it no effort means anything, and some are refused.
    """
    fields = {} if thinking is None else _switched(thinking, form)
    if fields and thinking is not None and thinking.off:
        return fields
    told = _effort(thinking, effort, form.efforts)
    return fields if told is None else {"reasoning_effort": told, **fields}


def _switched(thinking: Thinking, form: ChatForm) -> dict[str, Any]:
    """What turns thinking on or off; nothing where there is no such switch."""
    if form.thinking_switch == "none":
        return {}
    if form.thinking_switch == "thinking":
        return {"thinking": {"type": "disabled" if thinking.off else "enabled"}}
    budget = None if thinking.off else thinking.budget_tokens
    if form.thinking_switch == "thinking_budget_tokens":
        return {"thinking_budget_tokens": 0 if thinking.off else budget or _WITHOUT_BUDGET}
    return {"enable_thinking": not thinking.off, **({} if budget is None else {"thinking_budget": budget})}


def _effort(thinking: Thinking | None, effort: str | None, efforts: tuple[Effort, ...]) -> Effort | None:
    if thinking is not None and thinking.off:
        return next((least for least in _SCALE[:2] if least in efforts), None)
    if effort in _SCALE:
        return _nearest(effort, efforts)
    if thinking is None:
        return None
    budget = thinking.budget_tokens
    wanted = _ADAPTIVE if budget is None else _by(budget)
    return _nearest(wanted, efforts)


def _by(budget: int) -> Effort:
    return next((effort for least, effort in _BY_BUDGET if budget >= least), _SMALLER)


def _nearest(wanted: Effort, efforts: tuple[Effort, ...]) -> Effort | None:
    """Of two that are as near the stronger. To think a little is not to think not at all."""
    place = _SCALE.index(wanted)
    some = [effort for effort in efforts if effort != "none" or wanted == "none"]
    return min(some, key=lambda effort: (abs(_SCALE.index(effort) - place), -_SCALE.index(effort)), default=None)
