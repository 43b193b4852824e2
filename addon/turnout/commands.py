"""What can be typed in the command bars of mitmweb and the mitmproxy console, and called by other addons.

The console shows a list of lines as a table, mitmweb as JSON. Lists are therefore logged as well: mitmweb's event log
is the place where they can be read there. Every failure is a CommandError; the console shows its text in the status
line, mitmweb as the result.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mitmproxy import command, ctx, exceptions, http, types
from mitmproxy.flow import Flow
from mitmproxy.io import FlowWriter

from turnout import __version__
from turnout.dialects.messages.stream import replace_model
from turnout.errors import ConfigError, TurnoutError
from turnout.exchange import ClientRequest
from turnout.flows.backup import backup_of
from turnout.flows.bridge import Bridge
from turnout.flows.client_side import client_request, pristine
from turnout.gate.paths import recognise
from turnout.metadata import CLIENT_MODEL, EXCHANGE, PART, RETRY, RETRY_OF
from turnout.proxy.modes import is_reverse
from turnout.redaction.text import redact
from turnout.reload import LiveSetup
from turnout.settings.model import Listen
from turnout.settings.pin import check_provider, lift_pin, write_pin
from turnout.settings.places import pin_file
from turnout.settings.writing import write_atomically
from turnout.setup import Setup
from turnout.status.explained import explain_plan, heading, plan_of
from turnout.status.report import snapshot
from turnout.status.text import client_url, page
from turnout.wire.endpoint import client_path

logger = logging.getLogger("turnout.commands")
logger.setLevel(logging.INFO)  # what was asked for is told also where Turnout is to be quiet

LONGEST = 400
"""Lines of an explanation. More would make a table that no UI shows well."""
LARGEST = 20_000_000
"""Bytes that are scrubbed in one command. Collecting them for the thread that does it holds up traffic for 0.1 s."""

Method = TypeVar("Method", bound=Callable[..., Any])

if TYPE_CHECKING:
    ProviderName = str
else:
    ProviderName = types.Choice("turnout.providers")


def offered(name: str) -> Callable[[Method], Method]:
    """Makes a method the command of this name."""

    def offer(method: Method) -> Method:
        @functools.wraps(method)
        def safe(*arguments: Any) -> Any:
            try:
                return method(*arguments)
            except exceptions.CommandError:
                raise
            except TurnoutError as error:
                raise exceptions.CommandError(_sentence(str(error))) from None
            except Exception as error:
                logger.warning("internal error in %s: %s", name, redact(f"{type(error).__name__}: {error}"))
                raise exceptions.CommandError(f"{name} failed; see the log.") from None

        return command.command(name)(safe)  # type: ignore[no-any-return]

    return offer


class Offered(list[str]):
    """Names for completion. mitmproxy takes any other for one of them, and the command says what is wrong with it."""

    def __contains__(self, name: object) -> bool:
        return True


class TurnoutCommands:
    """The commands, as an addon of their own. Addons share one namespace, hence the name."""

    def __init__(self, bridge: Bridge, live: LiveSetup) -> None:
        self._bridge = bridge
        self._live = live
        self._tasks: set[asyncio.Future[None]] = set()

    @offered("turnout.status")
    def status(self) -> Sequence[str]:
        """Providers, credentials, cooldowns, slots, usage and what was learned."""
        setup = self._setup()
        state = snapshot(self._bridge.dispatcher, setup, self._bridge.usage.snapshot(), __version__)
        return _told(page(_address(), state).splitlines(), setup)

    @offered("turnout.providers")
    def providers(self) -> Sequence[str]:
        """The names of the configured providers."""
        return Offered(self._setup().settings.providers)

    @offered("turnout.switch")
    def switch(self, provider: ProviderName) -> str:
        """Send everything to one provider, without failover. Every Turnout of this user follows."""
        settings = self._setup().settings
        self._check_no_option()
        check_provider(provider, settings)
        write_pin(pin_file(os.environ), provider)
        self._live.follow_pin()
        place = redact(settings.providers[provider].base_url)
        return f"Pinned to {provider} ({place}), without failover. turnout.reset goes back to the routes."

    @offered("turnout.reset")
    def reset(self) -> str:
        """Go back to the routes of the configuration."""
        self._check_no_option()
        was_pinned = lift_pin(pin_file(os.environ))
        self._live.follow_pin()
        lifted = "No provider is pinned any more." if was_pinned else "No provider was pinned."
        return f"{lifted} Requests follow the routes of the configuration."

    @offered("turnout.reload")
    def reload(self) -> str:
        """Read the configuration now. With a mistake in it the old one stays in force."""
        try:
            changed = self._live.reload()
        except ConfigError as error:
            raise TurnoutError(f"{_sentence(str(error))} The old configuration stays in force.") from None
        file = self._setup().settings.file or "defaults"
        return f"Configuration reloaded from {file}." if changed else f"Nothing to change: {file} is in force."

    @offered("turnout.explain")
    def explain(self, flow: Flow) -> Sequence[str]:
        """What each target of its plan would be sent for the request of this flow. Nothing is sent."""
        setup, dispatcher = self._setup(), self._bridge.dispatcher
        request = _request(_of_client(flow))
        if recognise(request.method, request.path).endpoint != "messages":
            raise TurnoutError(f"{request.method} {request.path} is no request to a model; there is nothing to explain")
        plan = plan_of(request, setup.settings, dispatcher.pinned, dispatcher.affinity)
        states = setup.chain.states_at_hand
        lines = explain_plan(request, plan, setup.settings, dispatcher.knowledge, states)
        try:
            shown = [heading(request, plan), *islice(lines, LONGEST)]
            rest = sum(1 for _ in lines)
        except (ValueError, RecursionError) as error:
            raise TurnoutError(f"The body of this request cannot be compared: {error}") from None
        return _told([*shown, *([f"… and {rest:,} more lines"] if rest else [])], setup)

    @offered("turnout.retry")
    def retry(self, flow: Flow, provider: ProviderName) -> str:
        """Send the client's request of this flow once more, to this provider alone, as a new flow beside it."""
        check_provider(provider, self._setup().settings)
        original = _of_client(flow)
        again = _again(original, provider)
        ctx.master.commands.call("replay.client", [again])
        return f"Sent again to {provider}, as a new flow: retry of {again.metadata[RETRY_OF]}."

    @offered("turnout.scrub.save")
    def scrub_save(self, flows: Sequence[Flow], path: types.Path) -> str:
        """Write flows without secrets, people and anybody's prose into a file, whose old content is replaced."""
        from turnout.recordings.scrub.flow import is_exchange

        if path.startswith("+"):
            raise TurnoutError("A scrubbed recording is a whole file: it cannot be added to one. Leave out the +")
        over = [flow for flow in flows if is_exchange(flow) and not flow.live]
        if not over:
            raise TurnoutError("There is nothing to write: no flow matches that is an HTTP exchange and over")
        file = Path(path).expanduser().absolute()
        if not file.parent.is_dir():
            raise TurnoutError(f"There is no folder {file.parent}. Nothing was written")
        if file.is_dir():
            raise TurnoutError(f"{file} is a folder. Name a file in it")
        left = len(flows) - len(over)
        rest = f" Left out: {left} still under way or no HTTP exchange." if left else ""
        told = f"{len(over)} scrubbed {'flow' if len(over) == 1 else 'flows'} to {file}.{rest}"
        self._in_background(_write_scrubbed, _recording(over), file, f"Wrote {told}")
        return f"Writing {told} The event log tells when it is done."

    # --- parts ---

    def _in_background(self, work: Callable[..., None], *arguments: Any) -> None:
        """mitmproxy runs commands in its event loop: what takes seconds would hold up all traffic."""
        task = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _setup(self) -> Setup:
        if self._live.current is None:
            raise TurnoutError("Turnout has no valid configuration; see its log")
        return self._live.current

    def _check_no_option(self) -> None:
        if pinned := self._live.pinned_by_option:
            raise TurnoutError(
                f"The option turnout_provider pins {pinned}, and outranks this command. Clear the option first"
            )


def _sentence(text: str) -> str:
    clean = redact(text)
    return clean if clean.endswith((".", "?", "!")) else f"{clean}."


def _told(lines: Iterable[str], setup: Setup) -> list[str]:
    """Lines for a result; logged too."""
    shown = redact("\n".join(lines), setup.chain.secrets())
    logger.info("%s", shown)
    return shown.split("\n")


def _address() -> str:
    """Where mitmproxy listens; empty when it does not."""
    proxyserver = ctx.master.addons.get("proxyserver")
    addresses = proxyserver.listen_addrs() if proxyserver is not None else ()
    return client_url(Listen(host=addresses[0][0], port=addresses[0][1])) if addresses else ""


def _of_client(flow: Flow) -> http.HTTPFlow:
    """The flow with the client's request: for a failed attempt that of its exchange. Raises TurnoutError."""
    if not isinstance(flow, http.HTTPFlow):
        raise TurnoutError("This flow is no HTTP request")
    if flow.metadata.get(PART) != "attempt":
        return flow
    shown = ctx.master.commands.call("view.flows.resolve", "@all") if ctx.master.addons.get("view") else ()
    for other in shown:
        if other.metadata.get(EXCHANGE) == flow.metadata.get(EXCHANGE) and other.metadata.get(PART) == "exchange":
            return _of_client(other)
    raise TurnoutError(
        "This is a failed attempt, and the flow with the client's request is not there: it is still under way, or was "
        "removed"
    )


def _request(flow: http.HTTPFlow) -> ClientRequest:
    """What the client sent, as far as the flow tells. Raises InvalidRequest for what names no model."""
    request = client_request(flow)
    request = replace(request, path=client_path(request.path))
    recorded = flow.metadata.get(CLIENT_MODEL) if backup_of(flow) is None else None
    if recorded and request.body:
        request = replace(request, body=replace_model(request.body, request.fields, str(recorded)))
    return request


def _again(original: http.HTTPFlow, provider: str) -> http.HTTPFlow:
    """A new flow with the client's request, for this provider. Raises TurnoutError for what cannot be sent."""
    if original.live:
        raise TurnoutError("This exchange is still under way. Retry it when it is over")
    if not is_reverse(original.client_conn):
        raise TurnoutError("This flow did not come in reverse mode, the only one that Turnout serves")
    request = _request(original)
    if recognise(request.method, request.path).endpoint is None:
        raise TurnoutError(f"Turnout answers {request.method} {request.path} itself; no provider is asked")
    request.model  # noqa: B018 - raises when there is no body, or none that names a model
    again = pristine(original)
    again.id, again.intercepted = str(uuid.uuid4()), False
    again.timestamp_created = again.request.timestamp_start = time.time()
    again.metadata |= {RETRY: provider, RETRY_OF: str(original.metadata.get(EXCHANGE) or original.id)}
    if backup_of(original) is None and (model := original.metadata.get(CLIENT_MODEL)):
        again.metadata[CLIENT_MODEL] = model
    return again


def _write_scrubbed(recording: bytes, file: Path, told: str) -> None:
    from turnout.recordings.scrub.files import scrub

    try:
        write_atomically(file, scrub(recording))
    except OSError as error:
        logger.warning("%s cannot be written (%s). Nothing was changed.", file, error.strerror or error)
    except Exception as error:
        logger.warning("%s was not written: %s", file, redact(str(error)))
    else:
        logger.info("%s", told)


def _recording(flows: Sequence[Flow]) -> bytes:
    """A flow file, the attempts of an exchange before it. Raises TurnoutError for one that is too large."""
    exchanges = {flow.metadata.get(EXCHANGE): index for index, flow in enumerate(flows) if _part(flow) == "exchange"}

    def place(index: int) -> tuple[int, bool]:
        flow = flows[index]
        last = exchanges.get(flow.metadata.get(EXCHANGE), index) if _part(flow) == "attempt" else index
        return last, _part(flow) != "attempt"

    stream = BytesIO()
    writer = FlowWriter(stream)
    for index in sorted(range(len(flows)), key=place):
        writer.add(flows[index])
        if stream.tell() > LARGEST:
            raise TurnoutError(
                f"These flows hold more than {LARGEST // 1_000_000} MB. Write them with save.file, "
                "then run: turnout scrub IN OUT"
            )
    return stream.getvalue()


def _part(flow: Flow) -> object:
    return flow.metadata.get(PART)
