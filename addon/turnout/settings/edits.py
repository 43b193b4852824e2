"""What a change of the files means: an edit, or an accident that changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from turnout.errors import ConfigError
from turnout.settings.model import Settings
from turnout.settings.sources import Sources

SETTLE = 5.0
"""Seconds for which a file that has lost its last lines must stay as it is: somebody may be writing it."""

SETTLE_LINE = 0.4
"""The same for a file that ends within a line, as some editors leave it."""

_TO_DEFAULTS = "To go on without it, start Turnout again"


def settling_time(before: Sources, after: Sources) -> float:
    """Seconds for which the files must stay as they are before they are taken over.

    Raises ConfigError for a file that is gone, says nothing any more, or ends in the middle of what it said before.
    """
    place = after.place
    waits = [_settling_time(place.config, before.config_text, after.config_text, before.config, after.config)]
    if place.dotenv == before.place.dotenv:
        texts = before.dotenv_text, after.dotenv_text
        waits.append(_settling_time(place.dotenv, *texts, before.variables, after.variables))
    return max(waits)


def _settling_time(
    file: Path | None, before: str | None, after: str | None, said: Mapping[str, Any], says: Mapping[str, Any]
) -> float:
    if file is None or said == says:
        return 0.0
    if _says_nothing(says) and not _says_nothing(said):
        reason = "the file is gone" if after is None else "the file is empty"
        raise ConfigError(reason, file=file, suggestion=_TO_DEFAULTS)
    assert after is not None
    whole = after.endswith("\n")
    if before is None or not before.startswith(after):
        return 0.0 if whole else SETTLE_LINE
    if not whole:
        hint = "If that is all of it, end its last line with a line break"
        raise ConfigError("the file ends in the middle of what it said before", file=file, suggestion=hint)
    return SETTLE


def check_keys(after: Settings) -> None:
    """While client keys are in force: raises ConfigError for settings that do not say that there are none any more."""
    if not after.access.keys and "keys" not in after.access.model_fields_set:
        raise ConfigError(
            "client keys are in force, and it names none any more",
            file=after.file,
            key="access.keys",
            suggestion="If every process of this machine may enter, write keys = [] under [access]",
        )


def _says_nothing(table: Mapping[str, Any]) -> bool:
    return all(isinstance(value, Mapping) and _says_nothing(value) for value in table.values())
