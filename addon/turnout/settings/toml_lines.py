"""Tables as lines of TOML, to be pasted into a configuration."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_BARE_KEY = re.compile("[A-Za-z0-9_-]+")


def merged_rules(suggestions: Iterable[str]) -> list[str]:
    """Lines of TOML such as `rewrite.drop = ["metadata"]`, those for the same rule joined into one."""
    from turnout.settings.rewriting import extended

    whole: dict[str, Any] = {}
    for suggestion in suggestions:
        try:
            whole = extended(whole, tomllib.loads(suggestion))
        except ValueError:  # of another version
            continue
    return list(_lines(whole))


def toml_key(name: str) -> str:
    """A key as TOML wants it written: quoted where it has to be."""
    return name if _BARE_KEY.fullmatch(name) else _value(name)


def _lines(table: Mapping[str, Any], lead: str = "") -> Iterator[str]:
    """A table as lines with dotted keys."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _lines(value, f"{lead}{toml_key(name)}.")
        else:
            yield f"{lead}{toml_key(name)} = {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    # A basic string of TOML is one of JSON, but for this character.
    return json.dumps(value, ensure_ascii=False, default=str).replace("\x7f", "\\u007f")
