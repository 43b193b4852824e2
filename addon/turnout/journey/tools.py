"""Requests that need a tool which the provider runs: they go to who has it, or nowhere."""

from __future__ import annotations

import re
from collections.abc import Sequence

from turnout.errors import InvalidRequest
from turnout.exchange import Exchange, Target
from turnout.journey.candidates import model_of, note_skipped
from turnout.journey.knowledge import Knowledge
from turnout.settings.model import Settings

_VERSION = re.compile(r"_\d{8}$")


def able(
    exchange: Exchange, targets: Sequence[Target], needed: Sequence[str], settings: Settings, knowledge: Knowledge
) -> tuple[Target, ...]:
    """The targets that have one of the needed tools. Raises InvalidRequest when none has: a model that is asked to
    search and cannot would make up what it found.

    A 400 is what Claude Code's WebSearch hands to its model as a failed tool, which then goes on (2.1.332).
    """

    def runs(target: Target) -> bool:
        provider = settings.providers[target.provider]
        model = model_of(target, provider, exchange.request.model)
        return knowledge.runs(provider, exchange.endpoint, model, needed)

    found = tuple(filter(runs, targets))
    if not found:
        names = _names(needed)
        providers = ", ".join(dict.fromkeys(target.provider for target in targets))
        raise InvalidRequest(
            f"No {' or '.join(names)} here: {providers} cannot run it. In mitm.conf, a route with "
            f'when = {{ tools = ["{names[0]}*"] }} sends such requests to a provider that can.'
        )
    for target in targets:
        if target not in found:
            note_skipped(exchange, f"{target.provider} without {' and '.join(_names(needed))}")
    return found


def _names(needed: Sequence[str]) -> list[str]:
    return [_VERSION.sub("", tool) for tool in needed]
