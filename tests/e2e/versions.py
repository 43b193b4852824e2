"""Which versions of Claude Code the tests run with, and how any of them is had.

    python -m tests.e2e.versions pinned DIRECTORY       # or latest, or a version; prints the path of the executable

The package of a platform holds the native program, which needs no Node. The package `@anthropic-ai/claude-code` names
the same program, but says `node >=22` from 2.1.198 on: npm on an older Node then takes 2.1.197 without a word.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

PINNED = "2.1.332"
"""What the gate of `.ci/run` uses: the newest of the day, because it is what people have an hour after its release."""

LADDER = ("2.1.197", "2.1.260", "2.1.290", "2.1.308", "latest")
"""The last of June; opus is 5; opus is 5.5 and auto mode asks for safeguards; tool search behind any base URL."""

ATTEMPTS = 3
SECONDS = 300


def package() -> str:
    """The npm package that holds the program for this computer."""
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine())
    system = platform.system().lower()
    musl = "-musl" if system == "linux" and platform.libc_ver()[0] != "glibc" else ""
    return f"@anthropic-ai/claude-code-{system}-{machine}{musl}"


def resolved(version: str) -> str:
    """`pinned` and `latest` as numbers. RuntimeError when npm cannot tell."""
    if version == "pinned":
        return PINNED
    if version != "latest":
        return version
    return str(json.loads(_npm("view", f"{package()}@latest", "version", "--json")))


def install(version: str, directory: Path) -> Path:
    """The executable of a version, installed below `directory` unless it is there. RuntimeError when npm fails."""
    number = resolved(version)
    prefix = directory / number
    executable = prefix / "node_modules" / package() / "claude"
    if not executable.is_file():
        prefix.mkdir(parents=True, exist_ok=True)
        _npm("install", "--silent", "--no-fund", "--no-audit", "--prefix", str(prefix), f"{package()}@{number}")
    if not executable.is_file():
        raise RuntimeError(f"npm installed {package()}@{number}, but there is no {executable}")
    return executable


def _npm(*arguments: str) -> str:
    """What npm prints; a registry that does not answer is asked again."""
    told = ""
    for _ in range(ATTEMPTS):
        try:
            done = subprocess.run(["npm", *arguments], capture_output=True, text=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            told = f"no end after {SECONDS} s"
            continue
        if done.returncode == 0:
            return done.stdout
        told = done.stderr.strip() or f"exit code {done.returncode}"
    raise RuntimeError(f"npm {' '.join(arguments)}: {told}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m tests.e2e.versions pinned|latest|VERSION DIRECTORY")
    print(install(sys.argv[1], Path(sys.argv[2])))
