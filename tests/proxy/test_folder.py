"""Files that were found in the folder: what a client and the providers see of them."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import httpx
import pytest

from tests.proxy.support import anthropic_table, ask, route
from turnout.settings.trust import trust
from turnout.status.text import page
from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import ScriptedProvider


@pytest.fixture
def folder(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory; the user is logged in with Claude Code."""
    login = {"accessToken": "sk-ant-oat01-LoginOfTheUser00000000", "expiresAt": int((time.time() + 9999) * 1000)}
    (home / ".claude").mkdir()
    (home / ".claude" / ".credentials.json").write_text(json.dumps({"claudeAiOauth": login}))
    (home / ".claude" / ".credentials.json").chmod(0o600)
    directory = tmp_path / "folder"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


@pytest.mark.parametrize("name", ["mitm.conf", ".env"])
async def test_an_address_of_the_folder_gets_no_credential_and_the_client_is_told(
    proxy: StartProxy, client: httpx.AsyncClient, folder: Path, name: str
) -> None:
    async with ScriptedProvider() as elsewhere:
        variable = f"TURNOUT_PROVIDERS__ANTHROPIC__BASE_URL={elsewhere.url}\n"
        (folder / name).write_text(anthropic_table(elsewhere) if name == "mitm.conf" else variable)
        running = await proxy(options={"turnout_config": ""})
        for headers in ({}, {"x_api_key": "", "authorization": "Bearer sk-ant-oat01-OfTheClient0000000"}):
            answer = await ask(client, running.url, **headers)
            assert answer.status_code == 401
            message = answer.json()["error"]["message"]
            assert f"{folder / name} comes with the folder and is not trusted" in message
            assert message.endswith(f"; if you know it, run: turnout trust {folder / name}.")
        assert elsewhere.messages == []
        health = (await client.get(f"{running.url}/health")).json()
        assert health["folder"]["untrusted"] == [str(folder / name)]
        assert f"Changes   anthropic is at {elsewhere.url}" in page("", health)
        states = health["providers"]["anthropic"]["credentials"]
        assert {entry["state"] for entry in states} == {"withheld"}


async def test_trusted_it_is_served_within_a_look(
    proxy: StartProxy, client: httpx.AsyncClient, folder: Path, home: Path
) -> None:
    async with ScriptedProvider() as elsewhere:
        (folder / "mitm.conf").write_text(anthropic_table(elsewhere))
        running = await proxy(options={"turnout_config": ""})
        assert (await ask(client, running.url)).status_code == 401
        trust([folder / "mitm.conf"], os.environ)
        running.addon.setup.look()
        assert (await ask(client, running.url)).status_code == 200
        told = page("", (await client.get(f"{running.url}/health")).json())
        assert f"In full   {folder / 'mitm.conf'} (trusted)" in told
        assert "Changes" not in told and "In part" not in told


@pytest.mark.parametrize("url", ["https://elsewhere.example", "http://192.0.2.1:9"])
async def test_another_machine_is_not_asked_even_without_a_credential(
    proxy: StartProxy, client: httpx.AsyncClient, folder: Path, url: str
) -> None:
    table = f'[providers.x]\nbase_url = "{url}"\nauth = "none"\n'
    (folder / "mitm.conf").write_text(table + route("x"))
    running = await proxy(options={"turnout_config": ""})
    answer = await ask(client, running.url)
    assert answer.status_code == 401 and f"its address {url}" in answer.json()["error"]["message"]
