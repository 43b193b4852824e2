"""What was learned from refusals: for a day, bounded, and from one run to the next (A9)."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.health.conftest import START, Clock
from turnout.dialects.messages.refusals import Lesson
from turnout.health.lessons import LIFETIME, MOST_KEPT, LessonBook

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


def keep(book: LessonBook, file: Path) -> None:
    """Write what is new to the file, as another Turnout on this computer would."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(book.change(0).merged(file.read_bytes() if file.exists() else None))


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

    def test_nothing_stays_of_what_did_not_help(self, book: LessonBook) -> None:
        """A client can choose the names of models."""
        for number in range(3 * MOST_KEPT):
            book.learn("minimax", "messages", f"model-{number}", (TAGS,))
            assert book.unlearn("minimax", "messages", f"model-{number}", (TAGS,))
            assert not book.unlearn("minimax", "messages", f"model-{number}", (TAGS,))
        assert len(book._lessons) == 0 and len(book._touched) <= 2 * MOST_KEPT

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
        keep(book, file)
        again = LessonBook(clock=clock)
        again.load(file)
        assert again.known(*PLACE) == lessons
        assert again.snapshot() == book.snapshot()

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

    @given(st.binary())
    def test_any_content(self, tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
        file = tmp_path_factory.mktemp("state") / "learned.json"
        file.write_bytes(content)
        LessonBook().load(file)


class Shared:
    """Several books with one file. Each write tells the file what is new since the book's last one."""

    def __init__(self, clock: Clock, books: int, capacity: int = MOST_KEPT) -> None:
        self.books = [LessonBook(clock=clock, capacity=capacity) for _ in range(books)]
        self.written = [0] * books
        self.content: bytes | None = None
        self._clock = clock

    def write(self, number: int) -> None:
        change = self.books[number].change(self.written[number])
        self.content = change.merged(self.content)
        assert change.merged(self.content) == self.content, "a write that is made twice changes nothing"
        self.written[number] = change.revision

    def kept(self) -> set[str]:
        assert self.content is not None
        return {str(each["value"]) for each in msgspec.json.decode(self.content)["lessons"]}


class TestTwoTurnouts:
    def test_each_keeps_what_the_other_learned(self, clock: Clock) -> None:
        shared = Shared(clock, 2)
        for number, value in ((0, "tags"), (1, "speed"), (0, "a"), (1, "b")):
            shared.books[number].learn(*PLACE, (Lesson("drop", value),))
            shared.write(number)
        assert shared.kept() == {"tags", "speed", "a", "b"}

    def test_what_was_forgotten_does_not_come_back_with_an_old_write(self, clock: Clock) -> None:
        shared = Shared(clock, 2)
        first, second = shared.books
        first.learn(*PLACE, (TAGS, SPEED))
        shared.write(0)
        second.learn(*PLACE, (Lesson("drop", "a"),))
        shared.write(1)
        first.unlearn(*PLACE, (TAGS,))
        shared.write(0)
        assert shared.kept() == {"speed", "a"}
        first.forget("minimax")
        shared.write(0)
        assert shared.kept() == {"a"}

    def test_what_one_forgot_the_other_does_not_bring_back(self, clock: Clock, file: Path) -> None:
        shared = Shared(clock, 2)
        shared.books[0].learn(*PLACE, (TAGS,))
        shared.write(0)
        assert shared.content is not None
        file.parent.mkdir(parents=True)
        file.write_bytes(shared.content)
        shared.books[1].load(file)
        shared.books[0].unlearn(*PLACE, (TAGS,))
        shared.write(0)
        shared.books[1].learn(*PLACE, (SPEED,))
        shared.write(1)
        assert shared.kept() == {"speed"}

    def test_what_one_forgot_the_other_may_learn(self, clock: Clock) -> None:
        shared = Shared(clock, 2)
        shared.books[0].learn(*PLACE, (TAGS,))
        shared.books[0].unlearn(*PLACE, (TAGS,))
        shared.write(0)
        shared.books[1].learn(*PLACE, (TAGS,))
        shared.write(1)
        shared.books[0].learn(*PLACE, (SPEED,))
        shared.write(0)
        assert shared.kept() == {"tags", "speed"}

    def test_what_expired_here_may_have_been_learned_again_there(self, clock: Clock) -> None:
        shared = Shared(clock, 2)
        shared.books[0].learn(*PLACE, (TAGS,))
        clock.now += LIFETIME
        shared.books[1].learn(*PLACE, (TAGS,))
        shared.write(1)
        shared.write(0)
        assert shared.kept() == {"tags"}

    def test_the_later_of_two_values_stands(self, clock: Clock) -> None:
        shared = Shared(clock, 2)
        shared.books[0].learn(*PLACE, (Lesson("max_tokens", 16384),))
        shared.write(0)
        shared.books[1].learn(*PLACE, (Lesson("max_tokens", 8192),))
        shared.write(1)
        assert shared.kept() == {"8192"}

    def test_the_file_is_bounded(self, clock: Clock) -> None:
        shared = Shared(clock, 2, capacity=5)
        for number in range(8):
            clock.now += 1
            shared.books[number % 2].learn(*PLACE, (Lesson("drop", f"v{number}"),))
            shared.write(number % 2)
        assert shared.kept() == {"v3", "v4", "v5", "v6", "v7"}

    def test_what_there_is_no_room_for_here_stays_in_the_file(self, clock: Clock) -> None:
        shared = Shared(clock, 2, capacity=2)
        for value in "abc":
            shared.books[0].learn(*PLACE, (Lesson("drop", value),))
            clock.now += 1
        shared.books[1].learn(*PLACE, (Lesson("drop", "a"),))
        shared.write(1)
        shared.write(0)
        assert shared.kept() == {"a", "c"}

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version":2,"lessons":[]}', b"\xff", b"[" * 100_000])
    def test_a_broken_file_is_replaced_by_all_that_is_known(self, clock: Clock, content: bytes) -> None:
        shared = Shared(clock, 1)
        shared.books[0].learn(*PLACE, (TAGS,))
        shared.write(0)
        shared.content = content
        shared.books[0].learn(*PLACE, (SPEED,))
        shared.write(0)
        assert shared.kept() == {"tags", "speed"}

    @given(
        st.lists(
            st.tuples(
                st.integers(0, 2), st.sampled_from("abcde"), st.sampled_from(["learn", "unlearn", "write", "write"])
            )
        )
    )
    def test_the_file_holds_what_was_last_said_of_each_lesson(self, steps: list[tuple[int, str, str]]) -> None:
        """Where only one Turnout at a time speaks of a lesson, the order of their writes does not matter."""
        clock = Clock()
        shared = Shared(clock, 3)
        last: dict[str, bool] = {}
        for number, value, act in steps:
            lesson = Lesson("drop", f"{value}{number}")
            if act == "learn":
                shared.books[number].learn(*PLACE, (lesson,))
                last[str(lesson.value)] = True
            elif act == "unlearn":
                shared.books[number].unlearn(*PLACE, (lesson,))
                last[str(lesson.value)] = False
            else:
                shared.write(number)
        for number in range(3):
            shared.write(number)
        assert shared.kept() == {value for value, known in last.items() if known}

    @given(st.binary() | st.sampled_from([b'{"version":1,"lessons":[7,{}]}']))
    def test_any_content(self, content: bytes) -> None:
        book = LessonBook()
        book.learn(*PLACE, (TAGS,))
        assert b"tags" in book.change(0).merged(content)
