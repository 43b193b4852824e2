"""`turnout run` as a process: it listens, says where, can be asked, follows a pin, and ends when told to."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest
from mitmproxy.version import VERSION

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


def address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").rpartition(":")
    return host.strip("[]"), int(port)


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
            proxy.url = proxy.wait_for(r"^Turnout .* is ready on (http://\S+)$")[1]
            assert not proxy.url.endswith(":0")
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
    assert f"ANTHROPIC_BASE_URL={proxy.url} claude" in proxy.printed
    assert "local      http://127.0.0.1:9         ready: no key needed" in proxy.printed
    assert "client connect" not in proxy.printed
    assert "reverse proxy to" not in proxy.printed, "the dead target is nobody's business"
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
    assert "ready: env:REAL_ANTHROPIC_API_KEY" in proxy.printed
    assert "env:REAL_ANTHROPIC_API_KEY: set" in outcome.out
    for text in (proxy.printed, outcome.out):
        assert key not in text


def test_it_records(turnout: Turnout, process_environment: dict[str, str], home: Path) -> None:
    """What it was asked is in the file while it runs, with mitmproxy 11 too."""
    with running(process_environment, home, "--record", "day.mitm") as proxy:
        turnout("status", "--url", proxy.url)
        deadline = time.monotonic() + 20
        while not (found := (home / "day.mitm").read_bytes()) and time.monotonic() < deadline:
            os.sched_yield()
    assert b"/health" in found and f"recording to {home / 'day.mitm'}" in proxy.printed


def test_a_recording_that_cannot_be_written(turnout_process: Turnout, home: Path) -> None:
    (home / "notes.txt").write_text("mine")
    for name in ("notes.txt", "missing/day.mitm"):
        outcome = turnout_process("run", "--port", "0", "--record", name)
        assert (outcome.code, outcome.out) == (2, ""), "nothing is announced that does not come about"
        assert name in outcome.err and outcome.err.count("\n") == 1
    assert (home / "notes.txt").read_text() == "mine"


def test_arguments_that_mitmproxy_refuses(turnout_process: Turnout) -> None:
    outcome = turnout_process("run", "--port", "0", "--", "--no-such-flag")
    assert (outcome.code, outcome.out.strip()) == (1, ""), "nothing is announced that does not come about"
    assert "--no-such-flag" in outcome.err


def test_mitmwebs_port_in_use(turnout_process: Turnout, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        flags = ("--", "--web-port", str(port), "--set", f"confdir={home / 'mitmproxy'}")
        outcome = turnout_process("run", "--port", "0", "--web", *flags)
    assert (outcome.code, "Traceback" in outcome.err) == (1, False)
    *_, last = outcome.err.splitlines()
    assert last == (
        f"turnout: Web server failed to listen on 127.0.0.1:{port}: it is in use. "
        "Choose another: turnout run --web -- --web-port 8091"
    )
    assert outcome.err.count("CVE-2025-23217") == (VERSION.startswith("11."))


def test_the_log_can_be_read_while_it_grows(process_environment: dict[str, str], home: Path) -> None:
    """Without a terminal Python would keep the lines to itself until the end."""
    del process_environment["PYTHONUNBUFFERED"]
    with running(process_environment, home) as proxy:
        assert proxy.url


def test_a_request_under_way_ends_without_a_traceback(process_environment: dict[str, str], home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        upstream = f"http://127.0.0.1:{silent.getsockname()[1]}"
        (home / "mitm.conf").write_text(CONFIG.replace("http://127.0.0.1:9", upstream))
        with running(process_environment, home) as proxy:
            client = socket.create_connection(address(proxy.url))
            body = b'{"model":"m","max_tokens":1,"messages":[],"stream":true}'
            head = f"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
            client.sendall(head.encode() + body)
            arrived, _ = silent.accept()
    client.close()
    arrived.close()
    assert "Traceback" not in proxy.printed
