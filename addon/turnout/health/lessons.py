"""What providers have refused, remembered for a day so that no request has to find it out again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from turnout.dialects.messages.refusals import Lesson
from turnout.health.state_file import content
from turnout.wire.splice import UNREADABLE

logger = logging.getLogger("turnout")

LIFETIME = 24 * 3600.0
"""Seconds: providers learn too."""

MOST_KEPT = 500
_LONGEST_NAME = 200
_VERSION = 1

_Place = tuple[str, str, str]
_Key = tuple[str, str | int]
_Known = tuple[_Place, Lesson, float]
"""Where, what, and the Unix time until which it is in force."""


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


_ENTRY = msgspec.json.Decoder(_Entry)
_FILE = msgspec.json.Decoder(_File)


class LessonBook:
    """The lessons by provider, endpoint and upstream model. `clock` gives Unix time in seconds.

    Of more than `capacity` lessons, those that would expire first are forgotten.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time, capacity: int = MOST_KEPT) -> None:
        self._clock = clock
        self._capacity = capacity
        self._lessons: dict[_Place, dict[_Key, tuple[Lesson, float]]] = {}
        self._touched: dict[tuple[_Place, _Key], int] = {}
        """What was learned or forgotten here since the file was written, with the revision that writes it."""
        self.revision = 0
        """Grows with every lesson that is learned or forgotten."""

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
            self._touch(place, _key(lesson))
        self._make_room()
        return tuple(lesson for lesson in sound if lesson not in before)

    def unlearn(self, provider: str, endpoint: str, model: str, lessons: Iterable[Lesson]) -> bool:
        """Forget single lessons; whether any was known."""
        place, useless = (provider, endpoint, model), frozenset(lessons)
        return self._forget_at(place, lambda lesson: lesson in useless)

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
            self._forget_at(place, concerning)

    def _forget_at(self, place: _Place, concerning: Callable[[Lesson], bool]) -> bool:
        kept = self._lessons.get(place, {})
        found = [key for key, (lesson, _) in kept.items() if concerning(lesson)]
        for key in found:
            del kept[key]
            self._touch(place, key)
        if not kept:
            self._lessons.pop(place, None)
        return bool(found)

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

    def _touch(self, place: _Place, key: _Key) -> None:
        self.revision += 1
        self._touched.pop((place, key), None)
        self._touched[place, key] = self.revision
        if len(self._touched) > 2 * self._capacity:  # there is no file, or none that can be written
            del self._touched[next(iter(self._touched))]

    def _make_room(self) -> None:
        if len(self) <= self._capacity:
            return
        before, kept = self._lessons, _last_to_expire(self._in_force(self._clock()), self._capacity)
        self._lessons = {}
        for known in kept:
            self._put(*known)
        for place in before:  # what there is no room for here may stay in the file
            for key in before[place].keys() - self._lessons.get(place, {}).keys():
                self._touched.pop((place, key), None)

    def _in_force(self, now: float) -> list[_Known]:
        return [
            (place, lesson, until)
            for place, kept in self._lessons.items()
            for lesson, until in kept.values()
            if now < until
        ]

    # --- from one run to the next ---

    def change(self, written: int) -> LessonChange:
        """What the file is to be told, after it was told the revision `written`."""
        now = self._clock()
        self._touched = {name: revision for name, revision in self._touched.items() if revision > written}
        known = {(place, _key(lesson)): (place, lesson, until) for place, lesson, until in self._in_force(now)}
        # What has expired here was not forgotten on purpose: another Turnout may have learned it again.
        forgotten = {(place, key) for place, key in self._touched if key not in self._lessons.get(place, {})}
        touched = frozenset(name for name in self._touched if name in known or name in forgotten)
        return LessonChange(known, touched, now, self._capacity, self.revision)

    def load(self, file: Path) -> None:
        """Take over what an earlier run knew; what is known by now wins. Blocks on the disk.

        No file is no fault; one that cannot be read is ignored with a warning, and so is each entry that is no lesson.
        """
        try:
            kept = content(file)
            if kept is None:
                return
            found, ignored = _read(kept, self._clock())
        except (OSError, *UNREADABLE) as error:
            logger.warning("%s: what was learned about providers is ignored (%s)", file, error)
            return
        for place, lesson, until in found:
            if _key(lesson) not in self._lessons.get(place, {}):
                self._put(place, lesson, until)
        self._make_room()
        if ignored:
            logger.warning("%s: %d entries that are no lessons are ignored", file, ignored)


@dataclass(frozen=True, slots=True)
class LessonChange:
    """All that a book knows at one moment, and what of it, or of what it knows no more, the file is to be told."""

    known: dict[tuple[_Place, _Key], _Known]
    touched: frozenset[tuple[_Place, _Key]]
    now: float
    capacity: int
    revision: int

    def merged(self, found: bytes | None) -> bytes:
        """What to write, as JSON: what was found, without what was forgotten here, with what was learned here.

        What was learned before, and is not in the file any more, has been forgotten by another Turnout.
        """
        try:
            theirs = None if found is None else _read(found, self.now)[0]
        except UNREADABLE:
            theirs = None
        merged = dict(self.known)
        if theirs is not None:
            named = {(place, _key(lesson)): (place, lesson, until) for place, lesson, until in theirs}
            merged = {name: known for name, known in named.items() if name not in self.touched}
            merged |= {name: known for name, known in self.known.items() if name in self.touched}
        entries = [
            _Entry(*place, lesson.rule, lesson.value, until)
            for place, lesson, until in _last_to_expire(merged.values(), self.capacity)
        ]
        return msgspec.json.encode({"version": _VERSION, "lessons": entries})


def _read(data: bytes, now: float) -> tuple[list[_Known], int]:
    """The lessons of a file that are still in force, and how many entries are none. Raises one of UNREADABLE."""
    file = _FILE.decode(data)
    if file.version != _VERSION:
        raise ValueError(f"it is of version {file.version}")
    found, ignored = [], 0
    for raw in file.lessons:
        known = _lesson_of(raw)
        if known is None:
            ignored += 1
        elif now < known[2]:
            found.append((*known[:2], min(known[2], now + LIFETIME)))
    return found, ignored


def _lesson_of(raw: msgspec.Raw) -> _Known | None:
    """One entry of a file; None when it is no lesson."""
    try:
        entry = _ENTRY.decode(raw)
    except UNREADABLE:
        return None
    place, lesson = (entry.provider, entry.endpoint, entry.model), Lesson(entry.rule, entry.value)
    if not lesson.is_sound or any(len(name) > _LONGEST_NAME or not name.isprintable() for name in place):
        return None
    return place, lesson, entry.until


def _last_to_expire(known: Iterable[_Known], most: int) -> list[_Known]:
    return sorted(known, key=lambda each: each[2])[-most:]


def _key(lesson: Lesson) -> _Key:
    """What a later lesson takes the place of: the same value of a list, any value of another rule."""
    return lesson.rule, lesson.value if lesson.is_list else ""
