"""Fixtures of the browser tests: a headless Chromium, mitmweb with Turnout and a morning's traffic, a window on it.

What Chromium is needed for is tested with Debian's, or with the one that TURNOUT_CHROMIUM names. With
TURNOUT_ARTIFACTS=DIRECTORY the screenshots stay there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import scenery
from tests.browser.window import Window
from turnout.testing.fixtures import ROUTE
from turnout.testing.proxy import DEAD_TARGET, MitmdumpProcess, free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

CHROMIUM = os.environ.get("TURNOUT_CHROMIUM")
ARTIFACTS = os.environ.get("TURNOUT_ARTIFACTS")
"""Both are read before the environment is cleaned."""

PASSWORD = "only-for-this-test"
COLUMNS = ("path", "status", "comment", "size", "time")
SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def mitmproxy_version() -> int:
    from mitmproxy.version import VERSION

    return int(VERSION.split(".")[0])


def _executable() -> str:
    """Chromium: skips when there is none, fails when TURNOUT_CHROMIUM names nothing."""
    if CHROMIUM and not shutil.which(CHROMIUM):
        pytest.fail(f"TURNOUT_CHROMIUM names {CHROMIUM}, which does not exist")
    names = [CHROMIUM] if CHROMIUM else ["chromium", "chromium-browser", "google-chrome"]
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("there is no Chromium; .ci/run installs Debian's, TURNOUT_CHROMIUM may name another one")
    return found


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Playwright's synchronous interface: its loop runs until the last test of this package, and no test is async."""
    executable = _executable()
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[test]'")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=executable, headless=True, args=list(SWITCHES))
        yield browser
        browser.close()


@dataclass(frozen=True)
class Mitmweb:
    """A mitmweb with Turnout that has seen the traffic of the scenery."""

    process: MitmdumpProcess
    providers: scenery.Providers
    version: int
    """mitmproxy's major version."""
    address: str
    """What a browser opens; with the password where there is one."""


@pytest.fixture(scope="module")
def mitmweb(browser: Browser, confdir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitmweb]:
    """One for all tests of a module. It asks for the browser so that nothing is started in vain."""
    directory = tmp_path_factory.mktemp("mitmweb")
    port = free_port()
    options = [f"confdir={confdir}", f"turnout_config={directory / 'mitm.conf'}", "web_open_browser=false"]
    options += [f"web_port={port}", *(f"web_columns={column}" for column in COLUMNS)]
    version = mitmproxy_version()
    protected = version >= 12  # mitmproxy 11.0 has no such option
    options += [f"web_password={PASSWORD}"] if protected else []
    arguments = ["-s", str(ROUTE), "--mode", DEAD_TARGET, *(part for option in options for part in ("--set", option))]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "PYTHONUNBUFFERED": "1",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        **scenery.ENVIRONMENT,
    }
    with ExitStack() as stack:
        providers = stack.enter_context(scenery.running(scenery.Providers()))
        (directory / "mitm.conf").write_text(providers.config, encoding="utf-8")
        process = MitmdumpProcess(arguments, environment, directory, "mitmweb")
        stack.callback(process.stop)
        process.logged("Web server listening")
        scenery.fill(process.url, providers)
        address = f"http://127.0.0.1:{port}/" + (f"?token={PASSWORD}" if protected else "")
        yield Mitmweb(process, providers, version, address)


@pytest.fixture(scope="module")
def windows(browser: Browser) -> Iterator[BrowserContext]:
    """Where windows are opened: one after the other, they load mitmweb from the cache."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    yield context
    context.close()


@pytest.fixture
def window(windows: BrowserContext, mitmweb: Mitmweb) -> Iterator[Window]:
    """A new window on mitmweb. At the end it has told of no error, and has shown no secret."""
    window = Window(windows.new_page())
    window.open(mitmweb.address)
    yield window
    window.look()
    window.page.close()
    assert window.errors == []
    for secret in scenery.SECRETS:
        assert secret not in window.shown


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Where a screenshot is kept: `artifact("flow-list")`."""
    directory = Path(ARTIFACTS).resolve() if ARTIFACTS else tmp_path_factory.mktemp("artifacts")
    directory.mkdir(parents=True, exist_ok=True)
    return lambda name: directory / f"mitmweb{mitmproxy_version()}-{name}.png"
