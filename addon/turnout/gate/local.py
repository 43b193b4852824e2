"""Endpoints that Turnout answers itself: health, its status page, and the list of models."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import msgspec

from turnout.errors import NotFound
from turnout.exchange import LocalAnswer
from turnout.routing.plan import parse_target
from turnout.settings.load import DEFAULT_PROVIDER
from turnout.settings.model import Settings

_CREATED = "2025-01-01T00:00:00Z"
"""`created_at` of listed models: clients parse the field, providers do not tell it."""


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> LocalAnswer:
    return LocalAnswer(status, {"content-type": "application/json", **(headers or {})}, msgspec.json.encode(value))


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


def status_page(health: Mapping[str, Any], accept: str) -> LocalAnswer:
    """The state as a page for browsers, as JSON for everybody else."""
    if "text/html" not in accept:
        return json_answer(health)
    page = _PAGE.format(rows="".join(_provider_rows(health)), summary=escape(_summary(health)))
    # The page holds no script and loads nothing; say so to the browser.
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    headers = {"content-type": "text/html; charset=utf-8", "content-security-policy": policy}
    return LocalAnswer(200, headers, page.encode())


def _summary(health: Mapping[str, Any]) -> str:
    exchanges = health["exchanges"]
    pinned = f" · pinned to {health['pinned']}" if health.get("pinned") else ""
    config = health.get("config") or "no config file: everything goes to Anthropic"
    return (
        f"Turnout {health['version']} · {config}{pinned} · "
        f"{exchanges['open']} open, {exchanges['served']} served, {exchanges['failed']} failed"
    )


def _provider_rows(health: Mapping[str, Any]) -> list[str]:
    rows = []
    for name, provider in health["providers"].items():
        cooling = "; ".join(
            f"{entry['credential']} · {entry['model']}: {entry['reason']} ({entry['remaining']:.0f} s left)"
            for entry in provider["cooldowns"]
        ) + _left_out(provider, "cooldowns")
        credentials = ", ".join(f"{entry['label']}: {entry['state']}" for entry in provider["credentials"])
        slots = provider["slots"]
        used = f"{slots['in_use']}/{slots['limit']}" if slots["limit"] else str(slots["in_use"])
        recent = " ".join(str(status) for status in provider["recent"])
        learned = "; ".join(f"{entry['model']}: {entry['suggestion']}" for entry in provider["learned"])
        learned += _left_out(provider, "learned")
        cells = (name, provider["base_url"], credentials or "none needed", used, cooling or "ready", recent, learned)
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    return rows


def _left_out(provider: Mapping[str, Any], name: str) -> str:
    count = provider.get("left_out", {}).get(name, 0)
    return f"; and {count} more" if count else ""


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Turnout</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #222 }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ border-bottom: 1px solid #ddd; padding: .4rem .6rem; text-align: left; vertical-align: top }}
th {{ color: #666; font-weight: 600 }}
</style></head><body><h1>Turnout</h1><p>{summary}</p>
<table><thead><tr><th>Provider</th><th>Base URL</th><th>Credentials</th><th>Slots in use</th><th>State</th>
<th>Last statuses</th>
<th>Learned</th></tr></thead><tbody>{rows}</tbody></table>
<p>The same as JSON: <a href="/health">/health</a>.</p></body></html>
"""
