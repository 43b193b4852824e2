"""`turnout switch` and `turnout reset`: pin one provider for every running Turnout of this user."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from turnout.cli.run import ConfigOption
from turnout.cli.status import NotRunning, address_and_admission, fetch
from turnout.errors import TurnoutError
from turnout.settings.places import pin_file


def switch(
    provider: Annotated[str, typer.Argument(metavar="PROVIDER", help="Name of a provider of the configuration.")],
    config: ConfigOption = None,
) -> None:
    """Send everything to one provider, without failover."""
    from turnout.settings.load import load
    from turnout.settings.pin import check_provider, write_pin

    settings = load(config)
    check_provider(provider, settings)
    write_pin(pin_file(os.environ), provider)
    typer.echo(f"Pinned to {provider} ({settings.providers[provider].base_url}), without failover.")
    typer.echo(f"{_effect(config)} `turnout reset` goes back to the routes.")


def reset() -> None:
    """Go back to the routes of the configuration."""
    from turnout.settings.pin import lift_pin

    was_pinned = lift_pin(pin_file(os.environ))
    typer.echo("No provider is pinned any more." if was_pinned else "No provider was pinned.", nl=False)
    typer.echo(" Requests follow the routes of the configuration.")


def _effect(config: str | None) -> str:
    address, admitted = address_and_admission(None, config)
    try:
        fetch(address, admitted)
    except NotRunning:
        return f"None runs at {address}; one that runs elsewhere follows within seconds, others at their start."
    except TurnoutError:
        pass  # it runs, and does not talk to us
    return "Every Turnout you run follows within seconds."
