"""The files in which mitmproxy itself saves flows (`-w`, `hardump`): prompts are in them."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from turnout.settings.privacy import make_private

logger = logging.getLogger("turnout")


def keep_private(stream: str | None, har: str | None) -> None:
    """Leave these files to the user alone, or tell that others can read them. The names are mitmproxy's options."""
    if stream:
        # As mitmproxy's Save reads it; with -w it has made the file before any script is loaded.
        private_or_told(Path(datetime.today().strftime(stream.removeprefix("+"))).expanduser())
    if har and har != "-":
        file = Path(har)
        with suppress(OSError):  # which mitmproxy tells when it writes
            # It does so when it ends, after its scripts are gone.
            file.touch(mode=0o600)
        private_or_told(file)


def private_or_told(file: Path, descriptor: int | None = None) -> None:
    """Leave a file to the user alone, or tell that others can read it."""
    if not make_private(file if descriptor is None else descriptor):
        logger.warning(
            "%s: other users of this computer can read it, and prompts are in it; run: chmod 600 %s", file, file
        )
