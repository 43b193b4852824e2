"""What `turnout run` shows before it starts: one page of plain text."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnout import __version__
from turnout.status.text import client_url, table, usable

if TYPE_CHECKING:
    from turnout.settings.model import Condition, Listen, Provider, Route, Settings
    from turnout.settings.ways import Way, Ways

CredentialStates = Mapping[str, Sequence[tuple[str, str]]]
"""Provider name → (label, state) of each of its credentials; never a value."""


def credential_states(settings: Settings) -> CredentialStates:
    """Look at every credential of every provider, without sending it anywhere."""
    from turnout.credentials.chain import CredentialChain

    async def look() -> dict[str, Sequence[tuple[str, str]]]:
        chain = CredentialChain(settings.environment, ())
        providers = settings.providers.values()
        states = await asyncio.gather(*(chain.states(provider) for provider in providers))
        return {provider.name: found for provider, found in zip(providers, states, strict=True)}

    return asyncio.run(look())


def start_up(settings: Settings, listen: Listen, pinned: str | None, states: CredentialStates, ways: Ways) -> str:
    """The start-up page: address, how to use it, configuration, routes, providers."""
    from turnout.settings.folder import warnings

    sections = [
        [f"Turnout {__version__} is ready on {client_url(listen)}"],
        table(_facts(settings, listen, pinned)),
        ["Routes, first match wins", *table(_routes(settings))],
        ["Providers", *table(_providers(settings, states, ways))],
    ]
    if settings.models:
        models = [(name, "→ " + ", ".join(model.to)) for name, model in settings.models.items()]
        sections.insert(3, ["Models of your own", *table(models)])
    told = (*warnings(settings), *ways.warnings)
    if attention := [*(f"  {line}" for line in told), *_unusable(settings, states)]:
        sections.append(["Attention", *attention])
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def _facts(settings: Settings, listen: Listen, pinned: str | None) -> list[tuple[str, str]]:
    key = " ANTHROPIC_AUTH_TOKEN=<client key>" if settings.access.keys else ""
    facts = [("Claude Code", f"ANTHROPIC_BASE_URL={client_url(listen)}{key} claude")]
    facts += _files(settings)
    access = f"client keys: {len(settings.access.keys)}" if settings.access.keys else "every process on this machine"
    facts.append(("Access", access))
    if pinned:
        facts.append(("Pinned", f"{pinned}, without failover; `turnout reset` goes back to the routes"))
    return facts


def _files(settings: Settings) -> list[tuple[str, str]]:
    """The files in force, whether they are trusted, and what those of the folder change."""
    from turnout.settings.places import dotenv_file

    folder, dotenv = settings.folder, dotenv_file(settings.file)
    changes = folder.changes if folder is not None else ()
    nothing = "none" if changes else "none: everything goes to Anthropic"
    rows = [("Config", _file(settings, settings.file) if settings.file is not None else nothing)]
    if dotenv in folder.files if folder is not None else dotenv.is_file():
        rows.append(("Variables", _file(settings, dotenv)))
    return [*rows, *(("Changes", change) for change in changes)]


def _file(settings: Settings, file: Path) -> str:
    shown = str(file.absolute().resolve())
    if settings.folder is None:
        return shown
    return f"{shown} (not trusted, in force in part)" if file in settings.folder.untrusted else f"{shown} (trusted)"


def _routes(settings: Settings) -> list[tuple[str, str, str]]:
    from turnout.settings.load import DEFAULT_PROVIDER

    rows = [_rule(route) for route in settings.routes]
    if not any("*" in route.model and route.when is None for route in settings.routes):
        rows.append(("*", f"→ {DEFAULT_PROVIDER}", ""))
    return rows


def _rule(route: Route) -> tuple[str, str, str]:
    condition = f"when {_condition(route.when)}" if route.when else ""
    return " | ".join(route.model), "→ " + ", ".join(route.to), condition


def _condition(condition: Condition) -> str:
    given: dict[str, Any] = condition.model_dump(exclude_none=True, by_alias=True)
    return " and ".join(f"{name} {_value(value)}" for name, value in given.items())


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else " | ".join(value)


def _providers(settings: Settings, states: CredentialStates, ways: Ways) -> list[tuple[str, str, str, str]]:
    return [
        (provider.name, provider.base_url, _readiness(states.get(provider.name, ())), _in_full(ways.to(provider.name)))
        for provider in settings.providers.values()
    ]


def _in_full(way: Way) -> str:
    """What is not ordinary about the way to a provider."""
    through = f"through {way.proxy} ({way.said_by})" if way.proxy is not None else ""
    places = ", ".join((*way.trust.files, *way.trust.directories))
    return ", ".join(filter(None, (through, f"also trusts {places}" if places else "")))


def _readiness(states: Sequence[tuple[str, str]]) -> str:
    ready = usable(states)
    if not ready:
        return "NO CREDENTIAL"
    return "ready: " + ", ".join(_in_words(label, state) for label, state in ready)


def _in_words(label: str, state: str) -> str:
    if label == "client":
        return "your client's own login"
    if label == "none":
        return state
    expiry = state.removeprefix("found").removeprefix(", ")
    return label if expiry in ("", "set") else f"{label} ({expiry})"


def _unusable(settings: Settings, states: CredentialStates) -> list[str]:
    """A line for every provider that a route names and that no request can be sent to."""
    from turnout.settings.load import DEFAULT_PROVIDER

    named = {DEFAULT_PROVIDER, *(target.partition("/")[0] for _, targets in settings.targets() for target in targets)}
    return [
        f"  {name}: no credential: {_remedy(settings, provider)}; this target is skipped"
        for name, provider in settings.providers.items()
        if name in named and not usable(states.get(name, ()))
    ]


def _remedy(settings: Settings, provider: Provider) -> str:
    from turnout.settings.folder import why_withheld

    if provider.withheld:
        return why_withheld(settings)
    variables = [reference.name for reference in provider.credentials if reference.source == "env"]
    if variables:
        return f"set {' or '.join(variables)}"
    return f"nothing found at {', '.join(map(str, provider.credentials))}"
