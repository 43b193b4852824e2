"""Files that are replaced as a whole."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write_atomically(file: Path, data: bytes) -> None:
    """Put `data` in the place of the file: readers see the old content or the new, never a part.

    The file is the user's alone (0600), its folder is made when it is missing. Blocks on the disk. Raises OSError, and
    then the old content is still there.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # 0600 from its first moment
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.replace(name, file)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
