"""What the outcome of an attempt means: one pure function over status, headers, body or first event, and error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from turnout.dialects.error_body import ErrorBody, read_error_body, tells_error
from turnout.dialects.messages.refusals import Lesson, read_refusal
from turnout.dialects.messages.refusals.words import lessons_told
from turnout.errors import STATUS_OF_CODE
from turnout.health.by_status import FORBIDDEN, OF_THE_WAY, REFUSING, TRANSIENT_4XX, by_code, by_status, error_type
from turnout.health.judgement import LONGEST_MESSAGE, NOTHING, USED_UP, Judgement, Outcome, Verdict
from turnout.health.limits import (
    LONGEST_THROTTLE,
    PlanLimit,
    key_limit_reset,
    plan_limit,
    plausible_instant,
    retry_after,
    should_retry,
)
from turnout.health.page import Page, read_page
from turnout.health.transport import never_connected, plain_words
from turnout.health.wording import About, about

__all__ = ["Judgement", "Outcome", "Verdict", "judge"]

_LONGEST_REASON = 80
_LONGEST_FAULT = 160
"""Characters: of the way to a provider it is told who is on it, and what to do."""

# A deadline in the words of the connection and stream watchers; "ended before its first event" is not one.
_DEADLINE = re.compile(r"\bno first event\b|\btime(?:d )?-?out\b|\bidle\b|\bdeadline\b|\bwithin \d", re.IGNORECASE)
_REGAIN = re.compile(r"regain access on (\d{4}-\d\d-\d\d) at (\d\d:\d\d) UTC")

# A 404 that names neither is about something the request refers to: "File not found: file_abc". OpenRouter's "No
# endpoints found that support tool use" is about the request as well. OpenAI: "Invalid URL (POST /v1/x)".
_NAMES_MODEL_OR_ENDPOINT = re.compile(
    r"model|\bdeployment\b|\bendpoints?\b(?! found that)|\broute\b|\binvalid url \(", re.IGNORECASE
)
# What names nothing is about the address: Anthropic "Not Found", llama.cpp "File Not Found", Z.AI "404 NOT_FOUND".
_NAMES_NOTHING = re.compile(r"(?:(?:404:? )?(?:(?:file|page|path|resource) )?not[ _]found\.?)?", re.IGNORECASE)

# The same where no error of an API tells more: no length, too long an address or head, firewalls, laws, nginx.
_OF_THE_WAY_UNTOLD = OF_THE_WAY | {411, 414, 416, 417, 418, 423, 431, 444, 451, 494, 495, 496, 497, 499}

_SOON_OVER = TRANSIENT_4XX | {429}
_PAGE_VERDICTS = {429: Verdict.THROTTLE, 404: Verdict.NOT_FOUND, 410: Verdict.NOT_FOUND, 501: Verdict.NOT_FOUND}
# Where a refusal may come of the account or of the model, in words alone.
_IN_WORDS = {
    "quota": Verdict.QUOTA,
    "account": Verdict.CREDENTIAL,
    "model": Verdict.NOT_FOUND,
}
_REASON_IN_WORDS = {"quota": "quota", "account": "account refused", "model": "no such model"}
_STATUS_IN_WORDS = {"quota": 402, "model": 404}

_NEVER_OF_THE_REQUEST = frozenset({401, 402, 403, 429})


def judge(
    outcome: Outcome,
    *,
    error_codes: Mapping[str, str] = NOTHING,
    lessons: Callable[[ErrorBody], Iterator[Lesson]] = lessons_told,
    now: float,
) -> Judgement:
    """What the outcome means. Never raises, whatever the provider sent.

    `error_codes` maps the provider's own codes or error types to verdict words and wins over the status.
    `lessons` reads what a refusal teaches, in the words of the provider's dialect.
    `now` is Unix time, the base of relative resets.
    """
    if outcome.cancelled:
        return Judgement(Verdict.CANCELLED, "client left")
    if outcome.status is None:
        return _without_answer(outcome.error or "no response")
    if outcome.status < 200:
        return Judgement(Verdict.TRANSIENT, _one_line(f"{outcome.status} is no final answer"), retryable=False)
    success = outcome.status <= 299
    if 300 <= outcome.status <= 399 and (location := outcome.headers.get("location", "").strip()):
        reason = f"{outcome.status} moved elsewhere"
        return Judgement(Verdict.NOT_FOUND, reason, retryable=False, status=outcome.status, location=location)
    told = read_error_body(outcome.body) if not success or tells_error(outcome.body) else None
    if told is None or not told.structured:
        page = read_page(outcome.status, outcome.headers, outcome.body)
        if page is not None:
            return _no_api(outcome, outcome.status, page, told, now)
    if told is not None:
        # An error inside a 2xx is judged as the answer it would have been with a truthful status.
        status = (told.status or 500) if success else (told.inner_status or outcome.status)
        return _failure(outcome, status, told, error_codes, lessons, now)
    if outcome.error is not None:
        return _without_answer(outcome.error, f"{outcome.status} ")
    return Judgement(Verdict.OK, str(outcome.status))


def _without_answer(error: str, before: str = "") -> Judgement:
    words = plain_words(error)
    timed_out = bool(_DEADLINE.search(words))
    return Judgement(
        Verdict.TRANSIENT,
        _one_line(before + words, _LONGEST_FAULT),
        error_type="timeout_error" if timed_out else "api_error",
        timed_out=timed_out,
        unreachable=never_connected(error),
    )


def _no_api(outcome: Outcome, status: int, page: Page, told: ErrorBody | None, now: float) -> Judgement:
    """A page in the place of an answer: a proxy, a firewall or a login on the way, or a wrong address.

    It says nothing about the request or its credential. With 5xx and 429 it is over soon; else it comes again.
    """
    verdict, kind = Verdict.TRANSIENT, "api_error"
    if status in _PAGE_VERDICTS or status >= 500:
        verdict = _PAGE_VERDICTS.get(status) or by_status(status, ErrorBody(), outcome.headers, None)
        kind = error_type(verdict, status, ErrorBody())
    wait = retry_after(outcome.headers, now)
    return Judgement(
        verdict,
        _one_line(f"{status} {page}"),
        retry_after=min(wait, LONGEST_THROTTLE) if wait is not None else None,
        error_type="request_too_large" if status == 413 else kind,
        retryable=should_retry(outcome.headers) if status >= 500 or status in _SOON_OVER else False,
        cools=status != 413,  # others are smaller
        status=status,
        page=page,
        told=told,
    )


def _failure(
    outcome: Outcome,
    status: int,
    told: ErrorBody,
    error_codes: Mapping[str, str],
    lessons: Callable[[ErrorBody], Iterator[Lesson]],
    now: float,
) -> Judgement:
    """Judge an error. `status` is the HTTP status it stands for, which is not always the one on the wire."""
    headers = outcome.headers
    plan = plan_limit(headers, now) if status == 429 else None
    if plan is not None and outcome.status != 429 and not plan.rejected:
        plan = None  # an ordinary 200 carries these headers too
    verdict = by_code(told, error_codes)
    if verdict is Verdict.REQUEST and status >= 500:
        status = 400  # MiniMax refuses with a code inside a 200, which stands for no status of its own
    refusal = read_refusal(status, told, lessons)
    if verdict is None:
        refused = refusal is not None and status not in _NEVER_OF_THE_REQUEST
        verdict = Verdict.REQUEST if refused else by_status(status, told, headers, plan)
    if not told.structured and status in _OF_THE_WAY_UNTOLD:
        verdict = Verdict.TRANSIENT
    word = _told_in_words(verdict, status, told) if refusal is None else None
    if word is not None:
        verdict = Verdict.QUOTA if verdict is Verdict.THROTTLE else _IN_WORDS[word]
    until, wait = _times(verdict, told, headers, plan, now)
    return Judgement(
        verdict=verdict,
        reason=_reason(outcome, verdict, status, told, plan, word),
        until=until,
        retry_after=wait,
        error_type="billing_error" if word == "quota" else error_type(verdict, status, told),
        message=told.message[:LONGEST_MESSAGE],
        retryable=_may_help_again(status, headers),
        cools=verdict is not Verdict.NOT_FOUND or word == "model" or _is_missing_for_all(status, told),
        model_only=verdict is Verdict.CREDENTIAL and (status in FORBIDDEN or (told.inner and word is None)),
        refusal=refusal if verdict is Verdict.REQUEST else None,
        status=_STATUS_IN_WORDS.get(word, status) if word is not None else status,
        of_account=word == "account" and status not in REFUSING,
        told=told,
    )


def _may_help_again(status: int, headers: Mapping[str, str]) -> bool | None:
    """What the provider says of trying again; a wrong path or proxy stays what it is."""
    told = should_retry(headers)
    return False if told is None and status in OF_THE_WAY else told


def _told_in_words(verdict: Verdict, status: int, told: ErrorBody) -> About | None:
    """What the error is about by its words, where its status says something else."""
    codes = (told.type, *told.codes)
    if status >= 500:
        # one-api and its kin have no channel for a model: 503 with a code. In words, 503 is about this moment.
        return about("", codes)
    word = about(told.message, codes) if 400 <= status <= 499 else None
    if verdict is Verdict.REQUEST:
        return word
    if verdict is Verdict.THROTTLE:
        return word if word in ("quota", "account") else None
    return word if verdict is Verdict.CREDENTIAL and word == "quota" else None


def _is_confirmed(verdict: Verdict, plan: PlanLimit | None) -> bool:
    """A quota is used up, and the headers of the plan, if there are any, say so too: that may last for days."""
    return verdict in USED_UP and (plan is None or plan.is_used_up)


def _is_missing_for_all(status: int, told: ErrorBody) -> bool:
    """Not found is the model or the endpoint, not something that this request refers to."""
    if not told.structured or status == 501 or 300 <= status <= 399:
        return True
    return bool(_NAMES_NOTHING.fullmatch(told.message) or _NAMES_MODEL_OR_ENDPOINT.search(told.words))


def _times(
    verdict: Verdict, told: ErrorBody, headers: Mapping[str, str], plan: PlanLimit | None, now: float
) -> tuple[float | None, float | None]:
    """Until when (Unix time) and how long (seconds) the provider is not to be had, as far as that is believed."""
    until = _until(verdict, told, plan, now)
    wait = retry_after(headers, now)
    if verdict is Verdict.THROTTLE and wait is None:
        until = key_limit_reset(headers, now)
        wait = until - now if until is not None else None
    if not _is_confirmed(verdict, plan):
        until = min(until, now + LONGEST_THROTTLE) if until is not None else None
        wait = min(wait, LONGEST_THROTTLE) if wait is not None else None
    return until, wait


def _until(verdict: Verdict, told: ErrorBody, plan: PlanLimit | None, now: float) -> float | None:
    if verdict not in USED_UP:
        return None
    if plan is not None and plan.reset is not None:
        return plan.reset
    match = _REGAIN.search(told.message)
    if match is None:
        return None
    try:
        until = datetime.fromisoformat(f"{match[1]}T{match[2]}").replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None
    return plausible_instant(until, now)


def _reason(
    outcome: Outcome, verdict: Verdict, status: int, told: ErrorBody, plan: PlanLimit | None, word: About | None
) -> str:
    if outcome.status is not None and 200 <= outcome.status <= 299:
        return _one_line(f"{outcome.status} with {told.label}")
    if verdict in USED_UP:
        detail = plan.claim if plan is not None else next((code for code in told.codes if code != str(status)), "")
        return _one_line(f"{status} quota ({detail})" if detail else f"{status} quota")
    if verdict is Verdict.THROTTLE_REQUEST:
        return f"{status} throttle of this request"
    if verdict in (Verdict.THROTTLE, Verdict.OVERLOADED):
        return f"{status} {verdict}"
    if word is not None:
        return f"{status} {_REASON_IN_WORDS[word]}"
    return _one_line(f"{status} {_kind(told) or error_type(verdict, status, told)}")


def _kind(told: ErrorBody) -> str:
    """OpenAI calls nearly everything `invalid_request_error`, and a missing model or a wrong key by its code."""
    if told.type != "invalid_request_error":
        return told.type
    return next((code for code in told.codes if code in STATUS_OF_CODE), told.type)


def _one_line(text: str, longest: int = _LONGEST_REASON) -> str:
    return " ".join(text.split())[:longest]
