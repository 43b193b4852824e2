"""Kind `openai`: where it is asked, with what, and what of the client's goes along (D2)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnout.credentials.chain import NO_KEY, Credential
from turnout.exchange import ClientRequest, Exchange
from turnout.providers import KINDS
from turnout.providers.base import Sending, Shaping
from turnout.redaction.secret import Secret
from turnout.settings.load import presets
from turnout.settings.model import Provider
from turnout.settings.rewriting import complete, usual_profile

KEY = Credential("env:KEY", Secret("a-key-0123456789"), owned=True, oauth=False, header="authorization")
HELLO = [{"role": "user", "content": "hello"}]
BODY = {"model": "opus", "max_tokens": 9, "messages": HELLO, "metadata": {"user_id": "u"}}


def provider(preset: str = "", **own: Any) -> Provider:
    table = {**presets().get(preset, {}), "name": preset or "own", "kind": "openai", **own}
    rules = complete(own.get("rewrite", {}), table.get("rewrite", {}), usual=usual_profile(table))
    return Provider.model_validate({**table, "rewrite": rules})


def prepare(to: Provider, credential: Credential = KEY, **headers: str) -> Sending:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    exchange = Exchange(ClientRequest("POST", "/v1/messages?beta=true", sent, json.dumps(BODY).encode()), "messages")
    return KINDS["openai"].prepare(exchange, to, "m", credential, Shaping(to.rewrite))


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1/chat/completions"),
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1/chat/completions"),
        ("https://a.io/v1/chat/completions", "https://a.io:443/v1/chat/completions"),
        ("https://api.z.ai/api/paas/v4", "https://api.z.ai:443/api/paas/v4/chat/completions"),
    ],
)
def test_the_endpoint_stands_behind_the_base_url(base_url: str, url: str) -> None:
    sending = prepare(provider(base_url=base_url))
    assert sending.outgoing.url == url and sending.outgoing.path.endswith(sending.endpoint)


def test_a_query_of_the_configuration_is_sent_and_that_of_the_client_is_not() -> None:
    azure = provider(base_url="https://a.io/openai/deployments/d", query={"api-version": "2026-10-01"})
    assert prepare(azure).outgoing.path == "/openai/deployments/d/chat/completions?api-version=2026-10-01"


def test_the_body_is_translated_and_what_it_loses_is_told() -> None:
    sending = prepare(provider(base_url="http://a.io"))
    assert json.loads(sending.outgoing.body) == {
        "model": "m",
        "max_tokens": 9,
        "messages": HELLO,
    }
    assert dict(sending.outgoing.add)["content-length"] == str(len(sending.outgoing.body))
    assert sending.changes[0] == "chat completions" and "model" in sending.changes and "metadata" in sending.left_out


def test_headers_of_the_other_api_stay_here() -> None:
    given = {"anthropic_version": "2023-06-01", "anthropic_beta": "x-1", "x_api_key": "k", "user_agent": "claude-cli"}
    outgoing = prepare(provider(base_url="http://a.io"), **given).outgoing
    assert {"anthropic-version", "anthropic-beta", "x-api-key", "authorization"} <= outgoing.drop
    assert "user-agent" not in outgoing.drop
    assert dict(outgoing.add)["authorization"] == "Bearer a-key-0123456789"
    assert not [name for name, _ in outgoing.add if name.startswith("anthropic")]


def test_a_server_without_a_key_is_sent_none() -> None:
    assert "authorization" not in dict(prepare(provider(base_url="http://a.io"), NO_KEY).outgoing.add)


def test_the_way_back_knows_the_names_of_tools() -> None:
    long = "mcp__" + "x" * 80
    tool = {"name": long, "input_schema": {"type": "object"}}
    to = provider(base_url="http://a.io")
    body = json.dumps({**BODY, "tools": [tool]}).encode()
    sending = KINDS["openai"].prepare(
        Exchange(ClientRequest("POST", "/v1/messages", {}, body), "messages"), to, "m", KEY, Shaping(to.rewrite)
    )
    (sent,) = json.loads(sending.outgoing.body)["tools"]
    assert len(sent["function"]["name"]) <= 64 and sending.tool_names == {sent["function"]["name"]: long}
    assert sending.translation is not None
