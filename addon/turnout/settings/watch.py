"""Notices when a file has changed, appeared or gone."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


class FileWatch:
    """Remembers what files looked like. A `stat` a second costs next to nothing and works on every file system."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.paths = tuple(paths)
        self._seen = self._look()

    def changed(self) -> bool:
        """Whether any of the files differs from the last time this was asked."""
        seen, self._seen = self._seen, self._look()
        return seen != self._seen

    def _look(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(map(_identity, self.paths))


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
