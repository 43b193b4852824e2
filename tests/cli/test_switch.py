"""C4: `turnout switch` pins one provider, `turnout reset` lifts the pin."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.cli.conftest import HealthServer, Turnout
from turnout.settings.places import pin_file

CONFIG = '[providers.minimax]\n[providers.local]\nbase_url = "http://127.0.0.1:9"\nauth = "none"\n'


@pytest.fixture
def pin(home: Path) -> Path:
    (home / "mitm.conf").write_text(CONFIG)
    return pin_file(os.environ)


def test_switch_pins_and_says_so(turnout: Turnout, pin: Path) -> None:
    outcome = turnout("switch", "local")
    assert outcome.code == 0
    assert pin.read_text().strip() == "local"
    assert "Pinned to local (http://127.0.0.1:9), without failover." in outcome.out
    assert stat.S_IMODE(pin.parent.stat().st_mode) == 0o700


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_the_folder_is_the_users_alone_also_when_it_was_there(turnout: Turnout, pin: Path) -> None:
    pin.parent.mkdir(parents=True)
    pin.parent.chmod(0o755)
    assert turnout("switch", "local").code == 0
    assert stat.S_IMODE(pin.parent.stat().st_mode) == 0o700


def test_it_says_whether_anybody_follows(turnout: Turnout, health_server: HealthServer, home: Path) -> None:
    port = int(health_server.url.rpartition(":")[2])
    (home / "mitm.conf").write_text(f"[listen]\nport = {port}\n{CONFIG}")
    nobody = f"None runs at {health_server.url}; one that runs elsewhere follows"
    health_server.tell({})
    assert nobody in turnout("switch", "local").out
    for answer, status in (({"providers": {}}, 200), ({}, 401)):
        health_server.tell(answer, status)
        assert "Every Turnout you run follows within seconds." in turnout("switch", "local").out


def test_switch_replaces_an_earlier_pin_and_leaves_nothing_beside_it(turnout: Turnout, pin: Path) -> None:
    turnout("switch", "local")
    turnout("switch", "minimax")
    assert pin.read_text().strip() == "minimax"
    assert list(pin.parent.iterdir()) == [pin]


def test_reset_lifts_the_pin(turnout: Turnout, pin: Path) -> None:
    turnout("switch", "local")
    outcome = turnout("reset")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("No provider is pinned any more.")
    assert not pin.exists()


def test_reset_without_a_pin(turnout: Turnout, home: Path) -> None:
    (home / "mitm.conf").write_text("[broken: that is no reason to keep a pin")
    outcome = turnout("reset")
    assert outcome.code == 0
    assert outcome.out.startswith("No provider was pinned.")


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("locl", "Did you mean local?"),
        ("deepseek", "To use the preset deepseek, add a [providers.deepseek] table or name it in a route"),
        ("deepsek", "To use the preset deepseek, add a [providers.deepseek] table or name it in a route"),
        ("nope", "Known: minimax, local, anthropic"),
        ("qqqqqqqq", "Known: minimax, local, anthropic"),
    ],
)
def test_unknown_provider_is_refused(turnout: Turnout, pin: Path, name: str, suggestion: str) -> None:
    outcome = turnout("switch", name)
    assert outcome.code == 2
    assert suggestion in outcome.err
    assert not pin.exists()


def test_a_state_folder_that_cannot_be_made(turnout: Turnout, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "occupied").write_text("a file, not a folder")
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "occupied"))
    outcome = turnout("switch", "anthropic")
    assert outcome.code == 1
    assert "cannot be changed (Not a directory). Check the permissions" in outcome.err
    assert outcome.err.count("\n") == 1
