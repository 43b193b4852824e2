"""The mitmproxy console with Turnout, in a terminal of its own: list, filter, view, command line, end."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.browser import scenery
from turnout.testing.fixtures import ROUTE
from turnout.testing.proxy import free_port

pytestmark = pytest.mark.e2e

SECONDS = 30
ROWS, COLUMNS = 45, 180
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]|\x1b[=>]|[\x0e\x0f]")


class Terminal:
    """A program in a terminal. `text` is what it has written since the last key: the lines that changed."""

    def __init__(self, command: list[str], environment: dict[str, str], directory: Path) -> None:
        self._side, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            command, stdin=other, stdout=other, stderr=other, env=environment, cwd=directory, start_new_session=True
        )
        os.close(other)
        self._written = b""

    @property
    def text(self) -> str:
        return _CONTROL.sub("", self._written.decode(errors="replace"))

    def press(self, keys: str) -> None:
        self._written = b""
        os.write(self._side, keys.encode())

    def shows(self, *texts: str) -> None:
        """Wait until all of these have been written."""
        end = time.monotonic() + SECONDS
        while not all(text in self.text for text in texts):
            ready, _, _ = select.select([self._side], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"the terminal never showed {texts}:\n{self.text}"
            self._written += os.read(self._side, 65536)

    def exit_code(self) -> int:
        """Read on until the program has ended."""
        end = time.monotonic() + SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it does not end:\n{self.text}"
            if select.select([self._side], [], [], 0.1)[0]:
                try:
                    self._written += os.read(self._side, 65536)
                except OSError:  # on Linux, once the program has closed its side
                    return self.process.wait(SECONDS)
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._side)


@pytest.fixture
def terminal(confdir: Path, tmp_path: Path) -> Iterator[Terminal]:
    """mitmproxy with Turnout, which has seen the traffic of the scenery."""
    port = free_port()
    options = ["--mode", f"reverse:http://127.0.0.1:9@127.0.0.1:{port}", "--set", f"confdir={confdir}"]
    options += ["--set", f"turnout_config={tmp_path / 'mitm.conf'}"]
    environment = {**os.environ, **scenery.ENVIRONMENT, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    with ExitStack() as stack:
        providers = stack.enter_context(scenery.running(scenery.Providers()))
        (tmp_path / "mitm.conf").write_text(providers.config, encoding="utf-8")
        command = [str(Path(sys.executable).parent / "mitmproxy"), "-s", str(ROUTE), *options]
        terminal = Terminal(command, environment, tmp_path)
        stack.callback(terminal.close)
        terminal.shows(f"[127.0.0.1:{port}]")
        scenery.fill(f"http://127.0.0.1:{port}", providers)
        yield terminal


def test_the_console_shows_what_happened(terminal: Terminal) -> None:
    """A13: status and marker in the list; metadata as a filter; the conversation; commands; it ends with `q` `y`."""
    terminal.shows("200", "🔀", "529", "⚠", "400", "❌", "[1/6]")

    terminal.press(":set view_filter '~meta \"turnout.part: attempt\"'\r")
    terminal.shows("[1/1]")
    terminal.press(":set view_filter '~comment \"2 tries\"'\r")
    terminal.shows("🔀", "[1/1]")

    terminal.press("\r")
    terminal.shows("Flow Details", "Claude conversation", "Messages request · MiniMax-M3", "tool_use Edit")
    for secret in scenery.SECRETS:
        assert secret not in terminal.text

    terminal.press("q")
    terminal.shows("q Quit")
    terminal.press(":turnout.retry @focus nobody\r")
    terminal.shows("'nobody' is not a provider of the configuration")
    terminal.press(":turnout.retry @focus minimax\r")
    terminal.shows("Sent again to minimax, as a new flow")
    terminal.press("q")  # the result is a page over the list
    terminal.shows("q Quit")
    terminal.press(":set view_filter ~all\r")
    terminal.shows("/7]")

    terminal.press("q")
    terminal.shows("(yes,no)")
    terminal.press("y")
    assert terminal.exit_code() == 0
