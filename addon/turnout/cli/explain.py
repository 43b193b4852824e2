"""`turnout explain`: what would be sent to each target for a request, as a diff, without sending anything."""

from __future__ import annotations

import codecs
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from turnout.cli.run import ConfigOption, pinned_provider
from turnout.errors import ConfigError, InvalidRequest
from turnout.settings.places import state_directory

if TYPE_CHECKING:
    from turnout.exchange import ClientRequest
    from turnout.journey.knowledge import Knowledge
    from turnout.settings.model import Provider, Settings

PATH = "/v1/messages"
STANDARD_INPUT = "-"

NO_BETAS = "anthropic-beta: none given; name what the client sends with --beta"

_RECORDING = re.compile(rb"\d+:\d")
"""How a file of mitmproxy begins: the length of a flow, and that of its first key."""

_STYLES = {"@@": "cyan", "- ": "red", "+ ": "green"}


def explain(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Request body as JSON; - reads standard input.")],
    config: ConfigOption = None,
    beta: Annotated[
        list[str] | None,
        typer.Option(metavar="VALUE", help="Value of the client's anthropic-beta header; may be repeated, or a list."),
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="Ask for this model instead.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what is sent, whole, as one JSON list.")] = False,
) -> None:
    """Show what each target of a request's plan would be sent. Nothing is sent."""
    from turnout.settings.load import load

    sys.set_int_max_str_digits(0)  # the proxy passes integers of any length on
    settings = load(config)
    body = read_body(file)
    betas = [value.strip() for text in beta or () for value in text.split(",") if value.strip()]
    try:
        request, pinned = client_request(body, betas, model), pinned_provider(settings)
        text = [document(request, settings, pinned)] if as_json else list(page(request, settings, pinned))
    except InvalidRequest as error:
        raise _unusable(file, error.message.rstrip(".")) from None
    except RecursionError:
        raise _unusable(file, "the request body is nested too deeply") from None
    except ValueError as error:  # what the top level of the body does not show
        raise _unusable(file, f"the request body is not valid JSON: {error}") from None
    show(text)


def read_body(file: str) -> bytes:
    """The bytes of a file or of standard input. Raises ConfigError when there are none."""
    try:
        body = sys.stdin.buffer.read() if file == STANDARD_INPUT else Path(file).expanduser().read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _unusable(file, f"cannot be read ({reason})") from None
    if not body.strip():
        raise _unusable(file, "is empty. A request body is expected: the JSON that a client posts to /v1/messages")
    if _RECORDING.match(body):
        raise _unusable(file, "is a recording. A request body is expected; turnout.explain in mitmweb explains a flow")
    return body


def client_request(body: bytes, betas: Iterable[str], model: str | None) -> ClientRequest:
    """The request as a client would send it. Raises InvalidRequest when the body is none, or names no model."""
    import msgspec

    from turnout.exchange import ClientRequest

    value = ",".join(betas)
    headers = {"content-type": "application/json"} | ({"anthropic-beta": value} if value else {})
    request = ClientRequest("POST", PATH, headers, body.removeprefix(codecs.BOM_UTF8).strip())
    if model is not None:
        renamed = msgspec.json.encode({**request.fields, "model": model})
        request = ClientRequest("POST", PATH, headers, renamed)
    request.model  # noqa: B018 - raises when there is none
    return request


def page(request: ClientRequest, settings: Settings, pinned: str | None) -> Iterator[str]:
    """The whole explanation, line by line."""
    from turnout.status.explained import BETA_HEADER, explain_plan, heading, plan_of

    plan = plan_of(request, settings, pinned)
    yield heading(request, plan)
    if BETA_HEADER not in request.headers:
        yield NO_BETAS
    yield from explain_plan(request, plan, settings, _knowledge(settings), partial(_credential_states, settings))


def document(request: ClientRequest, settings: Settings, pinned: str | None) -> str:
    """What is sent, as JSON."""
    from turnout.status.explained import explain_as_json, plan_of

    return explain_as_json(request, plan_of(request, settings, pinned), settings, _knowledge(settings))


def _knowledge(settings: Settings) -> Knowledge:
    from turnout.journey.knowledge import Knowledge

    knowledge = Knowledge()
    knowledge.configure(settings.providers)
    knowledge.keep_in(state_directory(os.environ), signatures=settings.store.signatures)
    return knowledge


def show(text: Iterable[str]) -> None:
    """Print lines, the diffs in colours on a terminal; elsewhere plain, and never wrapped."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for line in text:
        console.print(Text(line, style=_STYLES.get(line[:2], "")), soft_wrap=True)


def _credential_states(settings: Settings, provider: Provider) -> Sequence[tuple[str, str]]:
    from turnout.status.start_up import credential_states

    return credential_states(settings.model_copy(update={"providers": {provider.name: provider}}))[provider.name]


def _unusable(file: str, reason: str) -> ConfigError:
    name = "standard input" if file == STANDARD_INPUT else os.fspath(file)
    return ConfigError(f"{name}: {reason}")
