"""Exchanges with a server of Chat Completions: recorded, then replayed by `-S`, by `-C` and by `turnout replay`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.conftest import ADDON
from tests.recordings.flows import BODY, HEADERS
from tests.replay.test_replay_command import replay
from tests.replay.test_server_replay import OFFLINE, assert_offline
from turnout.recordings.replay.comparing import differences, substance
from turnout.settings.trust import trust
from turnout.testing import chat
from turnout.testing.chat import CHAT_VENDORS, Call, Text, Thought, Usage
from turnout.testing.fixtures import StartMitmdump
from turnout.testing.provider import ScriptedProviderThread
from turnout.testing.proxy import MitmdumpProcess
from turnout.testing.recording import read_flows

pytestmark = pytest.mark.e2e

KEYS = {"OTHER_KEY": "sk-other-0123456789", "OWN_KEY": "sk-own-0123456789"}
TOOL = {"name": "Read", "description": "d", "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
BODIES = [{**BODY, "tools": [TOOL], "stream": stream, "max_tokens": 64 + stream} for stream in (True, False)]
"""Different ones, so that each has an answer of its own."""

ANSWER = chat.answer(Thought("Hm."), Text("I read."), Call("Read", {"a": "b"}), usage=Usage(cached=5))
BUSY = chat.error(503, "overloaded")


@pytest.fixture
def servers() -> Iterator[tuple[ScriptedProviderThread, ScriptedProviderThread]]:
    """One that has too much to do, and one that answers."""
    vendor = CHAT_VENDORS["plain"]
    busy = ScriptedProviderThread(BUSY, accepts=KEYS["OTHER_KEY"], vendor=vendor, forbid=[KEYS["OWN_KEY"]])
    own = ScriptedProviderThread(ANSWER, accepts=KEYS["OWN_KEY"], vendor=vendor, forbid=[KEYS["OTHER_KEY"]])
    with busy, own:
        yield busy, own
    assert busy.violations == own.violations == [] and own.problems == []


def config(busy: ScriptedProviderThread, own: ScriptedProviderThread) -> str:
    tables = [
        f'[providers.{name}]\nkind = "openai"\nauth = "bearer"\nbase_url = "{provider.url}"\ncooldown = "1ms"\n'
        f'credentials = ["env:{name.upper()}_KEY"]\n'
        for name, provider in (("other", busy), ("own", own))
    ]
    return "".join(tables) + '[[routes]]\nmodel = "*"\nto = ["other/m", "own/m"]\n[retry]\nmax_elapsed = "0s"\n'


def ask(process: MitmdumpProcess) -> list[httpx.Response]:
    with httpx.Client(trust_env=False) as client:
        return [client.post(f"{process.url}/v1/messages", json=body, headers=dict(HEADERS)) for body in BODIES]


@pytest.fixture
def recorded(
    mitmdump: StartMitmdump, tmp_path: Path, servers: tuple[ScriptedProviderThread, ScriptedProviderThread]
) -> tuple[Path, list[httpx.Response]]:
    file = tmp_path / "recording.mitm"
    process = mitmdump(config(*servers), "-w", str(file), environment=KEYS)
    answers = ask(process)
    assert process.stop() == 0, process.output
    assert [answer.status_code for answer in answers] == [200, 200]
    return file, answers


def same(answer: httpx.Response, recorded: httpx.Response) -> bool:
    """But for the ids, which are made anew."""
    found = [substance(each.status_code, each.headers["content-type"], each.content) for each in (recorded, answer)]
    return found[1].tools != () and differences(*found) == ()


def notes(file: Path) -> list[tuple[Any, ...]]:
    return [tuple(flow.metadata[f"turnout.{name}"] for name in ("provider", "verdict")) for flow in read_flows(file)]


CHAIN = [("other", "overloaded"), ("own", "ok")] * 2


def test_the_providers_answer_from_the_recording(
    mitmdump: StartMitmdump,
    tmp_path: Path,
    servers: tuple[ScriptedProviderThread, ScriptedProviderThread],
    recorded: tuple[Path, list[httpx.Response]],
) -> None:
    """A14: what is sent is made of the same request in the same bytes, and so it is found."""
    file, answers = recorded
    asked = [len(server.requests) for server in servers]
    out = tmp_path / "out.mitm"
    options = {**OFFLINE, "server_replay_extra": "kill"}
    process = mitmdump(config(*servers), "-S", str(file), "-w", str(out), environment=KEYS, options=options)
    assert all(map(same, ask(process), answers))
    assert process.stop() == 0, process.output
    assert notes(out) == CHAIN and [len(server.requests) for server in servers] == asked
    assert_offline(read_flows(out))


def test_the_clients_requests_are_sent_again(
    mitmdump: StartMitmdump,
    tmp_path: Path,
    servers: tuple[ScriptedProviderThread, ScriptedProviderThread],
    recorded: tuple[Path, list[httpx.Response]],
) -> None:
    """Not what was made of them: that would be translated once more. Recorded attempts are sent nowhere."""
    file, _ = recorded
    out = tmp_path / "out.mitm"
    process = mitmdump(config(*servers), "-C", str(file), "-w", str(out), environment=KEYS)
    assert process.exit_code() == 0, process.output
    own = servers[1].messages
    assert len(own) == 4 and [request.sha256 for request in own[2:]] == [request.sha256 for request in own[:2]]
    assert notes(out)[-2:] == CHAIN[-2:]


def test_turnout_replay_finds_no_difference(
    tmp_path: Path,
    home: Path,
    servers: tuple[ScriptedProviderThread, ScriptedProviderThread],
    recorded: tuple[Path, list[httpx.Response]],
) -> None:
    file, _ = recorded
    (tmp_path / "temporary").mkdir()
    (tmp_path / "mitm.conf").write_text(config(*servers))
    trust([tmp_path / "mitm.conf"], os.environ)
    environment = {**os.environ, "PYTHONPATH": str(ADDON), "TMPDIR": str(tmp_path / "temporary"), **KEYS}
    done = replay(environment, tmp_path, str(file), "--compare", "--json")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    found = json.loads(done.stdout)
    assert (found["passed"], found["failed"], found["skipped"]) == (2, 0, 0)
    servers[1].play(chat.answer(Text("Something else.")))
    done = replay(environment, tmp_path, str(file), "--compare")
    assert done.returncode == 1 and "text: recorded" in done.stdout and "tools: recorded Read; now none" in done.stdout
