"""Reading rate-limit headers: when the provider says it can be used again. Header names are lower-case."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_UNIFIED = "anthropic-ratelimit-unified-"
# Not windows of the plan. `overage` is rejected on every answer of an account without extra usage
# (anthropics/claude-code#41506), also while the plan itself is allowed.
_NOT_WINDOWS = ("overage", "slow", "grace")
# Claims that bind every model of the credential. `seven_day_overage_included` is not one of them: the models that
# the plan includes are still served (router-for-me/CLIProxyAPI#5915).
_WHOLE_PLAN = ("five_hour", "seven_day", "seven_day_oauth_apps", "seven_day_cowork", "overage")
_WHOLE_PLAN_WINDOWS = frozenset({"5h", "7d"})

_API_KEY_LIMITS = tuple(
    f"anthropic-ratelimit-{kind}" for kind in ("requests", "tokens", "input-tokens", "output-tokens")
)
_FAST_LIMITS = ("anthropic-fast-input-tokens", "anthropic-fast-output-tokens")

_OPENAI_RESET = "x-ratelimit-reset-"
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern})+")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class PlanLimit:
    """What the unified headers of a subscription say about its windows."""

    status: str
    claim: str
    """The window that binds, in Anthropic's words: `five_hour`, `seven_day_opus`, …; may be empty."""
    rejected: frozenset[str]
    """Windows that refuse requests, as their headers abbreviate them: `5h`, `7d`, `7d_oi`, …"""
    reset: float | None
    """Unix time at which the last of the rejected windows opens again."""

    @property
    def of_model(self) -> bool:
        """Only some models are out: the claim names a model family, and no window of the whole plan is used up."""
        prefixed = self.claim.startswith(("five_hour_", "seven_day_"))
        return prefixed and self.claim not in _WHOLE_PLAN and not self.rejected & _WHOLE_PLAN_WINDOWS


def plan_limit(headers: Mapping[str, str], now: float) -> PlanLimit | None:
    """The state of the subscription's windows; None when the headers speak of none."""
    status = headers.get(f"{_UNIFIED}status", "").strip()
    windows = [name[len(_UNIFIED) : -len("-status")] for name in headers if _is_window_status(name)]
    rejected = frozenset(name for name in windows if headers[f"{_UNIFIED}{name}-status"].strip() == "rejected")
    if not status and not rejected:
        return None
    reset = _latest((headers.get(f"{_UNIFIED}{window}-reset") for window in rejected), now)
    if reset is None and status == "rejected":
        reset = _latest([headers.get(f"{_UNIFIED}reset")], now)
    return PlanLimit(status, headers.get(f"{_UNIFIED}representative-claim", "").strip(), rejected, reset)


def _is_window_status(name: str) -> bool:
    window = name.removeprefix(_UNIFIED).removesuffix("-status")
    return name == f"{_UNIFIED}{window}-status" and window.partition("-")[0] not in _NOT_WINDOWS


def key_limit_reset(headers: Mapping[str, str], now: float) -> float | None:
    """Unix time at which the last used-up limit of an API key is full again; None when none is used up."""
    return _latest((headers.get(f"{limit}-reset") for limit in _used_up(headers, _API_KEY_LIMITS)), now)


def only_fast_pool_used_up(headers: Mapping[str, str]) -> bool:
    """Fast mode draws on limits of its own; without it the same request would be served."""
    return bool(_used_up(headers, _FAST_LIMITS)) and not _used_up(headers, _API_KEY_LIMITS)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait, from `retry-after-ms`, `retry-after` (seconds or HTTP date) or `x-ratelimit-reset-*`.

    Like the SDKs, a wait of 0 or less is taken as none given.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None and milliseconds > 0:
        return milliseconds / 1000
    text = headers.get("retry-after")
    if text is not None:
        seconds = _number(text)
        if seconds is None and (date := _http_date(text)) is not None:
            seconds = date - now
        if seconds is not None and seconds > 0:
            return seconds
    return _openai_reset(headers)


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """The provider's own word on retrying, `x-should-retry`; the SDKs compare it exactly."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", ""))


def _openai_reset(headers: Mapping[str, str]) -> float | None:
    """The longest `x-ratelimit-reset-*` of the limits that are used up, or of all when none is marked so."""
    waits = {
        name.removeprefix(_OPENAI_RESET): wait
        for name, value in headers.items()
        if name.startswith(_OPENAI_RESET) and (wait := _duration(value)) is not None
    }
    used_up = [wait for kind, wait in waits.items() if _number(headers.get(f"x-ratelimit-remaining-{kind}")) == 0]
    return max(used_up or waits.values(), default=None)


def _used_up(headers: Mapping[str, str], limits: Iterable[str]) -> list[str]:
    return [limit for limit in limits if _number(headers.get(f"{limit}-remaining")) == 0]


def _latest(values: Iterable[str | None], now: float) -> float | None:
    instants = (_instant(value) for value in values)
    return max((instant for instant in instants if instant is not None and instant > now), default=None)


def _instant(text: str | None) -> float | None:
    """Unix time from epoch seconds or RFC 3339."""
    number = _number(text)
    if number is not None or text is None:
        return number
    try:
        date = datetime.fromisoformat(text.strip())
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _http_date(text: str) -> float | None:
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _duration(text: str) -> float | None:
    """Seconds from `6m0s`, `1s`, `20ms`, `1.5`; None when it is nothing of that or not more than 0."""
    text = text.strip()
    seconds = _number(text)
    if seconds is None and _DURATION.fullmatch(text):
        seconds = sum(float(amount) * _SECONDS[unit] for amount, unit in _DURATION_PART.findall(text))
    return seconds if seconds is not None and 0 < seconds < math.inf else None
