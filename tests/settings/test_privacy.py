"""Files that nobody but their owner can read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from turnout.settings import privacy
from turnout.settings.privacy import make_private, private_from_now_on

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")


def mode_of(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


@pytest.mark.parametrize(("before", "after"), [(0o644, 0o600), (0o666, 0o600), (0o640, 0o600), (0o620, 0o600)])
def test_what_others_may_do_with_a_file_is_taken_from_them(tmp_path: Path, before: int, after: int) -> None:
    file = tmp_path / "a"
    file.touch()
    file.chmod(before)
    assert make_private(file) and mode_of(file) == after


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o200])
def test_a_private_file_stays_as_it_is(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "a"
    file.touch()
    file.chmod(mode)
    assert make_private(file) and mode_of(file) == mode


def test_a_folder_stays_open_to_its_owner(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert make_private(tmp_path) and mode_of(tmp_path) == 0o700


def test_an_open_file_will_do(tmp_path: Path) -> None:
    file = tmp_path / "a"
    with file.open("wb") as stream:
        file.chmod(0o644)
        assert make_private(stream.fileno())
    assert mode_of(file) == 0o600


def test_a_file_of_somebody_else_is_left_to_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root could change it, and would take it from its owner's group."""
    file = tmp_path / "a"
    file.touch()
    file.chmod(0o644)
    monkeypatch.setattr(privacy.os, "geteuid", lambda: file.stat().st_uid + 1)
    assert not make_private(file) and mode_of(file) == 0o644


def test_a_file_system_without_modes_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a"
    file.touch()
    file.chmod(0o644)
    monkeypatch.setattr(privacy.os, "chmod", lambda *_: None)
    assert not make_private(file)


def test_a_pipe_or_what_is_not_there_holds_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "pipe").chmod(0o666)
    assert make_private(tmp_path / "pipe") and mode_of(tmp_path / "pipe") == 0o666
    assert make_private(tmp_path / "none")


def test_new_files_are_private_until_it_is_undone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        undo = private_from_now_on()
        (tmp_path / "during").write_text("")
        undo()
        (tmp_path / "after").write_text("")
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "during") == 0o600 and mode_of(tmp_path / "after") == 0o644
