"""The models that clients may choose from."""

from __future__ import annotations

from typing import Any

from turnout.errors import NotFound
from turnout.exchange import LocalAnswer, json_answer
from turnout.routing.plan import parse_target
from turnout.settings.load import DEFAULT_PROVIDER
from turnout.settings.model import Settings

_CREATED = "2025-01-01T00:00:00Z"
"""`created_at` of listed models: clients parse the field, providers do not tell it."""


def models(settings: Settings) -> list[dict[str, Any]]:
    """Model objects in the shape of Anthropic's `GET /v1/models`: custom models first, then what routes can reach."""
    listed: dict[str, dict[str, Any]] = {}
    for name, model in settings.models.items():
        listed[name] = _model(name) | {
            "max_input_tokens": model.context_length,
            "max_tokens": model.max_completion_tokens,
            "owned_by": model.owned_by,
        }
    targets = [parse_target(text) for _, texts in settings.targets() for text in texts]
    for target in targets:
        if target.model:
            listed.setdefault(target.model, _model(target.model))
    for route in settings.routes:
        for pattern in route.model:
            if not set(pattern) & set("*?["):
                listed.setdefault(pattern, _model(pattern))
    # Where the client's own model name is passed on, whatever the provider has can be asked for.
    passed_on = [target.provider for target in targets if target.model is None]
    for provider in (*passed_on, DEFAULT_PROVIDER):
        for name in settings.providers[provider].models:
            listed.setdefault(name, _model(name))
    return list(listed.values())


def _model(name: str) -> dict[str, Any]:
    return {"type": "model", "id": name, "display_name": name, "created_at": _CREATED}


def list_models(settings: Settings) -> LocalAnswer:
    found = models(settings)
    first, last = (found[0]["id"], found[-1]["id"]) if found else (None, None)
    return json_answer({"data": found, "has_more": False, "first_id": first, "last_id": last})


def one_model(settings: Settings, name: str) -> LocalAnswer:
    for model in models(settings):
        if model["id"] == name:
            return json_answer(model)
    raise NotFound(f"model: {name}")
