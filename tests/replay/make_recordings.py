"""Makes the committed recordings anew, from runs of the real Claude Code against scripted providers.

    TURNOUT_CLAUDE=…/node_modules/.bin/claude PYTHONPATH=addon python -m tests.replay.make_recordings [NAME …]

Nothing leaves the machine. recordings/README.md says what is in each file.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests import ROOT
from tests.replay.sessions import SESSIONS, Session
from tests.replay.stage import Stage
from turnout.recordings.scrub.files import scrub

RECORDINGS = ROOT / "recordings"


def made(session: Session, folder: Path) -> tuple[Path, bytes]:
    """Record a session in an empty folder: the raw flow file, and what may be published of it."""
    raw = folder / "raw.mitm"
    stage = Stage(session.config, folder, raw, in_front=session.in_front)
    session.play(stage)
    return raw, scrub(raw.read_bytes(), stage.hosts)


def main(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        for name in names or SESSIONS:
            folder = Path(directory) / name
            folder.mkdir()
            _, data = made(SESSIONS[name], folder)
            (RECORDINGS / f"{name}.mitm").write_bytes(data)
            print(f"{RECORDINGS / name}.mitm: {len(data)} bytes", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
