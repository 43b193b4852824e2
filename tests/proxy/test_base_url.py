"""The address of a provider: written in every way that people write it, and told where it is wrong."""

from __future__ import annotations

import httpx
import pytest

from tests.proxy.support import BODY, HEADERS, QUICK, ask, provider_table, route
from turnout.testing import replies
from turnout.testing.fixtures import StartProvider, StartProxy
from turnout.testing.wire import RecordedRequest

PAGE = replies.WholeReply(404, b"404 page not found", {"content-type": "text/plain"})


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/api/anthropic/v1", "//v1//messages/"])
async def test_what_is_appended_may_stand_there_already(
    proxy: StartProxy, provider: StartProvider, client: httpx.AsyncClient, path: str
) -> None:
    above = "/api/anthropic" if "anthropic" in path else ""
    only = provider(prefix=above, accepts="key-1")
    table = provider_table("only", only, key="key-1", extra='count_tokens = "provider"')
    table = table.replace(only.url, only.url.removesuffix(above) + path)
    running = await proxy(table + route("only"))
    assert (await ask(client, running.url)).status_code == 200
    body = {"model": "claude-opus-4-6", "messages": [{"role": "user", "content": "hello"}]}
    counted = await client.post(f"{running.url}/v1/messages/count_tokens", json=body, headers=HEADERS)
    assert counted.status_code == 200
    assert [each.path for each in only.requests] == [f"{above}/v1/messages", f"{above}/v1/messages/count_tokens"]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_404_of_the_path_tells_the_address(
    proxy: StartProxy, provider: StartProvider, client: httpx.AsyncClient, stream: bool
) -> None:
    first, second = provider(PAGE, accepts="key-1"), provider(PAGE, accepts="key-2")
    tables = provider_table("first", first, key="key-1") + provider_table("second", second, key="key-2")
    running = await proxy(QUICK + tables + route("first", "second"))
    asked = {**BODY, "stream": stream}
    answer = await client.post(f"{running.url}/v1/messages?beta=true", json=asked, headers=HEADERS)
    assert answer.status_code == 502, "there is no API that could say that there is no such model"
    message = answer.json()["error"]["message"]
    assert f"{first.url}/v1/messages" in message and "404" in message and "beta" not in message
    flow = (await running.finished(1))[-1]
    assert f'404 line of text ("404 page not found") at {second.url}/v1/messages' in flow.comment


async def test_a_404_of_the_model_is_about_the_model(
    proxy: StartProxy, provider: StartProvider, client: httpx.AsyncClient
) -> None:
    def script(_: RecordedRequest) -> replies.Reply:
        return replies.json(404, {"error": {"message": "The model m does not exist"}})

    only = provider(script, accepts="key-1")
    running = await proxy(QUICK + provider_table("only", only, key="key-1") + route("only"))
    answer = await ask(client, running.url)
    assert answer.json()["error"]["message"] == "The model m does not exist"
