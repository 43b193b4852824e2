"""Writes flows that are over into a file (`turnout_record`), each at once and complete."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

from mitmproxy import http
from mitmproxy.io import tnetstring

from turnout.errors import ConfigError

logger = logging.getLogger("turnout")

_LENGTH_DIGITS = 12
_FLOW = re.compile(rb"(\d{1,12}):")
"""How a flow begins: with the length of a dictionary, which ends with a brace (mitmproxy's io/tnetstring.py)."""


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
        size, whole = os.fstat(descriptor).st_size, _whole_flows(descriptor)
        if whole is None:
            os.close(descriptor)
            raise ConfigError(f"{file} is no recording; nothing was written to it", key="turnout_record")
        if whole < size:
            # What is written behind half a flow could not be read by anything.
            os.ftruncate(descriptor, whole)
            logger.warning("%s ended in half a flow, which was cut off (%d bytes)", file, size - whole)
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
        except (OSError, ValueError) as error:
            if not self._failed:
                logger.warning("%s cannot be written, flows are missing from it: %s", self.file, error)
            self._failed = True
            with contextlib.suppress(OSError):
                self._stream.truncate(end)  # half a flow would make all that follow unreadable


def _whole_flows(descriptor: int) -> int | None:
    """The size of the whole flows at the beginning of a file; None when it is no flow file."""
    end = 0
    while beginning := os.pread(descriptor, _LENGTH_DIGITS + 1, end):
        length = _FLOW.match(beginning)
        if length is None:
            cut_off = beginning.isdigit() and len(beginning) <= _LENGTH_DIGITS
            return end if cut_off else None
        following = end + length.end() + int(length[1]) + 1
        closing = os.pread(descriptor, 1, following - 1)
        if closing != b"}":
            return None if closing else end
        end = following
    return end
