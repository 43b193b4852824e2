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

from turnout.errors import ConfigError
from turnout.redaction.secret import Secret
from turnout.redaction.text import redact
from turnout.settings.base_url import CHAT_ENDPOINT, chat_base_url, messages_base_url
from turnout.settings.load import preset_of
from turnout.settings.model import Kind
from turnout.settings.old_config import (
    NOT_TAKEN_OVER,
    WHAT_IS_LEFT,
    Imported,
    as_text,
    bare_key,
    not_taken_over,
    quoted,
    unique_name,
    variable_of,
    without_user,
)

LONGEST_COOLDOWN = 366 * 24 * 60
"""Minutes; whatever is longer is a mistake."""

_TOP_KEYS = frozenset({"proxy_port", "providers", "cooldown_minutes"})
_PROVIDER_KEYS = frozenset({"name", "base_url", "api_key_env", "api_key"})
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class _Table:
    """One provider on its way into the new file."""

    name: str
    lines: tuple[str, ...]
    variable: str
    warning: str


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
    left = not_taken_over(old, _TOP_KEYS, "", known)
    blocks = [["# Imported with `turnout config import`.", *left]]
    if port is not None:
        blocks.append(["[listen]", f"port = {port}"])
    blocks += [[f"[providers.{table.name}]", *table.lines] for table in tables]
    targets = ", ".join(quoted(table.name) for table in tables)
    blocks.append(["[[routes]]", 'model = "*"', f"to = [{targets}]"])
    text = "\n\n".join("\n".join(block) for block in blocks) + "\n"
    warnings = [table.warning for table in tables if table.warning]
    if f"\n{NOT_TAKEN_OVER}" in text:
        warnings.append(WHAT_IS_LEFT)
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
    old_name = as_text(row, "name", key, file)
    plain = bare_key(old_name, key, file)
    kind, base_url = _address(row, plain, key, file)
    name = unique_name(plain, taken)
    variable, warning = _variable(row, name, key, file)
    preset = preset_of(name, kind)
    lines = not_taken_over(row, _PROVIDER_KEYS, f"{key}.", known)
    if name != old_name:
        lines.insert(0, f"# its name was {json.dumps(redact(old_name, known))}")
    if kind != preset_of(name).get("kind", "anthropic"):
        lines.append(f"kind = {quoted(kind)}")
    if base_url != preset.get("base_url"):
        lines.append(f"base_url = {quoted(base_url)}")
    auth = _auth(preset, preset_of(plain, kind), bool(variable))
    if auth != preset.get("auth"):
        lines.append(f"auth = {quoted(auth)}")
    if variable:
        lines.append(f"credentials = [{quoted(f'env:{variable}')}]")
    if cooldown:
        lines.append(f"cooldown = {quoted(cooldown)}")
    return _Table(name, tuple(lines), variable, warning)


def _auth(preset: Mapping[str, Any], namesake: Mapping[str, Any], has_key: bool) -> str:
    """How the key is sent. The second provider of one name is no preset, and takes its key as the first does."""
    style = str((preset or namesake).get("auth", "bearer"))
    if has_key:
        return "bearer" if style == "none" else style
    return style if preset else "none"


def _address(row: Mapping[str, Any], name: str, key: str, file: Path) -> tuple[Kind, str]:
    """What the provider speaks, and its base URL: Chat Completions where its address says so, or is the one that is
    known for it."""
    address = as_text(row, "base_url", key, file).strip()
    bare, preset = address.rstrip("/"), preset_of(name)
    is_chat = bare.endswith(CHAT_ENDPOINT) or (preset.get("kind") == "openai" and bare == preset["base_url"])
    try:
        return ("openai", chat_base_url(address)) if is_chat else ("anthropic", messages_base_url(address))
    except ValueError as error:
        reason = without_user(redact(str(error)))
        raise ConfigError(reason, file=file, key=f"{key}.base_url") from None


def _variable(row: Mapping[str, Any], name: str, key: str, file: Path) -> tuple[str, str]:
    """The variable that holds the provider's key, and a warning; both may be empty."""
    variable = as_text(row, "api_key_env", key, file) if row.get("api_key_env") else ""
    if variable and (not _VARIABLE_NAME.fullmatch(variable) or redact(variable) != variable):
        # The value may be the secret itself, so it is not shown.
        hint = "Put the key into .env, and the name of its variable here"
        raise ConfigError("is not the name of a variable", file=file, key=f"{key}.api_key_env", suggestion=hint)
    if not row.get("api_key"):
        return variable, ""
    variable = variable or variable_of(name)
    return variable, f"{key}.api_key was not copied: put that key into .env as {variable}=…"
