"""The state of everything, as `/health`, the status page and `turnout.status` tell it."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import nlargest
from typing import Any, TypeVar

from turnout.journey.dispatch import Dispatcher
from turnout.setup import Setup

MOST_LISTED = 20
"""Cooldowns and lessons that are told of each provider: clients choose the names of models."""

Entry = TypeVar("Entry", bound=Mapping[str, Any])


async def report(
    dispatcher: Dispatcher, setup: Setup, usage: dict[str, dict[str, int]], version: str
) -> dict[str, Any]:
    """The snapshot with the state of every credential, whose stores are asked first."""
    for provider in setup.settings.providers.values():
        await setup.chain.states(provider)
    return snapshot(dispatcher, setup, usage, version)


def snapshot(dispatcher: Dispatcher, setup: Setup, usage: dict[str, dict[str, int]], version: str) -> dict[str, Any]:
    """What is known without asking anybody. Credentials appear by label, never by value; times in seconds."""
    return {
        "status": "ok",
        "version": version,
        "config": str(setup.settings.file) if setup.settings.file else None,
        **_folder(setup),
        "pinned": dispatcher.pinned,
        "providers": _providers(dispatcher, setup),
        "usage": usage,
        "exchanges": {word: dispatcher.counts[word] for word in ("open", "served", "failed")},
    }


def _folder(setup: Setup) -> dict[str, Any]:
    """What files of the folder change, and what of them is not in force; nothing when there are none."""
    folder = setup.settings.folder
    if folder is None or not folder.files:
        return {}
    return {
        "folder": {
            "trusted": [str(file) for file in folder.files if file not in folder.untrusted],
            "untrusted": [str(file) for file in folder.untrusted],
            "changes": list(folder.changes),
            "withheld": list(folder.withheld),
        }
    }


def _providers(dispatcher: Dispatcher, setup: Setup) -> dict[str, Any]:
    slots = dispatcher.slots.snapshot()
    cooldowns = dispatcher.cooldowns.snapshot()
    lessons = dispatcher.knowledge.lessons.snapshot()
    providers: dict[str, Any] = {}
    for name, provider in setup.settings.providers.items():
        labels = setup.chain.labels_at_hand(provider)
        states = setup.chain.states_at_hand(provider)
        cooling = [
            {**entry, "credential": labels.get(str(entry["credential"]), entry["credential"])}
            for entry in cooldowns
            if entry["provider"] == name
        ]
        learned = [entry for entry in lessons if entry["provider"] == name]
        providers[name] = {
            "base_url": provider.base_url,
            "credentials": [{"label": label, "state": state} for label, state in states],
            "slots": slots.get(name, {"in_use": 0, "limit": provider.max_concurrent, "waiting": 0}),
            "cooldowns": _longest(cooling, "remaining"),
            "learned": _longest(learned, "expires"),
            "left_out": {
                "cooldowns": max(0, len(cooling) - MOST_LISTED),
                "learned": max(0, len(learned) - MOST_LISTED),
            },
            "recent": dispatcher.recent(name),
        }
    return providers


def _longest(entries: list[Entry], seconds: str) -> list[Entry]:
    """Those that last longest, if there are too many for all to be told."""
    return entries if len(entries) <= MOST_LISTED else nlargest(MOST_LISTED, entries, key=lambda entry: entry[seconds])
