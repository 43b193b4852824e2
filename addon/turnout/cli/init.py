"""`turnout init`: a configuration to start from."""

from __future__ import annotations

from pathlib import Path

import typer

import turnout
from turnout.cli.new_file import write_new
from turnout.cli.trust import written_here
from turnout.errors import TurnoutError
from turnout.settings.places import CONFIG_NAME


def init() -> None:
    """Write a mitm.conf to start from; never overwrites one."""
    text = example().read_text(encoding="utf-8")
    file = Path.cwd() / CONFIG_NAME
    write_new(file, text, if_taken="go to another directory")
    written_here(file)
    typer.echo(f"Wrote {file}. Everything in it is commented out: remove the # in front of what you want.")
    typer.echo("`turnout run` in this directory uses it.")


def example() -> Path:
    """mitm.conf.example: at the root of a checkout, inside the package in a wheel.

    Raises TurnoutError when it is missing.
    """
    package = Path(turnout.__file__).parent
    folder = package.parent.parent if package.parent.name == "addon" else package
    file = folder / "mitm.conf.example"
    if not file.is_file():
        raise TurnoutError(f"{file} is missing. Install turnout again")
    return file
