"""Texts that a test has made before: compared with the file of then, or written anew."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

OPTION = "--update-golden"


@dataclass
class GoldenFiles:
    """The golden files of one test run."""

    update: bool
    changes: dict[Path, str] = field(default_factory=dict)
    """What was written, and how it differs from before."""


@dataclass(frozen=True)
class Golden:
    """The golden files of one test module: `golden/NAME.txt` beside it."""

    folder: Path
    files: GoldenFiles

    def check(self, name: str, text: str) -> None:
        """Fail with a diff unless the text is that of the file; with --update-golden, write it."""
        file = self.folder / f"{name}.txt"
        text = text.rstrip("\n") + "\n"
        # As bytes: text files of Python know no other line end than their own.
        before = file.read_bytes().decode() if file.exists() else None
        if before == text:
            return
        if self.files.update:
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(text.encode())
            self.files.changes[file] = "new" if before is None else _counted(before, text)
        elif before is None:
            pytest.fail(f"{file} does not exist. pytest {OPTION} writes it.", pytrace=False)
        else:
            diff = "\n".join(_diff(before, text))
            pytest.fail(f"not as in {file}:\n{diff}\nIf it should be so: pytest {OPTION}", pytrace=False)


def _diff(before: str, after: str) -> Iterator[str]:
    golden, now = (text.replace("\r", "\\r").split("\n") for text in (before, after))
    return difflib.unified_diff(golden, now, "golden", "now", lineterm="", n=2)


def _counted(before: str, after: str) -> str:
    lines = [line[0] for line in list(_diff(before, after))[2:]]
    return f"+{lines.count('+')} −{lines.count('-')} lines"
