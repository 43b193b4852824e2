"""Drives mitmproxy's HTTP layer by events, without sockets: a client on one side, scripted providers on the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from mitmproxy import http, options
from mitmproxy.addons import proxyserver
from mitmproxy.connection import Client, ConnectionState, Server
from mitmproxy.proxy import commands, context, events
from mitmproxy.proxy.layers import http as layer
from mitmproxy.proxy.mode_specs import ProxyMode

HookHandler = Callable[[http.HTTPFlow], None]


def make_options() -> options.Options:
    """mitmproxy's options with those of its proxy server, without a master around them."""
    made = options.Options()
    proxyserver.Proxyserver().load(made)
    return made


class Wire:
    """One client connection in front of an HttpLayer. Whatever the layer asks for is done at once, unless held back."""

    def __init__(
        self,
        hooks: dict[str, HookHandler],
        opts: options.Options | None = None,
        mode: str = "reverse:http://127.0.0.1:9",
    ) -> None:
        self.hooks = hooks
        self.seen: list[str] = []
        self.held: set[str] = set()
        """Names of hooks (or `connect`) whose completion waits for `resume`."""
        self.waiting: list[Callable[[], None]] = []
        self.connect_errors: list[str | None] = []
        """What the next connects end with; None or an empty list: they succeed."""
        self.alpn: bytes | None = None
        """The protocol that servers speak: None is HTTP/1."""
        self.servers: list[Server] = []
        self.sent: dict[Any, bytearray] = {}
        self.closed: list[Any] = []
        self.wakeups: list[commands.RequestWakeup] = []
        self._queue: deque[events.Event] = deque()
        self._feeding = False
        self.client = Client(
            peername=("127.0.0.1", 50000),
            sockname=("127.0.0.1", 8082),
            timestamp_start=1.0,
            state=ConnectionState.OPEN,
            proxy_mode=ProxyMode.parse(mode),
        )
        self.context = context.Context(self.client, opts or make_options())
        self.context.server.address = ("127.0.0.1", 9)
        self.layer = layer.HttpLayer(self.context, layer.HTTPMode.transparent)
        self.context.layers = [self.layer]
        self.feed(events.Start())

    # --- towards the layer ---

    def feed(self, event: events.Event) -> None:
        """Hand an event to the layer. As in the real proxy, completions come after the run that asked for them."""
        self._queue.append(event)
        if self._feeding:
            return
        self._feeding = True
        try:
            while self._queue:
                for command in self.layer.handle_event(self._queue.popleft()):
                    self._do(command)
        finally:
            self._feeding = False

    def client_sends(self, data: bytes) -> None:
        self.feed(events.DataReceived(self.client, data))

    def client_leaves(self) -> None:
        self.client.state = ConnectionState.CLOSED
        self.feed(events.ConnectionClosed(self.client))

    def server_sends(self, data: bytes, number: int = -1) -> None:
        server = self.servers[number]
        if server.state & ConnectionState.CAN_READ:
            self.feed(events.DataReceived(server, data))

    def server_closes(self, number: int = -1) -> None:
        server = self.servers[number]
        if server.state is not ConnectionState.CLOSED:
            server.state = ConnectionState.CLOSED
            self.feed(events.ConnectionClosed(server))

    def wake(self, number: int = -1) -> None:
        """Let the wakeup asked for last (or by number) come due."""
        self.feed(events.Wakeup(self.wakeups[number]))

    def resume(self) -> None:
        """Complete what was held back, in order."""
        waiting, self.waiting = self.waiting, []
        for complete in waiting:
            complete()

    # --- from the layer ---

    def _do(self, command: commands.Command) -> None:
        if isinstance(command, commands.StartHook):
            self._hook(command)
        elif isinstance(command, commands.OpenConnection):
            self._connect(command)
        elif isinstance(command, commands.SendData):
            self.sent.setdefault(command.connection, bytearray()).extend(command.data)
        elif isinstance(command, commands.CloseTcpConnection) and command.half_close:
            command.connection.state &= ~ConnectionState.CAN_WRITE
        elif isinstance(command, commands.CloseConnection):
            command.connection.state = ConnectionState.CLOSED
            self.closed.append(command.connection)
        elif isinstance(command, commands.RequestWakeup):
            self.wakeups.append(command)
        else:
            assert isinstance(command, commands.Log), command

    def _hook(self, command: commands.StartHook) -> None:
        self.seen.append(command.name)
        (flow,) = command.args()
        handler = self.hooks.get(command.name)
        if handler is not None:
            handler(flow)
        if command.blocking:
            self._complete(command.name, lambda: self.feed(events.HookCompleted(command, None)))

    def _connect(self, command: commands.OpenConnection) -> None:
        error = self.connect_errors.pop(0) if self.connect_errors else None
        server = command.connection

        def complete() -> None:
            if error is None:
                server.state = ConnectionState.OPEN
                server.alpn = self.alpn
                server.timestamp_start = 1.0
                self.servers.append(server)
            else:
                server.error = error
            self.feed(events.OpenConnectionCompleted(command, error))

        self._complete("connect", complete)

    def _complete(self, name: str, complete: Callable[[], None]) -> None:
        if name in self.held:
            self.waiting.append(complete)
        else:
            complete()

    # --- what came of it ---

    @property
    def answer(self) -> bytes:
        """Everything the client has received."""
        return bytes(self.sent.get(self.client, b""))

    def received_by(self, number: int = -1) -> bytes:
        return bytes(self.sent.get(self.servers[number], b""))

    @property
    def streams(self) -> dict[int, Any]:
        return self.layer.streams


def body_of(answer: bytes) -> bytes:
    """The de-chunked body of the first response in `answer`, as far as it has come."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    if b"chunked" not in head.lower():
        return rest
    body = bytearray()
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size or b"0", 16)
        if length == 0:
            break
        body += rest[:length]
        rest = rest[length + 2 :]
    return bytes(body)


def is_ended(answer: bytes) -> bool:
    """A chunked answer that was closed properly."""
    return answer.endswith(b"0\r\n\r\n")
