"""The real Claude Code in a terminal, as a person uses it: in tmux, offline, with an empty home."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

COLUMNS, LINES = 140, 50
WAIT_SECONDS = 60
LOOK_SECONDS = 0.1
"""How often the screen is looked at while something is waited for: a terminal tells nobody when it changes."""


def tmux() -> str:
    found = shutil.which("tmux")
    if found is None:
        pytest.skip("there is no tmux; .ci/run installs Debian's")
    return found


def furnish(home: Path, project: Path) -> None:
    """What the first dialogs would ask: the look of the screen, the folder's trust, a key from the environment."""
    trusted = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True, "projectOnboardingSeenCount": 5}
    answers = {
        "hasCompletedOnboarding": True,
        "theme": "dark",
        "lastOnboardingVersion": "9.9.9",
        "numStartups": 10,
        "projects": {str(project): trusted},
    }
    (home / ".claude.json").write_text(json.dumps(answers))


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, tmux: str, socket: Path) -> None:
        self._tmux = [tmux, "-S", str(socket), "-f", "/dev/null"]

    def start(self, command: list[str], environment: Mapping[str, str], folder: Path) -> None:
        size = ["-x", str(COLUMNS), "-y", str(LINES)]
        # tmux hands its own environment on: env -i sees to it that there is none.
        clean = ["env", "-i", *(f"{name}={value}" for name, value in environment.items())]
        self._run("new-session", "-d", *size, "-c", str(folder), *clean, *command)

    def stop(self) -> None:
        self._run("kill-server", check=False)

    def type(self, text: str) -> None:
        """Write into the prompt, and send it off once it is there."""
        self._run("send-keys", "-l", text)
        self.shows(re.escape(text[-40:]))
        self.press("Enter")

    def press(self, key: str) -> None:
        self._run("send-keys", key)

    @property
    def screen(self) -> str:
        return self._run("capture-pane", "-p", "-S", "-200", check=False)

    def shows(self, pattern: str, timeout: float = WAIT_SECONDS) -> str:
        """Wait until the screen has it, and what it then shows. AssertionError with the last screen."""
        end = time.monotonic() + timeout
        while not re.search(pattern, (screen := self.screen)):
            assert time.monotonic() < end, f"the screen never showed {pattern!r}:\n{screen}"
            time.sleep(LOOK_SECONDS)
        return screen

    def _run(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run([*self._tmux, *arguments], capture_output=True, text=True, timeout=WAIT_SECONDS)
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout


@contextmanager
def terminal(command: list[str], environment: Mapping[str, str], folder: Path) -> Iterator[Terminal]:
    """Runs the command in a tmux of its own. A socket's path is short: at most 103 characters on macOS."""
    with tempfile.TemporaryDirectory(prefix="tmux-") as directory:
        instance = Terminal(tmux(), Path(directory, "socket"))
        instance.start(command, environment, folder)
        try:
            yield instance
        finally:
            instance.stop()
