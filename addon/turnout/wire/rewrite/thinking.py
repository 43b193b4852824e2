"""Thinking, effort and `max_tokens`: what one generation of models calls adaptive, another wants as a budget.

Rules of Anthropic: https://docs.claude.com/en/docs/build-with-claude/extended-thinking and …/adaptive-thinking.
"""

from __future__ import annotations

from typing import Any

from turnout.settings.rewriting import Rewrite
from turnout.wire.rewrite.betas import header_for
from turnout.wire.rewrite.document import Document
from turnout.wire.rewrite.generation import (
    FIRST_ADAPTIVE,
    FIRST_ONLY_ADAPTIVE,
    FIRST_WITH_THINKING,
    generation,
)
from turnout.wire.rewrite.subject import Subject

ROOM_TO_ANSWER = 1024
"""Tokens that `max_tokens` leaves beside the budget (E10)."""
BUDGETS = {"low": 8000, "medium": 16000, "high": 32000, "xhigh": 32000, "max": 32000}
"""Budget in tokens for an effort (E9)."""
DEFAULT_BUDGET = 16000
"""For adaptive thinking without an effort."""
INTERLEAVED_BETA = "interleaved-thinking-2025-05-14"
_SAMPLING = ("temperature", "top_p", "top_k")
_DISPLAYS = ("summarized", "omitted")


def think_as_asked(document: Document, rules: Rewrite, subject: Subject) -> tuple[str, ...]:
    """Thinking for a `-reasoning-…` name; what the client says itself wins. The betas this needs."""
    effort = subject.effort
    known = generation(subject.model)
    if effort is None or "thinking" in document or "effort" in document.table("output_config"):
        return ()
    if _forces_tool(document) or (known is not None and known < FIRST_WITH_THINKING):
        return ()
    document.note(f"thinking {effort}")
    betas: tuple[str, ...] = (INTERLEAVED_BETA,)
    if known is None or known >= FIRST_ADAPTIVE:
        document.put("thinking", {"type": "adaptive"})
        document.set(("output_config", "effort"), effort)
        betas += header_for("output_config.effort")
    else:
        document.put("thinking", {"type": "enabled", "budget_tokens": BUDGETS[effort]})
    if "budget_tokens" in document.table("thinking") or rules.thinking.get("adaptive") == "enabled":
        _raise_max_tokens(document, BUDGETS[effort])
    _drop_sampling(document)
    return betas


def _forces_tool(document: Document) -> bool:
    return document.table("tool_choice").get("type") in ("any", "tool")


def _raise_max_tokens(document: Document, budget: int) -> None:
    sent, needed = document.value("max_tokens"), budget + ROOM_TO_ANSWER
    if _is_count(sent) and sent < needed:
        document.put("max_tokens", needed)
        document.note(f"max_tokens {sent}→{needed}")


def _drop_sampling(document: Document) -> None:
    """Thinking does not go with a temperature of the client's."""
    for name in _SAMPLING:
        if name in document:
            document.remove(name)
            document.note(f"drop {name}")


def fit_thinking(document: Document, rules: Rewrite, subject: Subject) -> tuple[str, ...]:
    """Make thinking, effort and max_tokens what the target takes. The betas this needs."""
    _limit_max_tokens(document, rules)
    thinking = document.value("thinking")
    if not isinstance(thinking, dict):
        return ()
    mode = str(thinking.get("type"))
    action = _action(mode, rules, subject)
    betas: tuple[str, ...] = ()
    if action == "drop":
        document.remove("thinking")
        document.note(f"thinking {mode} dropped")
        return ()
    if action is not None and action != mode:
        betas = _convert(document, thinking, mode, action)
        document.note(f"thinking {mode}→{action}")
    return betas


def _action(mode: str, rules: Rewrite, subject: Subject) -> str | None:
    if mode in rules.thinking:
        return _destination(mode, rules)
    if rules.thinking or (subject.model == subject.client_model and subject.effort is None):
        return None  # the provider's table, or the client, knows better what the model takes than its name tells
    known = generation(subject.model)
    if known is None:
        return None
    if mode == "adaptive" and known < FIRST_ADAPTIVE:
        return "enabled" if known >= FIRST_WITH_THINKING else "drop"
    if mode == "enabled":
        return "adaptive" if known >= FIRST_ONLY_ADAPTIVE else "drop" if known < FIRST_WITH_THINKING else None
    return None


def _destination(mode: str, rules: Rewrite) -> str | None:
    """What the rules make of a mode, and of what they have made of it: no mode is made one that is refused as well."""
    known = {str(name): str(action) for name, action in rules.thinking.items()}
    way = [mode]
    while (made := known.get(way[-1], "keep")) not in ("keep", *way):
        way.append(made)
    if made == mode and len(way) > 1:  # a ring: two modes that are to be exchanged
        return way[1]
    return way[-1] if len(way) > 1 else None


def _convert(document: Document, thinking: dict[str, Any], mode: str, action: str) -> tuple[str, ...]:
    effort = document.table("output_config").get("effort")
    display = {"display": thinking["display"]} if thinking.get("display") in _DISPLAYS else {}
    if action == "enabled":
        budget = BUDGETS.get(str(effort), DEFAULT_BUDGET) if mode == "adaptive" else DEFAULT_BUDGET
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


def limit_budget(document: Document, rules: Rewrite) -> None:
    """A budget that leaves room to answer; thinking goes where there is none for it.

    What the client sent and no rule has touched is between it and the provider.
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
    room = most - ROOM_TO_ANSWER if isinstance(most, int) else wanted  # token counts are asked without max_tokens
    fitting = min(wanted, room, rules.thinking_budget or wanted)
    if fitting < least:
        document.remove("thinking")
        document.note("thinking dropped")
    elif fitting != budget:
        document.put("thinking", {**thinking, "budget_tokens": fitting})
        document.note(f"budget_tokens {budget}→{fitting}")


def fit_effort(document: Document, subject: Subject) -> None:
    """Older models refuse the effort that the model the client asked for takes; Opus 4.5 was the first to know it."""
    known = generation(subject.model)
    if subject.model == subject.client_model or known is None or known >= FIRST_ADAPTIVE:
        return
    if "opus-4-5" not in subject.model and document.drop(("output_config", "effort")):
        document.note("drop output_config.effort")


def fit_sampling(document: Document, subject: Subject) -> None:
    """Newer models refuse the sampling parameters that the model the client asked for still took."""
    known, asked = generation(subject.model), generation(subject.client_model)
    if known is not None and known >= FIRST_ONLY_ADAPTIVE and asked is not None and asked < FIRST_ONLY_ADAPTIVE:
        _drop_sampling(document)


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
