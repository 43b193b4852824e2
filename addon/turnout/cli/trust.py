"""`turnout trust`, and the question that `turnout run` asks: whether the files of a folder are the user's own."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from turnout.errors import ConfigError
from turnout.settings.places import CONFIG_NAME, dotenv_file

if TYPE_CHECKING:
    from turnout.settings.model import Settings


def trust(
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="A mitm.conf or .env; ./mitm.conf if not given.")
    ] = None,
) -> None:
    """Trust a mitm.conf that comes with a folder, and the .env beside it."""
    from turnout.settings import trust as trusting

    chosen = Path(file).expanduser() if file is not None else _of_this_folder()
    if not os.path.isfile(chosen):
        raise ConfigError("there is no such file", file=chosen, suggestion="Name the file that is to be trusted")
    files = with_dotenv(chosen)
    trusting.trust(files, os.environ)
    typer.echo(f"Trusted: {' and '.join(str(trusting.place_of(each)) for each in files)}.")
    typer.echo(f"To take that back, remove the line from {trusting.trust_file(os.environ)}.")


def with_dotenv(file: Path) -> Sequence[Path]:
    """The file, and for a configuration the `.env` that is read with it, if there is one: who knows what will be."""
    dotenv = dotenv_file(file)
    return (file,) if file.name == dotenv.name or not os.path.isfile(dotenv) else (file, dotenv)


def written_here(config: Path) -> None:
    """Trust a configuration that a command has just written; not a `.env` that was there before it."""
    from turnout.settings import trust as trusting

    trusting.trust([config], os.environ)


def offer(settings: Settings) -> bool:
    """Ask on a terminal whether to trust the files that are in force in part or left aside; True when they now are."""
    from turnout.settings import trust as trusting

    folder = settings.folder
    untrusted: Sequence[Path] = folder.untrusted if folder is not None and folder.withheld else ()
    if settings.shadowed is not None:
        untrusted = with_dotenv(settings.shadowed)
    if not untrusted or not _on_a_terminal():
        return False
    typer.echo(_told(settings, untrusted))
    if not typer.confirm("Do you trust it?", default=False):
        return False
    trusting.trust([each for file in untrusted for each in with_dotenv(file)], os.environ)
    return True


def _on_a_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _told(settings: Settings, untrusted: Sequence[Path]) -> str:
    if settings.shadowed is not None:
        return f"{settings.shadowed} comes with this folder. Unless you trust it, {settings.file} is used in its place."
    assert settings.folder is not None
    lines = [f"{' and '.join(map(str, untrusted))}: found in this folder. Unless you trust it, this is left out:"]
    return "\n".join([*lines, *(f"  {each}" for each in settings.folder.withheld)])


def _of_this_folder() -> Path:
    config = Path.cwd() / CONFIG_NAME
    return config if config.exists() or not dotenv_file(config).exists() else dotenv_file(config)
