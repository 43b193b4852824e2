"""A command line of its own for every test: an empty home, no variables, a working folder without mitm.conf."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from turnout.cli import main
from turnout.settings.certificates import VARIABLES as CERTIFICATES

ADDON = Path(__file__).resolve().parents[2] / "addon"
COMMAND = (sys.executable, "-c", "from turnout.cli import main; main()")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The only home, configuration and state there is. `turnout run` changes the environment: that is undone."""
    before = dict(os.environ)
    for name in [name for name in before if name.startswith(("TURNOUT_", "ANTHROPIC_", "XDG_"))]:
        del os.environ[name]
    for name in ("REAL_ANTHROPIC_API_KEY", "APPDATA", "CLAUDE_CONFIG_DIR", *CERTIFICATES):
        os.environ.pop(name, None)
    os.environ["HOME"] = str(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    os.environ.clear()
    os.environ.update(before)


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


Turnout = Callable[..., Outcome]


@pytest.fixture
def turnout(capsys: pytest.CaptureFixture[str]) -> Turnout:
    """Runs a command in this process."""

    def run(*arguments: str) -> Outcome:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        printed = capsys.readouterr()
        code = ended.value.code
        return Outcome(code if isinstance(code, int) else 0, printed.out, printed.err)

    return run


@pytest.fixture
def process_environment(home: Path) -> dict[str, str]:
    """What a `turnout` process of its own needs, and nothing of the person who runs the tests."""
    return {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(ADDON), "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def turnout_process(home: Path, process_environment: dict[str, str]) -> Turnout:
    """Runs a command in a process of its own, to its end."""

    def run(*arguments: str, **variables: str) -> Outcome:
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=home,
            env=process_environment | variables,
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@dataclass
class HealthServer:
    """Answers every GET with `status` and `body`; remembers the headers it was sent."""

    url: str = ""
    status: int = 200
    body: bytes = b"{}"
    key: str | None = None
    proof: str | None = None

    def tell(self, value: Any, status: int = 200) -> None:
        self.body, self.status = json.dumps(value).encode(), status


@pytest.fixture
def health_server() -> Iterator[HealthServer]:
    served = HealthServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.key, served.proof = self.headers["x-turnout-key"], self.headers["x-turnout-proof"]
            self.send_response(served.status if self.path == "/health" else 404)
            self.send_header("content-length", str(len(served.body)))
            self.end_headers()
            self.wfile.write(served.body)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        server.shutdown()
        thread.join()
