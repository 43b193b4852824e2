"""Warns of secrets that lie more open than they need to (C7)."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from turnout.settings.model import Settings
from turnout.settings.places import dotenv_file


def exposed_secrets(settings: Settings) -> list[str]:
    """One warning for every literal credential, and one for a `.env` that other users can read. No value is shown."""
    place = f"{settings.file}: " if settings.file else ""
    hint = "is taken for the secret itself; keep it in .env and name it here: env:NAME"
    warnings = [f"{place}{key} {hint}" for key in _literals(settings)]
    dotenv = dotenv_file(settings.file)
    if _others_can_read(dotenv):
        warnings.append(f"{dotenv}: other users of this computer can read it; run: chmod 600 {dotenv}")
    return warnings


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


def _others_can_read(file: Path) -> bool:
    if os.name != "posix":
        return False
    try:
        return bool(file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
    except OSError:
        return False
