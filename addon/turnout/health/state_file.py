"""Small files in the user's state directory that are replaced as a whole."""

from __future__ import annotations

import logging
from pathlib import Path

from turnout.settings.privacy import make_private
from turnout.settings.writing import write_atomically

logger = logging.getLogger("turnout")


class StateWriter:
    """Writes one kind of state file. A place that cannot be written to is told once, and work goes on without it."""

    def __init__(self, content: str) -> None:
        self._content = content
        self._warned = False

    def write(self, file: Path, data: bytes) -> None:
        """Replace the file by `data`. Blocks on the disk."""
        try:
            write_atomically(file, data)
            make_private(file.parent)
        except OSError as error:
            if not self._warned:
                self._warned = True
                logger.warning("%s: %s cannot be kept (%s)", file, self._content, error)
