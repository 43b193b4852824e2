"""Files that commands write: new ones only."""

from __future__ import annotations

import os
from pathlib import Path

from turnout.errors import TurnoutError


def write_new(file: Path, text: str, if_taken: str) -> None:
    """Write a file that does not exist yet, for the user alone.

    Raises TurnoutError; `if_taken` says what to do when there is one.
    """
    try:
        # Keys may be in it, now or once it is edited.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise TurnoutError(f"{file} exists already and is left as it is. Remove it, or {if_taken}") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise TurnoutError(f"{file} cannot be written ({reason}). Check the folder and its permissions") from None
