"""`turnout init`: writes the example, and nothing over anything."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

import turnout as package
from tests.cli.conftest import ADDON, Turnout
from turnout.cli.init import example
from turnout.errors import TurnoutError
from turnout.settings.load import load


def test_it_writes_a_configuration_that_changes_nothing(turnout: Turnout, home: Path) -> None:
    outcome = turnout("init")
    assert (outcome.code, outcome.err) == (0, "")
    assert str(home / "mitm.conf") in outcome.out
    assert (home / "mitm.conf").read_text() == (ADDON.parent / "mitm.conf.example").read_text()
    if os.name == "posix":
        assert stat.S_IMODE((home / "mitm.conf").stat().st_mode) == 0o600, "keys may be written into it"
    settings = load()
    assert settings.file == home / "mitm.conf"
    assert settings.routes == ()


def test_it_never_overwrites(turnout: Turnout, home: Path) -> None:
    (home / "mitm.conf").write_text("# mine\n")
    outcome = turnout("init")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(f"turnout: {home / 'mitm.conf'} exists already")
    assert (home / "mitm.conf").read_text() == "# mine\n"


def test_a_missing_file_leads_here(turnout: Turnout, home: Path) -> None:
    outcome = turnout("run", "--config", str(home / "none.conf"))
    assert "there is no such file. Write one with `turnout init`" in outcome.err


def test_in_a_wheel_the_example_is_inside_the_package(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = home / "site-packages" / "turnout"
    folder.mkdir(parents=True)
    monkeypatch.setattr(package, "__file__", str(folder / "__init__.py"))
    with pytest.raises(TurnoutError, match="mitm.conf.example is missing"):
        example()
    (folder / "mitm.conf.example").touch()
    assert example() == folder / "mitm.conf.example"
