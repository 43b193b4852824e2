"""The state as a page for a browser (A13, B5)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnout.status.page import status_page

HEALTH: dict[str, Any] = {
    "status": "ok",
    "version": "9.9",
    "config": "/etc/<mitm>.conf",
    "pinned": None,
    "exchanges": {"open": 1, "served": 22, "failed": 3},
    "providers": {
        "minimax": {
            "base_url": "https://m/{x}",
            "credentials": [{"label": "env:KEY", "state": "set"}, {"label": "client", "state": "<b>"}],
            "slots": {"in_use": 1, "limit": 5, "waiting": 0},
            "cooldowns": [{"credential": "env:KEY", "model": "m", "reason": "429 <quota>", "remaining": 61.7}],
            "learned": [{"model": "m", "suggestion": 'rewrite.drop = ["<a>"]'}],
            "recent": [200, "connection refused"],
        },
        "local": {
            "base_url": "http://l",
            "credentials": [],
            "slots": {"in_use": 0, "limit": None, "waiting": 0},
            "cooldowns": [],
            "learned": [],
            "recent": [],
        },
    },
}


@pytest.mark.parametrize("accept", ["", "*/*", "application/json"])
def test_status_is_json_for_everybody_but_browsers(accept: str) -> None:
    answer = status_page(HEALTH, accept)
    assert json.loads(answer.body) == HEALTH and answer.headers["content-type"] == "application/json"


def test_status_is_a_page_for_browsers() -> None:
    answer = status_page(HEALTH, "text/html,application/xhtml+xml,*/*;q=0.8")
    page = answer.body.decode()
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "Turnout 9.9 · /etc/&lt;mitm&gt;.conf · 1 open, 22 served, 3 failed" in page
    assert "<td>minimax</td><td>https://m/{x}</td><td>env:KEY: set, client: &lt;b&gt;</td><td>1/5</td>" in page
    assert "<td>env:KEY · m: 429 &lt;quota&gt; (62 s left)</td><td>200 connection refused</td>" in page
    assert "<td>none needed</td><td>0</td><td>ready</td><td></td>" in page
    assert "<b>" not in page and "<script" not in page


def test_the_page_says_what_is_unusual() -> None:
    page = status_page({**HEALTH, "config": None, "pinned": "minimax"}, "text/html").body.decode()
    assert "no config file: everything goes to Anthropic · pinned to minimax · 1 open" in page


def test_the_page_says_how_much_is_left_out() -> None:
    left_out = {"cooldowns": 980, "learned": 12}
    providers = {"minimax": {**HEALTH["providers"]["minimax"], "left_out": left_out}}
    page = status_page({**HEALTH, "providers": providers}, "text/html").body.decode()
    assert "(62 s left); and 980 more</td>" in page
    assert "[&quot;&lt;a&gt;&quot;]; and 12 more</td>" in page
