"""What a version of Claude Code sends, against what the pinned one was recorded to send.

    python -m tests.e2e.shape --claude PATH [--only SCENARIO] [--record]

Prints what is new (+) and what is gone (-), with the reasons that `shape.json` knows. The exit code is 0 when nothing
is without a reason. `--record` writes the file: the version is then the one that others are compared with.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tests.e2e.scenarios import SCENARIOS, Stage
from tests.e2e.structure import Structure, differences, structure_of

RECORDED = Path(__file__).with_name("shape.json")
AT_ONCE = 2


def look(claude: Path, names: list[str]) -> dict[str, Structure]:
    """The structure of each scenario. One that fails is told and left out."""
    with tempfile.TemporaryDirectory(prefix="shape-", ignore_cleanup_errors=True) as directory:

        def play(name: str) -> Structure | None:
            folder = Path(directory, name.replace(" ", "-"))
            folder.mkdir()
            try:
                return structure_of(SCENARIOS[name](Stage(claude, folder)))
            except Exception as problem:
                print(f"{name}: {problem}", file=sys.stderr)
                return None

        with ThreadPoolExecutor(AT_ONCE) as pool:
            played = dict(zip(names, pool.map(play, names), strict=True))
    return {name: structure for name, structure in played.items() if structure is not None}


def report(recorded: dict[str, Any], seen: dict[str, Structure], version: str) -> int:
    """How many differences nobody has explained."""
    found = differences(recorded["scenarios"], seen)
    reasons = {line: _reason(line, recorded["explained"]) for line in found}
    for line, reason in reasons.items():
        print(f"{line}   [{reason}]" if reason else line)
    unexplained = sum(not reason for reason in reasons.values())
    print(f"{version} against {recorded['version']}: {len(found)} differences, {unexplained} without a reason")
    return unexplained


def _reason(line: str, explained: list[dict[str, str]]) -> str:
    return next((each["reason"] for each in explained if fnmatchcase(line, each["difference"].replace("[", "[[]"))), "")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.shape", description=__doc__.partition("\n")[0])
    parser.add_argument("--claude", type=Path, required=True, help="the executable")
    parser.add_argument("--only", action="append", choices=list(SCENARIOS), help="this scenario; may be repeated")
    parser.add_argument("--record", action="store_true", help="write shape.json")
    given = parser.parse_args()
    claude = given.claude.resolve()
    version = subprocess.run([str(claude), "--version"], capture_output=True, text=True, check=True, env={"HOME": "/"})
    number = version.stdout.split()[0]
    names = given.only or list(SCENARIOS)
    seen = look(claude, names)
    recorded = json.loads(RECORDED.read_text()) if RECORDED.exists() else {"scenarios": {}}
    if given.record:
        scenarios = {**recorded["scenarios"], **seen} if given.only else seen
        written = {"version": number, "explained": recorded.get("explained", []), "scenarios": scenarios}
        RECORDED.write_text(json.dumps(written, indent=1) + "\n")
    else:
        return min(report(recorded, seen, number) + len(names) - len(seen), 1)
    return len(names) != len(seen)


if __name__ == "__main__":
    sys.exit(main())
