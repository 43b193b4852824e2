"""The small forms that all renderers share: sizes, rows, rules, shortened texts, pretty JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from turnout.dialects.messages.stream import estimate_tokens

_WIDTH = 84
"""Letters in a line. mitmweb shows a flow in one half of its window and wraps nothing; this is half of a laptop."""
_MARGIN = 4
_PROSE_WIDTH = _WIDTH - _MARGIN
_LONG_LINE = re.compile(rf"^[^\n]{{{_PROSE_WIDTH + 1},}}", re.MULTILINE)
_NAME_WIDTH = 19
_WORDS_LIMIT = 300


@dataclass(frozen=True, slots=True)
class Limit:
    """How much of a text is shown."""

    letters: int
    lines: int


def size(count: int) -> str:
    """`312 B`, `76.3 kB`, `1.5 MB`."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} kB" if count < 999_950 else f"{count / 1_000_000:.1f} MB"


def weight(data: bytes) -> str:
    """`76.3 kB · ~19,083 tokens`: the size of a piece of JSON, and the estimate that routing goes by."""
    return f"{size(len(data))} · ~{estimate_tokens(data):,} tokens"


def joined(*parts: str) -> str:
    """The parts that are not empty, with dots between them."""
    return " · ".join(part for part in parts if part)


def counted(count: int, name: str) -> str:
    """`1 turn`, `2 turns`."""
    return f"{count:,} {name}" if count == 1 else f"{count:,} {name}s"


def rule(title: str) -> str:
    """A heading as wide as the page."""
    return f"━━ {title} ".ljust(_WIDTH, "━")


def rows(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values in two columns, a line for each pair."""
    return "\n".join(f"{name:<{_NAME_WIDTH}} {value}".rstrip() for name, value in pairs)


def indented(text: str, by: int = _MARGIN) -> str:
    margin = " " * by
    return "\n".join(margin + line if line else "" for line in text.splitlines())


def folded(text: str) -> str:
    """Prose, whose long lines go on in further lines of the same margin; a word is never broken."""
    return _LONG_LINE.sub(lambda found: "\n".join(_folded(found[0])), text)


def _folded(line: str) -> Iterator[str]:
    begin = len(line) - len(line.lstrip())
    margin, width = line[:begin], max(_PROSE_WIDTH - begin, _PROSE_WIDTH // 2)
    while len(line) - begin > width:
        end = line.rfind(" ", begin, begin + width + 1)
        if end < 0:
            end = line.find(" ", begin + width)
        if end < 0:
            break
        yield margin + line[begin:end]
        begin = end + 1
    yield margin + line[begin:]


def shortened(text: str, limit: Limit | None) -> str:
    """The beginning of a text that is longer than its limit, and how much is missing; None shows all of it."""
    if limit is None:
        return text
    shown = text[: limit.letters]
    lines = shown.splitlines(keepends=True)
    if len(lines) > limit.lines:
        shown = "".join(lines[: limit.lines])
    shown = shown.rstrip()
    missing = len(text.rstrip()) - len(shown)
    return f"{shown} {_more(missing)}" if missing > 0 else text


def line(text: str, letters: int) -> str:
    """The first line of a text, shortened without a word when it is long."""
    first = next((line for line in text.splitlines() if line.strip()), "").strip()
    return first if len(first) <= letters else first[: letters - 1] + "…"


def _more(count: int) -> str:
    return f"… ({count:,} more {'character' if count == 1 else 'characters'}; see Raw)"


def pretty(value: Any, line_letters: int | None = None) -> str:
    """A value as indented JSON. Lines longer than `line_letters` (base64, encrypted texts) are shortened."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    if line_letters is None or len(text) <= line_letters:
        return text
    return "\n".join(shortened(part, Limit(line_letters, 1)) for part in text.split("\n"))


def pretty_input(value: Any) -> str:
    """The input of a tool as indented JSON, but for its texts of several lines: those are written line by line.

    A file that is written or a patch is a single line of JSON, with `\\n` in it, that nobody can read.
    """
    if not isinstance(value, dict) or not any(_has_lines(member) for member in value.values()):
        return pretty(value)
    lines = ["{"]
    for position, (name, member) in enumerate(value.items(), 1):
        key = pretty(name)
        if _has_lines(member):
            lines += [f"  {key}:", *(f"    │ {part}" for part in member.splitlines())]
        else:
            comma = "," if position < len(value) else ""
            lines += ["  " + part for part in f"{key}: {pretty(member)}{comma}".split("\n")]
    return "\n".join((*lines, "}"))


def _has_lines(value: object) -> bool:
    return isinstance(value, str) and "\n" in value.rstrip("\n")


def words(value: Any, limit: int = _WORDS_LIMIT) -> str:
    """A setting on one line: `adaptive`, `enabled, budget_tokens 31999`, anything deeper as JSON."""
    if isinstance(value, dict) and value and not any(isinstance(member, dict | list) for member in value.values()):
        text = ", ".join(
            member if name == "type" and isinstance(member, str) else f"{name} {words(member)}"
            for name, member in value.items()
        )
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, int):
        text = f"{value:,}"
    else:
        text = value if isinstance(value, str) else _json(value)
    return shortened(" ".join(text.splitlines()), Limit(limit, 1))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def extras(block: Mapping[str, Any], *shown: str) -> str:
    """The members of a block that its own form does not show, on one line, so that nothing is lost unseen."""
    return words({name: value for name, value in block.items() if name not in shown and value is not None} or "")


def cache_mark(block: Any) -> str:
    """`cache mark 5m`, `cache mark 1h, scope global`; empty without `cache_control`."""
    control = block.get("cache_control") if isinstance(block, dict) else None
    if not isinstance(control, dict):
        return ""
    # Without a ttl it is five minutes: https://docs.claude.com/en/docs/build-with-claude/prompt-caching
    ttl = control.get("ttl", "5m")
    rest = extras(control, "type", "ttl")
    return f"cache mark {ttl}" + (f", {rest}" if rest else "")
