"""What was learned from refusals: for a day, bounded, and from one run to the next (A9)."""

from __future__ import annotations

import logging
import os
import stat
import threading
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.health.conftest import START, Clock
from turnout.health.lessons import LIFETIME, MOST_KEPT, LessonBook
from turnout.wire.refusal import Lesson

PLACE = ("minimax", "messages", "MiniMax-M3")
TAGS = Lesson("drop", "tags")
SPEED = Lesson("drop", "speed")


@pytest.fixture
def book(clock: Clock) -> LessonBook:
    return LessonBook(clock=clock)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "turnout" / "learned.json"


def entry(**changes: object) -> dict[str, object]:
    plain = {"provider": "minimax", "endpoint": "messages", "model": "MiniMax-M3", "rule": "drop", "value": "tags"}
    return {**plain, "until": START + 100, **changes}


def written(file: Path, *entries: object, version: object = 1) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.encode({"version": version, "lessons": entries}))
    return file


class TestLearning:
    def test_known_where_it_was_learned(self, book: LessonBook) -> None:
        assert book.learn(*PLACE, (TAGS, SPEED)) == (TAGS, SPEED)
        assert book.known(*PLACE) == (TAGS, SPEED)
        for other in (("zai", *PLACE[1:]), ("minimax", "count_tokens", PLACE[2]), (*PLACE[:2], "other")):
            assert book.known(*other) == ()

    def test_only_what_is_new_is_worth_another_try(self, book: LessonBook) -> None:
        book.learn(*PLACE, (TAGS,))
        assert book.learn(*PLACE, (TAGS,)) == ()
        assert book.learn(*PLACE, (TAGS, SPEED)) == (SPEED,)
        assert len(book) == 2

    def test_a_single_value_takes_the_place_of_the_old_one(self, book: LessonBook) -> None:
        book.learn(*PLACE, (Lesson("max_tokens", 16384), Lesson("thinking.adaptive", "enabled")))
        assert book.learn(*PLACE, (Lesson("max_tokens", 8192),)) == (Lesson("max_tokens", 8192),)
        assert set(book.known(*PLACE)) == {Lesson("max_tokens", 8192), Lesson("thinking.adaptive", "enabled")}

    def test_lessons_that_are_not_sound_are_left_out(self, book: LessonBook) -> None:
        assert book.learn(*PLACE, (Lesson("drop", "messages"), Lesson("set", "x"))) == ()
        assert len(book) == 0

    def test_a_day_later_it_is_forgotten(self, book: LessonBook, clock: Clock) -> None:
        book.learn(*PLACE, (TAGS,))
        clock.now += LIFETIME - 1
        assert book.known(*PLACE) == (TAGS,)
        clock.now += 1
        assert book.known(*PLACE) == ()
        assert book.snapshot() == []
        assert book.learn(*PLACE, (TAGS,)) == (TAGS,)

    def test_learned_again_it_lives_longer(self, book: LessonBook, clock: Clock) -> None:
        book.learn(*PLACE, (TAGS,))
        clock.now += LIFETIME / 2
        book.learn(*PLACE, (TAGS,))
        clock.now += LIFETIME / 2
        assert book.known(*PLACE) == (TAGS,)

    def test_forgetting_a_provider(self, book: LessonBook) -> None:
        book.learn(*PLACE, (TAGS,))
        book.learn("zai", "messages", "glm", (TAGS,))
        book.forget("minimax")
        assert book.known(*PLACE) == ()
        assert book.known("zai", "messages", "glm") == (TAGS,)

    def test_bounded(self, book: LessonBook, clock: Clock) -> None:
        """The oldest go first; a client can choose the names of models."""
        for number in range(MOST_KEPT + 20):
            clock.now += 1
            book.learn("minimax", "messages", f"model-{number}", (TAGS,))
        assert len(book) == MOST_KEPT
        assert book.known("minimax", "messages", "model-19") == ()
        assert book.known("minimax", "messages", "model-20") == (TAGS,)
        assert book.known("minimax", "messages", f"model-{MOST_KEPT + 19}") == (TAGS,)

    def test_names_without_end_are_not_kept(self, book: LessonBook) -> None:
        assert book.learn("minimax", "messages", "m" * 201, (TAGS,)) == ()
        assert len(book) == 0

    def test_snapshot(self, book: LessonBook, clock: Clock) -> None:
        book.learn(*PLACE, (TAGS,))
        clock.now += 60
        assert book.snapshot() == [
            {
                "provider": "minimax",
                "endpoint": "messages",
                "model": "MiniMax-M3",
                "rule": "drop",
                "value": "tags",
                "suggestion": 'rewrite.drop = ["tags"]',
                "expires": LIFETIME - 60,
            }
        ]


class TestFile:
    def test_round_trip(self, book: LessonBook, clock: Clock, file: Path) -> None:
        lessons = (TAGS, SPEED, Lesson("max_tokens", 8192), Lesson("drop_betas", "effort-2025-11-24"))
        book.learn(*PLACE, lessons)
        book.write(file, book.encoded())
        again = LessonBook(clock=clock)
        again.load(file)
        assert again.known(*PLACE) == lessons
        assert again.snapshot() == book.snapshot()

    @pytest.mark.skipif(os.name != "posix", reason="permission bits")
    def test_only_the_user_reads_it(self, book: LessonBook, file: Path) -> None:
        book.write(file, book.encoded())
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert [path.name for path in file.parent.iterdir()] == ["learned.json"]

    def test_what_is_known_by_now_wins(self, book: LessonBook, file: Path) -> None:
        book.learn(*PLACE, (Lesson("max_tokens", 8192),))
        book.load(written(file, entry(rule="max_tokens", value=16384), entry(value="speed")))
        assert book.known(*PLACE) == (Lesson("max_tokens", 8192), SPEED)

    def test_expiry_of_the_file(self, book: LessonBook, clock: Clock, file: Path) -> None:
        """A clock that was wrong does not make a lesson everlasting."""
        book.load(written(file, entry(), entry(value="speed", until=1.0), entry(value="a", until=9e12)))
        assert book.known(*PLACE) == (TAGS, Lesson("drop", "a"))
        clock.now += 100
        assert book.known(*PLACE) == (Lesson("drop", "a"),)
        clock.now += LIFETIME
        assert book.known(*PLACE) == ()

    def test_no_file_is_no_fault(self, book: LessonBook, file: Path, caplog: pytest.LogCaptureFixture) -> None:
        book.load(file)
        assert caplog.records == []

    @pytest.mark.parametrize(
        "content",
        [b"", b"{", b"[]", b"\xff\xfe", b"null", b'{"version":2,"lessons":[]}', b'{"lessons":[]}', b"[" * 100_000]
        + [b'{"version":1,"lessons":{}}', b'{"version":"1","lessons":[]}'],
    )
    def test_another_file_is_ignored(
        self, book: LessonBook, file: Path, content: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
        book.load(file)
        assert len(book) == 0
        assert [(record.name, record.levelno) for record in caplog.records] == [("turnout", logging.WARNING)]
        assert str(file) in caplog.text

    @pytest.mark.parametrize(
        "wrong",
        [
            7,
            {},
            entry(rule="set"),
            entry(rule="prepend_system", value="x"),
            entry(value="messages"),
            entry(value='x"]\nauth = "none'),
            entry(value=7),
            entry(rule="max_tokens", value=0),
            entry(rule="max_tokens", value="8192"),
            entry(rule="drop_betas", value="*"),
            entry(until="never"),
            entry(model="m" * 201),
            entry(model="a\x1b[2J"),
        ],
    )
    def test_entries_that_are_no_lessons_are_ignored(
        self, book: LessonBook, file: Path, wrong: object, caplog: pytest.LogCaptureFixture
    ) -> None:
        book.load(written(file, wrong, entry()))
        assert [each["value"] for each in book.snapshot()] == ["tags"]
        assert "1 entries" in caplog.text

    def test_a_folder_in_its_place(self, book: LessonBook, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        book.load(tmp_path)
        assert len(caplog.records) == 1

    def test_an_unwritable_place_is_told_once(
        self, book: LessonBook, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "taken").write_text("a file where a folder should be")
        for _ in range(3):
            book.write(tmp_path / "taken" / "learned.json", book.encoded())
        assert [record.name for record in caplog.records] == ["turnout"]
        assert "cannot be kept" in caplog.text

    def test_written_while_more_is_learned(self, book: LessonBook, clock: Clock, file: Path) -> None:
        """`encoded` is what was known then; the thread that writes it touches nothing else."""
        book.learn(*PLACE, (TAGS,))
        data = book.encoded()
        writer = threading.Thread(target=book.write, args=(file, data))
        writer.start()
        book.learn(*PLACE, (SPEED,))
        writer.join()
        again = LessonBook(clock=clock)
        again.load(file)
        assert again.known(*PLACE) == (TAGS,)

    @given(st.binary())
    def test_any_content(self, tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
        file = tmp_path_factory.mktemp("state") / "learned.json"
        file.write_bytes(content)
        LessonBook().load(file)
