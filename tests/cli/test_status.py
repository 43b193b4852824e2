"""C4: `turnout status` reads `/health` of a running Turnout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import HealthServer, Turnout

HEALTH: dict[str, Any] = {
    "status": "ok",
    "version": "0.1.0",
    "config": "/etc/mitm.conf",
    "pinned": None,
    "providers": {
        "anthropic": {
            "base_url": "https://api.anthropic.com",
            "credentials": [{"label": "env:A", "state": "set"}, {"label": "client", "state": "from the client"}],
            "slots": {"in_use": 2, "limit": None, "waiting": 0},
            "cooldowns": [
                {
                    "credential": "env:A",
                    "model": "claude-opus-5",
                    "verdict": "quota",
                    "reason": "quota, five_hour",
                    "until": 1800000000.0,
                    "remaining": 272.4,
                    "probing": False,
                },
                {"credential": "none", "model": "*", "verdict": "transient", "remaining": 0, "probing": True},
            ],
            "recent": [200, 429, 200],
        },
        "local": {
            "base_url": "http://127.0.0.1:1",
            "credentials": [{"label": "none", "state": "no key needed"}],
            "slots": {"in_use": 1, "limit": 5, "waiting": 3},
            "cooldowns": [],
            "recent": [],
        },
    },
    "usage": {"anthropic/claude-opus-5": {"requests": 1, "input_tokens": 12345, "cache_read_input_tokens": 0}},
    "exchanges": {"open": 1, "served": 2345, "failed": 0},
}


def squeezed(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_page_says_it_all(turnout: Turnout, health_server: HealthServer) -> None:
    health_server.tell(HEALTH)
    outcome = turnout("status", "--url", health_server.url)
    assert (outcome.code, outcome.err) == (0, "")
    assert squeezed(outcome.out) == [
        f"Turnout 0.1.0 at {health_server.url}: ok",
        "",
        "Config /etc/mitm.conf",
        "Pinned no",
        "Requests 1 open, 2,345 served, 0 failed",
        "",
        "Usage",
        "anthropic/claude-opus-5 requests 1, input_tokens 12,345",
        "",
        "anthropic https://api.anthropic.com",
        "credentials env:A: set, client: from the client",
        "slots 2 in use",
        "cooling down env:A for claude-opus-5: quota, five_hour, 4 min 32 s left",
        "cooling down every model: transient, being tried again",
        "last statuses 200, 429, 200",
        "",
        "local http://127.0.0.1:1",
        "credentials no key needed",
        "slots 1 of 5 in use, 3 waiting",
    ]


def test_the_configured_address_and_client_key_are_used(
    turnout: Turnout, health_server: HealthServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = health_server.url.rpartition(":")[2]
    (home / "mitm.conf").write_text(f'[listen]\nport = {port}\n[access]\nkeys = ["env:TEAM_KEY"]\n')
    monkeypatch.setenv("TEAM_KEY", "team-key-0123456789")
    health_server.tell(HEALTH)
    outcome = turnout("status")
    assert outcome.code == 0
    assert health_server.key == "team-key-0123456789"
    assert "team-key" not in outcome.out


def test_another_address_does_not_learn_the_client_key(
    turnout: Turnout, health_server: HealthServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be a Turnout with another --port, or anything else."""
    (home / "mitm.conf").write_text('[access]\nkeys = ["env:TEAM_KEY"]\n')
    monkeypatch.setenv("TEAM_KEY", "team-key-0123456789")
    health_server.tell(HEALTH)
    assert turnout("status", "--url", health_server.url.replace("127.0.0.1", "localhost")).code == 0
    assert health_server.key is None
    assert health_server.proof is not None and "team-key" not in health_server.proof


def test_a_broken_config_does_not_hide_a_turnout_that_is_named(
    turnout: Turnout, health_server: HealthServer, home: Path
) -> None:
    (home / "mitm.conf").write_text("[broken")
    health_server.tell(HEALTH)
    outcome = turnout("status", "--url", health_server.url)
    assert (outcome.code, outcome.err.count("\n")) == (0, 1)
    assert outcome.err.startswith(f"turnout: {home / 'mitm.conf'}: not valid TOML: ")
    assert f"It is not in force; asking {health_server.url}" in outcome.err


def test_a_broken_config_leads_to_the_default_address(turnout: Turnout, home: Path) -> None:
    (home / "mitm.conf").write_text("[listen]\nprot = 1\n")
    told, *_ = turnout("status").err.splitlines()
    assert told == (
        f"turnout: {home / 'mitm.conf'}: listen.prot: unknown key. Did you mean port? "
        "It is not in force; asking http://127.0.0.1:8082, or name another with --url"
    )


def test_a_mistake_elsewhere_does_not_hide_the_address_and_the_key(
    turnout: Turnout, health_server: HealthServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = health_server.url.rpartition(":")[2]
    config = f'[listen]\nport = {port}\n[access]\nkeys = ["env:TEAM_KEY"]\n[retry]\nmulti = 1\n'
    (home / "mitm.conf").write_text(config)
    monkeypatch.setenv("TEAM_KEY", "team-key-0123456789")
    health_server.tell(HEALTH)
    outcome = turnout("status")
    assert outcome.code == 0 and outcome.out.startswith(f"Turnout 0.1.0 at {health_server.url}: ok")
    assert "retry.multi: unknown key" in outcome.err and f"asking {health_server.url}, " in outcome.err
    assert health_server.key == "team-key-0123456789"


def test_a_client_key_that_is_missing_does_not_hide_the_address(
    turnout: Turnout, health_server: HealthServer, home: Path
) -> None:
    port = health_server.url.rpartition(":")[2]
    (home / "mitm.conf").write_text(f'[listen]\nport = {port}\n[access]\nkeys = ["env:TEAM_KEY"]\n')
    health_server.tell(HEALTH)
    outcome = turnout("status")
    assert (outcome.code, health_server.key) == (0, None)
    assert "the variable TEAM_KEY is not set" in outcome.err


def test_nothing_listens_there(turnout: Turnout) -> None:
    outcome = turnout("status", "--url", "http://127.0.0.1:1")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("turnout: no Turnout answers at http://127.0.0.1:1 (")
    assert "Start one with `turnout run`" in outcome.err


@pytest.mark.parametrize("url", ["127.0.0.1:8082", "http://[", "ftp://127.0.0.1"])
def test_not_a_url(turnout: Turnout, url: str) -> None:
    outcome = turnout("status", "--url", url)
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"<html>"), (200, b"[]"), (200, b'{"status": "ok"}'), (404, b'{"providers": {}}')]
)
def test_something_else_listens_there(turnout: Turnout, health_server: HealthServer, status: int, body: bytes) -> None:
    health_server.status, health_server.body = status, body
    outcome = turnout("status", "--url", health_server.url)
    assert outcome.code == 1
    assert f"is not Turnout (status {status})" in outcome.err


def test_a_refusal_is_repeated(turnout: Turnout, health_server: HealthServer) -> None:
    health_server.tell({"type": "error", "error": {"message": "Host x is not served here."}}, 403)
    outcome = turnout("status", "--url", health_server.url)
    assert outcome.code == 1
    assert outcome.err == f"turnout: {health_server.url} refused: Host x is not served here.\n"


def test_a_client_key_is_wanted(turnout: Turnout, health_server: HealthServer) -> None:
    health_server.tell({"type": "error", "error": {"message": "Turnout wants a client key"}}, 401)
    outcome = turnout("status", "--url", health_server.url)
    assert outcome.code == 1
    assert "wants a client key. Name the configuration that has it: turnout status --config FILE" in outcome.err
