"""Every recorded session, replayed: what Turnout sends, what the client gets, and what is noted are as they were.

`pytest --update-golden tests/replay/test_golden.py` writes golden/*.txt anew; the diff says what has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.replay.sessions import SESSIONS
from tests.replay.stage import keys
from tests.replay.support import RECORDINGS, replayed
from turnout.testing.fixtures import StartProvider, StartProxy
from turnout.testing.golden import Golden
from turnout.testing.recording import Recording

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", SESSIONS)
async def test_a_recorded_session_goes_as_it_went(
    name: str,
    proxy: StartProxy,
    provider: StartProvider,
    recording: Callable[[str], Recording],
    golden: Golden,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = SESSIONS[name]
    for variable, key in keys(session.config).items():
        monkeypatch.setenv(variable, key)
    told, playback = await replayed(recording(name), session, proxy, provider)
    golden.check(name, "\n\n".join("\n".join(each.lines) for each in told))
    assert playback.unknown == [], "providers were asked more often than when it was recorded"
    assert playback.unused == [], "providers were not asked that answered when it was recorded"
    for asked, request in playback.asked:
        sent = request.lower.get("x-api-key") or request.lower["authorization"].removeprefix("Bearer ")
        assert sent == keys(session.config)[f"{asked.upper()}_KEY"]


def test_every_recording_is_of_a_session_and_has_its_golden_file() -> None:
    assert {file.stem for file in RECORDINGS.glob("*.mitm")} == set(SESSIONS)
    assert {file.name for file in GOLDEN.iterdir()} == {f"{name}.txt" for name in SESSIONS}, "pytest --update-golden"
