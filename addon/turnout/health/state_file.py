"""Small files in the user's state directory. All Turnouts of the user share them: what one learned, no other undoes."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import stat
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from turnout.settings.privacy import make_private
from turnout.settings.writing import write_atomically

logger = logging.getLogger("turnout")

MOST_BYTES = 4_000_000
"""No state file is longer; of one that is, no more is read."""

LOCK_WAIT = 2.0
"""Seconds to wait for the lock of a file. A write takes milliseconds: whoever holds the lock for longer hangs."""

_LOCK_PAUSE = 0.02
_HELD = {errno.EACCES, errno.EAGAIN}


class Change(Protocol):
    """What a table has to add to its file, apart from the table: another thread may work with it."""

    @property
    def revision(self) -> int:
        """The revision of the table that this stands for."""

    def merged(self, found: bytes | None) -> bytes:
        """The new content, made of what was found in the file (None: there is no file).

        Never raises. A second time, it changes nothing: what is being written is in the next change again.
        """


class Table(Protocol):
    """What is kept in a state file."""

    @property
    def revision(self) -> int:
        """Grows with every change that is worth a write."""

    def change(self, written: int) -> Change:
        """What has changed since the revision that the file got last."""


class StateFile:
    """One state file: it is locked, read, merged with what is new here, and replaced.

    A place that cannot be written to is told once; what could not be written goes with the next write.
    """

    def __init__(self, table: Table, content: str) -> None:
        """`content` says in words what the file holds."""
        self.place: Path | None = None
        """None: nothing is kept."""
        self._table = table
        self._content = content
        self._written = 0
        self._warned = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="turnout-state")
        self._job: Future[None] | None = None

    def write_soon(self) -> None:
        """Write what has changed, in a thread."""
        if self.place is None:
            return
        if self._job is not None:
            self._job.cancel()  # where it has not begun: this one writes the same and more
        self._job = self._thread.submit(self._write, self.place, self._table.change(self._written))

    async def written(self) -> None:
        """Wait until no write is under way."""
        while self._job is not None and not self._job.done():
            await asyncio.wait((asyncio.wrap_future(self._job),))

    def flush(self) -> None:
        """Write now what has not been written. Needs no event loop; blocks, for two waits for the lock at most."""
        if self._job is not None and not self._job.cancel():
            wait((self._job,), LOCK_WAIT)
        if self.place is not None and self._table.revision > self._written:
            self._write(self.place, self._table.change(self._written))

    def _write(self, file: Path, change: Change) -> None:
        try:
            with _locked(file):
                write_atomically(file, change.merged(content(file)))
            make_private(file.parent)
            self._written = max(self._written, change.revision)
        except OSError as error:
            if not self._warned:
                self._warned = True
                logger.warning("%s: %s cannot be kept (%s)", file, self._content, error)


def content(file: Path) -> bytes | None:
    """What a state file holds, MOST_BYTES at most; None where there is none. Raises OSError."""
    try:
        # A pipe in its place would be waited for.
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return None
    with open(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no file", str(file))
        return stream.read(MOST_BYTES)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Keep other Turnouts from writing the file. Raises TimeoutError, or another OSError where no lock can be made."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = file.with_name(f"{file.name}.lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _acquire(descriptor, lock)
        yield
    finally:
        os.close(descriptor)  # which gives the lock back


def _acquire(descriptor: int, lock: Path) -> None:
    latest = time.monotonic() + LOCK_WAIT
    while True:
        try:
            return _try_lock(descriptor)
        except OSError as error:
            if error.errno not in _HELD:
                return  # the file system knows no locks: better without one than not at all
        if time.monotonic() >= latest:
            raise TimeoutError(f"another process has held {lock} for {LOCK_WAIT:g} s")
        time.sleep(_LOCK_PAUSE)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
