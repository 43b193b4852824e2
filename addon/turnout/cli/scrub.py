"""`turnout scrub`: a copy of a recording that is fit to be published."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from turnout.errors import ConfigError

if TYPE_CHECKING:
    from turnout.recordings.scrub.files import Scrubbed

EPILOG = "Names of tools, fields, models and your providers stay as they are: look at the result before you publish it."


def scrub(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Flow file of mitmproxy, or a HAR file.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Flow file to write.")],
    keep_text: Annotated[
        bool,
        typer.Option(
            "--keep-text",
            help="Leave prompts, answers and tool calls, without the secrets, ids, addresses and paths in them.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it is there.")] = False,
    host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST:PORT=HOST:PORT",
            help="Publish an address under another name; others become host-1.invalid and so on. May be repeated.",
        ),
    ] = None,
) -> None:
    """Write a copy of a recording without secrets, people and machines, and with filler instead of texts."""
    names = dict(_named(host or ()))
    if not source.is_file():
        raise ConfigError(f"{source}: there is no such file")
    if target.exists() and target.samefile(source):
        raise ConfigError(f"{target}: IN and OUT are the same file. The recording would be lost")
    if target.is_file() and not force:
        raise ConfigError(f"{target} is there already. Choose another name for OUT, or replace it with --force")
    from turnout.recordings.scrub.files import scrub_file  # brings mitmproxy

    done = scrub_file(source, target, names, keep_text=keep_text)
    typer.echo(f"{target}: {_count(done.flows, 'flow')}, {_size(done.size)}{_left_out(done)}")
    typer.echo(
        f"{_count(done.texts, 'text')} {'searched and changed' if keep_text else 'filled'}, "
        f"{_count(done.identifiers, 'identifier')} numbered, {_count(done.headers, 'header value')} masked, "
        f"{_count(done.hosts, 'address', 'addresses')} renamed"
    )


def _named(pairs: Iterable[str]) -> Iterator[tuple[str, str]]:
    from turnout.recordings.scrub.flow import ScrubError, address

    for pair in pairs:
        old, equals, new = pair.partition("=")
        try:
            address(old), address(new)
        except ScrubError as error:
            shown = str(error) if equals else f"{pair!r} has no =."
            raise ConfigError(f"--host: {shown} Say HOST:PORT=HOST:PORT, as 127.0.0.1:4711=first.invalid:80") from None
        yield old, new


def _left_out(done: Scrubbed) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(done.left_out.items()))
    return f"; left out what is no HTTP exchange: {kinds}" if kinds else ""


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _size(count: int) -> str:
    return f"{count / 1_000_000:,.1f} MB" if count >= 1_000_000 else f"{count / 1000:,.1f} kB"
