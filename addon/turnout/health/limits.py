"""Reading rate-limit headers: when the provider says it can be used again. Header names are lower-case."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_WINDOW = 8 * 86400.0
"""Seconds: no plan has a window of more than seven days, and a day is left for clocks that differ. A time further away
is a mistake of the provider or of a clock. It counts as none given."""

LONGEST_THROTTLE = 3600.0
"""Seconds for which a wait is believed that no quota confirms. A throttle is over in minutes: an account that was told
to wait for six days was served minutes later (router-for-me/CLIProxyAPI#4724)."""

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
    def is_used_up(self) -> bool:
        return self.status == "rejected" or bool(self.rejected)

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

    Like the SDKs, a wait of 0 or less is taken as none given; so is one beyond the longest window of a plan.
    """
    return next((wait for wait in _waits(headers, now) if _is_plausible(wait)), None)


def told_wait(name: str, value: str, now: float) -> float | None:
    """Seconds to wait that this one header tells."""
    return retry_after({name: value}, now)


def plausible_instant(instant: float, now: float) -> float | None:
    """A reset that a provider named (Unix time); None when it is over, or too far away to be meant."""
    return instant if _is_plausible(instant - now) else None


def _is_plausible(seconds: float) -> bool:
    return 0 < seconds <= LONGEST_WINDOW


def _waits(headers: Mapping[str, str], now: float) -> Iterator[float]:
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        yield milliseconds / 1000
    text = headers.get("retry-after")
    if text is not None:
        seconds = _number(text)
        if seconds is not None:
            yield seconds
        elif (date := _http_date(text)) is not None:
            yield date - now
    yield from _openai_reset(headers)


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """The provider's own word on retrying, `x-should-retry`; the SDKs compare it exactly."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", ""))


def _openai_reset(headers: Mapping[str, str]) -> Iterator[float]:
    """The longest `x-ratelimit-reset-*` of the limits that are used up, or of all when none is marked so."""
    waits = {
        name.removeprefix(_OPENAI_RESET): wait
        for name, value in headers.items()
        if name.startswith(_OPENAI_RESET) and (wait := _duration(value)) is not None
    }
    used_up = [wait for kind, wait in waits.items() if _number(headers.get(f"x-ratelimit-remaining-{kind}")) == 0]
    yield max((wait for wait in used_up or waits.values() if _is_plausible(wait)), default=0.0)


def _used_up(headers: Mapping[str, str], limits: Iterable[str]) -> list[str]:
    return [limit for limit in limits if _number(headers.get(f"{limit}-remaining")) == 0]


def _latest(values: Iterable[str | None], now: float) -> float | None:
    told = (instant for value in values if (instant := _instant(value)) is not None)
    return max((instant for instant in told if plausible_instant(instant, now) is not None), default=None)


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
    """Seconds from `6m0s`, `1s`, `20ms`, `1.5`; None when it is nothing of that."""
    text = text.strip()
    seconds = _number(text)
    if seconds is None and _DURATION.fullmatch(text):
        seconds = sum(float(amount) * _SECONDS[unit] for amount, unit in _DURATION_PART.findall(text))
    return seconds
