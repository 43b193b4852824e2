"""What providers have refused, remembered for a day so that no request has to find it out again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from turnout.health.state_file import StateWriter
from turnout.wire.refusal import Lesson
from turnout.wire.splice import UNREADABLE

logger = logging.getLogger("turnout")

LIFETIME = 24 * 3600.0
"""Seconds: providers learn too."""

MOST_KEPT = 500
_LONGEST_NAME = 200
_MOST_BYTES = 1_000_000
_VERSION = 1

_Place = tuple[str, str, str]
_Key = tuple[str, str | int]


class _Entry(msgspec.Struct, frozen=True):
    """One lesson in the file. `until` is Unix time in seconds."""

    provider: str
    endpoint: str
    model: str
    rule: str
    value: str | int
    until: float


class _File(msgspec.Struct, frozen=True):
    version: int
    lessons: list[msgspec.Raw]


class LessonBook:
    """The lessons by provider, endpoint and upstream model. `clock` gives Unix time in seconds.

    Of more than `capacity` lessons, those that would expire first are forgotten.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time, capacity: int = MOST_KEPT) -> None:
        self._clock = clock
        self._capacity = capacity
        self._lessons: dict[_Place, dict[_Key, tuple[Lesson, float]]] = {}
        self.write = StateWriter("what was learned about providers").write
        """Replaces the file by what `encoded` gave. Blocks on the disk, and never raises."""

    def __len__(self) -> int:
        return sum(map(len, self._lessons.values()))

    def learn(self, provider: str, endpoint: str, model: str, lessons: Iterable[Lesson]) -> tuple[Lesson, ...]:
        """Remember, from now on for a day. Returns those that were not in force yet: without one, a request that was
        sent by these rules is not worth sending again. Lessons that are not sound are left out."""
        place = (provider, endpoint, model)
        if any(len(name) > _LONGEST_NAME for name in place):
            return ()
        before = self.known(*place)
        until = self._clock() + LIFETIME
        sound = [lesson for lesson in dict.fromkeys(lessons) if lesson.is_sound]
        for lesson in sound:
            self._put(place, lesson, until)
        self._make_room()
        return tuple(lesson for lesson in sound if lesson not in before)

    def unlearn(self, provider: str, endpoint: str, model: str, lessons: Iterable[Lesson]) -> bool:
        """Forget single lessons; whether any was known."""
        useless = frozenset(lessons)
        kept = self._lessons.get((provider, endpoint, model), {})
        found = [entry for entry, (lesson, _) in kept.items() if lesson in useless]
        for entry in found:
            del kept[entry]
        return bool(found)

    def known(self, provider: str, endpoint: str, model: str) -> tuple[Lesson, ...]:
        """The lessons in force, the latest learned last."""
        kept = self._lessons.get((provider, endpoint, model))
        if not kept:
            return ()
        now = self._clock()
        return tuple(lesson for lesson, until in kept.values() if now < until)

    def forget(self, provider: str, concerning: Callable[[Lesson], bool] = lambda _: True) -> None:
        """Forget what is known about a provider, or of that what `concerning` picks."""
        for place in [place for place in self._lessons if place[0] == provider]:
            kept = {entry: known for entry, known in self._lessons[place].items() if not concerning(known[0])}
            self._lessons[place] = kept
            if not kept:
                del self._lessons[place]

    def snapshot(self) -> list[dict[str, object]]:
        """For /health: what is known, where, the line of configuration that makes it permanent, seconds to expiry."""
        now = self._clock()
        return [
            {
                "provider": provider,
                "endpoint": endpoint,
                "model": model,
                "rule": lesson.rule,
                "value": lesson.value,
                "suggestion": lesson.line(model),
                "expires": round(until - now),
            }
            for (provider, endpoint, model), lesson, until in self._in_force(now)
        ]

    def _put(self, place: _Place, lesson: Lesson, until: float) -> None:
        kept = self._lessons.setdefault(place, {})
        kept.pop(_key(lesson), None)
        kept[_key(lesson)] = (lesson, until)

    def _make_room(self) -> None:
        if len(self) <= self._capacity:
            return
        by_expiry = sorted(self._in_force(self._clock()), key=lambda entry: entry[2])
        self._lessons = {}
        for place, lesson, until in by_expiry[-self._capacity :]:
            self._put(place, lesson, until)

    def _in_force(self, now: float) -> list[tuple[_Place, Lesson, float]]:
        return [
            (place, lesson, until)
            for place, kept in self._lessons.items()
            for lesson, until in kept.values()
            if now < until
        ]

    # --- from one run to the next ---

    def encoded(self) -> bytes:
        """What `write` puts into the file, as JSON."""
        entries = [
            _Entry(*place, lesson.rule, lesson.value, until) for place, lesson, until in self._in_force(self._clock())
        ]
        return msgspec.json.encode({"version": _VERSION, "lessons": entries})

    def load(self, file: Path) -> None:
        """Take over what an earlier run knew; what is known by now wins. Blocks on the disk.

        No file is no fault; one that cannot be read is ignored with a warning, and so is each entry that is no lesson.
        """
        try:
            with file.open("rb") as stream:
                found = msgspec.json.decode(stream.read(_MOST_BYTES), type=_File)
            if found.version != _VERSION:
                raise ValueError(f"it is of version {found.version}")
        except FileNotFoundError:
            return
        except (OSError, *UNREADABLE) as error:
            logger.warning("%s: what was learned about providers is ignored (%s)", file, error)
            return
        ignored = sum(not self._take_over(raw) for raw in found.lessons)
        self._make_room()
        if ignored:
            logger.warning("%s: %d entries that are no lessons are ignored", file, ignored)

    def _take_over(self, raw: msgspec.Raw) -> bool:
        """Add one entry of a file; False when it is none."""
        try:
            entry = msgspec.json.decode(raw, type=_Entry)
        except UNREADABLE:
            return False
        place = (entry.provider, entry.endpoint, entry.model)
        lesson = Lesson(entry.rule, entry.value)
        if not lesson.is_sound or any(len(name) > _LONGEST_NAME or not name.isprintable() for name in place):
            return False
        now = self._clock()
        if now < entry.until and _key(lesson) not in self._lessons.get(place, {}):
            self._put(place, lesson, min(entry.until, now + LIFETIME))
        return True


def _key(lesson: Lesson) -> _Key:
    """What a later lesson takes the place of: the same value of a list, any value of another rule."""
    return lesson.rule, lesson.value if lesson.is_list else ""
