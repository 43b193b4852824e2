"""Fixtures that every room may use: a clean environment, and Turnout running in mitmproxy."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, settings

from tests.mitm import DEAD_TARGET, ROUTE, MitmdumpProcess, RunningProxy

# Hypothesis builds its tables of Unicode on first use, which takes a second; a busy computer takes longer for anything.
settings.register_profile("turnout", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("turnout")

_NOT_FOR_TESTS = re.compile(
    r"(ANTHROPIC|CLAUDE|TURNOUT|AWS|OPENAI)_.*|.*_(API_KEY|AUTH_TOKEN|PROXY)|REAL_.*|CLAUDECODE|PROXY_PORT|REQUEST_TIMEOUT",
    re.IGNORECASE,
)

CLAUDE = os.environ.get("TURNOUT_CLAUDE")
"""The Claude Code executable for end-to-end tests; read before the environment is cleaned."""


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Async tests see the task semantics of production: from Python 3.12 on mitmproxy starts tasks eagerly."""
    return {"mitmproxy": _loop}


def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    if sys.version_info >= (3, 12):
        loop.set_task_factory(asyncio.eager_task_factory)
    return loop


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home directory, and an environment without credentials, proxies or settings of the machine."""
    for name in os.environ:
        if _NOT_FOR_TESTS.fullmatch(name):
            monkeypatch.delenv(name)
    directory = tmp_path / "home"
    directory.mkdir()
    monkeypatch.setenv("HOME", str(directory))
    for kind in ("CONFIG", "CACHE", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(directory / f".{kind.lower()}"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    return directory


@pytest.fixture(scope="session")
def confdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """mitmproxy's own directory, shared by the session because making a certificate authority takes a second."""
    return tmp_path_factory.mktemp("mitmproxy")


class StartProxy(Protocol):
    def __call__(
        self, config: str = ..., *, mode: str = ..., options: Mapping[str, Any] | None = ...
    ) -> Awaitable[RunningProxy]: ...


@pytest.fixture
async def proxy(tmp_path: Path, confdir: Path) -> AsyncIterator[StartProxy]:
    """Starts Turnout in the test's event loop: `running = await proxy(config)`; see RunningProxy.

    At the end of the test it is stopped, and no error may have been logged that the test did not clear.
    """
    running: list[RunningProxy] = []

    async def start(
        config: str = "", *, mode: str = DEAD_TARGET, options: Mapping[str, Any] | None = None
    ) -> RunningProxy:
        assert not running, "one proxy per test: mitmproxy keeps its master in a global"
        file = tmp_path / "mitm.conf"
        file.write_text(config, encoding="utf-8")
        chosen = {"confdir": str(confdir), "mode": [mode], "turnout_config": str(file), **(options or {})}
        running.append(RunningProxy(chosen, [str(ROUTE)]))
        await running[0].start()
        return running[0]

    yield start
    for instance in running:
        await instance.stop()
        assert not instance.errors, "\n".join(instance.errors)


class StartMitmdump(Protocol):
    def __call__(
        self,
        config: str | None = ...,
        *arguments: str,
        mode: str | None = ...,
        script: Path | None = ...,
        environment: Mapping[str, str] | None = ...,
        options: Mapping[str, str] | None = ...,
        tool: str = ...,
    ) -> MitmdumpProcess: ...


@pytest.fixture
def mitmdump(tmp_path: Path, home: Path, confdir: Path) -> Iterator[StartMitmdump]:
    """Starts `mitmdump -s addon/route.py` as a process of its own; see MitmdumpProcess.

    `config` is the text of a mitm.conf, None passes no such option. More `arguments` (`-w`, `-C`, `-S` …) follow as
    they are. `script=None` starts a bare mitmdump, `mode=None` leaves out --mode. SIGTERM at the end of the test.
    """
    processes: list[MitmdumpProcess] = []

    def start(
        config: str | None = None,
        *arguments: str,
        mode: str | None = DEAD_TARGET,
        script: Path | None = ROUTE,
        environment: Mapping[str, str] | None = None,
        options: Mapping[str, str] | None = None,
        tool: str = "mitmdump",
    ) -> MitmdumpProcess:
        directory = tmp_path / f"mitmdump{len(processes)}"
        directory.mkdir()
        chosen = {"confdir": str(confdir), **(options or {})}
        if config is not None:
            (directory / "mitm.conf").write_text(config, encoding="utf-8")
            chosen["turnout_config"] = str(directory / "mitm.conf")
        command = ["-s", str(script)] if script else []
        command += ["--mode", mode] if mode else []
        for name, value in chosen.items():
            command += ["--set", f"{name}={value}"]
        variables = {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
        processes.append(MitmdumpProcess([*command, *arguments], variables, directory, tool))
        return processes[-1]

    yield start
    for process in processes:
        process.stop()
