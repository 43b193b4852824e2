"""The pytest plugin as somebody uses it who tests an addon of their own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

from tests import ROOT
from turnout.settings.certificates import VARIABLES
from turnout.testing.golden import Golden, GoldenFiles

PROJECT = {
    "pytest.ini": "[pytest]\nasyncio_mode = strict\n",
    "conftest.py": 'pytest_plugins = ["turnout.testing.fixtures"]\n',
    "team.py": '''
class Team:
    """Tells the providers who asks."""

    def request(self, flow):
        flow.request.headers["x-team"] = "blue"


addons = [Team()]
''',
    "test_team.py": '''
from pathlib import Path

import httpx
import pytest

from turnout.testing import replies

CONFIG = """
[providers.first]
base_url = "{first}"
credentials = ["sk-ant-api03-scripted-provider-key"]
rewrite.profile = "none"
[providers.second]
base_url = "{second}"
credentials = ["sk-ant-api03-scripted-provider-key"]
rewrite.profile = "none"
[[routes]]
model = "*"
to = ["first", "second"]
[retry]
max_elapsed = "0s"
"""


@pytest.mark.asyncio
async def test_every_provider_knows_the_team(proxy, provider, recording, golden):
    first, second = provider(replies.error(529, "overloaded_error")), provider()
    config = CONFIG.format(first=first.url, second=second.url)
    running = await proxy(config, scripts=[Path(__file__).with_name("team.py")])
    told = []
    async with httpx.AsyncClient(trust_env=False) as client:
        for exchange in recording("day").exchanges:
            if exchange.unsendable:
                continue
            request = exchange.request
            headers = [(name, value) for name, value in request.fields if name.lower() != b"host"]
            answer = await client.post(running.url + request.path, content=request.body, headers=headers)
            told.append(f"{exchange.model}: {answer.status_code}")
    attempt, served = await running.finished(2)
    assert attempt.metadata["turnout.verdict"] == "overloaded"
    assert [request.lower["x-team"] for request in (*first.messages, *second.messages)] == ["blue", "blue"]
    golden.check("day", "\\n".join(told))


def test_a_recording_that_is_missing(recording):
    with pytest.raises(FileNotFoundError):
        recording("no-such-day").flows
''',
}


@pytest.fixture(scope="module")
def authorities() -> Iterator[None]:
    """What a machine has in its environment before any test begins."""
    with pytest.MonkeyPatch.context() as patch:
        for name in VARIABLES:
            patch.setenv(name, certifi.where())
        yield


def test_no_test_sees_the_authorities_of_the_machine(authorities: None) -> None:
    """Turnout would read them at every start of a proxy."""
    assert not os.environ.keys() & set(VARIABLES)


def run_pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:anyio", "-p", "no:cacheprovider", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "addon")}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.e2e
def test_a_project_of_somebody_else(tmp_path: Path) -> None:
    """With the strict mode of pytest-asyncio, an addon script, a recording and a golden file."""
    for name, text in PROJECT.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "recordings").mkdir()
    shutil.copy(ROOT / "recordings" / "fresh-prompt.mitm", tmp_path / "recordings" / "day.mitm")
    written = run_pytest(tmp_path, "--update-golden")
    assert written.returncode == 0 and "golden/day.txt: new" in written.stdout, written.stdout
    assert (tmp_path / "golden" / "day.txt").read_text() == "claude-opus-4-8: 200\n"
    same = run_pytest(tmp_path)
    assert same.returncode == 0 and "golden" not in same.stdout, same.stdout


@pytest.mark.e2e
def test_the_example_of_the_readme(tmp_path: Path) -> None:
    conftest, example = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "test_routes.py").write_text(example)
    done = run_pytest(tmp_path, "-o", "asyncio_mode=auto")
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.e2e
def test_a_golden_file_outside_the_root_directory(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "test_day.py").write_text("def test_day(golden):\n    golden.check('day', 'one')\n")
    plugin = ("-p", "turnout.testing.fixtures")
    done = run_pytest(tmp_path, *plugin, "--rootdir", "root", "--update-golden", "test_day.py")
    assert done.returncode == 0 and f"{tmp_path}/golden/day.txt: new" in done.stdout, done.stdout + done.stderr


def golden(folder: Path, *, update: bool = False) -> Golden:
    return Golden(folder, GoldenFiles(update))


def test_a_text_that_is_not_the_golden_one(tmp_path: Path) -> None:
    golden(tmp_path, update=True).check("day", "one\ntwo\n")
    golden(tmp_path).check("day", "one\ntwo")
    with pytest.raises(pytest.fail.Exception, match=r"(?s)-two\n\+three\n.*--update-golden") as failed:
        golden(tmp_path).check("day", "one\nthree")
    assert failed.value.pytrace is False
    assert (tmp_path / "day.txt").read_text() == "one\ntwo\n"


def test_a_golden_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"day\.txt does not exist\. pytest --update-golden writes it\."):
        golden(tmp_path).check("day", "one")
    assert not (tmp_path / "day.txt").exists()


def test_line_ends_of_all_kinds(tmp_path: Path) -> None:
    """An event stream may have CR and CR LF; they are compared, and shown where they differ."""
    golden(tmp_path, update=True).check("day", "one\r\ntwo\rthree\n")
    assert (tmp_path / "day.txt").read_bytes() == b"one\r\ntwo\rthree\n"
    golden(tmp_path).check("day", "one\r\ntwo\rthree")
    with pytest.raises(pytest.fail.Exception, match=r"(?s)-one\\r\n\+one\n two\\rthree\n"):
        golden(tmp_path).check("day", "one\ntwo\rthree")


def test_only_what_has_changed_is_written_and_told(tmp_path: Path) -> None:
    golden(tmp_path, update=True).check("day", "one\ntwo")
    again = golden(tmp_path, update=True)
    again.check("day", "one\ntwo")
    assert again.files.changes == {}
    again.check("day", "one\nthree\nfour")
    again.check("night", "")
    assert again.files.changes == {tmp_path / "day.txt": "+2 −1 lines", tmp_path / "night.txt": "new"}
