"""Turnout inside mitmproxy, as tests start it: in the test's own event loop, or as a mitmdump process."""

from __future__ import annotations

import asyncio
import logging
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

DEAD_TARGET = "reverse:http://127.0.0.1:9@127.0.0.1:0"
"""Where an unrouted request would go: nowhere. The port is chosen by the system."""

START_SECONDS = 60
STOP_SECONDS = 30


def free_port() -> int:
    """A port for a program that cannot choose one itself and say which, such as mitmweb's own server."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class _Capture:
    """The last addon of the chain: says when the proxy runs and keeps every finished flow."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.flows: list[Any] = []
        self._finished = asyncio.Condition()

    def running(self) -> None:
        self.started.set()

    async def response(self, flow: Any) -> None:
        await self._keep(flow)

    async def error(self, flow: Any) -> None:
        await self._keep(flow)

    async def _keep(self, flow: Any) -> None:
        async with self._finished:
            self.flows.append(flow)
            self._finished.notify_all()

    async def wait_for(self, count: int) -> None:
        async with self._finished:
            await self._finished.wait_for(lambda: len(self.flows) >= count)


class _Errors(logging.Handler):
    """Collects what mitmproxy and Turnout log at ERROR: a hook that raised, a task that died."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(self.format(record))


class RunningProxy:
    """An in-process mitmproxy with Turnout loaded. One at a time: mitmproxy keeps its master in a global."""

    def __init__(self, options: Mapping[str, Any], scripts: Sequence[str]) -> None:
        self._options = {**options, "scripts": list(scripts)}
        self._capture = _Capture()
        self._log = _Errors()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def flows(self) -> list[Any]:
        """Flows whose response or error hook has run, in that order."""
        return self._capture.flows

    @property
    def errors(self) -> list[str]:
        """Log lines at ERROR. A test that expects some checks and clears them; the fixture wants none left."""
        return self._log.messages

    @property
    def addon(self) -> Any:
        """The Turnout instance that the script made."""
        found = self.master.addons.get("turnout")
        assert found is not None, "addon/route.py did not add an addon called turnout"
        return found

    async def finished(self, count: int = 1) -> list[Any]:
        """Wait until `count` flows are finished."""
        await asyncio.wait_for(self._capture.wait_for(count), START_SECONDS)
        return self.flows

    async def stop_recording(self) -> None:
        """End `turnout_record`: what it has written is complete after this."""
        self.master.options.update(turnout_record="")

    async def start(self) -> None:
        from mitmproxy.options import Options
        from mitmproxy.tools.dump import DumpMaster

        logging.getLogger().addHandler(self._log)
        self.master = DumpMaster(Options(), with_termlog=False, with_dumper=False)
        self.master.addons.add(self._capture)
        # Options of the script do not exist before it is loaded, which happens in the first turns of the loop.
        self.master.options.update_defer(**self._options)
        self._running = asyncio.ensure_future(self._run())
        started = asyncio.ensure_future(self._capture.started.wait())
        await asyncio.wait({self._running, started}, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        if self._running.done() or not self._capture.started.is_set():
            reasons = "\n".join(self.errors)
            self.errors.clear()
            raise AssertionError(f"the proxy did not start:\n{reasons}")
        self.port = self.master.addons.get("proxyserver").listen_addrs()[0][1]

    async def _run(self) -> None:
        try:
            await self.master.run()
        except SystemExit as leaving:  # mitmproxy's answer to an error at start-up; it must not end the test run
            self.errors.append(f"mitmproxy left with exit code {leaving.code}")
            await self.master.done()  # takes its log handlers away, which mitmproxy does after a good start alone
            self.master.addons.get("errorcheck").finish()

    async def stop(self) -> None:
        await self.master.addons.get("proxyserver").servers.update([])  # mitmproxy leaves its listeners to process exit
        self.master.shutdown()
        await asyncio.wait_for(self._running, STOP_SECONDS)
        logging.getLogger().removeHandler(self._log)


class MitmdumpProcess:
    """A mitmdump (or mitmweb) process; its output is collected line by line while it runs."""

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], directory: Path, tool: str = "mitmdump"
    ) -> None:
        command = [str(Path(sys.executable).parent / tool), *arguments]
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self._process = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """The port it listens on; waits until the log says so."""
        return int(self.logged(r"listening at (?:http://)?[^ ]*:(\d+)")[1])

    def logged(self, pattern: str, timeout: float = START_SECONDS) -> re.Match[str]:
        """Wait for a line of output; AssertionError with all the output when it does not come."""
        found = self._first(lambda: self._search(pattern), timeout)
        assert found, f"mitmdump never wrote {pattern!r}, exit code {self._process.poll()}:\n{self.output}"
        return found

    def exit_code(self, timeout: float = START_SECONDS) -> int:
        """Wait for the process to end by itself."""
        code = self._process.wait(timeout)
        self._reader.join(STOP_SECONDS)
        return code

    def stop(self) -> int:
        """SIGTERM, and the exit code. Flow files are complete only after this."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            code = self.exit_code(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"mitmdump ignored SIGTERM:\n{self.output}") from None
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    def _collect(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _search(self, pattern: str) -> re.Match[str] | None:
        return next((found for line in self.lines if (found := re.search(pattern, line))), None)

    def _first(self, look: Callable[[], re.Match[str] | None], timeout: float) -> re.Match[str] | None:
        with self._changed:
            self._changed.wait_for(lambda: look() or self._ended, timeout)
            return look()
