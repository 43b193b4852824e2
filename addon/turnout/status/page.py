"""The state of everything as a page for a browser."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from turnout.exchange import LocalAnswer, json_answer


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
