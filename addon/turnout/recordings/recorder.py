"""Writes flows that are over into a file (`turnout_record`), each at once and complete."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

from mitmproxy import http
from mitmproxy.io import tnetstring

from turnout.errors import ConfigError
from turnout.recordings.saved_files import private_or_told

logger = logging.getLogger("turnout")

_FLOW = re.compile(rb"(\d{1,12}):(\d{1,3}):([a-z_]+);")
"""How a flow begins: with the length of a dictionary, which ends with a brace, and its first key (mitmproxy's
io/tnetstring.py)."""
_BEGINNING = re.compile(rb"\d{1,12}(?::(?:\d{1,3}(?::[a-z_]*)?)?)?")


def path_of(name: str) -> Path:
    """The file of this name; `~` is the user's home. A user that does not exist leaves the name as it is."""
    return Path(os.path.expanduser(name)).absolute()


class Recorder:
    """An open recording. It grows: what was recorded before stays in the file.

    mitmproxy 11 does not flush what it writes with -w until it ends; here a flow is in the file when it is over.
    """

    def __init__(self, file: Path) -> None:
        """Raises ConfigError when the file cannot be written, or holds something else."""
        self.file = file
        try:
            # Only the user may read what was said to a model.
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConfigError(f"cannot write a recording to {file} ({reason})", key="turnout_record") from None
        status = os.fstat(descriptor)
        size, whole = status.st_size, _whole_flows(descriptor) if stat.S_ISREG(status.st_mode) else None
        if whole is None:
            os.close(descriptor)
            raise ConfigError(f"{file} is no recording; nothing was written to it", key="turnout_record")
        private_or_told(file, descriptor)  # one that was there keeps its mode when it is opened
        self.cut_off = size - whole
        """Bytes of half a flow at the end, left by a process that was killed."""
        if self.cut_off:
            # What is written behind half a flow could not be read by anything.
            os.ftruncate(descriptor, whole)
            logger.warning("%s ended in half a flow, which was cut off (%d bytes)", file, self.cut_off)
        self._stream: BinaryIO = open(descriptor, "ab", buffering=0)  # noqa: SIM115 - it is closed by `close`
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="turnout-record")
        self._failed = False

    def add(self, flow: http.HTTPFlow) -> None:
        """Have a flow written as it is now, outside of the event loop."""
        self._writer.submit(self._write, flow.get_state())

    def close(self) -> None:
        """Wait until everything is written."""
        self._writer.shutdown()
        self._stream.close()

    def _write(self, state: dict[str, Any]) -> None:
        end = os.fstat(self._stream.fileno()).st_size
        try:
            data = memoryview(tnetstring.dumps(state))
            while data:
                data = data[self._stream.write(data) :]
            self._failed = False
        except Exception as error:  # whatever another addon may have put into a flow
            if not self._failed:
                logger.warning("%s cannot be written, flows are missing from it: %s", self.file, error)
            self._failed = True
            with contextlib.suppress(OSError):
                self._stream.truncate(end)  # half a flow would make all that follow unreadable


def _whole_flows(descriptor: int) -> int | None:
    """The size of the whole flows at the beginning of a file; None when it is no flow file."""
    end = 0
    while beginning := os.pread(descriptor, 64, end):
        length = _FLOW.match(beginning)
        if length and int(length[2]) != len(length[3]):
            return None
        following = end + length.end(1) + 2 + int(length[1]) if length else 0
        closing = os.pread(descriptor, 1, following - 1) if length else b""
        if length and not closing:
            return end
        if closing != b"}":
            # The very beginning of a flow is recognised only after others: alone it could be anything.
            return end if end and len(beginning) < 64 and _BEGINNING.fullmatch(beginning) else None
        end = following
    return end
