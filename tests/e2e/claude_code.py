"""Runs the real Claude Code once, headless, offline, with an empty home and an environment of its own."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.conftest import CLAUDE
from tests.scripted.tap import TapThread
from turnout.testing.events import stream_of, tool_turn
from turnout.testing.provider import ScriptedProviderThread
from turnout.testing.proxy import MitmdumpProcess
from turnout.testing.recording import read_flows
from turnout.testing.replies import Reply, sse

HAIKU = "claude-haiku-4-5-20251001"

COMMAND = "echo turnout-was-$((40 + 2))-here"
"""What the scripted model asks Bash to run; only a shell that ran it knows the result."""

RESULT = "turnout-was-42-here"

FINAL_TEXT = "The tool said what it had to say."

TIMEOUT_SECONDS = 100


@dataclass(frozen=True)
class Run:
    """What came of one run."""

    exit_code: int
    stdout: str
    stderr: str

    def assert_answered(self) -> None:
        assert (self.exit_code, self.stdout.strip()) == (0, FINAL_TEXT), self


@dataclass
class House:
    """Turnout as a process, with a tap on its front door and a record of what it did."""

    process: MitmdumpProcess
    tap: TapThread
    recording: Path

    def flows(self) -> list[Any]:
        """Stop the process and read the finished POST flows it wrote."""
        assert self.process.stop() == 0, self.process.output
        return [flow for flow in read_flows(self.recording) if flow.request.method == "POST"]


class OpenHouse(Protocol):
    def __call__(self, config: str, environment: Mapping[str, str] | None = ...) -> AbstractContextManager[House]: ...


@contextmanager
def providers(*instances: ScriptedProviderThread, problems: bool = False) -> Iterator[None]:
    """Runs them, and checks at the end that nothing reached them that should not have.

    `problems`: that vendors refuse requests is part of the test.
    """
    with ExitStack() as stack:
        for instance in instances:
            stack.enter_context(instance)
        yield
        for instance in instances:
            assert instance.violations == []
            assert instance.refusals == []
            assert problems or instance.problems == []


def executable() -> Path:
    """Claude Code as `TURNOUT_CLAUDE` names it: skips without the variable, fails when it names nothing."""
    if not CLAUDE:
        pytest.skip("TURNOUT_CLAUDE does not name a Claude Code executable; .ci/run installs one")
    path = Path(CLAUDE)
    if not path.is_file():
        pytest.fail(f"TURNOUT_CLAUDE names {CLAUDE}, which does not exist")
    return path


@cache
def version() -> tuple[int, ...]:
    """(2, 1, 332)"""
    command = [str(executable()), "--version"]
    told = subprocess.run(command, env={"HOME": "/"}, capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in told.split()[0].split("."))


def tool_turn_script() -> tuple[Reply, Reply]:
    """The two answers of a tool turn: call Bash, then say the final text."""
    call = sse(tool_turn("Bash", {"command": COMMAND, "description": "Say where it was"}))
    return call, sse(stream_of(FINAL_TEXT))


def claude_environment(
    base_url: str, home: Path, credential: Mapping[str, str], *, nonessential: bool = False
) -> dict[str, str]:
    """All the variables that Claude Code gets: nothing of the person who runs the tests, and nothing outside `home`.

    `nonessential` allows requests that do not serve the prompt, such as the one for a title of the session.
    """
    return {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "ANTHROPIC_BASE_URL": base_url,
        "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CODE_TMPDIR": str(home),
        **({} if nonessential else {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}),
        **credential,
    }


def run_claude(
    base_url: str,
    home: Path,
    credential: Mapping[str, str],
    *options: str,
    prompt: str = "Say hello via the tool.",
    nonessential: bool = False,
    tools: str = "Bash",
    claude: Path | None = None,
) -> Run:
    """One prompt through `claude -p`. `credential` are the variables that hold it; {} uses what is in `home`."""
    done = subprocess.run(
        [str(claude or executable()), "-p", prompt, "--allowedTools", tools, *options],
        env=claude_environment(base_url, home, credential, nonessential=nonessential),
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    return Run(done.returncode, done.stdout, done.stderr)


def sign_in(home: Path, token: str) -> None:
    """Leave a login in `home` as Claude Code's own /login does, valid for a day."""
    directory = home / ".claude"
    directory.mkdir()
    login = {
        "accessToken": token,
        "refreshToken": "sk-ant-ort01-fake-refresh",
        "expiresAt": int((time.time() + 86400) * 1000),
        "scopes": ["user:inference", "user:profile"],
        "subscriptionType": "max",
    }
    file = directory / ".credentials.json"
    file.write_text(json.dumps({"claudeAiOauth": login}))
    file.chmod(0o600)
