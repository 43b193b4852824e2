"""Where Turnout looks for its configuration and keeps its state (XDG base directories; %APPDATA% on Windows)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

CONFIG_NAME = "mitm.conf"


def config_directory(environment: Mapping[str, str]) -> Path:
    return _directory(environment, "XDG_CONFIG_HOME", ".config")


def state_directory(environment: Mapping[str, str]) -> Path:
    return _directory(environment, "XDG_STATE_HOME", ".local/state")


def pin_file(environment: Mapping[str, str]) -> Path:
    """The file in which `turnout switch` leaves the name of the one provider to use."""
    return state_directory(environment) / "provider"


def dotenv_file(config: Path | None) -> Path:
    """The `.env` beside the config file; without one, that of the working directory."""
    return (config.parent if config else Path.cwd()) / ".env"


def find_config(chosen: str | None, environment: Mapping[str, str]) -> Path | None:
    """The config file in force: the one chosen, `$TURNOUT_CONFIG`, `./mitm.conf`, the user's; None if there is none.

    A file that was named is returned whether it exists or not, so that its absence is reported.
    """
    named = chosen or environment.get("TURNOUT_CONFIG")
    if named:
        return Path(os.path.expanduser(named))  # which, unlike Path's own, leaves an unknown user's home as it is
    for candidate in (Path.cwd() / CONFIG_NAME, config_directory(environment) / CONFIG_NAME):
        if candidate.is_file():
            return candidate
    return None


def _directory(environment: Mapping[str, str], variable: str, default: str) -> Path:
    base = environment.get(variable) or environment.get("APPDATA")
    return (Path(base) if base else Path(environment.get("HOME") or Path.home()) / default) / "turnout"
