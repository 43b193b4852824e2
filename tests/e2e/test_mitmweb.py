"""What a person sees in mitmweb: every attempt as a flow, with its comment, and no secret anywhere."""

from __future__ import annotations

import httpx
import pytest

from tests.proxy.support import BODY, HEADERS, QUICK, anthropic_table, provider_table, route
from turnout.testing import replies
from turnout.testing.fixtures import StartMitmdump
from turnout.testing.provider import API_KEY, ScriptedProviderThread
from turnout.testing.proxy import free_port

pytestmark = pytest.mark.e2e

PASSWORD = "only-for-this-test"


def test_attempts_and_comments_are_shown(mitmdump: StartMitmdump) -> None:
    port = free_port()
    failing = replies.error(529, "overloaded_error")
    with (
        ScriptedProviderThread(failing, accepts="key-of-first") as first,
        ScriptedProviderThread(accepts="key-of-second") as second,
    ):
        config = QUICK + provider_table("first", first, key="key-of-first")
        config += provider_table("second", second, key="key-of-second") + route("first", "second")
        options = {"web_open_browser": "false", "web_port": str(port)}
        if _has_password():
            options["web_password"] = PASSWORD
        process = mitmdump(config, tool="mitmweb", options=options)
        with httpx.Client(timeout=20, trust_env=False) as client:
            assert client.post(f"{process.url}/v1/messages", json=BODY, headers=HEADERS).status_code == 200
            shown = client.get(f"http://127.0.0.1:{port}/flows", headers={"authorization": f"Bearer {PASSWORD}"})
            body = client.get(
                f"http://127.0.0.1:{port}/flows/{shown.json()[0]['id']}/response/content.data",
                headers={"authorization": f"Bearer {PASSWORD}"},
            )
    final, attempt = sorted(shown.json(), key=lambda flow: flow["comment"].startswith("attempt"))
    assert attempt["comment"].startswith("attempt 1/2 · first · 529") and attempt["response"]["status_code"] == 529
    assert final["comment"].startswith("claude-opus-4-6 → first 529") and final["response"]["contentLength"] > 0
    assert body.status_code == 200 and body.content
    for secret in (API_KEY, "key-of-first", "key-of-second"):
        assert secret not in shown.text


def test_the_view_keeps_the_newest_flows(mitmdump: StartMitmdump) -> None:
    """`turnout_keep`: attempts count like exchanges; what the user has marked stays."""
    port = free_port()
    with ScriptedProviderThread() as provider:
        options = {"web_open_browser": "false", "web_port": str(port), "turnout_keep": "3"}
        if _has_password():
            options["web_password"] = PASSWORD
        process = mitmdump(anthropic_table(provider), tool="mitmweb", options=options)
        with httpx.Client(timeout=20, trust_env=False, headers={"authorization": f"Bearer {PASSWORD}"}) as web:

            def shown() -> list[str]:
                return [flow["id"] for flow in web.get(f"http://127.0.0.1:{port}/flows").json()]

            seen: list[str] = []
            for _ in range(6):
                assert httpx.post(f"{process.url}/v1/messages", json=BODY, headers=HEADERS).status_code == 200
                seen += [each for each in shown() if each not in seen]
                if len(seen) == 1:
                    _mark(web, port, seen[0])
            assert shown() == [seen[0], *seen[-3:]] and len(seen) == 6


def _mark(web: httpx.Client, port: int, flow: str) -> None:
    """The names of the cookie and of the command's argument are those of either version."""
    headers = {"X-XSRFToken": "abc", "cookie": "_xsrf=abc; _mitmproxy_xsrf=abc", "sec-fetch-site": "same-origin"}
    answer = web.put(f"http://127.0.0.1:{port}/flows/{flow}", json={"marked": ":star:"}, headers=headers)
    assert answer.status_code == 200, answer.text


def _has_password() -> bool:
    """mitmweb has one since 11.1; mitmproxy 11.0 would ignore the option silently."""
    from mitmproxy.version import VERSION

    return int(VERSION.split(".")[0]) >= 12
