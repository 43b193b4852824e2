"""`turnout run`: mitmdump or mitmweb in this process, with the flags that make it Turnout."""

from __future__ import annotations

import errno
import io
import os
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from turnout.errors import ConfigError, TurnoutError
from turnout.settings.places import route_script

if TYPE_CHECKING:
    from turnout.settings.model import Listen, Settings

DEAD_TARGET = "http://127.0.0.1:9"
"""Where a request would go that Turnout did not send anywhere: the discard port, on which nothing listens."""

WEB_COLUMNS = ("status", "comment", "size", "time")
"""Beside a path mitmweb gives a comment 150 pixels, about 18 letters. Without one the whole story can be read."""

EPILOG = (
    "The configuration is looked for in this order: --config, $TURNOUT_CONFIG, ./mitm.conf, "
    "~/.config/turnout/mitm.conf; `turnout init` writes one. Files that come with the folder count in full once "
    "`turnout trust` was given them. What follows -- is passed to mitmdump or mitmweb."
)

NO_PASSWORD = (
    "turnout: the mitmweb of mitmproxy 11 has no password and a known weakness (CVE-2025-23217). "
    "Prefer Python 3.12 or later for --web"
)

ConfigOption = Annotated[
    str | None, typer.Option("--config", metavar="FILE", help="Configuration file; see mitm.conf.example.")
]


def run(
    config: ConfigOption = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, metavar="PORT", help="Port to listen on; 0 picks a free one.")
    ] = None,
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Address to listen on.")] = None,
    web: Annotated[bool, typer.Option("--web", help="Show the traffic in the browser (mitmweb).")] = False,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record", metavar="FILE", help="Add every exchange and every attempt to this file, without secrets."
        ),
    ] = None,
    extra: Annotated[list[str] | None, typer.Argument(metavar="-- MITMPROXY_FLAGS", hidden=True)] = None,
) -> None:
    """Start the proxy."""
    from turnout.cli.trust import offer
    from turnout.gate.access import check_listen, client_keys
    from turnout.settings.load import load
    from turnout.settings.ways import ways_of
    from turnout.status.start_up import credential_states, start_up

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a log in a file or a journal is read while it grows
    override_listen(host, port)
    settings = load(config)
    if offer(settings):
        settings = load(config)
    listen = listen_address(settings)
    check_listen(listen.host, settings.access)
    client_keys(settings)  # raises ConfigError for one that cannot be found
    ways = ways_of(settings)  # likewise
    check_free(listen)
    if record is not None:
        extra = [*_recording_to(record), *(extra or [])]
    pinned = pinned_provider(settings)
    states = credential_states(settings)

    def announce(port: int) -> None:
        typer.echo(start_up(settings, listen.model_copy(update={"port": port}), pinned, states, ways))

    start(mitmproxy_arguments(settings, listen, web, extra or []), web, announce)


def _recording_to(file: Path) -> list[str]:
    """mitmproxy's arguments for a recording. Raises ConfigError for a file that cannot be one."""
    from turnout.recordings.recorder import Recorder, path_of

    recorder = Recorder(path_of(str(file)))
    recorder.close()
    if recorder.cut_off:
        typer.echo(f"turnout: {recorder.file} ended in half a flow, which was cut off", err=True)
    return ["--set", f"turnout_record={recorder.file}"]


def override_listen(host: str | None, port: int | None) -> None:
    """Lay the command line over the configuration, by way of the environment: the addon loads its settings itself."""
    if host is not None:
        os.environ["TURNOUT_LISTEN__HOST"] = host
    if port is not None:
        os.environ["TURNOUT_LISTEN__PORT"] = str(port)


def listen_address(settings: Settings) -> Listen:
    """The address in force, IPv6 without brackets."""
    host = settings.listen.host.removeprefix("[").removesuffix("]")
    return settings.listen.model_copy(update={"host": host})


def check_free(listen: Listen) -> None:
    """Raises TurnoutError when the address cannot be listened on.

    mitmproxy would find out as well, but only names the socket error.
    """
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    try:
        socket.create_server((listen.host, listen.port), family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise TurnoutError(
                f"port {listen.port} on {listen.host} is in use. See with `turnout status` whether that is a Turnout, "
                "or choose another port with --port"
            ) from None
        reason = error.strerror or str(error)
        raise ConfigError(
            f"cannot listen on {listen.host} port {listen.port} ({reason})",
            key="listen",
            suggestion="Choose an address of this machine and a port above 1023",
        ) from None


def pinned_provider(settings: Settings) -> str | None:
    """The provider that `turnout switch` has pinned. Raises ConfigError when the configuration does not have it."""
    from turnout.settings.pin import read_pin
    from turnout.settings.places import pin_file

    file = pin_file(os.environ)
    pinned = read_pin(file)
    if pinned is not None and pinned not in settings.providers:
        raise ConfigError(
            f"the pinned provider {pinned!r} is not in the configuration",
            file=file,
            suggestion="Lift the pin with `turnout reset`, or pin another with `turnout switch`",
        )
    return pinned


def mitmproxy_arguments(settings: Settings, listen: Listen, web: bool, extra: Sequence[str]) -> list[str]:
    """The command line for mitmdump or mitmweb; what the user added comes last, so that it wins."""
    # mitmproxy takes what follows the last colon for the port, and wants IPv6 addresses without brackets.
    arguments = ["-s", str(route_script()), "--mode", f"reverse:{DEAD_TARGET}@{listen.host}:{listen.port}"]
    # The addon would choose the first three itself, and say so in the log.
    options = ["connection_strategy=lazy", "keep_host_header=true", f"listen_host={listen.host}"]
    options += ["flow_detail=0", "termlog_verbosity=info"]
    # What was only found the addon finds as well. Named by us it would count as named by the user.
    if settings.file is not None and settings.folder is None:
        options.append(f"turnout_config={settings.file.resolve()}")
    if web:
        options.append("web_open_browser=false")
        options += [f"web_columns={column}" for column in WEB_COLUMNS]
    chosen = _options_in(extra)
    for option in options:
        if option.partition("=")[0] not in chosen:
            arguments += ["--set", option]
    return [*arguments, *extra]


def _options_in(flags: Sequence[str]) -> set[str]:
    """The options that the user sets; mitmproxy refuses most of them when they are set twice."""
    values = [flag.removeprefix("--set=") for flag in flags if flag.startswith("--set=")]
    values += [value for flag, value in zip(flags, flags[1:], strict=False) if flag == "--set"]
    return {value.partition("=")[0] for value in values}


def start(arguments: Sequence[str], web: bool, announce: Callable[[int], None]) -> None:
    """Run mitmproxy until it ends; SystemExit 1 when it could not start.

    `announce` is called with the port once it listens.
    """
    from mitmproxy.tools import main
    from mitmproxy.version import VERSION

    from turnout.cli.lines import trim

    # mitmproxy explains mistakes by the arguments of the process.
    sys.argv = ["mitmweb" if web else "mitmdump", *arguments]
    trim(announce, DEAD_TARGET, talkative=bool({"-v", "--verbose"}.intersection(arguments)))
    if not web:
        main.mitmdump(list(arguments))
        return
    if VERSION.startswith("11."):
        typer.echo(NO_PASSWORD, err=True)
    try:
        main.mitmweb(list(arguments))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        # The first line is mitmweb's own and names the address.
        reason = str(error.strerror).partition(" with [")[0].partition("\n")[0]
        raise TurnoutError(f"{reason}: it is in use. Choose another: turnout run --web -- --web-port 8091") from None
