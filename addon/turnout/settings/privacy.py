"""Files that nobody but their owner can read."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def others_can_read(file: Path) -> bool:
    """Whether other users of this computer can read a file. One that is not there, nobody can."""
    if os.name != "posix":
        return False
    try:
        return bool(file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
    except OSError:
        return False


def make_private(file: Path | int) -> bool:
    """Leave a file or folder (its path, or its open descriptor) to its owner; whether it is the owner's alone now.

    One of somebody else is left as it is. Pipes, devices and what is not there hold nothing to protect.
    """
    if os.name != "posix":
        return True
    try:
        status = os.stat(file)
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)) or not status.st_mode & _OTHERS:
            return True
        if status.st_uid != os.geteuid():
            return False
        os.chmod(file, stat.S_IMODE(status.st_mode) & ~_OTHERS)
        return not os.stat(file).st_mode & _OTHERS  # some file systems know no modes, and say nothing
    except FileNotFoundError:
        return True
    except OSError:
        return False


def private_from_now_on() -> Callable[[], None]:
    """Every file that this process makes is the user's alone; returns the function that undoes it."""
    before = os.umask(_OTHERS)

    def undo() -> None:
        os.umask(before)

    return undo
