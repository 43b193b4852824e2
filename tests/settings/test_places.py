"""Where the configuration and the state are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from turnout.settings.places import config_directory, pin_file, state_directory


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
