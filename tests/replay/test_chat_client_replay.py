"""Exchanges of a client of Chat Completions, recorded and replayed by `-S`."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.replay.test_server_replay import OFFLINE
from turnout.testing.fixtures import StartMitmdump
from turnout.testing.provider import ScriptedProviderThread
from turnout.testing.replies import sse

pytestmark = pytest.mark.e2e

KEYS = {"OWN_KEY": "sk-own-0123456789"}
ONLY_RECORDED = {**OFFLINE, "server_replay_extra": "kill"}


@pytest.mark.parametrize("stream", [True, False])
def test_what_a_client_got_is_what_it_gets_again(mitmdump: StartMitmdump, tmp_path: Path, stream: bool) -> None:
    body = {"model": "m", "stream": stream, "messages": [{"role": "user", "content": "Hello"}]}
    file = tmp_path / "recording.mitm"
    with ScriptedProviderThread(sse(), accepts=KEYS["OWN_KEY"]) as own, httpx.Client(trust_env=False) as client:
        config = (
            f'[providers.own]\nbase_url = "{own.url}"\nauth = "bearer"\ncredentials = ["env:OWN_KEY"]\n'
            '[[routes]]\nmodel = "*"\nto = ["own/m"]\n'
        )
        process = mitmdump(config, "-w", str(file), environment=KEYS)
        first = client.post(f"{process.url}/v1/chat/completions", json=body)
        assert process.stop() == 0, process.output
        process = mitmdump(config, "-S", str(file), environment=KEYS, options=ONLY_RECORDED)
        again = client.post(f"{process.url}/v1/chat/completions", json=body)
        assert process.stop() == 0, process.output
    assert len(own.messages) == 1 and b"chat.completion" in first.content, first.text
    assert first.status_code == again.status_code == 200, again.text
    assert b"chat.completion" in again.content, again.text
