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

_FLOW = re.compile(rb"\d+:")
"""How every flow of a file begins: with its length (mitmproxy's io/tnetstring.py)."""


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
        beginning = os.pread(descriptor, 16, 0)
        if beginning and not _FLOW.match(beginning):
            os.close(descriptor)
            raise ConfigError(f"{file} is no recording; nothing was written to it", key="turnout_record")
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
