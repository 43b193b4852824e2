"""`turnout status`: what a running Turnout says of itself in `/health`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

import typer

from turnout.cli.admission import Admission, admission
from turnout.cli.run import ConfigOption, listen_address
from turnout.errors import ConfigError, TurnoutError
from turnout.redaction.text import redact
from turnout.status.text import client_url, page

TIMEOUT = 5.0
"""Seconds to wait for the answer; a running Turnout answers at once."""


class NotRunning(TurnoutError):
    """No Turnout answers at an address."""


def status(
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where Turnout listens; the configured address if not given.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Show providers, cooldowns, slots and usage of a running Turnout."""
    address, admitted = address_and_admission(url, config)
    typer.echo(page(address, fetch(address, admitted)))


def fetch(address: str, admitted: Admission) -> Mapping[str, Any]:
    """The JSON object at `/health`. Raises NotRunning when no Turnout answers there, TurnoutError when it refuses."""
    import httpx

    try:
        asked = httpx.URL(f"{admitted.url}/health")
        fields = admitted.fields("GET", asked.raw_path.decode("ascii"))
        headers = {name: value.reveal() for name, value in fields}
        # A proxy of the environment has no business between this machine and itself.
        with httpx.Client(trust_env=False, timeout=TIMEOUT) as client:
            answer = client.get(asked, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        raise NotRunning(f"no Turnout answers at {address} ({reason}). Start one with `turnout run`") from None
    if answer.status_code == 401:
        raise TurnoutError(
            f"{address} wants a client key. Name the configuration that has it: turnout status --config FILE. The key "
            "itself goes to its listen.host and listen.port alone; at other loopback addresses it is proven"
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


def address_and_admission(url: str | None, config: str | None) -> tuple[str, Admission]:
    """Where Turnout listens, and how to be let in if it wants a client key, as far as the configuration can be read."""
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
    return address, admission(address, settings, keys)


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return "not permitted"
