"""What to do about a request that a provider refused: leave out what it named, or pass the refusal on."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from turnout.dialects.messages.refusals import Lessons, Overflow, Refusal, SignatureRefused
from turnout.dialects.messages.refusals.lesson import THOUGHTS, Lesson
from turnout.dialects.messages.stream import estimate_tokens
from turnout.health.decision import AGAIN, NEXT, STOP, Step
from turnout.health.lessons import LIFETIME
from turnout.journey.candidates import context_length, has_larger, has_untried_provider
from turnout.journey.knowledge import Knowledge
from turnout.journey.state import Candidate, Journey

logger = logging.getLogger("turnout")

MOST_CORRECTIONS = 16
"""In one exchange. Strict servers name one thing at a time; of what Claude Code sends, ten have been seen refused."""

SLACK = 64
"""Tokens by which two counts of one prompt may differ."""
SMALLEST_ANSWER = 1024
"""Tokens: with less left for the answer the conversation has to be shortened."""


def correct(journey: Journey, candidate: Candidate, refusal: Refusal, knowledge: Knowledge) -> Step:
    """Learn from a refusal. `again`: the same target gets the request without what it refused.

    A model that cannot be had to think as it wants is none for this conversation; another one of the plan may be.
    """
    if isinstance(refusal, Overflow):
        return _ask_for_less(journey, candidate, refusal, knowledge) or _make_room(journey, candidate, refusal)
    if isinstance(refusal, SignatureRefused):
        if journey.only_own_thinking or journey.corrections >= MOST_CORRECTIONS:
            return STOP
        journey.only_own_thinking = True
        body = journey.exchange.request.body
        knowledge.refused_thoughts(candidate.provider, body, journey.here.mark, bound=refusal.bound)
    elif journey.corrections >= MOST_CORRECTIONS or not _learn(journey, candidate, refusal.lessons, knowledge):
        return NEXT if _is_of_the_vendor(refusal) and has_untried_provider(journey) else STOP
    journey.corrections += 1
    return AGAIN


def _is_of_the_vendor(refusal: Lessons) -> bool:
    """It is about how this model thinks, and not about anything that the client has asked for."""
    return all(lesson.rule.partition(".")[0] in ("thinking", "thoughts") for lesson in refusal.lessons)


def _learn(journey: Journey, candidate: Candidate, lessons: Sequence[Lesson], knowledge: Knowledge) -> bool:
    """Whether anything of it had not been heeded by the refused attempt; another request may have learned it since.

    Of two values of a rule that are refused in turns, neither is tried twice.
    """
    provider, endpoint, model = candidate.provider, journey.exchange.endpoint, candidate.model
    in_force = knowledge.shaping(provider, model, journey.here.lessons).rules
    lessons = [firmer(lesson, journey.here.lessons, in_force.thoughts) for lesson in lessons]
    if not provider.learns:
        unknown = tuple(lesson for lesson in lessons if lesson not in journey.here.for_now)
        journey.here.for_now += unknown
        return bool(unknown)
    useless = [lesson for lesson in lessons if lesson in journey.here.lessons]
    unheeded = [lesson for lesson in lessons if lesson not in (*journey.here.lessons, *journey.here.taught)]
    journey.here.taught += tuple(unheeded)
    knowledge.unlearn(provider, endpoint, model, useless)
    lines = tuple(lesson.line(model) for lesson in knowledge.learn(provider, endpoint, model, unheeded))
    journey.exchange.learned += lines
    for line in lines:
        logger.warning(
            "%s refused a part of the request. For %d h this is in force: [providers.%s] %s",
            candidate.target, LIFETIME // 3600, provider.name, line,
        )  # fmt: skip
    return bool(unheeded)


def firmer(lesson: Lesson, heeded: Sequence[Lesson], thoughts: str) -> Lesson:
    """The lesson, made one that helps where the refused attempt has shown that it does not.

    `thoughts`: what was in force of the rule of this name. Of two modes of thinking that are refused one after the
    other, neither takes the place of the other.
    """
    rule, value = lesson.rule, str(lesson.value)
    if rule == "thoughts" and thoughts in THOUGHTS:
        return Lesson(rule, THOUGHTS[min(max(THOUGHTS.index(thoughts) + 1, THOUGHTS.index(value)), len(THOUGHTS) - 1)])
    if rule.startswith("thinking.") and any(other.rule == f"thinking.{value}" for other in heeded):
        return Lesson(rule, "drop")
    return lesson


def _ask_for_less(journey: Journey, candidate: Candidate, overflow: Overflow, knowledge: Knowledge) -> Step | None:
    """The prompt fits, but not with all the output that was asked for: what is left of the window is enough.

    From then on no request asks this model for more output than half of its window.
    """
    if journey.here.output_limit is not None or overflow.output is None or overflow.limit is None:
        return None
    left = overflow.leaves_room
    room = left - SLACK if left is not None else min(overflow.output // 2, overflow.limit // 4)
    if room < SMALLEST_ANSWER:
        return None
    journey.here.output_limit = room
    if overflow.output > overflow.limit // 2:
        _learn(journey, candidate, (Lesson("max_tokens", overflow.limit // 2),), knowledge)
    return AGAIN


def _make_room(journey: Journey, candidate: Candidate, overflow: Overflow) -> Step:
    """On to a target that takes more, if the plan has one; else Claude Code has to compact the conversation."""
    told = (overflow.used, overflow.limit, context_length(candidate.provider, candidate.model))
    tokens = max((each for each in told if each is not None), default=estimate_tokens(journey.exchange.request.body))
    if not has_larger(journey, tokens):
        return STOP
    journey.too_long_for = tokens
    return NEXT


def described(refusal: Refusal, status: int | None) -> str:
    """The refusal in a few words, for notes."""
    if isinstance(refusal, Overflow):
        words = "prompt too long"
    elif isinstance(refusal, SignatureRefused):
        words = "refuses a thinking signature"
    else:
        words = f"refuses {refusal.refused}"
    return words if status is None else f"{status} {words}"
