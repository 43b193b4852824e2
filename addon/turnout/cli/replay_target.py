"""Where `turnout replay` sends requests: to a Turnout of its own, or to an address; and with which credentials."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import turnout
from turnout.cli.admission import Admission, admission, is_configured, is_local
from turnout.errors import ConfigError, TurnoutError
from turnout.redaction.secret import Secret
from turnout.redaction.text import redact

if TYPE_CHECKING:
    from turnout.recordings.reading import RecordedExchange
    from turnout.settings.model import Settings

STARTS_WITHIN = 60.0
ENDS_WITHIN = 10.0
"""Seconds for the Turnout of our own; both take about one, longer on a busy machine."""

_LONGEST_LINE = 4096
"""Bytes of a line of its output that are looked at."""

_READY = re.compile(r"^Turnout \S+ is ready on (http://\S+)$")

# What is imported must be this package, also where it is not installed. At the end of the path it hides nothing.
_START = "import sys; sys.path.append(sys.argv.pop(1)); from turnout.cli import main; main()"


@asynccontextmanager
async def own_turnout(settings: Settings, provider: str | None) -> AsyncIterator[str]:
    """The URL of a Turnout that runs with these settings until the end, and shares no state with any other.

    Options in the user's own configuration of mitmproxy do not count: it may record, and into the very file that is
    replayed. `provider` pins it. Raises TurnoutError when it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="turnout-replay-") as folder:
        _hand_on_trust(folder)
        process = await asyncio.create_subprocess_exec(
            *_command(settings, provider, Path(folder, "mitmproxy")),
            env={**os.environ, "XDG_STATE_HOME": folder},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        lines: deque[str] = deque(maxlen=20)
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        # Read to the end, or the process would wait for room in the pipe.
        reading = asyncio.ensure_future(_read(process, lines, ready))
        try:
            yield await _started(ready, lines)
        finally:
            # One whose output has ended is ending by itself. To terminate it would reap it, and
            # asyncio of Python 3.11 then writes of an unknown child process.
            if not reading.done():
                with suppress(ProcessLookupError):
                    process.terminate()
            try:
                await asyncio.wait_for(process.wait(), ENDS_WITHIN)
            except TimeoutError:
                process.kill()
                await process.wait()
            await reading


def _hand_on_trust(state: str) -> None:
    """The Turnout of our own has a state directory of its own: it trusts what this one does."""
    from turnout.settings.trust import trust, trusted_files

    trust(trusted_files(os.environ), {"XDG_STATE_HOME": state})


def _command(settings: Settings, provider: str | None, confdir: Path) -> Sequence[str]:
    command = [sys.executable, "-P", "-c", _START, str(Path(turnout.__file__).parent.parent)]
    command += ["run", "--host", "127.0.0.1", "--port", "0"]
    # What was only found is found again, and stays as much trusted as it is.
    named = settings.file is not None and settings.folder is None
    command += ["--config", str(settings.file.resolve())] if settings.file and named else []
    # Nothing else keeps mitmproxy from its config.yaml, which outranks --set.
    command += ["--", "--set", f"confdir={confdir}"]
    return [*command, "--set", f"turnout_provider={provider}"] if provider else command


async def _read(process: asyncio.subprocess.Process, lines: deque[str], ready: asyncio.Future[str]) -> None:
    assert process.stdout is not None
    rest = b""
    while chunk := await process.stdout.read(65536):
        *whole, rest = (rest + chunk).split(b"\n")
        rest = rest[:_LONGEST_LINE]
        for raw in whole:
            line = raw[:_LONGEST_LINE].decode(errors="replace").rstrip()
            lines.append(line)
            if not ready.done() and (found := _READY.match(line)):
                ready.set_result(found[1])
    lines.append(rest.decode(errors="replace"))
    if not ready.done():
        ready.cancel()


async def _started(ready: asyncio.Future[str], lines: Sequence[str]) -> str:
    done, _ = await asyncio.wait([ready], timeout=STARTS_WITHIN)
    if done and not ready.cancelled():
        return ready.result()
    own = [line.removeprefix("turnout: ") for line in lines if line.startswith("turnout: ")]
    reason = (own or [line for line in lines if line] or ["it says nothing"])[-1]
    raise TurnoutError(f"a Turnout for the replay did not start: {redact(reason)}")


# --- an address, and who is let in with what ---


def checked_url(url: str) -> str:
    """The base URL without a trailing slash. Raises ConfigError when requests cannot be sent to it."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isascii() or not url.isprintable():
        raise ConfigError("not an http(s) URL; write for example http://127.0.0.1:8082", key="--to")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ConfigError(
            "a base URL holds no user, password, query or fragment",
            key="--to",
            suggestion="Set ANTHROPIC_AUTH_TOKEN or ANTHROPIC_API_KEY",
        )
    return url.rstrip("/")


def credentials_for(
    url: str, settings: Settings, environment: Mapping[str, str]
) -> tuple[tuple[tuple[str, Secret], ...], str]:
    """The client's own login for this base URL as a header, and in words what was held back, if anything.

    The credential is the one that Claude Code would take from the environment, without placeholders. It leaves this
    machine over https alone; an Anthropic key goes to Anthropic alone, and the keys of Turnout's clients to the
    configured address. Raises ConfigError for a credential that cannot be sent.
    """
    found = _of_environment(environment)
    if found is None or (is_local(url) and _is_client_key(found[1][1], settings) and not is_configured(url, settings)):
        return (), ""  # a client key is proven there
    variable, (header, key) = found
    held_back = _not_for(url, key, settings)
    return (() if held_back else ((header, key),)), held_back and f"{variable} is not sent to {url}: {held_back}"


def admission_at(url: str, settings: Settings) -> Admission:
    """How to be let in if this is a Turnout. Raises ConfigError when a configured client key cannot be found."""
    from turnout.gate.access import client_keys

    asked = is_local(url) or is_configured(url, settings)
    return admission(url, settings, client_keys(settings) if asked else ())


def not_sent(exchanges: Iterable[RecordedExchange]) -> str:
    """In words, which credentials of the recording stay here; empty when it holds none."""
    from turnout.recordings.replay.comparing import readable
    from turnout.recordings.replay.sending import credentials_in

    names = sorted({readable(name) for exchange in exchanges for name in credentials_in(exchange.request)})
    return f"credentials in the recording are not sent: {', '.join(names)}" if names else ""


def known_secrets(settings: Settings, environment: Mapping[str, str]) -> tuple[Secret, ...]:
    """Every credential of the configuration and the environment that an answer might quote."""
    references = [*settings.access.keys, *(each for it in settings.providers.values() for each in it.credentials)]
    found = [settings.environment.get(each.name) if each.source == "env" else each.literal for each in references]
    found += [Secret(environment.get(name, "").strip()) for name in ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY")]
    return tuple(secret for secret in found if secret)


def _of_environment(environment: Mapping[str, str]) -> tuple[str, tuple[str, Secret]] | None:
    """Name of the variable, header and value: ANTHROPIC_AUTH_TOKEN before ANTHROPIC_API_KEY, as in Claude Code."""
    from turnout.credentials.keys import key_from

    for variable, header, lead in (
        ("ANTHROPIC_AUTH_TOKEN", "authorization", "Bearer "),
        ("ANTHROPIC_API_KEY", "x-api-key", ""),
    ):
        try:
            key = key_from(environment.get(variable, ""))
        except ValueError as error:
            raise ConfigError(str(error), key=variable) from None
        if key is not None:
            return variable, (header, Secret(lead + key.reveal()))
    return None


def _not_for(url: str, value: Secret, settings: Settings) -> str:
    """Why a credential does not go to an address; empty when it may."""
    from turnout.credentials.keys import ANTHROPIC_PREFIX
    from turnout.settings.load import DEFAULT_PROVIDER, presets

    if is_local(url) or is_configured(url, settings):
        return ""
    parts = urlsplit(url)
    key = value.reveal().removeprefix("Bearer ")
    if parts.scheme != "https":
        return "the connection is not encrypted"
    anthropic = urlsplit(str(presets()[DEFAULT_PROVIDER]["base_url"])).hostname
    if key.startswith(ANTHROPIC_PREFIX) and parts.hostname != anthropic:
        return f"it is a key of Anthropic, for {anthropic} alone"
    return "it is a client key of Turnout" if _is_client_key(value, settings) else ""


def _is_client_key(value: Secret, settings: Settings) -> bool:
    from turnout.gate.access import client_keys

    with suppress(ConfigError):
        return Secret(value.reveal().removeprefix("Bearer ")) in client_keys(settings)
    return False
