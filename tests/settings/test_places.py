"""Where the configuration and the state are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from turnout.settings.places import config_directory, find_config, pin_file, state_directory


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "here"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


@pytest.mark.parametrize(
    ("environment", "config", "state"),
    [
        ({"HOME": "/h"}, "/h/.config/turnout", "/h/.local/state/turnout"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}, "/c/turnout", "/s/turnout"),
        ({"HOME": "/h", "APPDATA": "/a"}, "/a/turnout", "/a/turnout"),
        ({"HOME": "/h", "APPDATA": "/a", "XDG_CONFIG_HOME": "/c"}, "/c/turnout", "/a/turnout"),
    ],
)
def test_directories(environment: dict[str, str], config: str, state: str) -> None:
    assert config_directory(environment) == Path(config) and state_directory(environment) == Path(state)
    assert pin_file(environment) == Path(state) / "provider"


def test_the_home_of_the_system_is_the_last_resort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert config_directory({}) == Path("/somewhere/.config/turnout")


def test_the_order_of_the_places(here: Path, tmp_path: Path) -> None:
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert find_config(None, environment) is None
    users = tmp_path / "turnout" / "mitm.conf"
    users.parent.mkdir()
    users.touch()
    assert find_config(None, environment) == users
    (here / "mitm.conf").touch()
    assert find_config(None, environment) == here / "mitm.conf"
    assert find_config(None, {**environment, "TURNOUT_CONFIG": "/named"}) == Path("/named")
    assert find_config("/chosen", {**environment, "TURNOUT_CONFIG": "/named"}) == Path("/chosen")
    assert find_config("", {**environment, "TURNOUT_CONFIG": ""}) == here / "mitm.conf"


def test_a_directory_of_that_name_is_no_config(here: Path) -> None:
    (here / "mitm.conf").mkdir()
    assert find_config(None, {"HOME": str(here)}) is None


def test_a_tilde_is_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert find_config("~/x.conf", {}) == Path("/somewhere/x.conf")
    assert find_config("~nobody-of-that-name/x.conf", {}) == Path("~nobody-of-that-name/x.conf")
