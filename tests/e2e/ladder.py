"""The tests that drive a real Claude Code, with one version after another, and a table at the end.

    python -m tests.e2e.ladder [--directory DIRECTORY] [VERSION …] [-- OPTION OF PYTEST …]

Without versions it is the ladder of `versions.py`; `pinned` and `latest` are versions too. The exit code is 0 when no
test failed with any of them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from tests.e2e.versions import LADDER, install, resolved


@dataclass
class Rung:
    """One version's outcome."""

    version: str
    passed: int = 0
    skipped: int = 0
    failed: list[str] = field(default_factory=list)
    seconds: float = 0

    @property
    def line(self) -> str:
        numbers = f"{self.version:<10} {self.passed:>6} {len(self.failed):>6} {self.skipped:>7} {self.seconds:>7.0f} s"
        return "\n".join([numbers, *(f"    {name}" for name in self.failed)])


def climb(version: str, directory: Path, options: list[str]) -> Rung:
    """Run the tests with this version."""
    claude = install(version, directory)
    rung = Rung(resolved(version))
    print(f"\n== Claude Code {rung.version}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", "-q", "-m", "claude", f"--junit-xml={report}", *options]
        started = time.monotonic()
        subprocess.run(command, env={**os.environ, "TURNOUT_CLAUDE": str(claude)}, check=False)
        rung.seconds = time.monotonic() - started
        if not report.is_file():
            rung.failed.append("pytest did not get to its end")
            return rung
        for case in ElementTree.parse(report).iter("testcase"):
            _count(case, rung)
    return rung


def _count(case: ElementTree.Element, rung: Rung) -> None:
    if case.find("failure") is not None or case.find("error") is not None:
        rung.failed.append(f"{case.get('classname')}::{case.get('name')}")
    elif case.find("skipped") is not None:
        rung.skipped += 1
    else:
        rung.passed += 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.ladder", description=__doc__.partition("\n")[0])
    default = Path(tempfile.gettempdir(), "turnout-claude-code")
    parser.add_argument("--directory", type=Path, default=default, help=f"where versions are kept; {default}")
    parser.add_argument("versions", nargs="*", default=list(LADDER))
    at = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    given, options = parser.parse_args(sys.argv[1:at]), sys.argv[at + 1 :]
    rungs = [climb(version, given.directory, options) for version in given.versions]
    print(f"\n{'version':<10} {'passed':>6} {'failed':>6} {'skipped':>7} {'time':>9}")
    for rung in rungs:
        print(rung.line)
    return int(any(rung.failed for rung in rungs))


if __name__ == "__main__":
    sys.exit(main())
