"""A wire tap: relays bytes between a client and the proxy and records what the client really sent."""

from __future__ import annotations

import asyncio
from types import TracebackType

from turnout.testing.thread import LoopThread
from turnout.testing.wire import Incoming, MalformedRequest, RecordedRequest


class TapThread:
    """Listens on a loopback port of its own and relays every connection to `port`, in a thread.

    The relay does not look at what it carries, so that client and proxy behave as if they spoke directly.
    """

    def __init__(self, port: int) -> None:
        self.requests: list[RecordedRequest] = []
        self.url = ""
        self._port = port

    @property
    def messages(self) -> list[RecordedRequest]:
        return [request for request in self.requests if request.path == "/v1/messages"]

    def __enter__(self) -> TapThread:
        self._thread = LoopThread("tap")
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread.run(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._thread.run(self._close())
        self._thread.stop()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _close(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _relay(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        proxy, to_proxy = await asyncio.open_connection("127.0.0.1", self._port)
        copy = asyncio.StreamReader()
        recording = asyncio.ensure_future(self._record(copy))
        try:
            await asyncio.wait(
                [asyncio.ensure_future(_pump(client, to_proxy, copy)), asyncio.ensure_future(_pump(proxy, to_client))],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            copy.feed_eof()
            to_proxy.transport.abort()
            to_client.transport.abort()
            await recording
            self._tasks.discard(task)

    async def _record(self, copy: asyncio.StreamReader) -> None:
        incoming = Incoming(copy)
        try:
            while (request := await incoming.request()) is not None:
                self.requests.append(request)
        except MalformedRequest:
            pass  # the client left inside a request
        finally:
            await incoming.stop()


async def _pump(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, copy: asyncio.StreamReader | None = None
) -> None:
    try:
        while data := await source.read(65536):
            if copy is not None:
                copy.feed_data(data)
            sink.write(data)
            await sink.drain()
    except ConnectionError:
        pass
