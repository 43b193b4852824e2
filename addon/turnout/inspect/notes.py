"""What people read about an exchange: one comment line, and flat metadata strings. Never a secret."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import groupby
from typing import Literal

import msgspec

from turnout.exchange import Attempt, Exchange
from turnout.metadata import PREFIX

ATTEMPT_MARK = ":warning:"
FAILOVER_MARK = ":twisted_rightwards_arrows:"
ERROR_MARK = ":x:"
MARKS = frozenset((ATTEMPT_MARK, FAILOVER_MARK, ERROR_MARK))
"""Markers (names of emoji, as mitmproxy wants them) of failed attempts, of exchanges that needed more than one attempt,
and of those that ended in an error. Every other marker is the user's."""

_LONGEST = 120


def metadata(exchange: Exchange, part: Literal["exchange", "attempt"] = "exchange") -> dict[str, str]:
    """The exchange as `turnout.*` strings; flat, so that the `~meta` filter finds `key: value`.

    `part`: the flow is the client's exchange as a whole, or one failed attempt of it.
    """
    found = {"exchange": exchange.id, "part": part, "client_model": exchange.request.model, "body": exchange.body}
    if exchange.attempts:
        attempt = exchange.attempt
        found |= {
            "attempt": numbered(exchange, attempt),
            "provider": attempt.target.provider,
            "model": attempt.model,
            "verdict": attempt.verdict,
            "reason": attempt.reason,
        }
    if exchange.learned:
        found["learned"] = "; ".join(exchange.learned)
    if exchange.converted:
        found["answer"] = f"converted from {exchange.converted}"
    if exchange.usage:
        found["usage"] = msgspec.json.encode(exchange.usage).decode()
    return {PREFIX + key: value for key, value in found.items() if value}


def numbered(exchange: Exchange, attempt: Attempt) -> str:
    """`2/3`: the second attempt of a plan with three targets; retries may lengthen the plan."""
    return f"{attempt.number}/{max(len(exchange.plan), len(exchange.attempts))}"


def mark(exchange: Exchange, *, failed: bool) -> str:
    """The marker of an exchange that is over; empty when its first attempt served the client, or the client left.

    `failed`: how it ended when no attempt could be made.
    """
    if exchange.attempts:
        failed = exchange.attempt.verdict not in ("ok", "cancelled")
    if failed:
        return ERROR_MARK
    return FAILOVER_MARK if len(exchange.attempts) > 1 else ""


def comment(exchange: Exchange, ending: str = "") -> str:
    """`opus → anthropic 429 quota → bedrock 200 · 2 tries · first event 0.84 s · 12.3k in (11.9k cached) 410 out`."""
    tried = [_step(attempt) for attempt in exchange.attempts]
    steps = [one_line(exchange.request.model), *exchange.skipped, *_counted(tried)]
    parts = [" → ".join(steps)]
    if exchange.endpoint != "messages":
        parts.append(exchange.endpoint)
    if len(exchange.attempts) > 1:
        parts.append(f"{len(exchange.attempts)} tries")
    if exchange.attempts and exchange.attempt.first_event is not None:
        parts.append(f"first event {exchange.attempt.first_event:.2f} s")
    if exchange.head_of:
        parts.append(f"in the stream that {exchange.head_of} had begun")
    if exchange.usage:
        parts.append(usage_line(exchange.usage))
    if exchange.attempts and (rules := _told_rules(exchange)):
        parts.append(f"rewritten: {rules}")
    if exchange.converted:
        parts.append(f"converted from {exchange.converted}")
    if exchange.learned:
        parts.append(f"learned: {'; '.join(exchange.learned)}")
    if ending:
        parts.append(ending)
    return " · ".join(parts)


def _told_rules(exchange: Exchange) -> str:
    """The rules but for the model name, which the steps show."""
    return one_line(", ".join(rule for rule in exchange.rules if rule != "model"))


def _counted(steps: list[str]) -> list[str]:
    """Equal steps in a row as one: `minimax 529 overloaded ×3`."""
    groups = [(step, len(list(group))) for step, group in groupby(steps)]
    return [f"{step} ×{count}" if count > 1 else step for step, count in groups]


def one_line(text: str) -> str:
    """Foreign text for a comment or a log line: no control characters, at most 120 characters."""
    clean = "".join(letter if letter.isprintable() else "?" for letter in text)
    return clean if len(clean) <= _LONGEST else clean[: _LONGEST - 1] + "…"


def attempt_comment(exchange: Exchange, attempt: Attempt) -> str:
    """`attempt 1/3 · anthropic · 429 quota, resets 14:05` for the flow of a failed attempt."""
    resets = f", resets {_clock(attempt.until)}" if attempt.until is not None else ""
    again = ", dialled again" if attempt.dialled_again else ""
    return f"attempt {numbered(exchange, attempt)} · {attempt.target} · {attempt.reason}{resets}{again}"


def _clock(moment: float) -> str:
    """Local time of day; with the date when it is not today's."""
    then = datetime.fromtimestamp(moment)
    return then.strftime("%H:%M" if then.date() == datetime.now().date() else "%Y-%m-%d %H:%M")


def _step(attempt: Attempt) -> str:
    name = attempt.target.provider + (" (dialled again)" if attempt.dialled_again else "")
    if attempt.verdict == "ok":
        return f"{name} {attempt.status or 200}"
    return f"{name} {attempt.reason}" if attempt.reason else name


def usage_line(usage: Mapping[str, int]) -> str:
    """`12.3k in (11.9k cached) 410 out`; the input counts everything that was read, cached or not."""
    cached = usage.get("cache_read_input_tokens", 0)
    total = usage.get("input_tokens", 0) + cached + usage.get("cache_creation_input_tokens", 0)
    hint = f" ({_short(cached)} cached)" if cached else ""
    return f"{_short(total)} in{hint} {_short(usage.get('output_tokens', 0))} out"


def _short(count: int) -> str:
    if count < 1000:
        return str(count)
    return f"{count / 1000:.1f}k" if count < 999_950 else f"{count / 1_000_000:.1f}M"
