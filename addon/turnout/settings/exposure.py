"""Warns of secrets that lie more open than they need to (C7)."""

from __future__ import annotations

from turnout.settings.model import Provider, Settings
from turnout.settings.places import dotenv_file
from turnout.settings.privacy import others_can_read
from turnout.settings.way_out import Proxy


def exposed_secrets(settings: Settings) -> list[str]:
    """Warnings of every literal credential and of each file with secrets that others can read. No value is shown."""
    place = f"{settings.file}: " if settings.file else ""
    hint = "is taken for the secret itself; keep it in .env and name it here: env:NAME"
    literals = _literals(settings)
    files = [dotenv_file(settings.file)]
    if settings.file is not None and (literals or any(map(_has_password, settings.providers.values()))):
        files.insert(0, settings.file)
    warnings = [f"{place}{key} {hint}" for key in literals]
    readable = filter(others_can_read, files)
    return warnings + [f"{it}: other users of this computer can read it; run: chmod 600 {it}" for it in readable]


def _has_password(provider: Provider) -> bool:
    return isinstance(provider.proxy, Proxy) and provider.proxy.password is not None


def _literals(settings: Settings) -> list[str]:
    """The keys under which literal credentials stand."""
    lists = {f"providers.{name}.credentials": provider.credentials for name, provider in settings.providers.items()}
    lists["access.keys"] = settings.access.keys
    return [
        f"{key}.{index}"
        for key, references in lists.items()
        for index, reference in enumerate(references)
        if reference.source == "literal"
    ]
