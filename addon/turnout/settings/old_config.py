"""What importers of old configurations have in common: reading JSON, names, and comments that hold no secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turnout.errors import ConfigError
from turnout.redaction.secret import MASK, Secret
from turnout.redaction.text import redact
from turnout.settings.text import read_text

DEEPEST_COMMENT = 6
"""Levels of a value that a comment shows."""

NOT_TAKEN_OVER = "# not taken over: "
WHAT_IS_LEFT = 'Some keys have no counterpart; they stand in comments: "# not taken over: …".'

_SECRET_KEY = re.compile(r"(?i)key|token|secret|passw|auth|cookie|credential")
_USER_IN_URL = re.compile(r"//[^/\s]*@")


@dataclass(frozen=True)
class Imported:
    """What became of an old configuration."""

    text: str
    """The mitm.conf."""
    variables: tuple[str, ...]
    """The environment variables that its credentials name."""
    warnings: tuple[str, ...]
    """What a person has to do or know; holds no secret."""


def read_json(file: Path) -> Any:
    """The value in a JSON file. Raises ConfigError when it cannot be read or is not JSON."""
    text = read_text(file, if_missing="Name the old config.json")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"not valid JSON: {error}", file=file, suggestion="Name the old config.json") from None
    except (ValueError, RecursionError):  # a number too long to read, or too many levels
        raise ConfigError("not usable JSON: too long a number or too many levels", file=file) from None


def as_text(row: Mapping[str, Any], word: str, key: str, file: Path) -> str:
    """The text under `word` of the row at `key`. Raises ConfigError when it is missing, none, or cannot be printed."""
    value = row.get(word)
    if value is None or value == "":
        raise ConfigError("a value is missing", file=file, key=f"{key}.{word}")
    if not isinstance(value, str):
        raise ConfigError("is not a text in quotes", file=file, key=f"{key}.{word}")
    if not value.isprintable():  # control characters, and halves of a character that UTF-8 cannot hold
        raise ConfigError("holds characters that cannot be printed", file=file, key=f"{key}.{word}")
    return value


def without_user(text: str) -> str:
    """A text with `***` for the user and password of every URL in it."""
    return _USER_IN_URL.sub(f"//{MASK}@", text)


def bare_key(name: str, key: str, file: Path) -> str:
    """The name as a TOML bare key; in lower case, as presets and TURNOUT_… variables have it."""
    bare = re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-_")
    if not bare:
        raise ConfigError("holds no letter a-z and no digit", file=file, key=f"{key}.name")
    return bare


def unique_name(name: str, taken: Iterable[str]) -> str:
    """The name with a number where another one, or the variable of another one, is the same."""
    variables = {variable_of(other) for other in taken}
    candidate, number = name, 1
    while variable_of(candidate) in variables:
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def variable_of(name: str) -> str:
    """The variable for the key of a provider with this name."""
    variable = f"{name}_API_KEY".upper().replace("-", "_")
    return f"_{variable}" if variable[0].isdigit() else variable


def not_taken_over(row: Mapping[str, Any], handled: frozenset[str], prefix: str, known: list[Secret]) -> list[str]:
    """A comment for every key of a row that is not `handled`, without what is or may be a secret."""
    lines = []
    for word, value in row.items():
        if word not in handled:
            shown = json.dumps(_masked(value, known, bool(_SECRET_KEY.search(word))))
            place = json.dumps(redact(prefix + word, known))[1:-1]
            lines.append(f"{NOT_TAKEN_OVER}{place} = {shown}")
    return lines


def _masked(value: Any, known: list[Secret], secret: bool, depth: int = 0) -> Any:
    """`value` without what is or may be a secret."""
    if isinstance(value, str):
        return MASK if secret else without_user(redact(value, known))
    if isinstance(value, (list, Mapping)) and depth == DEEPEST_COMMENT:
        return "…"
    if isinstance(value, list):
        return [_masked(item, known, secret, depth + 1) for item in value]
    if isinstance(value, Mapping):
        return {
            redact(word, known): _masked(item, known, secret or bool(_SECRET_KEY.search(word)), depth + 1)
            for word, item in value.items()
        }
    return value


def quoted(text: str) -> str:
    """A TOML string. JSON escapes the same way, as long as it need not write a character as two."""
    return json.dumps(text, ensure_ascii=False)
