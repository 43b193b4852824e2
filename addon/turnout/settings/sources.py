"""The files of the configuration: where they are, what stands in them, and whose they are."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from turnout.errors import ConfigError
from turnout.redaction.text import redact
from turnout.settings.places import CONFIG_NAME, config_directory, dotenv_file
from turnout.settings.text import read_text
from turnout.settings.trust import is_own


@dataclass(frozen=True, slots=True)
class Place:
    """Which files are in force."""

    config: Path | None
    """None when there is none, and the defaults hold."""
    dotenv: Path
    """The `.env` beside it, or in the working directory. It need not exist."""
    of_folder: bool = False
    """Found because somebody started there: nobody named it, and it is not in the user's config directory."""
    shadowed: Path | None = None
    """A `./mitm.conf` that is not trusted, and therefore left aside for the user's own configuration."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What the files say, each read once. An absent file is None."""

    place: Place
    config: dict[str, Any]
    variables: dict[str, str] = field(repr=False)
    config_is_own: bool
    dotenv_is_own: bool
    config_text: str | None = field(default=None, repr=False)
    dotenv_text: str | None = field(default=None, repr=False)

    @property
    def untrusted(self) -> tuple[Path, ...]:
        """The files that were only found, and say something."""
        config = [self.place.config] if self.place.config and not self.config_is_own else []
        return (*config, *([self.place.dotenv] if self.variables and not self.dotenv_is_own else []))


def find_place(chosen: str | None, environment: Mapping[str, str]) -> Place:
    """The files in force: the config file chosen, `$TURNOUT_CONFIG`, `./mitm.conf`, the user's; none of these.

    A file that was named is taken whether it exists or not, so that its absence is reported. The user's own comes
    before a `./mitm.conf` that is not trusted.
    """
    named = chosen or environment.get("TURNOUT_CONFIG")
    if named:
        config = Path(os.path.expanduser(named))  # which, unlike Path's own, leaves an unknown user's home as it is
        return Place(config, dotenv_file(config))
    here, users = Path.cwd() / CONFIG_NAME, config_directory(environment) / CONFIG_NAME
    found = os.path.isfile(here)
    if os.path.isfile(users) and not (found and is_own(here, environment)):
        return Place(users, dotenv_file(users), shadowed=here if found else None)
    return Place(here if found else None, dotenv_file(here), of_folder=True)


def read_sources(place: Place, environment: Mapping[str, str]) -> Sources:
    """What the files of a place say now. Raises ConfigError."""
    return sources_of(place, _config_text(place.config), _dotenv_text(place.dotenv), environment)


def sound_sources(place: Place, environment: Mapping[str, str]) -> Sources:
    """The same without any error: a file with a mistake says nothing."""
    config = dotenv = None
    with suppress(ConfigError):
        config = _config_text(place.config)
    with suppress(ConfigError):
        dotenv = _dotenv_text(place.dotenv)
    try:
        return sources_of(place, config, dotenv, environment)
    except ConfigError:
        return sources_of(place, None, dotenv, environment)


def sources_of(
    place: Place, config_text: str | None, dotenv_text: str | None, environment: Mapping[str, str]
) -> Sources:
    """What the files of a place say with these texts; None is a file that is not there. Raises ConfigError."""
    return Sources(
        place,
        config=_table(config_text or "", place.config),
        variables=_variables(dotenv_text or ""),
        config_is_own=place.config is None or not place.of_folder or is_own(place.config, environment),
        dotenv_is_own=not place.of_folder or is_own(place.dotenv, environment),
        config_text=config_text,
        dotenv_text=dotenv_text,
    )


def _config_text(file: Path | None) -> str | None:
    return read_text(file, if_missing="Write one with `turnout init`, or name another file") if file else None


def _table(text: str, file: Path | None) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # tomllib raises its own error, and these for numbers and nesting
        hint = "Strings need quotes" if str(error).startswith("Invalid value") else ""
        raise ConfigError(f"not valid TOML: {redact(str(error))}", file=file, suggestion=hint) from None


def _dotenv_text(file: Path) -> str | None:
    if not os.path.isfile(file):
        return None
    return read_text(file, if_missing="")


def _variables(text: str) -> dict[str, str]:
    found = dotenv_values(stream=StringIO(text), interpolate=False)
    return {key: value for key, value in found.items() if value is not None}
