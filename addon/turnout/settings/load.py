"""Read the configuration, merge presets and environment into it, and explain what is wrong with it.

Values: process environment > `.env` beside the config file > the file > presets and defaults.
`TURNOUT_LISTEN__PORT=9000` sets `listen.port`; variables that credentials name keep their own names.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from turnout.errors import ConfigError
from turnout.settings.mistakes import explained, mistake, nearest, similar
from turnout.settings.model import Access, Limits, Listen, Provider, Retry, Settings, Store, Timeouts, UnknownProvider
from turnout.settings.places import dotenv_file, find_config
from turnout.settings.rewriting import complete, profiles
from turnout.settings.secret import Secret, redact
from turnout.settings.text import read_text

DEFAULT_PROVIDER = "anthropic"
"""Where a request goes that no route matches."""


class _Environment(BaseSettings):
    """The part of the settings that TURNOUT_… variables may set."""

    model_config = SettingsConfigDict(env_prefix="TURNOUT_", env_nested_delimiter="__", extra="ignore")

    # The types tell the source which values are JSON; validation comes later, over all sources together.
    listen: Listen = Listen()
    access: Access = Access()
    providers: dict[str, Provider] = {}
    retry: Retry = Retry()
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    store: Store = Store()


@cache
def presets() -> dict[str, dict[str, Any]]:
    """Built-in knowledge of providers, by name."""
    return tomllib.loads(files("turnout.settings").joinpath("presets.toml").read_text(encoding="utf-8"))


def load(chosen: str | None = None, process: Mapping[str, str] | None = None) -> Settings:
    """The settings in force. Raises ConfigError with file, key, reason and a suggestion."""
    process = os.environ if process is None else process
    file = find_config(chosen, process)
    table = _read(file) if file else {}
    environment = {**_variables(dotenv_file(file)), **process}
    overlay = _from_environment(environment)
    table = merge(table, overlay)
    _refuse_hidden_keys(table, file)
    return _validate(_with_presets(table, file, overlay), file, environment, overlay)


def salvage(chosen: str | None = None, process: Mapping[str, str] | None = None) -> Settings:
    """Of a configuration with mistakes: what is sound in `[listen]` and `[access]`. All else is at its default."""
    process = os.environ if process is None else process
    file = find_config(chosen, process)
    table = _if_readable(partial(_read, file)) if file else {}
    environment = {**_if_readable(partial(_variables, dotenv_file(file))), **process}
    overlay = _if_readable(partial(_from_environment, environment))
    table = merge(table, overlay)
    kept = {"listen": _sound(Listen, table.get("listen")), "access": _sound(Access, table.get("access"))}
    return _validate(kept, file, environment, overlay)


def _if_readable(read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return read()
    except ConfigError:
        return {}


def _sound(model: type[BaseModel], table: Any) -> dict[str, Any]:
    """The keys of a table that are known and have a valid value."""
    found: dict[str, Any] = {}
    for key, value in table.items() if isinstance(table, Mapping) else ():
        try:
            model.model_validate({key: value})
        except ValidationError:
            continue
        found[key] = value
    return found


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with every value of `over` laid upon it, tables merged key by key."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merge(below, value) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return result


def _read(file: Path) -> dict[str, Any]:
    text = read_text(file, if_missing="Write one with `turnout init`, or name another file")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # tomllib raises its own error, and these for numbers and nesting
        hint = "Strings need quotes" if str(error).startswith("Invalid value") else ""
        raise ConfigError(f"not valid TOML: {redact(str(error))}", file=file, suggestion=hint) from None


def _variables(dotenv: Path) -> dict[str, str]:
    try:
        found = dotenv_values(dotenv, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the file cannot be read ({error})", file=dotenv, suggestion="Check its permissions"
        ) from None
    return {key: value for key, value in found.items() if value is not None}


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    source = EnvSettingsSource(_Environment)
    source.env_vars = {key.lower(): value for key, value in environment.items()}
    try:
        return source()
    except ValueError as error:
        hint = 'Lists and tables are written as JSON: ["a", "b"]'
        raise ConfigError(f"a TURNOUT_… variable cannot be read: {error}", suggestion=hint) from None


def _refuse_hidden_keys(table: Mapping[str, Any], file: Path | None) -> None:
    """Fields that Turnout fills in itself are no keys of the file."""
    providers = table.get("providers")
    for name, own in providers.items() if isinstance(providers, Mapping) else ():
        if isinstance(own, Mapping) and "name" in own:
            hint = nearest("name", Provider)
            raise ConfigError("unknown key", file=file, key=f"providers.{name}.name", suggestion=hint)
    for key in ("file", "environment"):
        if key in table:
            raise ConfigError("unknown key", file=file, key=key, suggestion=nearest(key, Settings))


def _with_presets(table: Mapping[str, Any], file: Path | None, overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Lay each provider's table upon its preset, and add the presets that targets name."""
    result = dict(table)
    given = table.get("providers", {})
    if not isinstance(given, Mapping):
        return result
    names = [*given, *(name for name in _named_by_targets(table) if name in presets()), DEFAULT_PROVIDER]
    providers: dict[str, Any] = {}
    for name in dict.fromkeys(names):
        own = given.get(name, {})
        try:
            providers[name] = _with_preset(name, own) if isinstance(own, Mapping) else own
        except _WrongProfile as error:
            path = ["providers", name, "rewrite", "profile"]
            raise mistake(path, error.reason, file, overlay, error.suggestion) from None
    result["providers"] = providers
    return result


class _WrongProfile(Exception):
    def __init__(self, reason: str, suggestion: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.suggestion = suggestion


def _with_preset(name: str, own: Mapping[str, Any]) -> dict[str, Any]:
    preset = presets().get(name, {})
    table = {**merge(preset, own), "name": name}
    rules = own.get("rewrite", {})
    if isinstance(rules, Mapping):
        first_party = bool(table.get("first_party"))
        known = f"Known profiles: {', '.join(profiles())}"
        if not isinstance(rules.get("profile", ""), str):
            raise _WrongProfile("is not a text in quotes", known)
        try:
            table["rewrite"] = complete(rules, preset.get("rewrite", {}), first_party=first_party)
        except KeyError as error:
            raise _WrongProfile("no such profile", similar(error.args[0], profiles()) or known) from None
    return table


def _named_by_targets(table: Mapping[str, Any]) -> Iterable[str]:
    routes = table.get("routes", [])
    models = table.get("models", {})
    rows = [*(routes if isinstance(routes, list) else []), *(models.values() if isinstance(models, Mapping) else [])]
    for row in rows:
        targets = row.get("to", []) if isinstance(row, Mapping) else []
        for target in targets if isinstance(targets, list) else [targets]:
            if isinstance(target, str):
                yield target.partition("/")[0]


def _validate(
    table: Mapping[str, Any], file: Path | None, environment: Mapping[str, str], overlay: Mapping[str, Any]
) -> Settings:
    secrets = {key: Secret(value) for key, value in environment.items()}
    try:
        return Settings.model_validate({**table, "file": file, "environment": secrets})
    except UnknownProvider as error:
        close = similar(error.target.partition("/")[0], [*error.known, *presets()])
        hint = close or "Add a [providers.NAME] table with its base_url"
        raise ConfigError(
            f"{error.target!r} names no known provider", file=file, key=error.key, suggestion=hint
        ) from None
    except ValidationError as error:
        raise explained(error, file, overlay, presets()) from None
