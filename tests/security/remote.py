"""The other end of remote_script: what a test does to a running mitmdump from outside."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("remote_script.py")

PATIENCE = 30.0
"""Seconds."""


class Remote:
    """Talks to the script. `port` is the one in its $REMOTE_PORT."""

    def __init__(self, port: int) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        self._lines = self._socket.makefile("rb")

    def _do(self, name: str, **arguments: Any) -> dict[str, Any]:
        self._socket.sendall(json.dumps({"do": name, **arguments}).encode() + b"\n")
        answer: dict[str, Any] = json.loads(self._lines.readline())
        return answer

    def set(self, **options: Any) -> str:
        """Change options of mitmproxy; the error, if they were refused."""
        return str(self._do("options", changes=options).get("error", ""))

    def fail_in(self, hooks: Sequence[str]) -> None:
        """Raise in these hooks from now on, before Turnout's own are called."""
        self._do("raise", hooks=list(hooks))

    def reload(self) -> bool:
        """Load Turnout's script anew; whether Turnout is loaded now."""
        return bool(self._do("reload").get("loaded"))

    @property
    def loaded(self) -> bool:
        return bool(self._do("loaded")["loaded"])

    def look(self) -> None:
        """Have the configuration looked at."""
        self._do("look")

    def alive(self) -> dict[str, int]:
        """Tasks and objects that are alive, by name."""
        return self._do("alive")

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


class Target:
    """Stands where `--mode reverse:` points. Nothing may ever connect to it."""

    def __init__(self) -> None:
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._count, daemon=True)
        self._thread.start()

    def _count(self) -> None:
        while True:
            try:
                accepted, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            accepted.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


def edit(file: Path, text: str) -> None:
    """A change that mitmproxy's watcher sees, whatever the resolution of the file system's clock."""
    later = file.stat().st_mtime_ns + 2_000_000_000 if file.exists() else time.time_ns()
    file.write_text(text)
    os.utime(file, ns=(later, later))
