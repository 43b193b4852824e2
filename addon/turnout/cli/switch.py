"""`turnout switch` and `turnout reset`: pin one provider for every running Turnout of this user."""

from __future__ import annotations

import contextlib
import difflib
import os
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated

import typer

from turnout.cli.run import ConfigOption
from turnout.cli.status import NotRunning, address_and_key, fetch
from turnout.errors import ConfigError, TurnoutError
from turnout.settings.places import pin_file


def switch(
    provider: Annotated[str, typer.Argument(metavar="PROVIDER", help="Name of a provider of the configuration.")],
    config: ConfigOption = None,
) -> None:
    """Send everything to one provider, without failover."""
    from turnout.settings.load import load, presets

    settings = load(config)
    if provider not in settings.providers:
        raise ConfigError(
            f"{provider!r} is not a provider of the configuration",
            file=settings.file,
            suggestion=_suggestion(provider, settings.providers, presets()),
        )
    write_pin(pin_file(os.environ), provider)
    typer.echo(f"Pinned to {provider} ({settings.providers[provider].base_url}), without failover.")
    typer.echo(f"{_effect(config)} `turnout reset` goes back to the routes.")


def reset() -> None:
    """Go back to the routes of the configuration."""
    file = pin_file(os.environ)
    with _explained(file):
        was_pinned = file.exists()
        file.unlink(missing_ok=True)
    typer.echo("No provider is pinned any more." if was_pinned else "No provider was pinned.", nl=False)
    typer.echo(" Requests follow the routes of the configuration.")


def _effect(config: str | None) -> str:
    address, key = address_and_key(None, config)
    try:
        fetch(address, key)
    except NotRunning:
        return f"No running Turnout found at {address}; it will apply at the next start."
    except TurnoutError:
        pass  # it runs, and does not talk to us
    return "Every Turnout you run follows within seconds."


def write_pin(file: Path, provider: str) -> None:
    """Replace the pin in one step: a Turnout that reads it meanwhile sees the old name or the new one."""
    with _explained(file):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
        try:
            with open(descriptor, "w", encoding="utf-8") as stream:
                stream.write(provider + "\n")
            os.replace(temporary, file)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TurnoutError(f"{file} cannot be changed ({error.strerror}). Check the permissions") from None


def _suggestion(provider: str, known: Collection[str], presets: Collection[str]) -> str:
    close = difflib.get_close_matches(provider, [*known, *presets], n=1)
    if not close:
        return f"Known: {', '.join(known)}"
    if close[0] in known:
        return f"Did you mean {close[0]}?"
    return f"To use the preset {close[0]}, add a [providers.{close[0]}] table or name it in a route"
