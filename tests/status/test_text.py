"""C4: the state of a Turnout in plain text."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.test_status import HEALTH, squeezed
from turnout.status.text import page, time_left


def test_a_pin_is_shown() -> None:
    assert "Pinned    minimax, without failover" in page("http://x", HEALTH | {"pinned": "minimax"})


@pytest.mark.parametrize(
    "health",
    [
        {"providers": {}},
        {"providers": {"a": None}},
        {"providers": {"a": {"cooldowns": "?", "credentials": [1], "slots": [], "recent": {}}}, "usage": []},
        {"providers": {"a": {"cooldowns": [{}]}}, "exchanges": None},
    ],
)
def test_a_health_of_another_version_does_not_break_the_page(health: dict[str, Any]) -> None:
    assert page("http://x", health).startswith("Turnout")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (-3, "0 s"), (9.4, "9 s"), (272, "4 min 32 s"), (3600, "1 h 0 min"), (7500, "2 h 5 min")],
)
def test_time_left(seconds: float, text: str) -> None:
    assert time_left(seconds) == text


def learned(model: str, suggestion: str) -> dict[str, Any]:
    return {"provider": "p", "endpoint": "messages", "model": model, "suggestion": suggestion, "expires": 60}


def test_lessons_are_shown_one_by_one_and_as_a_block_to_paste() -> None:
    lessons = [
        learned("M", 'rewrite.drop = ["context_management"]'),
        learned("M", 'rewrite.models."M.1".max_tokens = 8192'),
        learned("N", 'rewrite.drop = ["metadata"]'),
        learned("N", "of another version"),
    ]
    text = page("http://x", HEALTH | {"providers": {"p": {"learned": lessons, "recent": [400]}, "q": {"learned": []}}})
    assert squeezed(text)[-15:] == [
        "p",
        "credentials none",
        "slots 0 in use",
        'learned M: rewrite.drop = ["context_management"], 1 min 0 s left',
        'learned M: rewrite.models."M.1".max_tokens = 8192, 1 min 0 s left',
        'learned N: rewrite.drop = ["metadata"], 1 min 0 s left',
        "learned N: of another version, 1 min 0 s left",
        "last statuses 400",
        "to keep it so, under [providers.p]:",
        'rewrite.drop = ["context_management", "metadata"]',
        'rewrite.models."M.1".max_tokens = 8192',
        "",
        "q",
        "credentials none",
        "slots 0 in use",
    ]


def test_a_provider_whose_name_needs_quotes() -> None:
    lessons = [learned("M", 'rewrite.system_role = "user"')]
    text = page("http://x", HEALTH | {"providers": {"my.own": {"learned": lessons}}})
    assert 'under [providers."my.own"]:' in text


def test_a_cooldown_of_a_credential_that_is_gone() -> None:
    cooldown = {"credential": "0123456789ab", "model": "m", "reason": "quota", "remaining": 9}
    text = page("http://x", HEALTH | {"providers": {"p": {"cooldowns": [cooldown]}}})
    assert "a credential no longer configured for m: quota, 9 s left" in text


def test_what_is_left_out_is_said() -> None:
    provider = {"cooldowns": [{"model": "m"}], "learned": [], "left_out": {"cooldowns": 980, "learned": 12}}
    told = squeezed(page("http://x", HEALTH | {"providers": {"p": provider}}))
    assert told[-3:] == ["cooling down m: unknown reason", "cooling down and 980 more", "learned and 12 more"]


def test_control_characters_do_not_reach_the_terminal() -> None:
    """Clients choose the names of models."""
    cooldown = {"model": "a\x1b[2J\nb", "reason": "429"}
    usage = {"p/a\x1b]0;b": {"requests": 1}}
    text = page("http://x", HEALTH | {"providers": {"p": {"cooldowns": [cooldown]}}, "usage": usage})
    assert "a?[2J?b: 429" in text and "p/a?]0;b" in text
    assert all(line.isprintable() for line in text.split("\n"))


def test_a_quota_that_lasts_is_told_with_the_next_try() -> None:
    cooldown = {"credential": "env:KEY", "model": "*", "reason": "429 quota", "remaining": 3000, "ends_in": 90_000}
    text = page("http://x", HEALTH | {"providers": {"p": {"cooldowns": [cooldown]}}})
    assert "env:KEY for every model: 429 quota, 25 h 0 min left, tried again in 50 min 0 s" in text
