"""`turnout replay` with a Turnout of its own: yesterday's conversation once more, through today's configuration."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.conftest import ADDON, COMMAND
from tests.recordings.flows import BODY, HEADERS, plain, request, save
from tests.replay.sessions import QUOTA
from tests.replay.support import CLIENT, KEYS, config, posts, sha256
from turnout.settings.trust import trust
from turnout.testing import replies
from turnout.testing.events import stream_of
from turnout.testing.fixtures import StartMitmdump
from turnout.testing.provider import ScriptedProviderThread
from turnout.testing.replies import Reply
from turnout.testing.wire import RecordedRequest

pytestmark = pytest.mark.e2e


@pytest.fixture
def environment(home: Path, tmp_path: Path) -> dict[str, str]:
    """A user's, with a folder for temporary files that is empty before and after."""
    (tmp_path / "temporary").mkdir()
    return {**os.environ, "PYTHONPATH": str(ADDON), "TMPDIR": str(tmp_path / "temporary"), **KEYS}


@pytest.fixture
def both() -> Iterator[tuple[ScriptedProviderThread, ScriptedProviderThread]]:
    """A first provider whose quota is used up, and a second that answers."""
    first = ScriptedProviderThread(QUOTA, accepts=KEYS["FIRST_KEY"])
    second = ScriptedProviderThread(accepts=KEYS["SECOND_KEY"])
    with first, second:
        yield first, second
    assert first.violations == second.violations == []


def replay(environment: Mapping[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "replay", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert list(Path(environment["TMPDIR"]).iterdir()) == []
    return done


def write_config(folder: Path, *providers: ScriptedProviderThread, more: str = "") -> None:
    named = dict(zip(("first", "second"), (provider.url for provider in providers), strict=False))
    (folder / "mitm.conf").write_text(more + config(named))
    trust([folder / "mitm.conf"], os.environ)


def test_a_failover_chain_that_turnout_recorded(
    mitmdump: StartMitmdump,
    environment: dict[str, str],
    both: tuple[ScriptedProviderThread, ScriptedProviderThread],
    tmp_path: Path,
) -> None:
    """A1, B2: the client's request is sent, not the attempts; the chain comes about again; the answers are equal."""
    first, second = both
    recording = tmp_path / "recording.mitm"
    text = config({"first": first.url, "second": second.url})
    process = mitmdump(text, "-w", str(recording), environment=KEYS)
    with httpx.Client(trust_env=False) as client:
        answer = client.post(f"{process.url}/v1/messages?beta=true", json=BODY, headers=dict(HEADERS))
    assert answer.status_code == 200
    process.stop()
    write_config(tmp_path, first, second)
    done = replay(environment, tmp_path, str(recording), "--compare", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["passed"], found["failed"], found["skipped"]) == (1, 0, 0)
    for provider in both:
        recorded, replayed = provider.messages
        assert replayed.sha256 == recorded.sha256 and replayed.target == recorded.target


def test_another_provider_can_be_tried(
    environment: dict[str, str],
    both: tuple[ScriptedProviderThread, ScriptedProviderThread],
    tmp_path: Path,
    home: Path,
) -> None:
    """C4: pinned for the replay alone; what the user's other Turnouts do, know and follow stays as it is."""
    first, second = both
    write_config(tmp_path, first, second, more='access.keys = ["open-turnout-please"]\n')
    pin = home / ".state" / "turnout" / "provider"
    pin.parent.mkdir(parents=True, exist_ok=True)
    pin.write_text("first\n")
    done = replay(environment, tmp_path, str(CLIENT), "--provider", "second")
    assert (done.returncode, done.stderr) == (0, "")
    assert "4 passed, 0 failed, 2 skipped in " in done.stdout
    assert first.requests == []
    assert [arrived.sha256 for arrived in second.messages] == [sha256(flow.request) for flow in posts(CLIENT)]
    assert {file.name for file in pin.parent.iterdir()} == {"provider", "trusted"} and pin.read_text() == "first\n"


def test_the_environment_brings_the_credential_of_the_client(environment: dict[str, str], tmp_path: Path) -> None:
    """A8: as Claude Code would send it; what the recording holds is masked."""
    with ScriptedProviderThread(forbid=["***"]) as provider:
        (tmp_path / "mitm.conf").write_text(f'[providers.anthropic]\nbase_url = "{provider.url}"\n')
        trust([tmp_path / "mitm.conf"], os.environ)
        file = save(tmp_path / "f", plain())
        key = {"ANTHROPIC_API_KEY": "sk-ant-api03-scripted-provider-key"}
        assert replay(environment | key, tmp_path, str(file)).returncode == 0
        assert provider.violations == [] and len(provider.messages) == 1
        done = replay(environment, tmp_path, str(file))
    assert done.returncode == 1 and len(provider.messages) == 1
    assert "1 · status: recorded 200, now 401 (authentication_error: " in done.stdout


def test_streams_that_broke_off_break_off_again(
    mitmdump: StartMitmdump, environment: dict[str, str], tmp_path: Path
) -> None:
    """The recording holds the provider's bytes, the client of the replay gets the words of Turnout as well."""
    half_an_event = [*stream_of()[:3], b"event: content_block_delta\ndata: {"]
    endings = [replies.close_after(4), replies.truncated(stream_of()[:-2]), replies.close_after(4, half_an_event)]
    recording = tmp_path / "recording.mitm"
    with ScriptedProviderThread([*endings, *endings], accepts=KEYS["FIRST_KEY"]) as provider:
        process = mitmdump(config({"first": provider.url}), "-w", str(recording), environment=KEYS)
        for _ in endings:
            with suppress(httpx.RemoteProtocolError):
                httpx.post(f"{process.url}/v1/messages", json=BODY, headers=dict(HEADERS), trust_env=False)
        process.stop()
        write_config(tmp_path, provider)
        done = replay(environment, tmp_path, str(recording), "--compare", "--json")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    found = json.loads(done.stdout)
    assert (found["passed"], found["failed"], found["skipped"]) == (3, 0, 0)
    assert len(provider.messages) == 6


def test_the_users_own_options_of_mitmproxy_do_not_count(
    environment: dict[str, str],
    both: tuple[ScriptedProviderThread, ScriptedProviderThread],
    tmp_path: Path,
    home: Path,
) -> None:
    """What stands in config.yaml outranks --set. The recording is only read, nothing is recorded, nothing pinned."""
    write_config(tmp_path, *both)
    file, added = save(tmp_path / "f", plain()), tmp_path / "added.mitm"
    before = file.read_bytes()
    (home / ".mitmproxy").mkdir()
    options = f"save_stream_file: {file}\nturnout_record: {added}\nturnout_provider: first\nlisten_port: no number\n"
    (home / ".mitmproxy" / "config.yaml").write_text(options)
    done = replay(environment, tmp_path, str(file), "--provider", "second")
    assert (done.returncode, done.stderr) == (0, "")
    assert file.read_bytes() == before and not added.exists()
    assert [len(provider.messages) for provider in both] == [0, 1]


def test_a_turnout_that_does_not_start(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "mitm.conf").write_text('access.keys = ["env:NOT_THERE"]\n')
    done = replay(environment, tmp_path, str(save(tmp_path / "f", plain())))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("turnout: a Turnout for the replay did not start: ")
    assert "NOT_THERE" in done.stderr and done.stderr.count("\n") == 1


def test_a_turnout_that_says_a_great_deal(environment: dict[str, str], tmp_path: Path) -> None:
    """A line longer than a pipe holds, and than asyncio takes for a line."""
    (tmp_path / "talkative").mkdir()
    talk = "import sys\nif '--port' in sys.orig_argv:\n    print('x' * 300_000, flush=True)\n"
    (tmp_path / "talkative" / "sitecustomize.py").write_text(talk)
    environment["PYTHONPATH"] += f":{tmp_path / 'talkative'}"
    with ScriptedProviderThread(accepts=KEYS["FIRST_KEY"]) as provider:
        write_config(tmp_path, provider)
        done = replay(environment, tmp_path, str(save(tmp_path / "f", plain())))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(provider.messages) == 1


@contextmanager
def started(environment: Mapping[str, str], folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [*COMMAND, "replay", *arguments]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background of a shell ignore it
    try:
        process = subprocess.Popen(command, cwd=folder, env=environment, text=True, **pipes)
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
def test_an_interruption_tells_what_was_done(
    environment: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    """The second request hangs. Its Turnout goes with the replay: the provider sees the connection close."""
    with ScriptedProviderThread(accepts=KEYS["FIRST_KEY"]) as provider:
        provider.play([replies.sse(), replies.hang()])
        write_config(tmp_path, provider)
        file = save(tmp_path / "f", plain(), plain(), plain())
        with started(environment, tmp_path, str(file)) as process:
            hanging = provider.wait(provider.arrived(2), 60)
            process.send_signal(number)
            out, err = process.communicate(timeout=30)
        provider.wait(hanging.closed.wait())
    assert (process.returncode, err) == (130, "")
    assert out.splitlines()[-1].startswith("1 passed, 0 failed, 0 skipped in ")
    assert out.splitlines()[-1].endswith("; interrupted, 2 not finished")
    assert list(Path(environment["TMPDIR"]).iterdir()) == []


def test_several_at_a_time(environment: dict[str, str], tmp_path: Path) -> None:
    """Answers come in another order than the file has; with one at a time the first would wait for ever."""
    gate = asyncio.Event()

    def script(arrived: RecordedRequest) -> Reply:
        if arrived.json["max_tokens"] == 1:
            return replies.sse(gate=gate)
        gate.set()
        return replies.sse()

    with ScriptedProviderThread(script, accepts=KEYS["FIRST_KEY"]) as provider:
        write_config(tmp_path, provider)
        file = save(tmp_path / "f", *(plain(request({**BODY, "max_tokens": count})) for count in (1, 2)))
        done = replay(environment, tmp_path, str(file), "--concurrency", "2", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert [each["number"] for each in json.loads(done.stdout)["exchanges"]] == [1, 2]
