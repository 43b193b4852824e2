"""A mitmproxy script through which a test reaches into a running mitmdump: options, reloads, faults, what is alive.

It listens on the port in $REMOTE_PORT; each line is a JSON object {"do": NAME, …}, each answer a line of JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from mitmproxy import ctx

HOOKS = (
    "client_connected",
    "next_layer",
    "tls_clienthello",
    "requestheaders",
    "request",
    "server_connect",
    "responseheaders",
    "upstream_failed",
    "response",
    "error",
)

COUNTED = ("FailoverStream", "HTTPFlow", "HttpLayer", "Journey", "AnswerMonitor", "Lease")


class Remote:
    """Raises in the hooks that it was told, before any script that is loaded after it is asked."""

    def __init__(self) -> None:
        self._raising: set[str] = set()
        for name in HOOKS:
            setattr(self, name, self._hook(name))

    def _hook(self, name: str) -> Callable[..., Awaitable[None]]:
        async def hook(*_: Any) -> None:
            if name in self._raising:
                raise RuntimeError(f"a fault in {name}")

        return hook

    def running(self) -> None:
        self._starting = asyncio.get_running_loop().create_task(self._serve())

    async def _serve(self) -> None:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", int(os.environ["REMOTE_PORT"]))

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            asked = json.loads(line)
            try:
                answer = getattr(self, f"do_{asked.pop('do')}")(**asked)
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()

    def do_options(self, changes: dict[str, Any]) -> dict[str, Any]:
        ctx.options.update(**changes)
        return {}

    def do_raise(self, hooks: list[str]) -> dict[str, Any]:
        self._raising = set(hooks)
        return {}

    def do_reload(self) -> dict[str, Any]:
        """As mitmproxy's watcher does within a second, and Turnout's own within another."""
        for name in ctx.options.scripts:
            if name.endswith("route.py") and (script := ctx.master.addons.get(f"scriptmanager:{name}")):
                script.loadscript()
        return self.do_loaded()

    def do_loaded(self) -> dict[str, Any]:
        return {"loaded": ctx.master.addons.get("turnout") is not None}

    def do_look(self) -> dict[str, Any]:
        """Look at the configuration now."""
        turnout = ctx.master.addons.get("turnout")
        if turnout is not None:
            turnout.setup.look()
        return {}

    def do_alive(self) -> dict[str, Any]:
        """What is there after a garbage collection: tasks, and objects of the classes that requests are made of."""
        gc.collect()
        counts = Counter(type(each).__name__ for each in gc.get_objects())
        return {"tasks": len(asyncio.all_tasks()), **{name: counts[name] for name in COUNTED}}


addons = [Remote()]
