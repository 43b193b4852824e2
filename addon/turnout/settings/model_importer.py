"""Turns the `models.json` of a proxy for custom OpenAI-compatible models into the text of a mitm.conf (E8).

{"custom_models": [{"id": "glm-4.6", "base_url": "https://…/v4", "api_key": "…", "context_length": 200000,
                    "max_completion_tokens": 8192, "supports_reasoning": true, "owned_by": "zhipu-ai"}]}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from turnout.errors import ConfigError
from turnout.redaction.secret import Secret
from turnout.redaction.text import redact
from turnout.settings.base_url import chat_base_url
from turnout.settings.load import presets
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

CUSTOM_MODELS = "custom_models"
"""The key by which such a file is known."""

_HANDLED = frozenset(
    {"id", "base_url", "api_key", "context_length", "max_completion_tokens", "supports_reasoning", "owned_by"}
)


@dataclass(frozen=True)
class _Server:
    """One address with one key: a provider of the new file."""

    name: str
    lines: tuple[str, ...]
    variable: str


def import_models(old: Mapping[str, Any], file: Path) -> Imported:
    """The mitm.conf in which the models of this parsed `models.json` are served under their own names.

    `file` is where it was read, for messages. Raises ConfigError with file, key and reason. A secret is neither written
    nor told.
    """
    rows = old.get(CUSTOM_MODELS)
    if not isinstance(rows, list) or not rows:
        raise ConfigError("a list of at least one model is expected", file=file, key=CUSTOM_MODELS)
    servers: dict[tuple[str, str], _Server] = {}
    models: dict[str, list[str]] = {}
    known = [Secret(str(row["api_key"])) for row in rows if isinstance(row, Mapping) and row.get("api_key")]
    for index, row in enumerate(rows):
        key = f"{CUSTOM_MODELS}.{index}"
        if not isinstance(row, Mapping):
            raise ConfigError("a JSON object is expected", file=file, key=key)
        address = (_base_url(row, key, file), as_text(row, "api_key", key, file) if row.get("api_key") else "")
        if address not in servers:
            servers[address] = _server(*address, [server.name for server in servers.values()], key, file)
        name = as_text(row, "id", key, file)
        to = f"to = [{quoted(f'{servers[address].name}/{name}')}]"
        models[name] = [f"[models.{quoted(name)}]", *not_taken_over(row, _HANDLED, f"{key}.", known), to]
        models[name] += _properties(row, key, file)
    blocks = [["# Imported with `turnout config import`."]]
    blocks += [[f"[providers.{server.name}]", *server.lines] for server in servers.values()]
    blocks += models.values()
    needed = tuple(server.variable for server in servers.values() if server.variable)
    text = "\n\n".join("\n".join(block) for block in blocks) + "\n"
    warnings = []
    if needed:
        warnings.append(f"Keys were not copied: put them into .env as {', '.join(f'{each}=…' for each in needed)}")
    if f"\n{NOT_TAKEN_OVER}" in text:
        warnings.append(WHAT_IS_LEFT)
    return Imported(text, needed, tuple(warnings))


def _server(base_url: str, api_key: str, taken: list[str], key: str, file: Path) -> _Server:
    """The preset with this address, or a provider that is named after its host."""
    known = {name: table for name, table in presets().items() if table.get("kind") == "openai"}
    preset = next((name for name, table in known.items() if table["base_url"] == base_url and name not in taken), "")
    if preset:
        variables = [each.removeprefix("env:") for each in known[preset].get("credentials", ())]
        return _Server(preset, (), variables[0] if api_key and variables else "")
    # A name of a preset would bring that one's credentials.
    name = unique_name(bare_key(urlsplit(base_url).hostname or "", key, file), [*taken, *presets()])
    variable = variable_of(name) if api_key else ""
    lines = ['kind = "openai"', f"base_url = {quoted(base_url)}"]
    if variable:
        lines.append(f"credentials = [{quoted(f'env:{variable}')}]")
    return _Server(name, tuple(lines), variable)


def _base_url(row: Mapping[str, Any], key: str, file: Path) -> str:
    try:
        return chat_base_url(as_text(row, "base_url", key, file))
    except ValueError as error:
        raise ConfigError(without_user(redact(str(error))), file=file, key=f"{key}.base_url") from None


def _properties(row: Mapping[str, Any], key: str, file: Path) -> list[str]:
    lines = []
    for word in ("context_length", "max_completion_tokens"):
        value = row.get(word)
        if value is not None and (type(value) is not int or value < 1):
            raise ConfigError("is not a number of tokens", file=file, key=f"{key}.{word}")
        lines += [f"{word} = {value}"] if value is not None else []
    reasons = row.get("supports_reasoning")
    if reasons is not None and not isinstance(reasons, bool):
        raise ConfigError("is neither true nor false", file=file, key=f"{key}.supports_reasoning")
    lines += [f"supports_reasoning = {str(reasons).lower()}"] if reasons is not None else []
    if row.get("owned_by") is not None:
        lines.append(f"owned_by = {quoted(as_text(row, 'owned_by', key, file))}")
    return lines
