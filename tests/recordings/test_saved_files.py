"""What mitmproxy itself saves (`-w`, `hardump`) is for the user alone, or it is told."""

from __future__ import annotations

import logging
import os
import stat
from datetime import datetime
from pathlib import Path

import pytest

from turnout.recordings import saved_files
from turnout.recordings.saved_files import keep_private

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")


def open_to_all(file: Path) -> Path:
    file.write_text("before")
    file.chmod(0o644)
    return file


def mode_of(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


@pytest.mark.parametrize("name", ["day.mitm", "+day.mitm", "+~/day.mitm"])
def test_a_stream_file_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    file = open_to_all(tmp_path / "day.mitm")
    keep_private(name, "")
    assert mode_of(file) == 0o600 and file.read_text() == "before"


def test_a_stream_file_with_a_date_in_its_name(tmp_path: Path) -> None:
    file = open_to_all(tmp_path / datetime.today().strftime("%Y.mitm"))
    keep_private(str(tmp_path / "%Y.mitm"), "")
    assert mode_of(file) == 0o600


def test_a_har_file_is_private_before_it_is_written(tmp_path: Path) -> None:
    """mitmproxy writes it when its scripts are gone, and with them whatever they set up."""
    there = open_to_all(tmp_path / "there.har")
    keep_private(None, str(there))
    keep_private(None, str(tmp_path / "new.har"))
    assert mode_of(there) == mode_of(tmp_path / "new.har") == 0o600 and there.read_text() == "before"


def test_no_file_is_made_of_standard_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    keep_private(None, "-")
    keep_private("none.mitm", "no-such-folder/a.har")
    assert not list(tmp_path.glob("*.har")) and not (tmp_path / "-").exists() and not (tmp_path / "none.mitm").exists()


def test_it_is_told_when_others_can_still_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = open_to_all(tmp_path / "day.mitm")
    monkeypatch.setattr(saved_files, "make_private", lambda _: False)
    with caplog.at_level(logging.WARNING, "turnout"):
        keep_private(str(file), "")
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{file}: other users of this computer can read it, and prompts are in it; run: chmod 600 {file}"
    )
