"""A file that changed, appeared or went is noticed once."""

from __future__ import annotations

import os
from pathlib import Path

from turnout.settings.watch import FileWatch


def test_changes_are_noticed_once(tmp_path: Path) -> None:
    file, other = tmp_path / "mitm.conf", tmp_path / ".env"
    watch = FileWatch((file, other))
    assert not watch.changed()
    file.write_text("a")
    assert watch.changed() and not watch.changed()
    other.write_text("a")
    assert watch.changed() and not watch.changed()
    file.write_text("longer")
    assert watch.changed() and not watch.changed()
    file.unlink()
    assert watch.changed() and not watch.changed()


def test_the_same_size_at_another_time_is_a_change(tmp_path: Path) -> None:
    file = tmp_path / "mitm.conf"
    file.write_text("a")
    os.utime(file, ns=(0, 1_000))
    watch = FileWatch((file,))
    file.write_text("b")
    os.utime(file, ns=(0, 2_000))
    assert watch.changed()


def test_an_exchanged_file_is_a_change(tmp_path: Path) -> None:
    """Editors save by renaming; a copy may keep the time."""
    file, fresh = tmp_path / "mitm.conf", tmp_path / "mitm.conf.new"
    for name in (file, fresh):
        name.write_text("a")
        os.utime(name, ns=(0, 1_000))
    watch = FileWatch((file,))
    fresh.replace(file)
    assert watch.changed()


def test_nothing_to_watch() -> None:
    assert not FileWatch(()).changed()
