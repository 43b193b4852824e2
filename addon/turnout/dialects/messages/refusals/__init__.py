"""Reading out of an error body what a provider refused: parts of the request, a signature, or its length.

A wording that is not sure is no refusal at all: the answer then goes to the client as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from turnout.dialects.error_body import ErrorBody
from turnout.dialects.error_body.quotations import without_quotations
from turnout.dialects.messages.refusals.lesson import Lesson
from turnout.dialects.messages.refusals.words import lessons_told

__all__ = ["Lesson", "Lessons", "Overflow", "Refusal", "SignatureRefused", "of_history", "read_refusal"]

MOST_LESSONS = 16
_MOST_READ = 256

_REFUSING = frozenset({400, 413, 422})
# llama.cpp's server says so with 500, in both of its dialects.
_REFUSED_AS_FAILURE = re.compile(r"^image input is not supported\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Lessons:
    """Parts of the request are refused; with these rules it would be accepted. At least one, at most 16."""

    lessons: tuple[Lesson, ...]

    @property
    def refused(self) -> str:
        """What is refused, in words that follow "refuses": "context_management, adaptive thinking"."""
        return ", ".join(dict.fromkeys(lesson.refused for lesson in self.lessons))


@dataclass(frozen=True, slots=True)
class SignatureRefused:
    """A thinking block carries a signature that the provider did not make, or none."""

    bound: bool = False
    """It may well have made it, but for another conversation than this one has become."""


@dataclass(frozen=True, slots=True)
class Overflow:
    """The request does not fit the context window. Tokens, where the provider gives them.

    `used` is what was asked for; it holds `max_tokens` where the provider counts them in. `output` is this part of it.
    """

    used: int | None = None
    limit: int | None = None
    output: int | None = None

    @property
    def prompt(self) -> int | None:
        """Tokens of the prompt; as far as the provider tells, all that was asked for."""
        return self.used if self.used is None or self.output is None else self.used - self.output

    @property
    def leaves_room(self) -> int | None:
        """Tokens that the prompt leaves for the answer; None where the provider does not tell its size.

        vLLM's "at least N input tokens" is no size: it is the least that does not fit with the output asked for.
        """
        if self.limit is None or self.prompt is None or self.output is None or self.used == self.limit + 1:
            return None
        return self.limit - self.prompt


Refusal = Lessons | SignatureRefused | Overflow


def of_history(refusal: Refusal) -> Refusal | None:
    """What of a refusal is about earlier answers, and not about what the client asks for now; None when nothing is."""
    if isinstance(refusal, Lessons):
        lessons = tuple(lesson for lesson in refusal.lessons if lesson.rule == "thoughts")
        return Lessons(lessons) if lessons else None
    return refusal if isinstance(refusal, SignatureRefused) else None


def read_refusal(
    status: int, told: ErrorBody, lessons: Callable[[ErrorBody], Iterator[Lesson]] = lessons_told
) -> Refusal | None:
    """What was refused, or None when that is not sure. Never raises.

    `lessons` reads them in the words of the provider's dialect.
    """
    if not 400 <= status <= 599:
        return None
    overflow = _overflow(status, told)
    if overflow is not None or not _is_refusing(status, told):
        return overflow
    if _is_about_signature(told):
        return SignatureRefused(bound=any(_BOUND.search(text) for text in told.texts))
    sound = dict.fromkeys(lesson for lesson in islice(lessons(told), _MOST_READ) if lesson.is_sound)
    return Lessons(tuple(islice(sound, MOST_LESSONS))) if sound else None


def _is_refusing(status: int, told: ErrorBody) -> bool:
    if status in _REFUSING:
        return True
    return status == 500 and any(_REFUSED_AS_FAILURE.search(text) for text in told.texts)


# --- the context window ---

_READ = 1000
"""Characters: an error begins with what is wrong, and may go on with what the user wrote."""

# The wordings on which Claude Code compacts, from the error reference of Anthropic's gateway; llama.cpp's error type,
# LM Studio and Google besides.
_OVERFLOW = re.compile(
    r"prompt is too long|\binput is too long for requested model|^input is too long\.?$|maximum context length"
    r"|context_length_exceeded|exceeds the context window|contextwindowexceedederror"
    r"|longer than the maximum model length|exceeds the available context size|exceeded model token limit"
    r"|maximum prompt length|prompt exceeds max length|reduce the length of the messages"
    r"|range of input length should be|context window exceeds limit"
    r"|input length and `?max_tokens`? exceed context limit|exceed_context_size_error"
    r"|greater than the context length|longer than the model's context length|context length (?:is|of) only"
    r"|input token count .{0,40}exceeds the maximum number of tokens"
    r"|request size .{0,40}exceeds .{0,20}MB\b|capability_rejected: (?:prompt_too_long|max_tokens_context_overflow)",
    re.IGNORECASE,
)
_TOO_LARGE = re.compile(r"context (?:window|length)", re.IGNORECASE)
# Limits on tokens per minute are worded alike.
_RATE = re.compile(r"per[ -](?:minute|hour|day)\b|\bTP[MD]\b|\brate limit", re.IGNORECASE)

_N = r"([\d,]{1,12})"
_USED_FIRST = re.compile(
    rf"{_N} tokens > {_N}|token count \(?{_N}\)? exceeds the maximum number of tokens allowed \(?{_N}"
    rf"|request \(?{_N} tokens\)? exceeds the available context size \(?{_N}"
    rf"|input \({_N} tokens\) is longer than the model's context length \({_N}"
    rf"|keep the first {_N} tokens.{{0,120}}context length of only {_N}",
    re.IGNORECASE,
)
_LIMIT_FIRST = re.compile(
    rf"maximum (?:context|prompt) length is {_N}(?: tokens)?\b"
    rf"(?:.{{0,80}}?(?:you requested(?: about)?|resulted in|request contains|request has) {_N}\b)?",
    re.IGNORECASE,
)
_SUM = re.compile(rf"exceed context limit: {_N} \+ {_N} > {_N}")
_DIFFERENCE = re.compile(rf"\({_N} > {_N} - {_N}\)")
_PASSED = re.compile(
    rf"passed {_N} input tokens and requested {_N} output tokens.{{0,80}}context length is only {_N}", re.IGNORECASE
)
_TOTAL = re.compile(
    rf"context length of {_N} tokens.{{0,40}}total of {_N} tokens: {_N} tokens.{{0,40}} and {_N} tokens", re.IGNORECASE
)
_PARTS = re.compile(rf"{_N} output tokens and your prompt contains (?:at least )?{_N} input tokens", re.IGNORECASE)
_OUTPUT = re.compile(rf"\(.{{0,120}}?\b{_N} (?:in|for) the (?:completion|output)\)", re.IGNORECASE)
_MODEL_LIMIT = re.compile(rf"exceeded model token limit ?: ?{_N}(?: \(requested: ?{_N}\))?", re.IGNORECASE)
_RANGE = re.compile(rf"range of input length should be \[\d+, ?{_N}\]", re.IGNORECASE)


def _overflow(status: int, told: ErrorBody) -> Overflow | None:
    texts = [without_quotations(text, 2 * _READ)[:_READ] for text in told.texts]
    if any(_RATE.search(text) for text in texts):
        return None
    said = [text for text in (*texts, *told.names) if _OVERFLOW.search(text)]
    if not said and not (status == 413 and any(_TOO_LARGE.search(text) for text in texts)):
        return None
    for text in texts:
        counts = _counts(text)
        if counts is not None:
            return counts
    return Overflow(told.counts.get("n_prompt_tokens"), told.counts.get("n_ctx"))


def _counts(text: str) -> Overflow | None:
    if found := _SUM.search(text):
        prompt, output, limit = (_number(group) for group in found.groups())
        return _of_parts(prompt, output, limit)
    if found := _DIFFERENCE.search(text):
        output, limit, prompt = (_number(group) for group in found.groups())
        return _of_parts(prompt, output, limit)
    if found := _PASSED.search(text):
        return _of_parts(*(_number(group) for group in found.groups()))
    if found := _TOTAL.search(text):
        limit, _, prompt, output = (_number(group) for group in found.groups())
        return _of_parts(prompt, output, limit)
    if found := _USED_FIRST.search(text):
        used, limit = (_number(group) for group in found.groups() if group is not None)
        return Overflow(used, limit)
    if found := _LIMIT_FIRST.search(text) or _MODEL_LIMIT.search(text):
        limit, used = _number(found[1]), _number(found[2])
        if parts := _PARTS.search(text):
            return _of_parts(_number(parts[2]), _number(parts[1]), limit)
        told = _OUTPUT.search(text)
        output = _number(told[1]) if told else None
        return Overflow(used, limit, output if output is not None and output <= (used or 0) else None)
    if found := _RANGE.search(text):
        return Overflow(None, _number(found[1]))
    return None


def _of_parts(prompt: int | None, output: int | None, limit: int | None) -> Overflow:
    return Overflow((prompt or 0) + (output or 0), limit, output)


def _number(digits: str | None) -> int | None:
    plain = (digits or "").replace(",", "")
    return int(plain) if plain else None


# --- signatures ---

_SIGNATURE = re.compile(
    r"Invalid [`'\"]?(?:signature|data)[`'\"]? in [`'\"]?(?:redacted_)?thinking[`'\"]? block"
    r"|blocks in the latest assistant message cannot be modified"
    r"|\b(?:thinking|content\.\d+)\.signature: (?:Field required|Input should be a valid string)"
    r"|\b(?:thinking|thought)[ _]signature[`'\"]? (?:verification failed|is (?:not valid|invalid))"
    r"|\b(?:corrupted|invalid) (?:thinking|thought)[ _]signature\b|invalid encrypted content in redacted_thinking"
    r"|\bcapability_rejected: thinking_signature\b",
    re.IGNORECASE,
)


_BOUND = re.compile(
    r"bound to a different conversation|in the latest assistant message cannot be modified", re.IGNORECASE
)


def _is_about_signature(told: ErrorBody) -> bool:
    if any(error.steps[-1:] == ("signature",) and error.type in ("missing", "string_type") for error in told.placed):
        return True
    return any(_SIGNATURE.search(text) for text in told.texts)
