"""Where Turnout looks for its configuration and keeps its state (XDG base directories; %APPDATA% on Windows)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import turnout
from turnout.errors import TurnoutError

CONFIG_NAME = "mitm.conf"


@dataclass(frozen=True, slots=True)
class Folder:
    """The files that were found because somebody started where they are, and what they say."""

    files: tuple[Path, ...]
    untrusted: tuple[Path, ...]
    """Those that the user has not trusted: they are in force in part."""
    changes: tuple[str, ...]
    """What is in force and would not be without them."""
    withheld: tuple[str, ...]
    """What they ask for and is not in force."""


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


def _directory(environment: Mapping[str, str], variable: str, default: str) -> Path:
    base = environment.get(variable) or environment.get("APPDATA")
    return (Path(base) if base else Path(environment.get("HOME") or Path.home()) / default) / "turnout"


def route_script() -> Path:
    """The entry script for `-s`: beside the package in a checkout, inside it in a wheel.

    Raises TurnoutError when it is missing.
    """
    package = Path(turnout.__file__).parent
    # Elsewhere than in a checkout a route.py beside the package is somebody else's.
    folder = package.parent if package.parent.name == "addon" else package / "entry"
    script = folder / "route.py"
    if not script.is_file():
        raise TurnoutError(f"{script} is missing. Install turnout again")
    return script
