"""The pin: one provider for everything, in a file that every running Turnout of this user follows."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Collection, Iterator
from pathlib import Path

from turnout.errors import ConfigError, TurnoutError
from turnout.settings.load import presets
from turnout.settings.mistakes import CLOSE
from turnout.settings.model import Settings
from turnout.settings.privacy import make_private
from turnout.settings.writing import write_atomically


def read_pin(file: Path) -> str | None:
    """The name in the file; None when there is none."""
    try:
        return file.read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def write_pin(file: Path, provider: str) -> None:
    """Replace the pin in one step: a Turnout that reads it meanwhile sees the old name or the new one.

    Raises TurnoutError when the file cannot be written.
    """
    with _explained(file):
        write_atomically(file, f"{provider}\n".encode())
        make_private(file.parent)


def lift_pin(file: Path) -> bool:
    """Remove the pin; whether there was one. Raises TurnoutError when the file cannot be removed."""
    with _explained(file):
        was_pinned = file.exists()
        file.unlink(missing_ok=True)
    return was_pinned


def check_provider(name: str, settings: Settings) -> None:
    """Raises ConfigError for a provider that the configuration does not have, and says which one may be meant."""
    if name not in settings.providers:
        raise ConfigError(
            f"{name!r} is not a provider of the configuration",
            file=settings.file,
            suggestion=_suggestion(name, settings.providers, presets()),
        )


@contextlib.contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TurnoutError(f"{file} cannot be changed ({error.strerror}). Check the permissions") from None


def _suggestion(provider: str, known: Collection[str], presets: Collection[str]) -> str:
    close = difflib.get_close_matches(provider, [*known, *presets], n=1, cutoff=CLOSE)
    if not close:
        return f"Known: {', '.join(known)}"
    if close[0] in known:
        return f"Did you mean {close[0]}?"
    return f"To use the preset {close[0]}, add a [providers.{close[0]}] table or name it in a route"
