"""The fixtures of the plugin.

    async def test_my_route(proxy, provider):
        first = provider(replies.error(529, "overloaded_error"))
        second = provider()
        running = await proxy(my_config(first.url, second.url))
        ...                                 # send requests to running.url
        (attempt, exchange) = await running.finished(2)

At the end of a test everything is stopped, nothing may have reached a provider that must not, and mitmproxy may not
have logged an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio

from turnout.settings.certificates import VARIABLES as CERTIFICATES
from turnout.settings.places import route_script
from turnout.testing.authority import write_authority
from turnout.testing.golden import OPTION, Golden, GoldenFiles
from turnout.testing.provider import API_KEY, Script, ScriptedProviderThread
from turnout.testing.proxy import DEAD_TARGET, MitmdumpProcess, RunningProxy
from turnout.testing.recording import Recording
from turnout.testing.strict import Credential

ROUTE = route_script()

_NOT_FOR_TESTS = re.compile(
    r"(ANTHROPIC|CLAUDE|TURNOUT|AWS|OPENAI)_.*|.*_(API_KEY|AUTH_TOKEN|PROXY)|REAL_.*|CLAUDECODE|PROXY_PORT|REQUEST_TIMEOUT|"
    + "|".join(CERTIFICATES),
    re.IGNORECASE,
)

_GOLDEN = pytest.StashKey[GoldenFiles]()


def pytest_addoption(parser: pytest.Parser) -> None:
    help_text = "Write the golden files of the tests that run, instead of comparing."
    parser.getgroup("turnout").addoption(OPTION, action="store_true", help=help_text)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_GOLDEN] = GoldenFiles(config.getoption(OPTION, False))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which golden files are other ones now."""
    changes = config.stash[_GOLDEN].changes
    if changes:
        terminalreporter.section("golden files written")
    for file, change in sorted(changes.items()):
        shown = file.relative_to(config.rootpath) if file.is_relative_to(config.rootpath) else file
        terminalreporter.line(f"{shown}: {change}")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares a text with the one of an earlier run: `golden.check("my-route", text)`, in `golden/my-route.txt`.

    The folder is beside the test's file; `pytest --update-golden` writes what is missing or different.
    """
    return Golden(request.path.parent / "golden", request.config.stash[_GOLDEN])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home directory, and an environment without credentials, proxies, certificates or settings."""
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
    """mitmproxy's own directory with a certificate authority, shared by the session."""
    directory = tmp_path_factory.mktemp("mitmproxy")
    write_authority(directory)
    return directory


class StartProxy(Protocol):
    def __call__(
        self,
        config: str = ...,
        *,
        mode: str = ...,
        options: Mapping[str, Any] | None = ...,
        scripts: Sequence[Path] = ...,
        before: Sequence[Path] = ...,
    ) -> Awaitable[RunningProxy]: ...


@pytest_asyncio.fixture
async def proxy(tmp_path: Path, home: Path, confdir: Path) -> AsyncIterator[StartProxy]:
    """Starts Turnout in the test's event loop: `running = await proxy(config)`; see RunningProxy.

    `config` is the text of a mitm.conf, `scripts` are addons to be loaded after Turnout, `before` ahead of it. At the
    end of the test no error may have been logged that the test did not clear.
    """
    running: list[RunningProxy] = []

    async def start(
        config: str = "",
        *,
        mode: str = DEAD_TARGET,
        options: Mapping[str, Any] | None = None,
        scripts: Sequence[Path] = (),
        before: Sequence[Path] = (),
    ) -> RunningProxy:
        assert not running, "one proxy per test: mitmproxy keeps its master in a global"
        file = tmp_path / "mitm.conf"
        file.write_text(config, encoding="utf-8")
        chosen = {"confdir": str(confdir), "mode": [mode], "turnout_config": str(file), **(options or {})}
        running.append(RunningProxy(chosen, [str(script) for script in (*before, ROUTE, *scripts)]))
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


class StartProvider(Protocol):
    def __call__(
        self,
        script: Script | None = ...,
        *,
        accepts: str | Credential | Sequence[str | Credential] = ...,
        strict: str = ...,
        **options: Any,
    ) -> ScriptedProviderThread: ...


@pytest.fixture
def provider() -> Iterator[StartProvider]:
    """Starts a scripted provider on a loopback port: `first = provider(replies.sse(), accepts="key")`.

    See ScriptedProvider for what it can be told. At the end of the test nothing may have reached it that no proxy may
    send (`violations`).
    """
    running: list[ScriptedProviderThread] = []

    def start(
        script: Script | None = None,
        *,
        accepts: str | Credential | Sequence[str | Credential] = API_KEY,
        strict: str = "anthropic",
        **options: Any,
    ) -> ScriptedProviderThread:
        instance = ScriptedProviderThread(script, accepts=accepts, strict=strict, **options)
        running.append(instance.__enter__())
        return running[-1]

    yield start
    for instance in running:
        instance.__exit__(None, None, None)
    for instance in running:
        assert not instance.violations, "\n".join(instance.violations)


@pytest.fixture
def recording(pytestconfig: pytest.Config) -> Callable[[str], Recording]:
    """A recording by name: `recording("tool-turn")` is `recordings/tool-turn.mitm` below pytest's root directory."""

    def find(name: str) -> Recording:
        file = pytestconfig.rootpath / "recordings" / name
        return Recording(file if file.suffix else file.with_suffix(".mitm"))

    return find
