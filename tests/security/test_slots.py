"""A slot is given back whatever raises, in Turnout or in another addon, and whatever the client does (A11)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.proxy.support import BODY, HEADERS, QUICK, ask, provider_table, route
from turnout.flows.masking import Masks
from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import ScriptedProvider
from turnout.testing.proxy import RunningProxy
from turnout.testing.replies import error, hang_after, sse

RAISES = """
def {hook}(flow):
    raise RuntimeError("a fault of another addon")
"""

PLACES = (
    "bridge._end",
    "bridge._tell",
    "bridge._put_away",
    "bridge._on_over",
    "bridge.finished",
    "bridge.broken",
    "bridge.answer_begins",
    "bridge.attempt_failed",
    "bridge.usage.add",
    "bridge.dispatcher.served",
    "bridge.dispatcher.close",
    "bridge.dispatcher.first_word",
    "bridge.dispatcher.failed",
    "bridge.dispatcher._settle",
    "bridge.dispatcher.knowledge.minted",
)


def config(upstream: ScriptedProvider, spare: ScriptedProvider) -> str:
    limits = "max_concurrent = 1\nslot_wait = '300ms'\ncooldown = '1ms'"
    limited = provider_table("p", upstream, key="key-1", extra=limits)
    return limited + provider_table("spare", spare, key="key-2") + route("p", "spare") + QUICK


def slots(running: RunningProxy) -> int:
    taken: int = running.addon.bridge.dispatcher.slots.snapshot()["p"]["in_use"]
    return taken


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0)


def owner(running: RunningProxy, place: str) -> tuple[Any, str]:
    found: Any = running.addon
    *path, name = place.split(".")
    for step in path:
        found = getattr(found, step)
    return found, name


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("place", PLACES)
async def test_a_fault_of_turnout_keeps_no_slot(
    proxy: StartProxy, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, place: str, fails: bool, stream: bool
) -> None:
    first = error(529, "overloaded_error") if fails else None
    async with ScriptedProvider(first, accepts="key-1") as upstream, ScriptedProvider(accepts="key-2") as spare:
        running = await proxy(config(upstream, spare))

        def explode(*_: Any, **__: Any) -> Any:
            raise RuntimeError("a fault")

        with monkeypatch.context() as patched:
            patched.setattr(*owner(running, place), explode)
            answer = await ask(client, running.url, {"stream": stream})
            assert answer.status_code in (200, 500) and (answer.status_code == 200 or answer.json()["error"])
            await until(lambda: slots(running) == 0)
        upstream.play(sse())
        running.errors.clear()
        assert (await ask(client, running.url)).status_code == 200


@pytest.mark.parametrize("hook", ["response", "error"])
async def test_another_addon_that_raises_in_the_last_hook_keeps_no_slot(
    proxy: StartProxy, client: httpx.AsyncClient, tmp_path: Path, hook: str
) -> None:
    """It stands before Turnout, whose own last hook is then never called."""
    script = tmp_path / "other.py"
    script.write_text(RAISES.format(hook=hook))
    async with ScriptedProvider(accepts="key-1") as upstream, ScriptedProvider(accepts="key-2") as spare:
        running = await proxy(config(upstream, spare), before=[script])
        if hook == "error":
            upstream.play(hang_after(4))
            async with client.stream("POST", f"{running.url}/v1/messages", json=BODY, headers=HEADERS) as answer:
                await anext(answer.aiter_bytes())
        else:
            assert (await ask(client, running.url)).status_code == 200
        await until(lambda: slots(running) == 0 and not running.addon.bridge.is_busy)
        running.errors.clear()


MASKING = ("fields", "path", "text", "body")


@pytest.mark.parametrize("method", MASKING)
async def test_a_fault_of_the_masking_leaves_no_client_waiting(
    proxy: StartProxy, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """What may not be shown cannot be told any more: the flow shows stars, and the client is answered."""
    async with ScriptedProvider(accepts="key-1") as upstream, ScriptedProvider(accepts="key-2") as spare:
        running = await proxy(config(upstream, spare))

        def explode(*_: Any, **__: Any) -> Any:
            raise RuntimeError("a fault")

        with monkeypatch.context() as patched:
            patched.setattr(Masks, method, explode)
            try:
                answer = await ask(client, running.url)
                assert answer.status_code in (200, 500)
            except httpx.RemoteProtocolError:
                pass  # a stream that had begun is broken off
            await until(lambda: slots(running) == 0)
        running.errors.clear()
        assert (await ask(client, running.url)).status_code == 200
        secrets = [flow for flow in running.flows if b"sk-ant" in repr(flow.get_state()).encode()]
        assert not secrets
