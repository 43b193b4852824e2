"""What to do about a request that a provider refused: leave out what it named, or pass the refusal on."""

from __future__ import annotations

import logging
from typing import Literal

from turnout.health.lessons import LIFETIME
from turnout.journey.candidates import context_length, has_larger
from turnout.journey.knowledge import Knowledge
from turnout.journey.state import Candidate, Journey
from turnout.wire.messages import estimate_tokens
from turnout.wire.refusal import Overflow, Refusal, SignatureRefused

logger = logging.getLogger("turnout")

MOST_CORRECTIONS = 16
"""In one exchange. Strict servers name one thing at a time; of what Claude Code sends, ten have been seen refused."""

Action = Literal["again", "next", "stop"]


def correct(journey: Journey, candidate: Candidate, refusal: Refusal, knowledge: Knowledge) -> Action:
    """Learn from a refusal. `again`: the same target gets the request without what it refused."""
    if isinstance(refusal, Overflow):
        return _make_room(journey, candidate, refusal)
    if journey.corrections >= MOST_CORRECTIONS:
        return "stop"
    if isinstance(refusal, SignatureRefused):
        if journey.only_own_thinking:
            return "stop"
        journey.only_own_thinking = True
    else:
        lessons = knowledge.learn(candidate.provider, journey.exchange.endpoint, candidate.model, refusal.lessons)
        if not lessons:
            return "stop"
        lines = tuple(lesson.line(candidate.model) for lesson in lessons)
        journey.exchange.learned += lines
        for line in lines:
            logger.warning(
                "%s refused a part of the request. For %d h this is in force: [providers.%s] %s",
                candidate.target, LIFETIME // 3600, candidate.provider.name, line,
            )  # fmt: skip
    journey.corrections += 1
    return "again"


def _make_room(journey: Journey, candidate: Candidate, overflow: Overflow) -> Action:
    """On to a target that takes more, if the plan has one; else Claude Code has to compact the conversation."""
    told = (overflow.used, overflow.limit, context_length(candidate.provider, candidate.model))
    tokens = max((each for each in told if each is not None), default=estimate_tokens(journey.exchange.request.body))
    if not has_larger(journey, tokens):
        return "stop"
    journey.too_long_for = tokens
    return "next"


def described(refusal: Refusal, status: int | None) -> str:
    """The refusal in a few words, for notes."""
    if isinstance(refusal, Overflow):
        words = "prompt too long"
    elif isinstance(refusal, SignatureRefused):
        words = "refuses a thinking signature"
    else:
        words = "refuses " + ", ".join(str(lesson.value) for lesson in refusal.lessons)
    return words if status is None else f"{status} {words}"
