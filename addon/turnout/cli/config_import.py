"""`turnout config import`: takes over the configuration of an earlier proxy (C2, E8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from turnout.cli.new_file import write_new
from turnout.cli.trust import written_here
from turnout.settings.places import CONFIG_NAME

STANDARD_OUTPUT = "-"


def import_config(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The config.json of the old failover proxy, or a models.json.")
    ],
    output: Annotated[
        str, typer.Option("--output", metavar="FILE", help="Where to write; - is standard output.")
    ] = CONFIG_NAME,
) -> None:
    """Write a mitm.conf that does what an old config.json or models.json did; never overwrites one."""
    from turnout.settings.importers import import_failover
    from turnout.settings.load import load
    from turnout.settings.model_importer import CUSTOM_MODELS, import_models
    from turnout.settings.old_config import read_json

    old = read_json(file)
    of_models = isinstance(old, Mapping) and CUSTOM_MODELS in old
    imported = import_models(old, file) if of_models else import_failover(old, file)
    if output == STANDARD_OUTPUT:
        typer.echo(imported.text, nl=False)
        _say([*imported.warnings, _to_set(imported.variables)], err=True)
        return
    target = Path(output).absolute()
    write_new(target, imported.text, if_taken="choose another --output")
    written_here(target)
    typer.echo(f"Wrote {target}.")
    settings = load(str(target))
    missing = [name for name in imported.variables if not settings.environment.get(name)]
    _say([*imported.warnings, _to_set(missing)])


def _to_set(variables: Iterable[str]) -> str:
    names = ", ".join(variables)
    return f"To be set in the environment or in the .env beside mitm.conf: {names}" if names else ""


def _say(lines: Iterable[str], *, err: bool = False) -> None:
    for line in filter(None, lines):
        typer.echo(line, err=err)
