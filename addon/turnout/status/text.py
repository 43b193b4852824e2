"""The state of a Turnout, as `/health` tells it, in plain text."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from turnout.settings.toml_lines import merged_rules, toml_key

if TYPE_CHECKING:
    from turnout.settings.model import Listen

_FINGERPRINT = re.compile("[0-9a-f]{12}")
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}


def page(address: str, health: Mapping[str, Any]) -> str:
    """`/health` as plain text; `address` is where that Turnout listens, empty when it does not."""
    exchanges = _table_of(health.get("exchanges"))
    folder = _table_of(health.get("folder"))
    nothing = "none" if folder.get("changes") else "none: everything goes to Anthropic"
    untrusted = _list_of(folder.get("untrusted"))
    facts = [
        ("Config", str(health.get("config") or nothing)),
        *(("In full", f"{file} (trusted)") for file in _list_of(folder.get("trusted"))),
        *(("In part", f"{file} (not trusted)") for file in untrusted),
        *(("Changes", str(change)) for change in _list_of(folder.get("changes")) if untrusted),
        *(("Left out", str(each)) for each in _list_of(folder.get("withheld"))),
        ("Pinned", f"{health['pinned']}, without failover" if health.get("pinned") else "no"),
        ("Requests", ", ".join(f"{_number(count)} {name}" for name, count in exchanges.items()) or "none yet"),
    ]
    name = " at ".join(filter(None, (f"Turnout {health.get('version', '')}", address)))
    lines = [f"{name}: {health.get('status', 'unknown')}", "", *table(facts)]
    usage = [(name, _counts(counts)) for name, counts in _table_of(health.get("usage")).items()]
    if usage:
        lines += ["", "Usage", *table(usage)]
    for name, provider in _table_of(health.get("providers")).items():
        provider = _table_of(provider)
        lines += ["", f"{name}  {provider.get('base_url', '')}", *table(_provider_rows(provider))]
        learned = merged_rules(str(entry.get("suggestion")) for entry in _tables_of(provider.get("learned")))
        if learned:
            lines += [f"  to keep it so, under [providers.{toml_key(name)}]:", *(f"    {line}" for line in learned)]
    return "\n".join(map(_printable, lines))


def _printable(line: str) -> str:
    """Clients choose names of models; a terminal would obey control characters in them."""
    return line if line.isprintable() else "".join(letter if letter.isprintable() else "?" for letter in line)


def client_url(listen: Listen) -> str:
    """The base URL for a client on this machine."""
    host = _ANY_ADDRESS.get(listen.host, listen.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{listen.port}"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as indented lines with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return [f"  {line}".rstrip() for line in lines]


def credentials(states: Sequence[tuple[str, str]]) -> str:
    """Labels and states of a provider's credentials on one line; where one can be used, only those that can."""
    shown = usable(states) or [entry for entry in states if entry[0] != "keychain" or sys.platform == "darwin"]
    return ", ".join(state if label == "none" else f"{label}: {state}" for label, state in shown) or "none"


def usable(states: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The credentials that a request can be sent with, as far as is known before it is."""
    return [(label, state) for label, state in states if state not in _UNUSABLE]


_UNUSABLE = ("missing", "not found", "expired", "withheld")


def time_left(seconds: float) -> str:
    """A duration with its two largest units: `2 h 5 min`, `4 min 32 s`, `9 s`."""
    hours, rest = divmod(max(0, round(seconds)), 3600)
    minutes, rest = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _provider_rows(provider: Mapping[str, Any]) -> list[tuple[str, str]]:
    states = [(str(entry.get("label")), str(entry.get("state"))) for entry in _tables_of(provider.get("credentials"))]
    rows = [("credentials", credentials(states)), ("slots", _slots(provider.get("slots")))]
    left_out = _table_of(provider.get("left_out"))
    rows += [("cooling down", _cooldown(entry)) for entry in _tables_of(provider.get("cooldowns"))]
    rows += [("cooling down", f"and {left_out['cooldowns']} more")] if left_out.get("cooldowns") else []
    rows += [("learned", _learned(entry)) for entry in _tables_of(provider.get("learned"))]
    rows += [("learned", f"and {left_out['learned']} more")] if left_out.get("learned") else []
    recent = provider.get("recent")
    if isinstance(recent, list) and recent:
        rows.append(("last statuses", ", ".join(map(str, recent))))
    return rows


def _slots(value: Any) -> str:
    slots = _table_of(value)
    limit = f" of {slots['limit']}" if slots.get("limit") else ""
    waiting = f", {slots['waiting']} waiting" if slots.get("waiting") else ""
    return f"{slots.get('in_use', 0)}{limit} in use{waiting}"


def _cooldown(entry: Mapping[str, Any]) -> str:
    model = "every model" if entry.get("model") in (None, "*") else str(entry["model"])
    credential = entry.get("credential")
    if isinstance(credential, str) and _FINGERPRINT.fullmatch(credential):
        credential = "a credential no longer configured"
    who = model if credential in (None, "none") else f"{credential} for {model}"
    why = str(entry.get("reason") or entry.get("verdict") or "unknown reason")
    if entry.get("probing"):
        return f"{who}: {why}, being tried again"
    remaining, ends_in = entry.get("remaining"), entry.get("ends_in")
    if not isinstance(remaining, int | float):
        return f"{who}: {why}"
    if isinstance(ends_in, int | float) and ends_in > remaining:
        return f"{who}: {why}, {time_left(ends_in)} left, tried again in {time_left(remaining)}"
    return f"{who}: {why}, {time_left(remaining)} left"


def _learned(entry: Mapping[str, Any]) -> str:
    """`MiniMax-M3: rewrite.drop = ["context_management"], 23 h 59 min left`."""
    expires = entry.get("expires")
    left = f", {time_left(expires)} left" if isinstance(expires, int | float) else ""
    return f"{entry.get('model')}: {entry.get('suggestion')}{left}"


def _counts(counts: Any) -> str:
    """Token counts of one model, those that are not 0."""
    return ", ".join(f"{name} {_number(count)}" for name, count in _table_of(counts).items() if count)


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _list_of(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def _table_of(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _tables_of(value: Any) -> Sequence[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
