"""class Turnout: the mitmproxy hooks, in the order in which a request meets them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mitmproxy import connection, ctx, exceptions, http
from mitmproxy.addonmanager import Loader
from mitmproxy.tls import TlsData

from turnout.commands import TurnoutCommands
from turnout.errors import ConfigError
from turnout.flows.bridge import Bridge
from turnout.flows.guarding import concluding, contained, guarded
from turnout.flows.trimming import Keep, Trimmer
from turnout.gate.access import check_listen
from turnout.inspect import views
from turnout.proxy.connecting import ConnectDeadlines, ServerConnectionHookData
from turnout.proxy.installing import ended, forget_hook, install
from turnout.proxy.modes import is_reverse, listen_addresses, listen_again, listen_hosts, listens_elsewhere
from turnout.proxy.script import Unloading, bring_back, position_of, unloading
from turnout.proxy.steering import carries_nothing, is_carried
from turnout.recordings.recorder import Recorder, path_of
from turnout.recordings.saved_files import keep_private
from turnout.redaction.log import redact_logs
from turnout.redaction.patterns import prepare
from turnout.redaction.text import redact
from turnout.reload import LiveSetup
from turnout.settings.address import is_loopback
from turnout.settings.model import Settings
from turnout.settings.privacy import private_from_now_on

logger = logging.getLogger("turnout")

_WHOLE_BODIES = (
    "stream_large_bodies cannot be used with Turnout: mitmproxy would send a large request on before it is routed"
)

_REVERSE_ONLY = "Turnout serves reverse mode only: start it with --mode reverse:http://127.0.0.1:9@127.0.0.1:8082"

OPTIONS = {
    "turnout_config": (
        "",
        "Configuration file (TOML). Default: $TURNOUT_CONFIG, ./mitm.conf, the user's config directory.",
    ),
    "turnout_provider": ("", "Pin one provider: every request goes there, without failover."),
    "turnout_record": ("", "File to which every exchange and every failed attempt is added, without secrets."),
    "turnout_keep": (
        "1000,512MB",
        "Finished flows that mitmweb and the console keep: their number, the size of their bodies, or both; or all.",
    ),
}
"""Name, default, help. All are strings: mitmproxy silently drops an addon whose typed option does not parse."""


def is_ours(flow: http.HTTPFlow) -> bool:
    """Turnout serves reverse mode. Flows that are only shown (loaded files, published attempts) are nobody's."""
    return flow.live and is_reverse(flow.client_conn)


def is_ready(addon: Any) -> bool:
    """Whether an addon is a Turnout, of this package or another version of it, that serves requests."""
    bridge = getattr(addon, "bridge", None)
    return bridge is not None and bridge.settings is not None


def _check_addresses(settings: Settings) -> None:
    """No address that other machines reach without client keys (A17). Raises ConfigError."""
    for host in listen_hosts(ctx.options.mode, ctx.options.listen_host):
        check_listen(host, settings.access)


def _own_addresses() -> list[tuple[str, int]]:
    return listen_addresses(ctx.options.mode, ctx.options.listen_host, ctx.options.listen_port)


def _remove_from_view(flow: http.HTTPFlow) -> None:
    ctx.master.commands.call("view.flows.remove", [flow])


class Turnout:
    """The addon. `script` is the file that mitmproxy loaded it from; None where there is none."""

    def __init__(self, script: Path | None = None) -> None:
        self._script = script
        self._place = (0, "")
        self._elders: list[Turnout] = []
        self._is_replaced = False
        self.bridge = Bridge(self._over)
        self.setup = LiveSetup(_check_addresses, self.bridge.adopt, self.bridge.pin, addresses=_own_addresses)
        self.addons = [TurnoutCommands(self.bridge, self.setup)]
        self.deadlines = ConnectDeadlines()
        self._unregister: Callable[[], None] = lambda: None
        self._share_again: Callable[[], None] = lambda: None
        self._started = False
        self._recorder: Recorder | None = None
        self._trimmer = Trimmer(Keep(), _remove_from_view)

    # --- life of the addon ---

    def load(self, loader: Loader) -> None:
        for name, (default, help_text) in OPTIONS.items():
            loader.add_option(name, str, default, help_text)
        self.setup.memory = vars(ctx.master)
        before = install(self)
        self._elders = before.hand_over(self) if before is not None else []
        self._unregister = views.register()
        self._share_again = private_from_now_on()  # also what mitmproxy saves
        prepare()
        redact_logs(self.setup.secrets)

    def configure(self, updated: set[str]) -> None:
        if "termlog_verbosity" in updated:
            # A line that no terminal shows costs as much as a hook: mitmproxy hands it to every addon.
            logger.setLevel(ctx.options.termlog_verbosity.upper())
        if "mode" in updated and ctx.options.server and not listen_hosts(ctx.options.mode, ""):
            logger.warning(_REVERSE_ONLY)
        if updated & {"save_stream_file", "hardump"}:
            keep_private(ctx.options.save_stream_file, ctx.options.hardump)
        if not self._started:
            self._safe_defaults()
        elif "stream_large_bodies" in updated and ctx.options.stream_large_bodies:
            raise exceptions.OptionsError(_WHOLE_BODIES)
        try:
            options = ctx.options
            if updated & {"turnout_config", "turnout_provider"}:
                self.setup.start(options.turnout_config or None, options.turnout_provider or None)
            if "turnout_keep" in updated:
                self._trimmer.keep = Keep.parse(options.turnout_keep)
            if "turnout_record" in updated:
                self._record(options.turnout_record)
            if self.bridge.settings is not None:
                _check_addresses(self.bridge.settings)
        except ConfigError as error:
            if self._started:
                raise exceptions.OptionsError(str(error)) from None
            logger.error("turnout: %s", error)  # an error logged during start makes mitmproxy exit with 1

    def running(self) -> None:
        self._started = True
        if self._script is not None:
            self._place = position_of(self._script)
        self.setup.watch()
        if listens_elsewhere():
            self._relisten = asyncio.get_running_loop().create_task(listen_again())

    def done(self) -> None:
        """The streams stay in mitmproxy and refuse what nobody prepares: no request is sent without an addon."""
        self.setup.stop()
        self._unregister()
        self._share_again()
        forget_hook()
        why = unloading(self._script)
        if why is Unloading.FOR_GOOD or self._script is None:
            self.deadlines.cancel_all()
            self.bridge.abandon_all()
            self._record("")
            ended()
            return
        returning = bring_back(self._script, self._place, self._files, is_ready)
        self._return = asyncio.get_running_loop().create_task(returning, name="turnout: bring the script back")

    def _files(self) -> list[Path]:
        """What a new Turnout would be made of."""
        return [*([self._script] if self._script else []), *Path(__file__).parent.rglob("*.py")]

    def hand_over(self, successor: Turnout) -> list[Turnout]:
        """Another Turnout is loaded: flows go there when they are over. Those that still have to be served to their
        end by this one, and by others before it, are in the list."""
        self._record("")
        self._keep = successor._keep  # type: ignore[method-assign]
        self._is_replaced = type(successor) is not type(self)
        self.bridge.put_away_ended()
        return [elder for elder in (self, *self._elders) if elder.is_needed]

    # --- whose flow it is ---

    @property
    def is_needed(self) -> bool:
        return self.bridge.is_busy or (self._is_replaced and not carries_nothing())

    def serves(self, flow: http.HTTPFlow) -> bool:
        """Whether a Turnout that was replaced serves this flow: it began with it, or its streams carry it."""
        return self.bridge.knows(flow) or (self._is_replaced and is_carried(flow))

    def keeper_of(self, flow: http.HTTPFlow) -> Turnout | None:
        if self._elders and not self.bridge.knows(flow):
            keeper = next((elder for elder in self._elders if elder.serves(flow)), None)
            if keeper is not None:
                return keeper
        return self if is_ours(flow) or self.bridge.knows(flow) else None

    def fault(self, flow: http.HTTPFlow, error: Exception) -> None:
        self.bridge.fault(flow, error)

    def fault_at_end(self, flow: http.HTTPFlow, error: Exception) -> None:
        self.bridge.fault_at_end(flow, error)

    def _record(self, file: str) -> None:
        """Record into this file from now on; none without a name. Raises ConfigError and then changes nothing."""
        if file and self._recorder is not None and self._recorder.file == path_of(file):
            return
        recorder = Recorder(path_of(file)) if file else None
        if self._recorder is not None:
            self._recorder.close()
        self._recorder = recorder
        if recorder is not None:
            logger.info("recording to %s", recorder.file)

    def _over(self, flow: http.HTTPFlow) -> None:
        """Nothing that goes wrong here may cost a client its answer."""
        try:
            self._keep(flow)
        except Exception as error:
            logger.warning("a flow could not be kept: %s", redact(f"{type(error).__name__}: {error}"))

    def _keep(self, flow: http.HTTPFlow) -> None:
        if self._recorder is not None:
            self._recorder.add(flow)
        if ctx.master.addons.get("view") is not None:  # mitmdump forgets flows by itself
            self._trimmer.over(flow)

    def _safe_defaults(self) -> None:
        """mitmproxy alone would dial before any hook, listen on every interface, and hide the client's Host header."""
        changes: dict[str, Any] = {}
        if ctx.options.connection_strategy != "lazy":
            changes["connection_strategy"] = "lazy"
        if not ctx.options.listen_host:
            changes["listen_host"] = "127.0.0.1"
        if not ctx.options.keep_host_header:
            changes["keep_host_header"] = True
        if ctx.options.stream_large_bodies:
            logger.warning(_WHOLE_BODIES)
            changes["stream_large_bodies"] = None
        if changes:
            logger.info("turnout sets %s", ", ".join(f"{name}={value}" for name, value in changes.items()))
            ctx.options.update(**changes)

    # --- a request comes in ---

    @contained
    def client_connected(self, client: connection.Client) -> None:
        """Before `running` has moved a listener, mitmproxy 12 may listen on every interface."""
        settings = self.bridge.settings
        guarded_by_keys = settings is not None and settings.access.keys
        if is_reverse(client) and not guarded_by_keys and not is_loopback(client.sockname[0]):
            client.error = "this address is not served without client keys"

    @guarded
    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        self.bridge.arrive(flow)

    @guarded
    async def request(self, flow: http.HTTPFlow) -> None:
        """Fires once for every attempt."""
        await self.bridge.attempt(flow)

    # --- an attempt is made ---

    @contained
    def server_connect(self, data: ServerConnectionHookData) -> None:
        self.deadlines.connecting(data, self.bridge.connect_within(data.client.id, data.server.address))

    @contained
    def server_connected(self, data: ServerConnectionHookData) -> None:
        self.deadlines.connected(data)

    @contained
    def tls_established_server(self, data: TlsData) -> None:
        self.deadlines.secured(data)

    @contained
    def tls_failed_server(self, data: TlsData) -> None:
        self.deadlines.settled(data.conn.id)

    @contained
    def server_connect_error(self, data: ServerConnectionHookData) -> None:
        self.deadlines.settled(data.server.id)

    @contained
    def server_disconnected(self, data: ServerConnectionHookData) -> None:
        self.deadlines.settled(data.server.id)

    # --- it answers, or fails ---

    @guarded
    async def responseheaders(self, flow: http.HTTPFlow) -> None:
        self.bridge.answer_begins(flow)

    @guarded
    async def upstream_failed(self, flow: http.HTTPFlow) -> None:
        """Our own hook: an attempt failed before anything reached the client."""
        await self.bridge.attempt_failed(flow, self.deadlines.reason(flow.client_conn.id))

    # --- it is over ---

    @concluding
    async def response(self, flow: http.HTTPFlow) -> None:
        self.bridge.finished(flow)

    @concluding
    async def error(self, flow: http.HTTPFlow) -> None:
        self.bridge.broken(flow)

    @contained
    def client_disconnected(self, client: connection.Client) -> None:
        self.bridge.client_left(client.id)
        self.deadlines.reason(client.id)
        for elder in self._elders:
            elder.client_disconnected(client)
        self._elders = [elder for elder in self._elders if elder.is_needed]
