"""`turnout replay`: send what a client asked in a recording once more, and compare the answers."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from turnout.cli.run import ConfigOption
from turnout.errors import ConfigError
from turnout.redaction.secret import Secret

if TYPE_CHECKING:
    from turnout.recordings.reading import RecordedExchange, Recording
    from turnout.recordings.replay.answers import Replayed
    from turnout.settings.model import Settings

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells know it: 128 and the number of the signal."""

EPILOG = (
    "Exit codes: 0 every request passed, 1 at least one failed, 2 the recording, the command line or the "
    "configuration cannot be used. A request passes when the new answer has the same class of status and is whole "
    "if the recorded one was; with --compare, when nothing differs. Recorded credentials are never used: they are "
    "taken from the configuration, or from ANTHROPIC_AUTH_TOKEN or ANTHROPIC_API_KEY."
)


@dataclass(frozen=True)
class Choices:
    """The command line."""

    file: Path
    to: str | None
    provider: str | None
    compare: bool
    concurrency: int
    pace: str


@dataclass
class Replay:
    """One run: what is to be sent, and what has become of it so far."""

    choices: Choices
    exchanges: Sequence[RecordedExchange]
    """Those that are sent."""
    skipped: dict[str, int]
    """How many are not, by reason."""
    secrets: Sequence[Secret]
    """Never shown, whoever quotes them."""
    results: dict[int, Replayed] = field(default_factory=dict)
    """By number of the exchange."""
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def finished(self) -> list[Replayed]:
        """In the order of the file, whatever order they came in."""
        return [self.results[each.number] for each in self.exchanges if each.number in self.results]


def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Flow file of mitmproxy, or a HAR file.")],
    to: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Send to this base URL; if not given, to a Turnout started for the replay."),
    ] = None,
    provider: Annotated[
        str | None, typer.Option(metavar="NAME", help="Send everything to this provider, without failover.")
    ] = None,
    compare: Annotated[bool, typer.Option("--compare", help="The answers must be the recorded ones.")] = False,
    concurrency: Annotated[int, typer.Option(min=1, metavar="N", help="Requests under way at a time.")] = 1,
    pace: Annotated[
        str,
        typer.Option(metavar="PACE", help="`asap`, `recorded`, or the time between two requests, such as 500ms."),
    ] = "asap",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")] = False,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a JUnit report as well.")] = None,
    config: ConfigOption = None,
) -> None:
    """Send the requests of a recording again and compare the answers."""
    from turnout.cli.replay_report import as_junit, document, show
    from turnout.cli.replay_target import checked_url, known_secrets
    from turnout.settings.load import load

    settings = load(config)
    choices = Choices(file, checked_url(to) if to is not None else None, provider, compare, concurrency, pace)
    check_provider(choices, settings)
    run = prepared(choices, known_secrets(settings, os.environ))
    if junit is not None:
        check_writable(junit)
    perform(run, settings)
    if as_json:
        typer.echo(document(run))
    else:
        show(run)
    if junit is not None:
        junit.write_bytes(as_junit(run))
    if run.interrupted:
        raise typer.Exit(INTERRUPTED)
    if not all(result.passed for result in run.finished):
        raise typer.Exit(1)


def check_provider(choices: Choices, settings: Settings) -> None:
    """Raises ConfigError for a provider that cannot be pinned."""
    from turnout.settings.pin import check_provider as known_provider

    if choices.provider is None:
        return
    if choices.to is not None:
        raise ConfigError(
            "it pins the provider of the Turnout that the replay starts, and cannot be used with --to",
            key="--provider",
            suggestion="Leave out --to, or pin a provider there with `turnout switch`",
        )
    known_provider(choices.provider, settings)


def check_writable(file: Path) -> None:
    """Raises ConfigError before anything is sent, rather than after."""
    try:
        file.touch()
    except OSError as error:
        raise ConfigError(f"cannot be written ({error.strerror})", file=file, key="--junit") from None


def prepared(choices: Choices, secrets: Sequence[Secret]) -> Replay:
    """What there is to send. Raises ConfigError when the file is no recording, or nothing in it can be sent."""
    from turnout.recordings.reading import RecordingError, read_recording

    parsed_pace(choices.pace)
    try:
        recording = read_recording(choices.file)
    except RecordingError as error:
        raise ConfigError(str(error)) from None
    exchanges, skipped = selected(recording, choices.compare)
    if not exchanges:
        reasons = ", ".join(f"{count} × {reason}" for reason, count in skipped.items()) or "it holds no flow"
        raise ConfigError(f"nothing to replay ({reasons})", file=choices.file)
    return Replay(choices, exchanges, skipped, secrets)


def selected(recording: Recording, compare: bool) -> tuple[list[RecordedExchange], dict[str, int]]:
    """The exchanges to send, and how many flows are left out for which reason."""
    from turnout.recordings.replay.answers import incomparable

    skipped = Counter(recording.left_out)
    exchanges: list[RecordedExchange] = []
    for exchange in recording.exchanges:
        reason = exchange.unsendable or (incomparable(exchange) if compare else "")
        if reason:
            skipped[reason] += 1
        else:
            exchanges.append(exchange)
    return exchanges, dict(skipped)


def parsed_pace(pace: str) -> float | None:
    """Seconds between two requests; None to keep the recorded distances. Raises ConfigError."""
    from pydantic import TypeAdapter, ValidationError

    from turnout.settings.quantity import Wait

    if pace == "asap":
        return 0.0
    if pace == "recorded":
        return None
    try:
        return float(TypeAdapter(Wait).validate_python(pace))
    except ValidationError:
        raise ConfigError(
            f"{pace!r} is no pace", key="--pace", suggestion="Write asap, recorded, or a time such as 500ms or 2s"
        ) from None


def perform(run: Replay, settings: Settings) -> None:
    """Send everything and judge what comes back; an interruption keeps what there is."""
    started = time.monotonic()
    with progress(len(run.exchanges)) as advance:
        try:
            asyncio.run(_perform(run, settings, advance))
        except (KeyboardInterrupt, asyncio.CancelledError):
            run.interrupted = True
    run.seconds = time.monotonic() - started


async def _perform(run: Replay, settings: Settings, advance: Callable[[], None]) -> None:
    from turnout.cli.replay_target import admission_at, credentials_for, not_sent, own_turnout
    from turnout.recordings.replay.answers import compared
    from turnout.recordings.replay.sending import Destination, Received, Sender, recorded_starts, send_all

    task = asyncio.current_task()
    assert task is not None
    with suppress(NotImplementedError):  # Windows
        # Without this a process that is told to end would leave its Turnout behind.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)

    def arrived(exchange: RecordedExchange, received: Received) -> None:
        run.results[exchange.number] = compared(exchange, received, compare=run.choices.compare, secrets=run.secrets)
        advance()

    pace = parsed_pace(run.choices.pace)
    starts = recorded_starts(run.exchanges) if pace is None else [pace * place for place in range(len(run.exchanges))]
    async with AsyncExitStack() as stack:
        if run.choices.to is not None:
            url = run.choices.to
        else:
            url = await stack.enter_async_context(own_turnout(settings, run.choices.provider))
        admitted = admission_at(url, settings)
        credentials, held_back = credentials_for(url, settings, os.environ)
        for line in filter(None, (not_sent(run.exchanges), held_back)):
            typer.echo(f"turnout: {line}", err=True)
        destination = Destination(admitted.url, credentials, admitted.fields)
        sender = await stack.enter_async_context(Sender(destination, settings.timeouts.request))
        await send_all(run.exchanges, sender, arrived, concurrency=run.choices.concurrency, starts=starts)


@contextmanager
def progress(count: int) -> Iterator[Callable[[], None]]:
    """A function to call for every answer; on a terminal, a bar on standard error shows them."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=count)
        yield lambda: bar.advance(task)
