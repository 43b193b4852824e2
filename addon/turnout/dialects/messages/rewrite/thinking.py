"""Thinking, effort and `max_tokens`: what one generation of models calls adaptive, another wants as a budget.

Rules of Anthropic: https://docs.claude.com/en/docs/build-with-claude/extended-thinking and …/adaptive-thinking.
"""

from __future__ import annotations

from typing import Any

from turnout.dialects.messages.rewrite.betas import header_for
from turnout.dialects.messages.rewrite.document import Document
from turnout.dialects.messages.rewrite.moving import Move, drop_sampling
from turnout.dialects.messages.rewrite.subject import Subject
from turnout.settings.claude import claude
from turnout.settings.rewriting import Rewrite

ROOM_TO_ANSWER = 1024
"""Tokens that `max_tokens` leaves beside the budget (E10)."""
BUDGETS = {"low": 8000, "medium": 16000, "high": 32000, "xhigh": 32000, "max": 32000}
"""Budget in tokens for an effort (E9)."""
DEFAULT_BUDGET = 16000
"""For adaptive thinking without an effort."""
INTERLEAVED_BETA = "interleaved-thinking-2025-05-14"
PROBE = 1
"""Nobody who asks for so little wants an answer: 0 warms a cache, 1 asks whether there is a model."""
_DISPLAYS = {"summarized": "summarized", "omitted": "omitted", "updates": "omitted"}
"""What Claude Code sends in the place of `updates`, which only adaptive thinking is known to have, when it may not."""
_WITHOUT = ("disabled", "between_tools")


def think_as_asked(document: Document, rules: Rewrite, subject: Subject) -> tuple[str, ...]:
    """Thinking for a `-reasoning-…` name; what the client says itself wins. The betas this needs."""
    effort = subject.effort
    known = claude(subject.model)
    adaptive = known.rewrite.thinking.get("adaptive", "keep") if known is not None else "keep"
    if effort is None or "thinking" in document or "effort" in document.table("output_config"):
        return ()
    if _forces_tool(document) or adaptive == "drop":
        return ()
    document.note(f"thinking {effort}")
    betas: tuple[str, ...] = (INTERLEAVED_BETA,)
    if adaptive == "keep":
        document.put("thinking", {"type": "adaptive"})
        document.set(("output_config", "effort"), effort)
        betas += header_for("output_config.effort")
    else:
        document.put("thinking", {"type": "enabled", "budget_tokens": BUDGETS[effort]})
    if "budget_tokens" in document.table("thinking") or rules.thinking.get("adaptive") == "enabled":
        _raise_max_tokens(document, BUDGETS[effort], rules)
    drop_sampling(document)  # thinking does not go with those of the client
    return betas


def _forces_tool(document: Document) -> bool:
    return document.table("tool_choice").get("type") in ("any", "tool")


def _raise_max_tokens(document: Document, budget: int, rules: Rewrite) -> None:
    sent, needed = document.value("max_tokens"), budget + ROOM_TO_ANSWER
    needed = min(needed, rules.max_tokens or needed)
    if _is_count(sent) and PROBE < sent < needed:
        document.put("max_tokens", needed)
        document.note(f"max_tokens {sent}→{needed}")


def fit_thinking(document: Document, rules: Rewrite, move: Move) -> tuple[str, ...]:
    """Make thinking, effort and max_tokens what the target takes. The betas this needs."""
    _limit_max_tokens(document, rules)
    thinking = document.value("thinking")
    if not isinstance(thinking, dict):
        unasked = move.target is not None and move.target.thinks and not (move.asked is not None and move.asked.thinks)
        if unasked:
            _raise_max_tokens(document, BUDGETS["low"], rules)
        return ()
    mode = str(thinking.get("type"))
    action = _destination(mode, rules)
    if action is None:
        return ()
    if action == "drop":
        document.remove("thinking")
        document.note(f"thinking {mode} dropped")
        return _think_little(document, rules, move) if mode in _WITHOUT else ()
    betas = _convert(document, thinking, mode, action, move)
    document.note(f"thinking {mode}→{action}")
    return betas


def _destination(mode: str, rules: Rewrite) -> str | None:
    """What the rules make of a mode, and of what they have made of it: no mode is made one that is refused as well."""
    known = {str(name): str(action) for name, action in rules.thinking.items()}
    way = [mode]
    while (made := known.get(way[-1], "keep")) not in ("keep", *way):
        way.append(made)
    if made == mode and len(way) > 1:  # a ring: two modes that are to be exchanged
        return way[1]
    return way[-1] if len(way) > 1 else None


def _think_little(document: Document, rules: Rewrite, move: Move) -> tuple[str, ...]:
    """A model that always thinks is to answer nevertheless: as little thought as can be, and room for both."""
    _raise_max_tokens(document, BUDGETS["low"], rules)
    if move.target is None or "effort" in document.table("output_config"):
        return ()
    document.set(("output_config", "effort"), "low")
    return header_for("output_config.effort")


def _convert(document: Document, thinking: dict[str, Any], mode: str, action: str, move: Move) -> tuple[str, ...]:
    effort = document.table("output_config").get("effort")
    shown = _DISPLAYS.get(str(thinking.get("display")))
    display = {"display": shown} if shown else {}
    if action == "enabled":
        budget = BUDGETS.get(str(effort), DEFAULT_BUDGET) if mode == "adaptive" else DEFAULT_BUDGET
        if move.target is not None and move.target.budget is not None and effort != "low":
            budget = move.target.budget
        document.put("thinking", {"type": "enabled", "budget_tokens": budget, **display})
        return ()
    if action == "adaptive":
        document.put("thinking", {"type": "adaptive", **display})
        if effort is not None:
            return ()
        document.set(("output_config", "effort"), _effort(thinking.get("budget_tokens")))
        return header_for("output_config.effort")
    document.put("thinking", {"type": action})
    return ()


def _effort(budget: Any) -> str:
    """The effort whose budget comes nearest."""
    if not _is_count(budget):
        return "high"
    levels = ("low", "medium", "high")
    return min(levels, key=lambda level: abs(BUDGETS[level] - budget))


def _limit_max_tokens(document: Document, rules: Rewrite) -> None:
    sent = document.value("max_tokens")
    if rules.max_tokens is not None and _is_count(sent) and sent > rules.max_tokens:
        document.put("max_tokens", rules.max_tokens)
        document.note(f"max_tokens {sent}→{rules.max_tokens}")


def limit_budget(document: Document, rules: Rewrite, move: Move) -> None:
    """A budget that leaves room to answer; thinking goes where there is none for it.

    What the client sent and no rule has touched is between it and the provider. Anthropic's models get the budget that
    Claude Code sends them, one token below max_tokens.
    """
    bounded = rules.thinking or rules.thinking_budget or "least_thinking_budget" in rules.model_fields_set
    if not (bounded or document.differs("thinking") or document.differs("max_tokens")):
        return
    thinking, most = document.table("thinking"), document.value("max_tokens")
    budget = thinking.get("budget_tokens")
    if thinking.get("type") != "enabled" or not isinstance(budget, int):
        return
    least = rules.least_thinking_budget
    wanted = max(budget, least)
    usual = move.target is not None and isinstance(most, int) and budget < most
    # Token counts are asked without max_tokens.
    room = wanted if usual or not isinstance(most, int) else most - ROOM_TO_ANSWER
    fitting = min(wanted, room, rules.thinking_budget or wanted)
    if fitting < least:
        document.remove("thinking")
        document.note("thinking dropped")
    elif fitting != budget:
        document.put("thinking", {**thinking, "budget_tokens": fitting})
        document.note(f"budget_tokens {budget}→{fitting}")


def stop_thinking(document: Document) -> None:
    """Disable thinking on a budget for this request."""
    if document.table("thinking").get("type") == "enabled":
        document.put("thinking", {"type": "disabled"})
        document.note("thinking enabled→disabled")


def drop_idle_edits(document: Document) -> None:
    """Remove the context edits that are accepted only with thinking, where rules have taken that away."""
    if not document.differs("thinking") or document.table("thinking").get("type") in ("adaptive", "enabled"):
        return
    edits = document.table("context_management").get("edits")
    if not isinstance(edits, list):
        return
    kept = [edit for edit in edits if not (isinstance(edit, dict) and _is_about_thinking(edit))]
    if not kept:
        document.drop(("context_management",))
    elif len(kept) < len(edits):
        document.set(("context_management", "edits"), kept)


def _is_about_thinking(edit: dict[str, Any]) -> bool:
    return str(edit.get("type")).startswith("clear_thinking_")


def _is_count(value: Any) -> bool:
    return type(value) is int
