"""Read the configuration, merge presets and environment into it, and explain what is wrong with it.

Values: process environment > `.env` beside the config file > the file > presets and defaults.
`TURNOUT_LISTEN__PORT=9000` sets `listen.port`; variables that credentials name keep their own names.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from turnout.errors import ConfigError
from turnout.redaction.secret import Secret
from turnout.redaction.text import redact
from turnout.settings.address import is_loopback
from turnout.settings.folder import Outside, changes, restrained
from turnout.settings.mistakes import explained, mistake, nearest, similar
from turnout.settings.model import (
    HIDDEN,
    Access,
    Kind,
    Limits,
    Listen,
    Provider,
    Retry,
    Settings,
    Store,
    Timeouts,
    UnknownProvider,
)
from turnout.settings.places import Folder
from turnout.settings.rewriting import complete, extended, profiles, usual_profile
from turnout.settings.sources import Sources, find_place, read_sources, sound_sources

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
    folder = files("turnout.settings")
    texts = [folder.joinpath(name).read_text(encoding="utf-8") for name in ("presets.toml", "presets_openai.toml")]
    tables = {name: table for text in texts for name, table in tomllib.loads(text).items()}
    return {name: _whole(table, tables) for name, table in tables.items()}


def _whole(table: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A preset over the one that it names under `like`. Its rules add to those, as a user's own would."""
    own = {key: value for key, value in table.items() if key != "like"}
    if "like" not in table:
        return own
    below = _whole(tables[table["like"]], tables)
    rules = extended(below.get("rewrite", {}), own.get("rewrite", {}))
    return {**merge(below, own), **({"rewrite": rules} if rules else {})}


OPENAI_SIDE = "{}-openai"
"""The preset for the Chat Completions of a vendor, where the one with its name is for the Messages API."""


def preset_of(name: str, kind: object = None) -> dict[str, Any]:
    """What a provider's table of this name starts from; empty when nothing is known, or nothing of the kind it asks
    for."""
    found = presets().get(name, {})
    for other in (found, presets().get(OPENAI_SIDE.format(name), {})):
        if other and kind == other.get("kind", "anthropic"):
            return other
    return {} if kind in get_args(Kind) else found


def load(chosen: str | None = None, process: Mapping[str, str] | None = None) -> Settings:
    """The settings in force. Raises ConfigError with file, key, reason and a suggestion."""
    process = os.environ if process is None else process
    return settings_from(read_sources(find_place(chosen, process), process), process)


def settings_from(sources: Sources, process: Mapping[str, str]) -> Settings:
    """What these files and the environment say together. Raises ConfigError."""
    file = sources.place.config
    overlay = merge(_from_environment(sources.variables), _from_environment(process))
    table = merge(sources.config, overlay)
    _refuse_hidden_keys(table, file)
    environment = {**sources.variables, **process}
    settings = _validate(_with_presets(table, file, overlay), file, environment, overlay)
    return _as_trusted(settings, sources, process)


def salvage(chosen: str | None = None, process: Mapping[str, str] | None = None) -> Settings:
    """Of a configuration with mistakes: what is sound in `[listen]` and `[access]`. All else is at its default."""
    process = os.environ if process is None else process
    sources = sound_sources(find_place(chosen, process), process)
    overlay = merge(_if_readable(sources.variables), _if_readable(process))
    table = merge(sources.config, overlay)
    kept = {"listen": _sound(Listen, table.get("listen")), "access": _sound(Access, table.get("access"))}
    environment = {**sources.variables, **process}
    return _as_trusted(_validate(kept, sources.place.config, environment, overlay), sources, process)


def _as_trusted(settings: Settings, sources: Sources, process: Mapping[str, str]) -> Settings:
    """The settings without what a file of the folder may not say, and with what it changed."""
    if not sources.place.of_folder:
        return settings.model_copy(update={"shadowed": sources.place.shadowed})
    withheld: tuple[str, ...] = ()
    if sources.untrusted:
        own_variables = sources.variables if sources.dotenv_is_own else {}
        own_table = sources.config if sources.config_is_own else {}
        outside = _outside(settings, own_table, {**own_variables, **process})
        settings, withheld = restrained(settings, outside)
    place = sources.place
    found = ((place.config, sources.config), (place.dotenv, sources.variables))
    folder = Folder(
        files=tuple(file for file, says in found if file is not None and (says or file == place.config)),
        untrusted=sources.untrusted,
        changes=changes(settings, _outside(settings, {}, process)),
        withheld=withheld,
    )
    return settings.model_copy(update={"folder": folder})


def _outside(settings: Settings, table: Mapping[str, Any], environment: Mapping[str, str]) -> Outside:
    """What would hold without other files, as far as it is sound on its own."""
    table = merge(table, _if_readable(environment))
    given = table.get("providers", {})
    providers: dict[str, Provider] = {}
    for name in settings.providers:
        own = given.get(name, {}) if isinstance(given, Mapping) else {}
        with suppress(ValidationError, _Mistaken):
            providers[name] = Provider.model_validate(_with_preset(name, own if isinstance(own, Mapping) else {}))
    return Outside(
        providers,
        Listen.model_validate(_sound(Listen, table.get("listen"))),
        Access.model_validate(_sound(Access, table.get("access"))),
        frozenset(environment),
    )


def _if_readable(environment: Mapping[str, str]) -> dict[str, Any]:
    try:
        return _from_environment(environment)
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


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    source = EnvSettingsSource(_Environment)
    source.env_vars = {key.lower(): value for key, value in environment.items()}
    try:
        return source()
    except ValueError as error:
        hint = 'Lists and tables are written as JSON: ["a", "b"]'
        raise ConfigError(f"a TURNOUT_… variable cannot be read: {error}", suggestion=hint) from None


def _refuse_hidden_keys(table: Mapping[str, Any], file: Path | None) -> None:
    providers = table.get("providers")
    for name, own in providers.items() if isinstance(providers, Mapping) else ():
        for key in HIDDEN:
            if isinstance(own, Mapping) and key in own:
                hint = nearest(key, Provider)
                raise ConfigError("unknown key", file=file, key=f"providers.{name}.{key}", suggestion=hint)
    for key in HIDDEN:
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
        except _Mistaken as error:
            raise mistake(["providers", name, *error.path], error.reason, file, overlay, error.suggestion) from None
    result["providers"] = providers
    return result


class _Mistaken(Exception):
    """A table of a provider that cannot be laid upon a preset. `path`: the key in it."""

    def __init__(self, path: tuple[str, ...], reason: str, suggestion: str) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason
        self.suggestion = suggestion


def _with_preset(name: str, own: Mapping[str, Any]) -> dict[str, Any]:
    preset = preset_of(name, own.get("kind"))
    _refuse_unclear_kind(own, preset)
    if own.get("credentials") and preset.get("auth") == "none":
        preset = {**preset, "auth": "bearer"}  # a server of one's own asks for no key, unless one is given
    table = {**merge(preset, own), "name": name}
    rules = own.get("rewrite", {})
    if isinstance(rules, Mapping):
        _refuse_form_of_another_kind(rules, table)
        known = f"Known profiles: {', '.join(profiles())}"
        if not isinstance(rules.get("profile", ""), str):
            raise _Mistaken(_PROFILE, "is not a text in quotes", known)
        try:
            table["rewrite"] = complete(rules, preset.get("rewrite", {}), usual=usual_profile(table))
        except KeyError as error:
            raise _Mistaken(_PROFILE, "no such profile", similar(error.args[0], profiles()) or known) from None
    return table


_PROFILE = ("rewrite", "profile")


def _refuse_form_of_another_kind(rules: Mapping[str, Any], table: Mapping[str, Any]) -> None:
    """`rewrite.chat`, also of single models, where nothing is translated: it would change nothing."""
    if table.get("kind", "anthropic") != "anthropic":
        return
    models = rules.get("models", {})
    of_models = models.items() if isinstance(models, Mapping) else ()
    places = (((), rules), *((("models", glob), each) for glob, each in of_models))
    for path, each in places:
        if isinstance(each, Mapping) and "chat" in each:
            hint = 'Write kind = "openai" if the server speaks Chat Completions, or leave this out'
            raise _Mistaken(("rewrite", *path, "chat"), "only providers of kind openai have it", hint)


def _refuse_unclear_kind(own: Mapping[str, Any], preset: Mapping[str, Any]) -> None:
    """A preset of Chat Completions, and an address elsewhere: it may as well speak the Messages API, which is usual.

    What is on this machine is taken for a server that the preset is about.
    """
    base_url = own.get("base_url")
    if preset.get("kind") != "openai" or "kind" in own or not isinstance(base_url, str):
        return
    usual, host = (urlsplit(url).hostname or "" for url in (str(preset["base_url"]), base_url))
    if usual != host and not is_loopback(usual) and not is_loopback(host):
        reason = f"must be given: the address is not {usual}, and a server elsewhere may speak another API"
        raise _Mistaken(("kind",), reason, 'Write kind = "openai" for Chat Completions, or kind = "anthropic"')


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
            f"{redact(error.target)!r} names no known provider", file=file, key=error.key, suggestion=hint
        ) from None
    except ValidationError as error:
        raise explained(error, file, overlay, presets()) from None
