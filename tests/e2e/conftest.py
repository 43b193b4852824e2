"""Fixtures of the end-to-end tests: a home for Claude Code, and Turnout as a process that can be looked into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.claude_code import House, OpenHouse, executable
from tests.scripted.tap import TapThread
from turnout.testing.fixtures import StartMitmdump


@pytest.fixture
def claude_home(tmp_path: Path) -> Path:
    """Claude Code's own home: Turnout's process has another, so it cannot borrow the login from there."""
    executable()
    directory = tmp_path / "claude-home"
    directory.mkdir()
    return directory


@pytest.fixture
def opened(mitmdump: StartMitmdump, tmp_path: Path) -> OpenHouse:
    """Opens a House for a config and the environment it names; a test may open several, one after the other."""
    recordings = (tmp_path / f"out{number}.mitm" for number in range(10))

    @contextmanager
    def open_house(config: str, environment: Mapping[str, str] | None = None) -> Iterator[House]:
        recording = next(recordings)
        process = mitmdump(config, "-w", str(recording), environment=environment)
        with TapThread(process.port) as tap:
            yield House(process, tap, recording)

    return open_house
