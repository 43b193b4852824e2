"""The command bar of mitmweb, by the requests that it makes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.proxy.support import BODY, HEADERS, QUICK, provider_table, route
from turnout.testing import replies
from turnout.testing.fixtures import StartMitmdump, StartProvider
from turnout.testing.provider import API_KEY
from turnout.testing.proxy import MitmdumpProcess, free_port
from turnout.testing.recording import read_flows

pytestmark = pytest.mark.e2e

PASSWORD = "only-for-this-test"


class CommandBar:
    """What the browser does: POST /commands/NAME; the XSRF cookie has another name in each version of mitmweb."""

    def __init__(self, client: httpx.Client, url: str) -> None:
        self._client = client
        self._url = url

    def __call__(self, name: str, *arguments: str) -> dict[str, Any]:
        """`{"value": …}` or `{"error": "…"}`."""
        answer = self._client.post(f"{self._url}/commands/{name}", json={"arguments": arguments})
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def get(self, path: str) -> Any:
        return self._client.get(f"{self._url}{path}").json()


@contextmanager
def command_bar(port: int) -> Iterator[CommandBar]:
    headers = {
        "authorization": f"Bearer {PASSWORD}",
        "cookie": "_xsrf=same; _mitmproxy_xsrf=same",
        "x-xsrftoken": "same",
    }
    with httpx.Client(timeout=20, trust_env=False, headers=headers) as client:
        yield CommandBar(client, f"http://127.0.0.1:{port}")


def test_every_command_in_mitmweb(mitmdump: StartMitmdump, provider: StartProvider, tmp_path: Path) -> None:
    first, second = provider(replies.error(529, "overloaded_error"), accepts="key-1"), provider(accepts="key-2")
    config = QUICK + provider_table("first", first, key="key-1") + provider_table("second", second, key="key-2")
    config += route("first", "second")
    port = free_port()
    options = {"web_open_browser": "false", "web_port": str(port)} | _password()
    process = mitmdump(config, tool="mitmweb", options=options)
    asked = httpx.post(f"{process.url}/v1/messages", json=BODY, headers=HEADERS, trust_env=False, timeout=20)
    assert asked.status_code == 200
    with command_bar(port) as bar:
        _all(bar, process, tmp_path)
        assert first.messages[-1].json == BODY
        shown = json.dumps([bar.get("/flows"), bar.get("/events")])
    for secret in (API_KEY, "key-1", "key-2"):
        assert secret not in shown and secret not in process.output
    assert "Traceback" not in process.output


def _all(bar: CommandBar, process: MitmdumpProcess, directory: Path) -> None:
    assert {name for name in bar.get("/commands") if name.startswith("turnout.")} == {
        "turnout.explain",
        "turnout.providers",
        "turnout.reload",
        "turnout.reset",
        "turnout.retry",
        "turnout.scrub.save",
        "turnout.status",
        "turnout.switch",
    }
    status = bar("turnout.status")["value"]
    assert status[0].startswith("Turnout ") and any(
        "529, 200" in line or line.split()[-1:] == ["529"] for line in status
    )
    logged = [entry["message"].partition("] ")[2] for entry in bar.get("/events")]
    assert "\n".join(status) in logged, "the event log is where many lines can be read"
    assert bar("turnout.switch", "second")["value"].startswith("Pinned to second (http://127.0.0.1:")
    assert "Did you mean second?" in bar("turnout.switch", "secnd")["error"]
    assert bar("turnout.reset")["value"].startswith("No provider is pinned any more.")
    assert bar("turnout.reload")["value"].startswith("Nothing to change: ")
    (exchange,) = [flow["id"] for flow in bar.get("/flows") if not flow["comment"].startswith("attempt")]
    assert "route routes.0 → first, second" in bar("turnout.explain", f"@{exchange}")["value"][0]
    assert "specification matched 2" in bar("turnout.explain", "@all")["error"]
    assert bar("turnout.retry", f"@{exchange}", "first")["value"].startswith(
        "Sent again to first, as a new flow: retry of "
    )
    assert "Command argument mismatch" in bar("turnout.retry", f"@{exchange}")["error"]
    process.logged("retry of [0-9a-f]{12} · claude-opus-4-6 → .*gave up")
    file = directory / "kept.mitm"
    assert bar("turnout.scrub.save", "@all", str(file))["value"].startswith(f"Writing 4 scrubbed flows to {file}.")
    process.logged(f"Wrote 4 scrubbed flows to {file}")
    assert [flow.metadata["turnout.part"] for flow in read_flows(file)] == ["attempt", "exchange"] * 2


def _password() -> dict[str, str]:
    """mitmweb has one since 11.1; mitmproxy 11.0 would ignore the option silently."""
    from mitmproxy.version import VERSION

    return {"web_password": PASSWORD} if int(VERSION.split(".")[0]) >= 12 else {}
