"""Errors that name their place in the request, in the forms in which validators write them."""

from __future__ import annotations

import re
from typing import Any

from turnout.dialects.error_body.body import Placed

_MOST = 64
"""Errors of one text."""
_LONGEST = 400
"""Characters of a location."""

_SPLIT = re.compile(r"[.\[\]/'\"]+")
# vLLM: the list of pydantic's errors, written out by Python.
_WRITTEN_ERROR = re.compile(
    r"'type': '(\w{1,40})', 'loc': (\([^()]{1,400}\)), 'msg': (\"[^\"]{1,400}\"|'[^']{1,400}')"
    r"(?:, 'input': '(\w{1,64})')?"
)
_STEP_OF_TUPLE = re.compile(r"'([^']*)'|\b(\d+)\b")
# pydantic: the place on a line of its own, the error below it.
_LISTED_ERROR = re.compile(
    r"^(?P<loc>[A-Za-z_][^\s:]{0,300})\n  (?P<msg>[^\n]{1,400}?) \[type=(?P<type>\w{1,40})"
    r"(?:, input_value='(?P<given>\w{1,64})')?",
    re.MULTILINE,
)


def split_location(location: str) -> tuple[str, ...]:
    """The steps of `messages.0.content[1]`, `#/messages/0`, `messages[0]['content']`; without the word for the body."""
    return _in_body(tuple(step for step in _SPLIT.split(location[:_LONGEST]) if step not in ("", "#", "$")))


def placed_by(item: dict[str, Any]) -> Placed | None:
    """An entry of FastAPI's or pydantic's list, whose `loc` is a list; None where it says nothing."""
    type, message, given = item.get("type"), item.get("msg"), item.get("input")
    if not isinstance(type, str) or not isinstance(message, str):
        return None
    steps = tuple(str(step) for step in item["loc"] if isinstance(step, str | int))
    return Placed(type, _in_body(steps), message, given if isinstance(given, str) else "")


def written_in(text: str) -> list[Placed]:
    """The list of errors that Python has written into a text. All else in such a text quotes the request."""
    return [
        Placed(match[1], _in_body(_steps_of_tuple(match[2])), match[3][1:-1], match[4] or "")
        for match in [*_WRITTEN_ERROR.finditer(text)][:_MOST]
    ]


def listed_in(text: str) -> list[Placed]:
    """The errors that pydantic lists in a text, line by line."""
    return [
        Placed(match["type"], split_location(match["loc"]), match["msg"], match["given"] or "")
        for match in [*_LISTED_ERROR.finditer(text)][:_MOST]
    ]


def _steps_of_tuple(written: str) -> tuple[str, ...]:
    return tuple(word or number for word, number in _STEP_OF_TUPLE.findall(written))


def _in_body(steps: tuple[str, ...]) -> tuple[str, ...]:
    return steps[1:] if steps[:1] == ("body",) else steps
