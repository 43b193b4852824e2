"""Files that several Turnouts of a user share: locked, read, merged, replaced."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from turnout.health import state_file
from turnout.health.lessons import LessonBook
from turnout.health.signatures import SignatureLedger
from turnout.health.state_file import StateFile


@dataclass
class Words:
    """A table of lines: what it adds to a file are those that are new."""

    told: list[str] = field(default_factory=list)
    entered: threading.Event | None = None
    """Set when a write has begun, which then waits for `go`."""
    go: threading.Event = field(default_factory=threading.Event)

    @property
    def revision(self) -> int:
        return len(self.told)

    def add(self, word: str) -> None:
        self.told.append(word)

    def change(self, written: int) -> Addition:
        return Addition(self.told[written:], self.revision, self)


@dataclass
class Addition:
    new: list[str]
    revision: int
    words: Words

    def merged(self, found: bytes | None) -> bytes:
        if self.words.entered is not None:
            self.words.entered.set()
            assert self.words.go.wait(10)
        known = (found or b"").decode().split()
        return "".join(f"{word}\n" for word in dict.fromkeys([*known, *self.new])).encode()


def kept(words: Words, file: Path) -> StateFile:
    found = StateFile(words, "what was said")
    found.place = file
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "turnout" / "words"


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """As another process would hold it: locks belong to what was opened, not to who opened it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_name(f"{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


async def test_two_write_one_file(file: Path) -> None:
    words = [Words(), Words()]
    files = [kept(each, file) for each in words]
    for number in range(40):
        words[number % 2].add(str(number))
        files[number % 2].write_soon()
    for each in files:
        await each.written()
    assert sorted(file.read_text().split(), key=int) == [str(number) for number in range(40)]


async def test_only_the_user_reads_it(file: Path) -> None:
    words = Words()
    words.add("a")
    kept(words, file).flush()
    assert {path.name for path in file.parent.iterdir()} == {"words", "words.lock"}
    if os.name == "posix":
        assert {stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()} == {0o600}
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


async def test_the_event_loop_does_not_wait(file: Path) -> None:
    words = Words()
    state = kept(words, file)
    with locked(file):
        words.add("a")
        state.write_soon()
        writing = asyncio.create_task(state.written())
        await asyncio.sleep(0)
        assert not writing.done() and not file.exists()
    await writing
    assert file.read_text() == "a\n"


async def test_changes_that_wait_are_written_together(file: Path) -> None:
    words = Words(entered=threading.Event())
    assert words.entered is not None
    state = kept(words, file)
    words.add("a")
    state.write_soon()
    assert await asyncio.to_thread(words.entered.wait, 10)
    for word in "bcd":
        words.add(word)
        state.write_soon()
    words.go.set()
    await state.written()
    assert set(file.read_text().split()) == set("abcd")


def test_flush_writes_what_is_left_without_a_loop(file: Path) -> None:
    words = Words(entered=threading.Event())
    assert words.entered is not None
    state = kept(words, file)
    words.add("a")
    state.write_soon()
    assert words.entered.wait(10)
    words.add("b")
    state.write_soon()
    words.go.set()
    state.flush()
    assert file.read_text() == "a\nb\n"
    before = file.stat().st_mtime_ns, file.stat().st_ino
    state.flush()
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == before, "there was nothing left to write"


def test_without_a_place_nothing_is_written(file: Path) -> None:
    words = Words()
    words.add("a")
    state = StateFile(words, "what was said")
    state.write_soon()
    state.flush()
    assert state.place is None and words.change(0).new == ["a"]
    state.place = file
    state.flush()
    assert file.read_text() == "a\n", "what came before is kept as soon as there is a place"


def test_a_lock_that_is_not_given_back_costs_nothing_but_time(
    file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_file, "LOCK_WAIT", 0.05)
    words = Words()
    state = kept(words, file)
    with locked(file), caplog.at_level(logging.WARNING, "turnout"):
        for word in "ab":
            words.add(word)
            state.flush()
        assert not file.exists()
    assert len(caplog.records) == 1 and "another process has held" in caplog.text and str(file) in caplog.text
    words.add("c")
    state.flush()
    assert file.read_text() == "a\nb\nc\n"


def test_the_lock_of_a_process_that_died_is_free(file: Path) -> None:
    file.parent.mkdir(parents=True)
    code = "import fcntl, os, sys; fcntl.flock(open(sys.argv[1], 'w'), fcntl.LOCK_EX); os._exit(1)"
    subprocess.run([sys.executable, "-c", code, f"{file}.lock"], check=False)
    words = Words()
    words.add("a")
    kept(words, file).flush()
    assert file.read_text() == "a\n"


def test_a_file_system_without_locks(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(state_file, "_try_lock", refuse)
    words = Words()
    words.add("a")
    kept(words, file).flush()
    assert file.read_text() == "a\n"


@pytest.mark.parametrize("taken", ["state", "state/turnout/words", "state/turnout/words.lock"])
def test_a_place_that_cannot_be_written_to_is_told_once(
    taken: str, file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if taken == "state":
        (tmp_path / taken).write_text("a file where a folder should be")
    else:
        (tmp_path / taken).mkdir(parents=True)
    words = Words()
    state = kept(words, file)
    with caplog.at_level(logging.WARNING, "turnout"):
        for word in "abc":
            words.add(word)
            state.flush()
    assert [record.name for record in caplog.records] == ["turnout"]
    assert "what was said cannot be kept" in caplog.text


@pytest.mark.skipif(os.name != "posix", reason="pipes with a name are of POSIX")
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither a start nor an end may hang on what somebody has put there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(file)
    words = Words()
    words.add("a")
    kept(words, file).flush()
    assert "it is no file" in caplog.text
    SignatureLedger().load(file)
    LessonBook().load(file)
    assert caplog.text.count("it is no file") == 3
