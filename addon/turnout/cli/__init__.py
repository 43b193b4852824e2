"""The command line: `turnout run`, `init`, `trust`, `demo`, `status`, `switch`, `reset`, `explain`, `replay`,
`scrub`, `config import`.

Every command says on standard output what it did, and on standard error, in one line, what went wrong. Exit codes:
0 done, 1 failed, 2 the command line or the configuration cannot be used.
"""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from turnout import __version__
from turnout.cli import config_import, demo, explain, init, replay, run, scrub, status, switch, trust
from turnout.errors import ConfigError, TurnoutError
from turnout.redaction.text import redact

app = typer.Typer(
    help="Routes LLM traffic between providers and moves a request to the next one when a provider fails.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    # Tracebacks with local variables would show credentials.
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"turnout {__version__}")
        raise typer.Exit


@app.callback()
def _turnout(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


app.command("run", epilog=run.EPILOG)(run.run)
app.command("init")(init.init)
app.command("trust")(trust.trust)
app.command("demo")(demo.demo)
app.command("status")(status.status)
app.command("switch")(switch.switch)
app.command("reset")(switch.reset)
app.command("explain")(explain.explain)
app.command("replay", epilog=replay.EPILOG)(replay.replay)
app.command("scrub", epilog=scrub.EPILOG)(scrub.scrub)

config = typer.Typer(help="Take over another configuration.", no_args_is_help=True, rich_markup_mode=None)
config.command("import")(config_import.import_config)
app.add_typer(config, name="config")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name; None takes those of the process. Ends with SystemExit."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no arrow shows a question mark
    # What loading has to warn of is said once, by the addon of a running proxy, in mitmproxy's log.
    logging.getLogger("turnout").addHandler(logging.NullHandler())
    try:
        app(args=arguments, prog_name="turnout")
    except TurnoutError as error:
        print(f"turnout: {redact(str(error))}", file=sys.stderr)
        sys.exit(2 if isinstance(error, ConfigError) else 1)
