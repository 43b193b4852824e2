"""A session of the real Claude Code: recorded, scrubbed, replayed, and the outcome is the same."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests import ROOT
from tests.cli.conftest import COMMAND
from tests.e2e.claude_code import executable
from tests.replay.make_recordings import made
from tests.replay.playing import Playback, answers
from tests.replay.sessions import SESSIONS
from tests.replay.stage import keys, located
from tests.replay.support import exchanges_of, providers_of
from turnout.recordings.scrub.files import findings
from turnout.testing.fixtures import StartMitmdump, StartProvider
from turnout.testing.recording import Recording

pytestmark = [pytest.mark.e2e, pytest.mark.claude]


def test_a_session_that_moves_between_providers(
    mitmdump: StartMitmdump, provider: StartProvider, tmp_path: Path
) -> None:
    """A1, E9, G1: with failovers, rewriting, thoughts of three; `turnout replay --compare` finds no difference."""
    executable()
    session, playback = SESSIONS["foreign-provider"], Playback()
    folder, file = tmp_path / "session", tmp_path / "clean.mitm"
    folder.mkdir()
    raw, clean = made(session, folder)
    file.write_bytes(clean)
    assert findings(raw.read_bytes()) and not findings(clean)
    pairs = exchanges_of(Recording(file))
    for exchange, flow in pairs:
        playback.expect(answers(exchange, flow))
    config = located(session.config, providers_of(session, playback, provider))
    turnout = mitmdump(config, environment=keys(session.config))
    command = [*COMMAND, "replay", str(file), "--to", turnout.url, "--compare", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "addon")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done
    found = json.loads(done.stdout)
    assert (found["passed"], found["failed"]) == (len(pairs), 0)
    assert playback.unknown == playback.unused == []
