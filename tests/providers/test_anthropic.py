"""Kind `anthropic`: one attempt as it goes on the wire (A5, A6, A10, B1, C6, E5)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.credentials.chain import NO_KEY, Credential
from turnout.exchange import ClientRequest, Exchange, Outgoing
from turnout.providers import KINDS
from turnout.providers.base import Shaping
from turnout.redaction.names import SECRET_HEADERS
from turnout.redaction.secret import Secret
from turnout.settings.load import presets
from turnout.settings.model import Provider

KEY = Credential("env:KEY", Secret("sk-ant-api03-key"), owned=True, oauth=False, header="x-api-key")
OWN_LOGIN = Credential("keychain", Secret("sk-ant-oat01-own"), owned=True, oauth=True, header="authorization")
CLIENTS_LOGIN = Credential("client", Secret("sk-ant-oat01-his"), owned=False, oauth=True, header="authorization")
OAUTH_BETA = "oauth-2025-04-20"
LONG_BETA = "context-1m-2025-08-07"


def provider(**own: Any) -> Provider:
    return Provider.model_validate({**presets()["anthropic"], "name": "anthropic", **own})


def prepare(
    body: bytes = b'{"model": "claude-opus-4-6"}',
    *,
    to: Provider | None = None,
    model: str = "claude-opus-4-6",
    credential: Credential = KEY,
    path: str = "/v1/messages?beta=true",
    **headers: str,
) -> tuple[Outgoing, Exchange]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    exchange = Exchange(ClientRequest("POST", path, sent, body), "messages")
    target = to or provider()
    return prepared(exchange, target, model, credential), exchange


def prepared(exchange: Exchange, target: Provider, model: str, credential: Credential) -> Outgoing:
    sending = KINDS["anthropic"].prepare(exchange, target, model, credential, Shaping(target.rewrite))
    exchange.rules = sending.changes
    return sending.outgoing


@pytest.mark.parametrize(
    ("base_url", "address", "host"),
    [
        (
            "https://api.anthropic.com",
            ("https", "api.anthropic.com", 443, "/v1/messages?beta=true"),
            "api.anthropic.com",
        ),
        ("http://127.0.0.1:11434", ("http", "127.0.0.1", 11434, "/v1/messages?beta=true"), "127.0.0.1:11434"),
        ("http://local", ("http", "local", 80, "/v1/messages?beta=true"), "local"),
        ("https://a.io/anthropic/", ("https", "a.io", 443, "/anthropic/v1/messages?beta=true"), "a.io"),
        ("http://[::1]:8000/x/y", ("http", "::1", 8000, "/x/y/v1/messages?beta=true"), "[::1]:8000"),
    ],
)
def test_addresses(base_url: str, address: tuple[str, str, int, str], host: str) -> None:
    """C6: path and query of the client are kept, Host is the target's."""
    outgoing, _ = prepare(to=provider(base_url=base_url))
    assert (outgoing.scheme, outgoing.host, outgoing.port, outgoing.path) == address
    assert dict(outgoing.add)["host"] == host


def test_a_body_that_nothing_changes_is_the_same_object() -> None:
    body = b'{ "model" :"claude-opus-4-6", "messages":[] }'
    outgoing, exchange = prepare(body)
    assert outgoing.body is body and exchange.body == "identical"
    assert dict(outgoing.add)["content-length"] == str(len(body))


def test_only_the_model_is_spliced() -> None:
    body = b'{ "messages":[{"model":"claude-opus-4-6"}] ,\n "model" : "claude-opus-4-6[1m]" }'
    outgoing, exchange = prepare(body, model="MiniMax-M3")
    assert outgoing.body == body.replace(b'"claude-opus-4-6[1m]"', b'"MiniMax-M3"')
    assert exchange.body == "rewritten: model" and dict(outgoing.add)["content-length"] == str(len(outgoing.body))


def test_the_note_is_about_the_last_target() -> None:
    outgoing, exchange = prepare(model="other")
    prepared(exchange, provider(), "claude-opus-4-6", KEY)
    assert exchange.body == "identical" and outgoing.body != exchange.request.body


@pytest.mark.parametrize(
    ("credential", "sent"),
    [
        (KEY, {"x-api-key": "sk-ant-api03-key"}),
        (OWN_LOGIN, {"authorization": "Bearer sk-ant-oat01-own"}),
        (NO_KEY, {}),
    ],
)
def test_one_credential_and_nothing_of_the_clients(credential: Credential, sent: dict[str, str]) -> None:
    """A6, C6."""
    outgoing, _ = prepare(credential=credential, x_api_key="proxy-managed", authorization="Bearer his", cookie="c=1")
    assert {name: value for name, value in outgoing.add if name in SECRET_HEADERS} == sent
    assert outgoing.drop >= SECRET_HEADERS | {"host", "content-length", "transfer-encoding"}


def test_the_workspace_goes_with_the_clients_own_login_only() -> None:
    assert "anthropic-workspace-id" in prepare(credential=OWN_LOGIN)[0].drop
    kept = prepare(credential=CLIENTS_LOGIN)[0].drop
    assert "anthropic-workspace-id" not in kept and {"authorization", "x-api-key", "cookie", "x-turnout-key"} <= kept


@pytest.mark.parametrize(
    ("sent", "client_model", "credential", "betas"),
    [
        (None, "m", KEY, None),
        ("a,b", "m", KEY, None),
        (None, "m", OWN_LOGIN, OAUTH_BETA),
        ("a, b", "m", OWN_LOGIN, f"a,b,{OAUTH_BETA}"),
        (f"{OAUTH_BETA}, a", "m", OWN_LOGIN, None),
        ("a", "m", CLIENTS_LOGIN, f"a,{OAUTH_BETA}"),
        (None, "m[1m]", KEY, LONG_BETA),
        (f"{LONG_BETA}", "m[1m]", KEY, None),
        ("a", "m[1M]", OWN_LOGIN, f"a,{OAUTH_BETA},{LONG_BETA}"),
        (" , ", "m", OWN_LOGIN, OAUTH_BETA),
    ],
)
def test_betas_are_appended_never_replaced(
    sent: str | None, client_model: str, credential: Credential, betas: str | None
) -> None:
    """A5, E5."""
    headers = {} if sent is None else {"anthropic_beta": sent}
    body = json.dumps({"model": client_model}).encode()
    outgoing, _ = prepare(body, model="m", credential=credential, **headers)
    assert dict(outgoing.add).get("anthropic-beta") == betas


def test_a_provider_without_these_betas_gets_none() -> None:
    other = Provider(name="x", base_url="https://x")
    outgoing, _ = prepare(b'{"model":"m[1m]"}', to=other, model="m", credential=OWN_LOGIN)
    assert "anthropic-beta" not in dict(outgoing.add)


def test_answers_are_asked_for_uncompressed() -> None:
    outgoing, _ = prepare(accept_encoding="gzip, br")
    assert dict(outgoing.add)["accept-encoding"] == "identity" and "accept-encoding" in outgoing.drop


@given(st.lists(st.sampled_from(["a", "b-2", OAUTH_BETA, LONG_BETA]), max_size=5), st.sampled_from([",", ", ", " ,"]))
def test_every_beta_of_the_client_stays_in_order(sent: list[str], separator: str) -> None:
    outgoing, _ = prepare(b'{"model":"m[1m]"}', model="m", credential=OWN_LOGIN, anthropic_beta=separator.join(sent))
    betas = dict(outgoing.add).get("anthropic-beta", ",".join(sent)).split(",")
    assert betas[: len(sent)] == sent or not sent
    assert betas.count(OAUTH_BETA) == max(1, sent.count(OAUTH_BETA))
    assert {OAUTH_BETA, LONG_BETA} <= set(betas)


IDENTIFYING = {
    "traceparent": "00-trace-span-01",
    "tracestate": "vendor=state",
    "baggage": "user=somebody",
    "sentry-trace": "sentry-1",
    "b3": "b3-1",
    "x-b3-traceid": "b3-2",
    "x-claude-code-session-id": "session-1",
    "x-claude-code-agent-id": "agent-1",
    "x-claude-code-prompt-id": "prompt-1",
    "x-claude-1p-request-class": "class-1",
    "x-claude-remote-session-id": "remote-1",
    "x-stainless-os": "os-1",
    "x-stainless-retry-count": "retry-1",
    "x-app": "app-1",
    "x-client-app": "client-app-1",
    "x-client-request-id": "request-1",
    "x-request-id": "request-2",
    "x-session-affinity": "affinity-1",
    "x-anthropic-additional-protection": "protection-1",
    "idempotency-key": "key-1",
    "anthropic-dangerous-direct-browser-access": "browser-1",
    "anthropic-organization-id": "organization-1",
    "anthropic-workspace-id": "workspace-1",
    "anthropic-user-profile-id": "profile-1",
    "cookie": "cookie=1",
    "forwarded": "for=192.0.2.1",
    "x-forwarded-for": "192.0.2.2",
    "x-forwarded-host": "host-1",
    "x-real-ip": "192.0.2.3",
    "via": "1.1 proxy-1",
    "origin": "https://origin-1",
    "referer": "https://referer-1",
    "from": "somebody@example.com",
    "accept-language": "language-1",
    "openai-organization": "organization-2",
}
NEEDED = {
    "accept": "application/json",
    "content-type": "application/json",
    "anthropic-version": "2023-06-01",
    "user-agent": "claude-cli/2.1.332 (external, cli)",
}


def reaching(to: Provider, *, credential: Credential = NO_KEY) -> set[str]:
    """The names of the client's headers that reach a provider."""
    sent = {**IDENTIFYING, **NEEDED}
    outgoing, _ = prepare(to=to, credential=credential, **sent)
    replaced = {name for name, _ in outgoing.add}
    return sent.keys() - outgoing.drop - replaced


def test_a_first_party_gets_the_headers_of_the_client() -> None:
    kept = IDENTIFYING.keys() - {"cookie", "anthropic-workspace-id"} | NEEDED.keys()
    assert reaching(provider()) == kept


@pytest.mark.parametrize("name", sorted(set(presets()) - {"anthropic"}))
def test_others_learn_nothing_of_person_device_or_session(name: str) -> None:
    foreign = Provider.model_validate({**presets()[name], "name": name, "rewrite": {}})
    assert reaching(foreign) == set(NEEDED)
    assert reaching(foreign, credential=CLIENTS_LOGIN) == set(NEEDED)


def test_a_header_that_a_vendor_needs_is_named() -> None:
    foreign = Provider(name="x", base_url="https://x", headers=("X-Session-*", "referer"))
    assert reaching(foreign) == {*NEEDED, "x-session-affinity", "referer"}


def test_a_secret_of_the_client_goes_nowhere_by_its_name() -> None:
    foreign = Provider(name="x", base_url="https://x", headers=("*",))
    assert not reaching(foreign) & SECRET_HEADERS
