"""The real proxy, started in this process for `turnout demo`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mitmproxy import http
from mitmproxy.options import Options
from mitmproxy.tools.dump import DumpMaster

from turnout.cli.run import DEAD_TARGET
from turnout.settings.places import route_script

STARTS_WITHIN = 20.0
"""Seconds. The first start makes a certificate authority, which takes about one."""

NOTES_WITHIN = 2.0
"""Seconds. The note of a flow is written when the proxy has seen its end, a moment after the client."""


class Journal:
    """A mitmproxy addon that comes after Turnout and keeps the comment of every finished flow."""

    def __init__(self) -> None:
        self.running_now = asyncio.Event()
        self.comments: list[str] = []
        self._changed = asyncio.Event()

    def running(self) -> None:
        self.running_now.set()

    def response(self, flow: http.HTTPFlow) -> None:
        self._keep(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        self._keep(flow)

    async def wait_for(self, count: int) -> list[str]:
        """The comments, once there are `count` of them; those there are when that takes too long."""
        try:
            async with asyncio.timeout(NOTES_WITHIN):
                while len(self.comments) < count:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass
        return list(self.comments)

    def _keep(self, flow: http.HTTPFlow) -> None:
        self.comments.append(flow.comment)
        self._changed.set()


class ErrorLog(logging.Handler):
    """Keeps what was logged as an error; mitmproxy ends the process after one, without repeating it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@asynccontextmanager
async def running_proxy(config: Path) -> AsyncIterator[tuple[str, Journal]]:
    """The base URL of a proxy with this configuration, and its journal. mitmproxy's own files go beside the config.

    mitmproxy ends the process with SystemExit when the start fails; the reason is then in an ErrorLog.
    """
    options = Options(mode=[f"reverse:{DEAD_TARGET}@127.0.0.1:0"], confdir=str(config.parent))
    master = DumpMaster(options, with_termlog=False, with_dumper=False)
    journal = Journal()
    options.set(f"turnout_config={config}", "connection_strategy=lazy", defer=True)
    options.update(scripts=[str(route_script())])
    master.addons.add(journal)
    task = asyncio.create_task(master.run())
    try:
        async with asyncio.timeout(STARTS_WITHIN):
            await journal.running_now.wait()
        (host, port, *_), *_ = master.addons.get("proxyserver").listen_addrs()
        yield f"http://{host}:{port}", journal
    finally:
        master.shutdown()
        await task
