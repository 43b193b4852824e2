"""Files that commands write: new ones only."""

from __future__ import annotations

from pathlib import Path

from turnout.errors import TurnoutError


def write_new(file: Path, text: str, if_taken: str) -> None:
    """Write a file that does not exist yet. Raises TurnoutError; `if_taken` says what to do when there is one."""
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise TurnoutError(f"{file} exists already and is left as it is. Remove it, or {if_taken}") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise TurnoutError(f"{file} cannot be written ({reason}). Check the folder and its permissions") from None
