"""`turnout demo`: watch a request move from one provider to the next. No key, no network, no configuration.

Two scripted providers and the real proxy run in this process; the configuration is written to a folder that goes away.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from turnout.cli.demo_answers import quota_used_up, recorded_answer, recorded_events
from turnout.errors import TurnoutError
from turnout.status.text import table
from turnout.testing.provider import ScriptedProvider
from turnout.wire.sse import EventSplitter, parse_event

TOKENS_PER_SECOND = 30

REQUEST = json.dumps(
    {
        "model": "claude-sonnet-5-5",
        "max_tokens": 1024,
        "stream": True,
        "messages": [{"role": "user", "content": "What happens when my quota is used up in the middle of my work?"}],
    }
).encode()

FIRST, SECOND = "first", "second"
"""The names of the providers."""

_MARGIN = "  │ "

_CLAUDE_CODE = "ANTHROPIC_BASE_URL=http://127.0.0.1:8082 claude"


@dataclass(frozen=True)
class Shown:
    """What the client of the demo got."""

    status: int
    body: bytes
    first_event: float
    """Seconds from sending the request to the first byte of the answer."""


def demo(
    fast: Annotated[bool, typer.Option("--fast", hidden=True, help="Stream without pauses.")] = False,
) -> None:
    """Show a failover: needs no key, no network and no configuration."""
    from turnout.cli.demo_proxy import ErrorLog

    first = ScriptedProvider(quota_used_up(), strict="nothing")
    second = ScriptedProvider(recorded_answer(0 if fast else 1 / TOKENS_PER_SECOND), strict="nothing")
    errors = ErrorLog()
    logging.getLogger().addHandler(errors)
    try:
        with tempfile.TemporaryDirectory(prefix="turnout-demo-") as folder, isolated(folder):
            asyncio.run(_play(Path(folder), first, second))
    except (SystemExit, TimeoutError):
        raise TurnoutError(f"the proxy did not start. {' '.join(errors.messages)}".rstrip()) from None
    finally:
        logging.getLogger().removeHandler(errors)


@contextmanager
def isolated(folder: str) -> Iterator[None]:
    """Nothing the user has configured counts: no TURNOUT_… variable, no state, no login."""
    before = dict(os.environ)
    for name in [name for name in before if name.startswith("TURNOUT_")]:
        del os.environ[name]
    for name in ("HOME", "APPDATA", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "CLAUDE_CONFIG_DIR"):
        os.environ[name] = folder
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def write_config(file: Path, addresses: Mapping[str, str]) -> None:
    """A configuration that sends every model to the providers of these names, in this order."""
    tables = [f'[providers.{name}]\nbase_url = "{address}"\nauth = "none"\n' for name, address in addresses.items()]
    route = f'[[routes]]\nmodel = "*"\nto = {json.dumps(list(addresses))}\n'
    file.write_text("\n".join([*tables, route]), encoding="utf-8")


async def _play(folder: Path, first: ScriptedProvider, second: ScriptedProvider) -> None:
    from turnout.cli.demo_proxy import running_proxy

    config = folder / "mitm.conf"
    async with AsyncExitStack() as stack:
        for provider in (first, second):
            await stack.enter_async_context(provider)
        write_config(config, {FIRST: first.url, SECOND: second.url})
        url, journal = await stack.enter_async_context(running_proxy(config))
        typer.echo(_opening(url, first, second))
        received = await ask(url)
        comments = await journal.wait_for(len(first.messages) + len(second.messages))
    check(received, first, second)
    typer.echo(_closing(received, comments))


async def ask(url: str) -> Shown:
    """Send the request as any client would, and print the text of the answer as it arrives."""
    import httpx

    body = bytearray()
    splitter = EventSplitter()
    headers = {"content-type": "application/json", "anthropic-version": "2023-06-01"}
    first_event = None
    try:
        # A proxy of the environment has no business between this machine and itself.
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            started = time.monotonic()
            async with client.stream("POST", f"{url}/v1/messages", content=REQUEST, headers=headers) as answer:
                typer.echo(_MARGIN, nl=False)
                async for chunk in answer.aiter_raw():
                    first_event = first_event or time.monotonic() - started
                    body += chunk
                    for frame in splitter.feed(chunk):
                        _show(frame)
    except httpx.HTTPError as error:
        raise TurnoutError(f"the answer broke off: {str(error) or type(error).__name__}") from None
    typer.echo("\n")
    return Shown(answer.status_code, bytes(body), first_event or 0.0)


def check(received: Shown, first: ScriptedProvider, second: ScriptedProvider) -> None:
    """Raises TurnoutError unless the demo showed what it says: every claim of its last lines is tested here."""
    if received.status != 200:
        raise TurnoutError(f"the proxy answered {received.status}: {received.body.decode(errors='replace')}")
    if received.body != b"".join(recorded_events()):
        raise TurnoutError("the answer that reached the client is not the one the second provider sent")
    for name, provider in ((FIRST, first), (SECOND, second)):
        if [request.body for request in provider.messages] != [REQUEST]:
            raise TurnoutError(f"provider {name} was not sent the request exactly once, byte for byte")


def _show(frame: bytes) -> None:
    """Print the text of one event, behind the margin."""
    event = parse_event(frame)
    if event is not None and event.name == "content_block_delta":
        text: str = json.loads(event.data)["delta"]["text"]
        typer.echo(text.replace("\n", f"\n{_MARGIN}"), nl=False)


def _opening(url: str, first: ScriptedProvider, second: ScriptedProvider) -> str:
    places = [
        (FIRST, first.url, "a provider whose quota is used up"),
        (SECOND, second.url, "a provider that answers"),
        ("turnout", url, "sends every model to first, then to second"),
    ]
    heading = "Turnout demo. Everything runs on this machine: no key, no network."
    return "\n".join([heading, "", *table(places), "", "POST /v1/messages, streaming. The answer:", ""])


def _closing(received: Shown, comments: Sequence[str]) -> str:
    events = received.body.count(b"\n\n")
    lines = [
        "What happened, in Turnout's words:",
        "",
        *(f"  {comment}" for comment in comments),
        "",
        f"The client sent one request and got one answer: status {received.status}, {events} events, the first after "
        f"{received.first_event:.2f} s.",
        f"Both providers were sent the same {len(REQUEST):,} bytes, and the answer arrived byte for byte.",
        "",
        "Now with your own providers:",
        "",
        *table([("turnout run", "start the proxy"), (_CLAUDE_CODE, "in another terminal")]),
    ]
    return "\n".join(lines)
