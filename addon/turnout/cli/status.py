"""`turnout status`: what a running Turnout says of itself in `/health`."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any

import typer

from turnout.cli.run import ConfigOption, listen_address
from turnout.cli.summary import client_url, credentials, table
from turnout.errors import ConfigError, TurnoutError
from turnout.settings.secret import redact

TIMEOUT = 5.0
"""Seconds to wait for the answer; a running Turnout answers at once."""


_FINGERPRINT = re.compile("[0-9a-f]{12}")
_BARE_KEY = re.compile("[A-Za-z0-9_-]+")


class NotRunning(TurnoutError):
    """No Turnout answers at an address."""


def status(
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where Turnout listens; the configured address if not given.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Show providers, cooldowns, slots and usage of a running Turnout."""
    address, key = address_and_key(url, config)
    typer.echo(page(address, fetch(address, key)))


def fetch(address: str, key: str | None) -> Mapping[str, Any]:
    """The JSON object at `/health`. Raises NotRunning when no Turnout answers there, TurnoutError when it refuses."""
    import httpx

    headers = {"x-turnout-key": key} if key else {}
    try:
        # A proxy of the environment has no business between this machine and itself.
        with httpx.Client(trust_env=False, timeout=TIMEOUT) as client:
            answer = client.get(f"{address}/health", headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        raise NotRunning(f"no Turnout answers at {address} ({reason}). Start one with `turnout run`") from None
    if answer.status_code == 401:
        raise TurnoutError(
            f"{address} wants a client key. Name the configuration that has it: turnout status --config FILE"
        )
    if answer.status_code == 403:
        raise TurnoutError(f"{address} refused: {_message(answer.content)}")
    try:
        health = json.loads(answer.content)
    except ValueError:
        health = None
    if answer.status_code != 200 or not isinstance(health, dict) or "providers" not in health:
        raise NotRunning(f"what answers at {address} is not Turnout (status {answer.status_code}). Is the port right?")
    return health


def page(address: str, health: Mapping[str, Any]) -> str:
    """`/health` as plain text."""
    exchanges = _table_of(health.get("exchanges"))
    facts = [
        ("Config", str(health.get("config") or "none: everything goes to Anthropic")),
        ("Pinned", f"{health['pinned']}, without failover" if health.get("pinned") else "no"),
        ("Requests", ", ".join(f"{_number(count)} {name}" for name, count in exchanges.items()) or "none yet"),
    ]
    lines = [f"Turnout {health.get('version', '')} at {address}: {health.get('status', 'unknown')}", "", *table(facts)]
    usage = [(name, _counts(counts)) for name, counts in _table_of(health.get("usage")).items()]
    if usage:
        lines += ["", "Usage", *table(usage)]
    for name, provider in _table_of(health.get("providers")).items():
        provider = _table_of(provider)
        lines += ["", f"{name}  {provider.get('base_url', '')}", *table(_provider_rows(provider))]
        learned = merged_rules(str(entry.get("suggestion")) for entry in _tables_of(provider.get("learned")))
        if learned:
            lines += [f"  to keep it so, under [providers.{_toml_key(name)}]:", *(f"    {line}" for line in learned)]
    return "\n".join(lines)


def merged_rules(suggestions: Iterable[str]) -> list[str]:
    """Lines of TOML such as `rewrite.drop = ["metadata"]`, those for the same rule joined into one."""
    from turnout.settings.rewriting import extended

    whole: dict[str, Any] = {}
    for suggestion in suggestions:
        try:
            whole = extended(whole, tomllib.loads(suggestion))
        except ValueError:  # of another version
            continue
    return list(_toml_lines(whole))


def time_left(seconds: float) -> str:
    """A duration with its two largest units: `2 h 5 min`, `4 min 32 s`, `9 s`."""
    hours, rest = divmod(max(0, round(seconds)), 3600)
    minutes, rest = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def address_and_key(url: str | None, config: str | None) -> tuple[str, str | None]:
    """Where Turnout listens, and a client key for it if it wants one, as far as the configuration can be read."""
    from turnout.gate.access import client_keys
    from turnout.settings.load import load, salvage

    mistake = ""
    try:
        settings = load(config)
        keys = client_keys(settings)
    except ConfigError as error:
        # A running Turnout keeps its last good configuration.
        mistake = redact(str(error))
        settings, keys = salvage(config), ()
        with suppress(ConfigError):
            keys = client_keys(settings)
    address = (url or client_url(listen_address(settings))).rstrip("/")
    if mistake:
        end = "" if mistake.endswith(("?", ".")) else "."
        typer.echo(
            f"turnout: {mistake}{end} It is not in force; asking {address}, or name another with --url", err=True
        )
    return address, keys[0].reveal() if keys else None


def _provider_rows(provider: Mapping[str, Any]) -> list[tuple[str, str]]:
    states = [(str(entry.get("label")), str(entry.get("state"))) for entry in _tables_of(provider.get("credentials"))]
    rows = [("credentials", credentials(states)), ("slots", _slots(provider.get("slots")))]
    rows += [("cooling down", _cooldown(entry)) for entry in _tables_of(provider.get("cooldowns"))]
    rows += [("learned", _learned(entry)) for entry in _tables_of(provider.get("learned"))]
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
    remaining = entry.get("remaining")
    return f"{who}: {why}" + (f", {time_left(remaining)} left" if isinstance(remaining, int | float) else "")


def _learned(entry: Mapping[str, Any]) -> str:
    """`MiniMax-M3: rewrite.drop = ["context_management"], 23 h 59 min left`."""
    expires = entry.get("expires")
    left = f", {time_left(expires)} left" if isinstance(expires, int | float) else ""
    return f"{entry.get('model')}: {entry.get('suggestion')}{left}"


def _toml_lines(table: Mapping[str, Any], lead: str = "") -> Iterator[str]:
    """A table as lines with dotted keys."""
    for key, value in table.items():
        name = lead + _toml_key(key)
        if isinstance(value, Mapping):
            yield from _toml_lines(value, f"{name}.")
        else:
            yield f"{name} = {_toml_value(value)}"


def _toml_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _toml_value(key)


def _toml_value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml_value, value))}]"
    # A basic string of TOML is one of JSON, but for this character.
    return json.dumps(value, ensure_ascii=False, default=str).replace("\x7f", "\\u007f")


def _counts(counts: Any) -> str:
    """Token counts of one model, those that are not 0."""
    return ", ".join(f"{name} {_number(count)}" for name, count in _table_of(counts).items() if count)


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _table_of(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _tables_of(value: Any) -> Sequence[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return "not permitted"
