"""The endpoints that Turnout answers itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from turnout.exchange import LocalAnswer, json_answer
from turnout.gate.models import list_models, one_model
from turnout.gate.paths import Known
from turnout.settings.model import Settings
from turnout.status.page import status_page


async def local_answer(
    known: Known, accept: str, settings: Settings, report: Callable[[], Awaitable[dict[str, Any]]]
) -> LocalAnswer:
    """The answer to a request whose `local` says what it asks for. `accept` is its header, `report` gives the state.

    Raises NotFound for a model that is none.
    """
    match known.local:
        case "models":
            return list_models(settings)
        case "model":
            return one_model(settings, known.argument)
        case "hello":
            return json_answer({"status": "ok"})
        case "status":
            return status_page(await report(), accept)
        case _:
            return json_answer(await report())
