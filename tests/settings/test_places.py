"""Where the configuration and the state are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

import turnout as package
from turnout.errors import TurnoutError
from turnout.settings.places import config_directory, pin_file, route_script, state_directory


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


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(package, "__file__", str(folder / "turnout" / "__init__.py"))
    (folder / "turnout").mkdir(parents=True)
    return folder


def test_the_script_is_beside_the_package_in_a_checkout(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = installed(home / "addon", monkeypatch)
    (folder / "route.py").touch()
    assert route_script() == folder / "route.py"


def test_the_script_is_inside_the_package_in_a_wheel(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = installed(home / "site-packages", monkeypatch)
    (folder / "turnout" / "entry").mkdir(parents=True)
    (folder / "turnout" / "entry" / "route.py").touch()
    (folder / "route.py").write_text("the entry script of another project")
    assert route_script() == folder / "turnout" / "entry" / "route.py"


def test_an_incomplete_installation(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(home / "site-packages", monkeypatch)
    with pytest.raises(TurnoutError, match="route.py is missing"):
        route_script()
