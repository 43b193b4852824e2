"""What the status of an error stands for, with the words that some statuses need to be told apart."""

from __future__ import annotations

import re
from collections.abc import Mapping

from turnout.dialects.error_body import ErrorBody
from turnout.errors import TYPE_OF_STATUS
from turnout.health.judgement import Verdict
from turnout.health.limits import PlanLimit, only_fast_pool_used_up

_BALANCE = re.compile(
    r"insufficient[_ ](?:\w+ )?(?:quota|credits?|funds)|\bbalance\b|out of credits|spend(?:ing)?[_ ](?:limit|cap)",
    re.IGNORECASE,
)
# Google writes "quota exceeded" for limits per minute too, so in a 429 the bare word is not enough.
_QUOTA_429 = re.compile(r"exceeded your current quota|\busage limit", re.IGNORECASE)
_QUOTA_403 = re.compile(r"\bquota\b|\busage limit|billing cycle", re.IGNORECASE)
# OpenRouter: "Your chosen model requires moderation and your input was flagged".
_MODERATION = re.compile(r"\bmoderation\b|\binput was flagged\b", re.IGNORECASE)
# "Extra usage is required for long context requests." (anthropics/claude-code#42616)
_THIS_REQUEST = re.compile(r"\blong[- ]context\b", re.IGNORECASE)

_WORDS = frozenset(verdict.value for verdict in Verdict)

_OVERLOADED = frozenset({498, 503, 529})
_NO_SUCH_THING = frozenset({404, 501})
FORBIDDEN = frozenset({403, 434})
"""434 is Z.AI's "no permission". Both may be about the model alone, unlike 401."""
TRANSIENT_4XX = frozenset({408, 424, 425})
OF_THE_WAY = frozenset({405, 407, 421, 426})
"""Said by something on the way: a wrong method, a proxy's login, another server, another protocol (RFC 9110, 15.5)."""

REFUSING = frozenset({401, 429}) | FORBIDDEN
"""Statuses that say themselves what they are about."""

_ERROR_TYPES = {
    Verdict.QUOTA: ("rate_limit_error",),
    Verdict.QUOTA_MODEL: ("rate_limit_error",),
    Verdict.THROTTLE: ("rate_limit_error",),
    Verdict.THROTTLE_REQUEST: ("rate_limit_error",),
    Verdict.OVERLOADED: ("overloaded_error",),
    Verdict.TRANSIENT: ("api_error", "timeout_error"),
    Verdict.CREDENTIAL: ("authentication_error", "permission_error"),
    Verdict.NOT_FOUND: ("not_found_error", "not_supported"),
    Verdict.REQUEST: ("invalid_request_error", "conflict_error", "request_too_large"),
}
"""The types that a verdict can have, first the one where the status names none of them."""


def by_code(told: ErrorBody, error_codes: Mapping[str, str]) -> Verdict | None:
    """What the provider's own code or error type stands for, by `error_codes`; None for one that is not there."""
    words = (error_codes.get(code) for code in (*told.codes, told.type))
    return next((Verdict(word) for word in words if word in _WORDS), None)


def by_status(status: int, told: ErrorBody, headers: Mapping[str, str], plan: PlanLimit | None) -> Verdict:
    """The verdict on an error of this status. `plan` is what the headers of a 429 tell of the plan."""
    if told.type == "overloaded_error" or status in _OVERLOADED:
        return Verdict.OVERLOADED
    if status == 429:
        return _too_many(told, headers, plan)
    if status == 402:
        return Verdict.QUOTA
    if status in FORBIDDEN:
        return _forbidden(told)
    if status == 401:
        return Verdict.CREDENTIAL
    # A redirect is no answer to an API call: the base URL is not where the endpoint is.
    if status in _NO_SUCH_THING or 300 <= status <= 399:
        return Verdict.NOT_FOUND
    if 400 <= status <= 499 and status not in TRANSIENT_4XX | OF_THE_WAY:
        return Verdict.REQUEST
    return Verdict.TRANSIENT


def _too_many(told: ErrorBody, headers: Mapping[str, str], plan: PlanLimit | None) -> Verdict:
    if _THIS_REQUEST.search(told.message) and not (plan and plan.rejected):
        return Verdict.THROTTLE_REQUEST
    if only_fast_pool_used_up(headers) and not (plan and (plan.rejected or plan.status == "rejected")):
        return Verdict.THROTTLE_REQUEST
    if plan is not None:
        return Verdict.QUOTA_MODEL if plan.of_model else Verdict.QUOTA
    if _BALANCE.search(told.words) or _QUOTA_429.search(told.words):
        return Verdict.QUOTA
    return Verdict.THROTTLE


def _forbidden(told: ErrorBody) -> Verdict:
    if _BALANCE.search(told.words) or _QUOTA_403.search(told.words):
        return Verdict.QUOTA
    return Verdict.REQUEST if _MODERATION.search(told.message) else Verdict.CREDENTIAL


def error_type(verdict: Verdict, status: int, told: ErrorBody) -> str:
    """The Anthropic `error.type` that fits."""
    if verdict is Verdict.QUOTA and (status == 402 or told.type == "billing_error" or _BALANCE.search(told.words)):
        return "billing_error"
    types = _ERROR_TYPES.get(verdict, ("api_error",))
    own = TYPE_OF_STATUS.get(status)
    return own if own in types else types[0]
