"""Edits of the configuration are taken over while it runs; mistakes are not (DESIGN §5, C4)."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import httpx
import pytest

from tests.proxy.support import ask, provider_table, route
from turnout.settings.places import pin_file
from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import ScriptedProvider
from turnout.testing.replies import sse


async def test_a_valid_edit_is_taken_over_and_old_requests_finish(
    proxy: StartProxy, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    gate = asyncio.Event()
    async with ScriptedProvider(sse(gate=gate), accepts="key-1") as old, ScriptedProvider(accepts="key-2") as new:
        running = await proxy(provider_table("old", old, key="key-1") + route("old"))
        before = asyncio.ensure_future(ask(client, running.url))
        await old.arrived()
        (tmp_path / "mitm.conf").write_text(provider_table("new", new, key="key-2") + route("new"))
        running.addon.setup.look()
        after = await ask(client, running.url)
        gate.set()
        assert (await before).status_code == after.status_code == 200
        assert len(old.messages) == len(new.messages) == 1
        assert (await client.get(f"{running.url}/health")).json()["providers"].keys() >= {"new"}


async def test_a_mistake_changes_nothing_and_is_told_once(
    proxy: StartProxy, client: httpx.AsyncClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with ScriptedProvider(accepts="key-1") as old:
        running = await proxy(provider_table("old", old, key="key-1") + route("old"))
        (tmp_path / "mitm.conf").write_text("[listen]\nport = 'x'\n")
        caplog.clear()
        with caplog.at_level(logging.ERROR, "turnout"):
            for _ in range(3):
                running.addon.setup.look()
        assert (await ask(client, running.url)).status_code == 200
    told = [record.getMessage() for record in caplog.records if record.name == "turnout"]
    assert len(told) == 1 and "the old one stays in force" in told[0] and "listen.port" in told[0]
    running.errors.clear()


async def test_a_new_address_is_said_to_wait_for_the_next_start(
    proxy: StartProxy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    running = await proxy("[listen]\nport = 1\n")
    with caplog.at_level(logging.INFO, "turnout"):
        for port in (2, 2):
            (tmp_path / "mitm.conf").write_text(f"[listen]\nport = {port}\n# a comment\n" + "\n" * port)
            running.addon.setup.look()
            (tmp_path / "mitm.conf").write_text(f"[listen]\nport = {port}\n")
            running.addon.setup.look()
    assert caplog.text.count("the change of listen.* takes effect at the next start") == 1


async def test_a_key_that_appears_in_dotenv_is_used(
    proxy: StartProxy, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    async with ScriptedProvider(accepts="key-from-dotenv") as upstream:
        table = f'[providers.p]\nbase_url = "{upstream.url}"\nauth = "bearer"\ncredentials = ["env:LATE_KEY"]\n'
        running = await proxy(table + route("p"))
        assert (await ask(client, running.url)).status_code == 401
        dotenv = tmp_path / ".env"
        dotenv.touch(0o600)
        dotenv.write_text("LATE_KEY=key-from-dotenv\n")
        running.addon.setup.look()
        assert (await ask(client, running.url)).status_code == 200


async def test_turnout_switch_pins_and_reset_lifts(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    """C4: the file that `turnout switch` writes is followed by every running Turnout."""
    async with ScriptedProvider(accepts="key-1") as first, ScriptedProvider(accepts="key-2") as second:
        config = provider_table("first", first, key="key-1") + provider_table("second", second, key="key-2")
        running = await proxy(config + route("first"))
        pin = pin_file(os.environ)
        pin.parent.mkdir(parents=True)
        pin.write_text("second\n")
        running.addon.setup.look()
        await ask(client, running.url)
        assert (await client.get(f"{running.url}/health")).json()["pinned"] == "second"
        pin.unlink()
        running.addon.setup.look()
        await ask(client, running.url)
    assert len(first.messages) == len(second.messages) == 1


async def test_the_files_are_looked_at_without_being_asked(
    proxy: StartProxy, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    async with ScriptedProvider(accepts="key-1") as old, ScriptedProvider(accepts="key-2") as new:
        running = await proxy(provider_table("old", old, key="key-1") + route("old"))
        adopted = asyncio.Event()
        adopt = running.addon.setup._on_change
        running.addon.setup._on_change = lambda setup: (adopt(setup), adopted.set())
        (tmp_path / "mitm.conf").write_text(provider_table("new", new, key="key-2") + route("new"))
        await asyncio.wait_for(adopted.wait(), 10)
        assert (await ask(client, running.url)).status_code == 200 and len(new.messages) == 1


async def test_slots_survive_an_edit_of_their_limit(
    proxy: StartProxy, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """A raised limit lets those in who wait; nothing is lost on the way."""
    gate = asyncio.Event()
    async with ScriptedProvider(sse(gate=gate), accepts="key-1") as upstream:
        table = provider_table("p", upstream, key="key-1", extra="slot_wait = 20\nmax_concurrent = {limit}")
        running = await proxy(table.replace("{limit}", "1") + route("p"))
        slots = running.addon.bridge.dispatcher.slots
        asking = [asyncio.ensure_future(ask(client, running.url)) for _ in range(2)]
        await upstream.arrived()
        while slots.snapshot()["p"]["waiting"] == 0:
            await asyncio.sleep(0)
        (tmp_path / "mitm.conf").write_text(table.replace("{limit}", "2") + route("p"))
        running.addon.setup.look()
        await upstream.arrived(2)
        gate.set()
        assert [(await each).status_code for each in asking] == [200, 200]
        await running.finished(2)
        assert slots.snapshot()["p"] == {"in_use": 0, "limit": 2, "waiting": 0}


async def test_a_script_that_is_loaded_again_goes_on_with_what_was_in_force(
    proxy: StartProxy, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """A file that is empty in that moment would else open the gate."""
    running = await proxy('[access]\nkeys = ["client-key-1"]\n')
    assert (await client.get(f"{running.url}/health")).status_code == 401
    (tmp_path / "mitm.conf").write_text("")
    scripts = running.master.addons.get("scriptloader").addons
    scripts[0].loadscript()
    assert (await client.get(f"{running.url}/health")).status_code == 401
    assert "the file is empty" in running.errors[0]
    running.errors.clear()
