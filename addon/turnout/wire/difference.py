"""The difference between two JSON texts, in lines for people."""

from __future__ import annotations

import difflib
import json
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

CONTEXT = 2
"""Unchanged lines shown around a change."""
LONGEST_TEXT = 100
"""Characters of a string that are shown."""
BEFORE_CHANGE = 30
"""Characters shown before the place where two long strings begin to differ."""


@dataclass(frozen=True, slots=True)
class _Line:
    path: str
    text: str
    comma: bool = False


def diff(old: bytes, new: bytes) -> Iterator[str]:
    """The changes between two JSON texts, each region under the path of its first change, long strings shortened.

    Raises ValueError or RecursionError for what cannot be read as JSON.
    """
    values = json.loads(old), json.loads(new)
    before, after = (list(_pretty(value)) for value in values)
    for group in _ByItem(before, after, _same_length(*values)).get_grouped_opcodes(CONTEXT):
        yield f"@@ {_place(group, before, after)} @@"
        for tag, a, b, c, d in group:
            removed, added = before[a:b], after[c:d]
            if tag == "equal":
                same = zip(removed, added, strict=True)
                yield from (f"  {_shown(replace(one, comma=one.comma or other.comma))}" for one, other in same)
                continue
            pairs = list(zip(removed, added, strict=True)) if len(removed) == len(added) else []
            starts = [_first_difference(*pair) for pair in pairs] or [0] * max(len(removed), len(added))
            yield from (f"- {_shown(line, start)}" for line, start in zip(removed, starts, strict=False))
            yield from (f"+ {_shown(line, start)}" for line, start in zip(added, starts, strict=False))


class _ByItem(difflib.SequenceMatcher[str]):
    """Compares key by key, and the lists named by `split` item by item.

    At once it would take seconds for thousands of lines of which most occur many times.
    """

    def __init__(self, before: Sequence[_Line], after: Sequence[_Line], split: Container[str]) -> None:
        super().__init__()
        self._old, self._new = _parts(before, split), _parts(after, split)

    def get_opcodes(self) -> list[Any]:
        """Those of the whole texts; equal regions that touch are one."""
        found: list[tuple[str, int, int, int, int]] = []
        for tag, a, b, c, d in self._regions():
            if found and tag == found[-1][0] == "equal":
                _, a, _, c, _ = found.pop()
            found.append((tag, a, b, c, d))
        return found

    def _regions(self) -> Iterator[tuple[str, int, int, int, int]]:
        at, to = 0, 0
        names = [part.name for part in self._old], [part.name for part in self._new]
        for tag, a, b, c, d in difflib.SequenceMatcher(None, names[0], names[1], autojunk=False).get_opcodes():
            if tag == "equal":
                for old, new in zip(self._old[a:b], self._new[c:d], strict=True):
                    for word, *region in difflib.SequenceMatcher(None, old.lines, new.lines).get_opcodes():
                        yield word, at + region[0], at + region[1], to + region[2], to + region[3]
                    at, to = at + len(old.lines), to + len(new.lines)
                continue
            removed, added = (sum(len(part.lines) for part in parts) for parts in (self._old[a:b], self._new[c:d]))
            yield tag, at, at + removed, to, to + added
            at, to = at + removed, to + added


@dataclass(frozen=True, slots=True)
class _Part:
    """The lines of one key at the top, or of one item of its list. A comma after them is no part of their text."""

    name: str
    lines: list[str]


def _parts(lines: Iterable[_Line], split: Container[str]) -> list[_Part]:
    parts: list[_Part] = []
    for line in lines:
        name, _, rest = line.path.partition("[")
        name = name.partition(".")[0]
        if name in split:
            name += rest.partition("]")[0]
        if not parts or parts[-1].name != name:
            parts.append(_Part(name, []))
        parts[-1].lines.append(line.text)
    return parts


def _same_length(old: Any, new: Any) -> set[str]:
    """The lists at the top that have as many items in both."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return set()
    lists = {name: len(value) for name, value in old.items() if isinstance(value, list)}
    return {name for name, length in lists.items() if isinstance(new.get(name), list) and len(new[name]) == length}


def _place(group: Iterable[tuple[str, int, int, int, int]], before: Sequence[_Line], after: Sequence[_Line]) -> str:
    tag, a, _, c, _ = next(opcode for opcode in group if opcode[0] != "equal")
    return (after[c] if tag == "insert" else before[a]).path or "body"


def _pretty(value: Any, path: str = "", lead: str = "", indent: str = "", comma: bool = False) -> Iterator[_Line]:
    """JSON with a value in each line, two blanks to a level, keys in their order."""
    if isinstance(value, dict) and value:
        prefix = f"{path}." if path else ""
        children = [(inner, f"{prefix}{key}", f"{_json(key)}: ") for key, inner in value.items()]
        ends = "{}"
    elif isinstance(value, list) and value:
        children = [(inner, f"{path}[{index}]", "") for index, inner in enumerate(value)]
        ends = "[]"
    else:
        yield _Line(path, f"{indent}{lead}{_json(value)}", comma)
        return
    yield _Line(path, f"{indent}{lead}{ends[0]}")
    for number, (inner, place, key) in enumerate(children, start=1):
        yield from _pretty(inner, place, key, indent + "  ", number < len(children))
    yield _Line(path, f"{indent}{ends[1]}", comma)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _string_of(line: _Line) -> tuple[str, str] | None:
    """What stands before a line's string value, and the string; None when its value is something else."""
    bare = line.text.lstrip(" ")
    at = len(line.text) - len(bare)
    try:
        value, end = json.JSONDecoder().raw_decode(bare)
        if bare[end : end + 2] == ": ":
            at += end + 2
            value = json.loads(bare[end + 2 :])
    except ValueError:  # the line opens or closes an object or a list
        return None
    return (line.text[:at], value) if isinstance(value, str) else None


def _first_difference(old: _Line, new: _Line) -> int:
    """Where two strings begin to differ; 0 when not both lines hold one."""
    parts = _string_of(old), _string_of(new)
    if parts[0] is None or parts[1] is None:
        return 0
    texts = parts[0][1], parts[1][1]
    pairs = enumerate(zip(*texts, strict=False))
    return next((index for index, (one, other) in pairs if one != other), min(map(len, texts)))


def _shown(line: _Line, change: int = 0) -> str:
    """A line for people: of a long string only its beginning, or what surrounds the change."""
    comma = "," if line.comma else ""
    parts = _string_of(line) if len(line.text) > LONGEST_TEXT else None
    if parts is None or len(parts[1]) <= LONGEST_TEXT:
        return line.text + comma
    lead, text = parts
    start = change - BEFORE_CHANGE if change > LONGEST_TEXT // 2 else 0
    shown = _json(text[start : start + LONGEST_TEXT])[1:-1]
    before, after = "… " if start else "", " …" if start + LONGEST_TEXT < len(text) else ""
    return f'{lead}"{before}{shown}{after}" ({len(text)} chars){comma}'
