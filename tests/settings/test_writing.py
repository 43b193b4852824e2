"""Files that are replaced as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from turnout.settings import writing
from turnout.settings.writing import write_atomically


def test_a_write_that_fails_leaves_the_old_content_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "state" / "state.json"
    write_atomically(file, b"old")

    def fail(source: str, target: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(writing.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(file, b"new")
    assert file.read_bytes() == b"old" and list(file.parent.iterdir()) == [file]
