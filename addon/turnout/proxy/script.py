"""The script that brought Turnout: gone, broken, and back.

mitmproxy forgets a script whose file is missing at one look of its watcher (`git checkout`, `pip install -U`), and does
not load a broken one again until the script itself has changed (addons/script.py). Meanwhile the gate is shut.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mitmproxy import ctx

logger = logging.getLogger("turnout")

NAME = "turnout"
"""Of our addon, among mitmproxy's."""

LOOK = 1.0
"""Seconds between two looks at the files; mitmproxy's own watcher looks as often."""

_SHUT = "Turnout is not loaded: every request gets a 503 until it is. Waiting for %s to be whole again"


class Unloading(enum.Enum):
    """Why an addon is being unloaded."""

    FOR_GOOD = "for good"
    """The proxy ends, or somebody has taken the script out of the option `scripts`."""
    REPLACED = "replaced"
    """The script is loaded anew."""
    GONE = "gone"
    """The file of the script is missing."""


def unloading(script: Path | None) -> Unloading:
    """What an addon's `done` means now. `script` is None for one that no script has brought."""
    if script is None or ctx.master.should_exit.is_set():
        return Unloading.FOR_GOOD
    if entry_of(script) is not None:
        return Unloading.REPLACED
    return Unloading.FOR_GOOD if script.exists() else Unloading.GONE


def entry_of(script: Path) -> str | None:
    """How the script is named in mitmproxy's option; None when it is not there."""
    return next((entry for entry in _entries() if _file(entry) == script), None)


def position_of(script: Path) -> tuple[int, str]:
    """Where the script stands among the others, and how it is named. The last place if it is not there."""
    entries, entry = _entries(), entry_of(script)
    return (len(entries), str(script)) if entry is None else (entries.index(entry), entry)


def _entries() -> list[str]:
    return list(ctx.options.scripts) if "scripts" in ctx.options else []


def _file(entry: str) -> Path:
    return Path(os.path.abspath(os.path.expanduser(entry.strip("'\" "))))  # as addons/script.py reads it


async def bring_back(
    script: Path, place: tuple[int, str], files: Callable[[], Iterable[Path]], is_back: Callable[[Any], bool]
) -> None:
    """Load the script again as soon as it can be, unless it is back by itself. Ends when the addon `is_back`.

    `place` is the one it had. `files`: what it is made of; each change is a reason to try, also one back to old files,
    which mitmproxy does not notice.
    """
    # What mitmproxy is about to load, or has failed to load just now, is tried again when it has changed.
    tried: object = _state(files()) if entry_of(script) is not None else None
    await asyncio.sleep(LOOK)
    if _addon() is None:
        logger.warning(_SHUT, script)
    while not is_back(_addon()) and not ctx.master.should_exit.is_set():
        state = _state(files())
        # mitmproxy loads a script that is new to it later, and forgets it when its file is gone in that moment.
        if script.is_file() and (state != tried or entry_of(script) is None):
            tried = state
            _load(script, place)
        await asyncio.sleep(LOOK)


def _addon() -> Any:
    return ctx.master.addons.get(NAME)


def _load(script: Path, place: tuple[int, str]) -> None:
    entry = entry_of(script)
    try:
        if entry is None:
            entries = _entries()
            entries.insert(place[0], place[1])
            ctx.options.update(scripts=entries)
        elif (manager := ctx.master.addons.get(f"scriptmanager:{entry}")) is not None:
            manager.loadscript()
    except Exception as error:  # mitmproxy tells what is wrong with a script; its file may be gone once more
        logger.warning("%s could not be loaded: %s", script, error)


def _state(files: Iterable[Path]) -> frozenset[tuple[str, int]]:
    found = set()
    for file in files:
        try:
            found.add((str(file), file.stat().st_mtime_ns))
        except OSError:
            continue
    return frozenset(found)
