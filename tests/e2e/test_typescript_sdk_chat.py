"""The anthropic TypeScript SDK through Turnout on providers of Chat Completions (D2)."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.config import CLIENT_KEY, VENDOR_KEY, chat_table, route
from tests.e2e.sdk import ASK, DONE, SCRIPT, VENDORS, assert_the_same
from turnout.testing.chat import CHAT_VENDORS
from turnout.testing.fixtures import StartProvider, StartProxy

pytestmark = pytest.mark.e2e

PACKAGE = "@anthropic-ai/sdk@1.14.0"
SECONDS = 120


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`messages.mjs` beside an installed SDK."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("there is no Node with npm; .ci/run installs Debian's")
    folder = tmp_path_factory.mktemp("typescript")
    command = [npm, "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(folder), PACKAGE]
    if subprocess.run(command, timeout=SECONDS, check=False).returncode:
        pytest.skip(f"npm does not give {PACKAGE}")
    return Path(shutil.copy(Path(__file__).with_name("messages.mjs"), folder))


def run(program: Path, url: str) -> Any:
    command = ["node", str(program), url, CLIENT_KEY, json.dumps(ASK)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ["gemini", "openrouter"])
async def test_a_stream_adds_up_to_the_whole_answer(
    proxy: StartProxy, provider: StartProvider, program: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """And can be given back, with what these two have sealed in it."""
    monkeypatch.setenv("VENDOR_KEY", VENDOR_KEY)
    preset, model = VENDORS[name]
    upstream = provider(SCRIPT, vendor=CHAT_VENDORS[name], accepts=VENDOR_KEY)
    running = await proxy(chat_table(upstream, preset) + route(f"{preset}/{model}"))
    told = await asyncio.to_thread(run, program, running.url)
    assert upstream.problems == []
    assert_the_same(told["whole"], told["streamed"], told["pieces"])
    assert told["last"] == DONE
