"""A request on its way from the model that the client asked for to another of Anthropic's.

It becomes what Claude Code would have sent that model: `settings/claude.toml` holds what each of them takes.
"""

from __future__ import annotations

from dataclasses import dataclass

from turnout.dialects.messages.rewrite.conversation import role, text_block
from turnout.dialects.messages.rewrite.document import Document
from turnout.dialects.messages.rewrite.subject import Subject
from turnout.settings.claude import Claude, claude
from turnout.settings.rewriting import Rewrite, overlaid

SAMPLING = ("temperature", "top_p", "top_k")
NO_SAMPLING_SINCE = "2026-10-21"
"""The `anthropic-version` from which on sampling parameters are refused, even at their defaults."""
GO_ON = "Go on exactly where your last message ends, and repeat nothing of it."
_TOO_HIGH = ("xhigh", "max")


@dataclass(frozen=True, slots=True)
class Move:
    """What is known of both models."""

    asked: Claude | None
    target: Claude | None
    """None for the very model that was asked for, and for others than Anthropic's."""


def move_of(subject: Subject) -> Move:
    same = subject.model == subject.client_model
    return Move(claude(subject.client_model), None if same else claude(subject.model))


def rules_towards(rules: Rewrite, move: Move) -> Rewrite:
    """The provider's rules over those of the model. What it says of thinking outranks what a name tells."""
    if move.target is None:
        return rules
    table = move.target.rewrite.model_dump(exclude_unset=True, exclude={"thinking"} if rules.thinking else None)
    result = overlaid(table, rules.model_dump(exclude_unset=True, exclude={"models"}))
    limits = [limit for limit in (rules.max_tokens, move.target.rewrite.max_tokens) if limit is not None]
    return result.model_copy(update={"max_tokens": min(limits)}) if limits else result


def fit_output(document: Document, move: Move) -> None:
    """Where the client asks for as much as its model usually gets, the target gets what is usual for that."""
    if move.target is None or move.asked is None or move.target.output is None or move.asked.output is None:
        return
    sent = document.value("max_tokens")
    if sent == move.asked.output > move.target.output:
        document.put("max_tokens", move.target.output)
        document.note(f"max_tokens {sent}→{move.target.output}")


def fit_sampling(document: Document, move: Move) -> None:
    """Newer models refuse the sampling parameters that the model the client asked for still took."""
    if move.target is not None and not move.target.sampling and (move.asked is None or move.asked.sampling):
        drop_sampling(document)


def drop_sampling(document: Document) -> None:
    for name in SAMPLING:
        if name in document:
            document.remove(name)
            document.note(f"drop {name}")


def fit_version(document: Document, subject: Subject) -> None:
    """Sampling parameters that a rule has set, for a client that speaks a version without them."""
    if subject.signs_as != "anthropic" or subject.version < NO_SAMPLING_SINCE:
        return
    for name in SAMPLING:
        if name in document and document.differs(name):
            document.remove(name)
            document.note(f"drop {name}")


def end_with_user(document: Document, move: Move) -> None:
    """Newer models refuse a conversation that ends with the beginning of their answer."""
    if move.target is None or move.target.prefill or (move.asked is not None and not move.asked.prefill):
        return
    messages = document.messages
    if messages and role(messages[-1]) == "assistant":
        document.messages = [*messages, {"role": "user", "content": [text_block(GO_ON)]}]
        document.note("prefill")


def fit_effort(document: Document, move: Move) -> None:
    """The effort that a model takes without thinking."""
    most = move.target.effort_without_thinking if move.target is not None else ""
    if not most or document.table("thinking").get("type") != "disabled":
        return
    if document.table("output_config").get("effort") in _TOO_HIGH:
        document.set(("output_config", "effort"), most)
        document.note(f"effort {most}")
