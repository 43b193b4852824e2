"""`turnout run` as a process: it listens, says where, can be asked, follows a pin, and ends when told to."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest

from tests.cli.conftest import COMMAND, Turnout

pytestmark = pytest.mark.e2e

CONFIG = '[providers.local]\nbase_url = "http://127.0.0.1:9"\nauth = "none"\n[[routes]]\nmodel = "*"\nto = "local"\n'


@dataclass
class Running:
    output: IO[str]
    lines: list[str] = field(default_factory=list)
    url: str = ""

    @property
    def printed(self) -> str:
        return "".join(self.lines)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first match in a line that is still to be printed."""
        for line in self.output:
            self.lines.append(line)
            if found := re.search(pattern, line):
                return found
        pytest.fail(f"it ended without {pattern!r}: {self.printed}")


@contextmanager
def running(environment: dict[str, str], folder: Path, *arguments: str) -> Iterator[Running]:
    """A `turnout run` that listens; at the end it is interrupted and must leave with 0."""
    command = [*COMMAND, "run", "--port", "0", *arguments, "--", "--set", f"confdir={folder / 'mitmproxy'}"]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        proxy = Running(process.stdout)
        try:
            proxy.url = f"http://{proxy.wait_for(r' listening at ([^ ]+)[.]$')[1]}"
            yield proxy
        finally:
            process.send_signal(signal.SIGINT)
            proxy.lines += process.stdout.readlines()
            code = process.wait(timeout=20)
    assert code == 0, proxy.printed


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_it_says_what_it_does_and_can_be_asked(
    turnout: Turnout, process_environment: dict[str, str], home: Path, host: str
) -> None:
    """A1, C4"""
    (home / "mitm.conf").write_text(CONFIG)
    with running(process_environment, home, "--host", host) as proxy:
        assert host in proxy.url
        outcome = turnout("status", "--url", proxy.url)
    assert (outcome.code, outcome.err) == (0, "")
    assert str(home / "mitm.conf") in outcome.out
    assert "local  http://127.0.0.1:9" in outcome.out
    assert "local      http://127.0.0.1:9         no key needed" in proxy.printed
    assert "client connect" not in proxy.printed
    assert "Traceback" not in proxy.printed


def test_it_follows_a_pin(turnout: Turnout, process_environment: dict[str, str], home: Path) -> None:
    """C4: `turnout switch` and `turnout reset` reach a proxy that is running."""
    (home / "mitm.conf").write_text(CONFIG)
    with running(process_environment, home) as proxy:
        turnout("switch", "local")
        proxy.wait_for("pinned: local")
        assert "Pinned    local, without failover" in turnout("status", "--url", proxy.url).out
        turnout("reset")
        proxy.wait_for("no longer pinned")
        assert "Pinned    no" in turnout("status", "--url", proxy.url).out


def test_no_secret_is_printed(turnout: Turnout, process_environment: dict[str, str], home: Path) -> None:
    key = "sk-ant-api03-0123456789abcdef"
    with running(process_environment | {"REAL_ANTHROPIC_API_KEY": key}, home) as proxy:
        outcome = turnout("status", "--url", proxy.url)
    for text in (proxy.printed, outcome.out):
        assert "env:REAL_ANTHROPIC_API_KEY: set" in text
        assert key not in text


def test_arguments_that_mitmproxy_refuses(turnout_process: Turnout) -> None:
    outcome = turnout_process("run", "--port", "0", "--", "--no-such-flag")
    assert outcome.code == 1
    assert "--no-such-flag" in outcome.err
