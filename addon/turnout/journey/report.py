"""The state of everything, as `/health`, the status page and `turnout.status` tell it."""

from __future__ import annotations

from typing import Any

from turnout.journey.dispatch import Dispatcher
from turnout.journey.state import Setup


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
        "pinned": dispatcher.pinned,
        "providers": _providers(dispatcher, setup),
        "usage": usage,
        "exchanges": {word: dispatcher.counts[word] for word in ("open", "served", "failed")},
    }


def _providers(dispatcher: Dispatcher, setup: Setup) -> dict[str, Any]:
    slots = dispatcher.slots.snapshot()
    cooldowns = dispatcher.cooldowns.snapshot()
    lessons = dispatcher.knowledge.lessons.snapshot()
    providers: dict[str, Any] = {}
    for name, provider in setup.settings.providers.items():
        labels = setup.chain.labels_at_hand(provider)
        states = setup.chain.states_at_hand(provider)
        providers[name] = {
            "base_url": provider.base_url,
            "credentials": [{"label": label, "state": state} for label, state in states],
            "slots": slots.get(name, {"in_use": 0, "limit": provider.max_concurrent, "waiting": 0}),
            "cooldowns": [
                {**entry, "credential": labels.get(str(entry["credential"]), entry["credential"])}
                for entry in cooldowns
                if entry["provider"] == name
            ],
            "learned": [entry for entry in lessons if entry["provider"] == name],
            "recent": dispatcher.recent(name),
        }
    return providers
