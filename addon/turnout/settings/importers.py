"""Turns the `config.json` of the earlier failover proxy into the text of a mitm.conf (C2).

{"proxy_port": 8082, "cooldown_minutes": 5,
 "providers": [{"name": "minimax", "base_url": "https://…", "api_key_env": "MINIMAX_API_KEY"}]}
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from turnout.errors import ConfigError
from turnout.settings.base_url import BaseUrl
from turnout.settings.load import presets
from turnout.settings.secret import MASK, Secret, redact
from turnout.settings.text import read_text

LONGEST_COOLDOWN = 366 * 24 * 60
"""Minutes; whatever is longer is a mistake."""

DEEPEST_COMMENT = 6
"""Levels of a value that a comment shows."""

_TOP_KEYS = frozenset({"proxy_port", "providers", "cooldown_minutes"})
_PROVIDER_KEYS = frozenset({"name", "base_url", "api_key_env", "api_key"})
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_KEY = re.compile(r"(?i)key|token|secret|passw|auth|cookie|credential")
_USER_IN_URL = re.compile(r"//[^/\s]*@")
_BASE_URL: TypeAdapter[str] = TypeAdapter(BaseUrl)


@dataclass(frozen=True)
class Imported:
    """What became of an old configuration."""

    text: str
    """The mitm.conf."""
    variables: tuple[str, ...]
    """The environment variables that its credentials name."""
    warnings: tuple[str, ...]
    """What a person has to do or know; holds no secret."""


@dataclass(frozen=True)
class _Table:
    """One provider on its way into the new file."""

    name: str
    lines: tuple[str, ...]
    variable: str
    warning: str


def read_json(file: Path) -> Any:
    """The value in a JSON file. Raises ConfigError when it cannot be read or is not JSON."""
    text = read_text(file, if_missing="Name the old config.json")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"not valid JSON: {error}", file=file, suggestion="Name the old config.json") from None
    except (ValueError, RecursionError):  # a number too long to read, or too many levels
        raise ConfigError("not usable JSON: too long a number or too many levels", file=file) from None


def import_failover(old: Any, file: Path) -> Imported:
    """The mitm.conf that does what this parsed `config.json` did.

    `file` is where it was read, for messages. Raises ConfigError with file, key and reason. Unknown keys become
    comments; a secret is neither written nor told.
    """
    if not isinstance(old, Mapping):
        raise ConfigError("a JSON object is expected", file=file, suggestion="Name the old config.json")
    rows = old.get("providers")
    if not isinstance(rows, list) or not rows:
        reason = "a list of at least one provider is expected" if "providers" in old else "a value is missing"
        raise ConfigError(reason, file=file, key="providers")
    known = [Secret(str(row["api_key"])) for row in rows if isinstance(row, Mapping) and row.get("api_key")]
    port, cooldown = _port(old, file), _cooldown(old, file)
    tables: list[_Table] = []
    for index, row in enumerate(rows):
        taken = [table.name for table in tables]
        tables.append(_provider(row, f"providers.{index}", taken, cooldown, known, file))
    left = _not_taken_over(old, _TOP_KEYS, "", known)
    blocks = [["# Imported with `turnout config import`.", *left]]
    if port is not None:
        blocks.append(["[listen]", f"port = {port}"])
    blocks += [[f"[providers.{table.name}]", *table.lines] for table in tables]
    targets = ", ".join(_quoted(table.name) for table in tables)
    blocks.append(["[[routes]]", 'model = "*"', f"to = [{targets}]"])
    text = "\n\n".join("\n".join(block) for block in blocks) + "\n"
    warnings = [table.warning for table in tables if table.warning]
    if "\n# not taken over: " in text:
        warnings.append('Some keys have no counterpart; they stand in comments: "# not taken over: …".')
    variables = dict.fromkeys(table.variable for table in tables if table.variable)
    return Imported(text, tuple(variables), tuple(warnings))


def _port(old: Mapping[str, Any], file: Path) -> int | None:
    port = old.get("proxy_port")
    if port is None:
        return None
    if type(port) is not int or not 0 <= port <= 65535:  # a bool is an int, too
        raise ConfigError("is not a port: a whole number up to 65535", file=file, key="proxy_port")
    return port


def _cooldown(old: Mapping[str, Any], file: Path) -> str | None:
    minutes = old.get("cooldown_minutes")
    if minutes is None:
        return None
    if type(minutes) not in (int, float) or not 0 < minutes <= LONGEST_COOLDOWN:
        raise ConfigError(
            f"must be a number of minutes, more than 0 and at most {LONGEST_COOLDOWN}",
            file=file,
            key="cooldown_minutes",
            suggestion="Without it Turnout's own cooldowns apply",
        )
    return f"{Decimal(str(minutes)).normalize():f}m"  # never 1e-05, which is not a duration


def _provider(row: Any, key: str, taken: list[str], cooldown: str | None, known: list[Secret], file: Path) -> _Table:
    if not isinstance(row, Mapping):
        raise ConfigError("a JSON object is expected", file=file, key=key)
    old_name = _text(row, "name", key, file)
    base_url = _base_url(row, key, file)
    plain = _bare_key(old_name, key, file)
    name = _unique(plain, taken)
    variable, warning = _variable(row, name, key, file)
    preset = presets().get(name, {})
    lines = _not_taken_over(row, _PROVIDER_KEYS, f"{key}.", known)
    if name != old_name:
        lines.insert(0, f"# its name was {json.dumps(redact(old_name, known))}")
    if base_url != preset.get("base_url"):
        lines.append(f"base_url = {_quoted(base_url)}")
    auth = _auth(preset, presets().get(plain, {}), bool(variable))
    if auth != preset.get("auth"):
        lines.append(f"auth = {_quoted(auth)}")
    if variable:
        lines.append(f"credentials = [{_quoted(f'env:{variable}')}]")
    if cooldown:
        lines.append(f"cooldown = {_quoted(cooldown)}")
    return _Table(name, tuple(lines), variable, warning)


def _auth(preset: Mapping[str, Any], namesake: Mapping[str, Any], has_key: bool) -> str:
    """How the key is sent. The second provider of one name is no preset, and takes its key as the first does."""
    style = str((preset or namesake).get("auth", "bearer"))
    if has_key:
        return "bearer" if style == "none" else style
    return style if preset else "none"


def _text(row: Mapping[str, Any], word: str, key: str, file: Path) -> str:
    value = row.get(word)
    if value is None or value == "":
        raise ConfigError("a value is missing", file=file, key=f"{key}.{word}")
    if not isinstance(value, str):
        raise ConfigError("is not a text in quotes", file=file, key=f"{key}.{word}")
    if not value.isprintable():  # control characters, and halves of a character that UTF-8 cannot hold
        raise ConfigError("holds characters that cannot be printed", file=file, key=f"{key}.{word}")
    return value


def _base_url(row: Mapping[str, Any], key: str, file: Path) -> str:
    try:
        return _BASE_URL.validate_python(_text(row, "base_url", key, file).strip())
    except ValidationError as error:
        reason = redact(error.errors(include_url=False)[0]["msg"].removeprefix("Value error, "))
        raise ConfigError(_USER_IN_URL.sub(f"//{MASK}@", reason), file=file, key=f"{key}.base_url") from None


def _bare_key(name: str, key: str, file: Path) -> str:
    """The name as a TOML bare key; in lower case, as presets and TURNOUT_… variables have it."""
    bare = re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-_")
    if not bare:
        raise ConfigError("holds no letter a-z and no digit", file=file, key=f"{key}.name")
    return bare


def _unique(name: str, taken: list[str]) -> str:
    """The name with a number where another one, or the variable of another one, is the same."""
    variables = {_variable_of(other) for other in taken}
    candidate, number = name, 1
    while _variable_of(candidate) in variables:
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def _variable_of(name: str) -> str:
    variable = f"{name}_API_KEY".upper().replace("-", "_")
    return f"_{variable}" if variable[0].isdigit() else variable


def _variable(row: Mapping[str, Any], name: str, key: str, file: Path) -> tuple[str, str]:
    """The variable that holds the provider's key, and a warning; both may be empty."""
    variable = _text(row, "api_key_env", key, file) if row.get("api_key_env") else ""
    if variable and (not _VARIABLE_NAME.fullmatch(variable) or redact(variable) != variable):
        # The value may be the secret itself, so it is not shown.
        hint = "Put the key into .env, and the name of its variable here"
        raise ConfigError("is not the name of a variable", file=file, key=f"{key}.api_key_env", suggestion=hint)
    if not row.get("api_key"):
        return variable, ""
    variable = variable or _variable_of(name)
    return variable, f"{key}.api_key was not copied: put that key into .env as {variable}=…"


def _not_taken_over(row: Mapping[str, Any], handled: frozenset[str], prefix: str, known: list[Secret]) -> list[str]:
    lines = []
    for word, value in row.items():
        if word not in handled:
            shown = json.dumps(_masked(value, known, bool(_SECRET_KEY.search(word))))
            place = json.dumps(redact(prefix + word, known))[1:-1]
            lines.append(f"# not taken over: {place} = {shown}")
    return lines


def _masked(value: Any, known: list[Secret], secret: bool, depth: int = 0) -> Any:
    """`value` without what is or may be a secret."""
    if isinstance(value, str):
        return MASK if secret else _USER_IN_URL.sub(f"//{MASK}@", redact(value, known))
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


def _quoted(text: str) -> str:
    """A TOML string. JSON escapes the same way, as long as it need not write a character as two."""
    return json.dumps(text, ensure_ascii=False)
