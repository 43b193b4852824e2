"""The way to a provider, over real sockets: a company's authority and a company's proxy."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import certifi
import httpx
import pytest

from tests.proxy.on_the_way import Company, ForwardProxy, Provider, listening
from tests.proxy.support import QUICK, ask, route, text_of
from turnout.testing.fixtures import StartProxy
from turnout.testing.provider import ScriptedProvider
from turnout.testing.proxy import RunningProxy

SOMEWHERE = "provider.example.invalid"


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    return Company(tmp_path_factory.mktemp("company"))


@pytest.fixture
async def provider(company: Company) -> AsyncIterator[Provider]:
    """In TLS, as localhost."""
    server = Provider()
    async with listening(server, company.server()):
        yield server


@pytest.fixture
async def remote(company: Company) -> AsyncIterator[tuple[Provider, ForwardProxy]]:
    """A provider that only a proxy leads to, in TLS."""
    server, out = Provider(), ForwardProxy()
    async with listening(server, company.server(SOMEWHERE)), listening(out):
        out.to = server.port
        yield server, out


def table(url: str, *lines: str, name: str = "p") -> str:
    return "\n".join([f"[providers.{name}]", f'base_url = "{url}"', 'auth = "none"', *lines, ""])


def reason_of(answer: httpx.Response) -> str:
    assert answer.status_code == 502, answer.text
    message: str = answer.json()["error"]["message"]
    return message


# --- whose certificates are trusted ---


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "SSL_CERT_DIR"])
async def test_a_companys_authority_is_trusted(
    proxy: StartProxy,
    client: httpx.AsyncClient,
    company: Company,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    variable: str,
) -> None:
    """anthropics/claude-code#10458"""
    monkeypatch.setenv(variable, str(company.ca if variable != "SSL_CERT_DIR" else rehashed(company, tmp_path)))
    running = await proxy(QUICK + table(f"https://localhost:{provider.port}") + route("p"))
    answer = await ask(client, running.url)
    assert answer.status_code == 200 and text_of(answer)


def rehashed(company: Company, folder: Path) -> Path:
    """A directory as `openssl rehash` makes it."""
    from OpenSSL import crypto

    text = company.ca.read_bytes()
    name = crypto.load_certificate(crypto.FILETYPE_PEM, text).subject_name_hash()
    (folder / f"{name:08x}.0").write_bytes(text)
    return folder


async def test_an_authority_of_one_provider_is_not_one_of_another(
    proxy: StartProxy, client: httpx.AsyncClient, company: Company, provider: Provider
) -> None:
    url = f"https://localhost:{provider.port}"
    other = url.replace("localhost", "LOCALHOST")  # another address for mitmproxy, the same server
    tables = table(url, f'tls.ca = "{company.ca}"') + table(other, name="q")
    running = await proxy(QUICK + tables + route("p", model="mine*") + route("q"))
    assert (await ask(client, running.url, {"model": "mine-1"})).status_code == 200
    async with httpx.AsyncClient(trust_env=False) as fresh:
        reason = reason_of(await ask(fresh, running.url, {"model": "others-1"}))
    assert "not trusted" in reason and "SSL_CERT_FILE" in reason and "tls.ca" in reason


async def test_the_public_authorities_stay(proxy: StartProxy, company: Company) -> None:
    from mitmproxy.net import tls

    from turnout.proxy.trusting import trusting
    from turnout.settings.certificates import Trust

    await proxy()
    arguments: dict[str, Any] = {
        "method": tls.Method.TLS_CLIENT_METHOD,
        "min_version": tls.Version.TLS1_2,
        "max_version": tls.Version.UNBOUNDED,
        "cipher_list": None,
        "ecdh_curve": None,
        "verify": tls.Verify.VERIFY_PEER,
        "ca_path": None,
        "ca_pemfile": None,
        "client_cert": None,
        "legacy_server_connect": False,
    }

    def count() -> int:
        store = tls.create_proxy_server_context(**arguments).get_cert_store()
        assert store is not None
        from OpenSSL import SSL

        return int(SSL._lib.sk_X509_OBJECT_num(SSL._lib.X509_STORE_get0_objects(store._store)))  # type: ignore[attr-defined]

    public = count()
    with trusting(Trust(files=(str(company.ca),))):
        assert count() == public + 1
        arguments["ca_pemfile"] = certifi.where()
        assert count() == public
    assert count() == public


async def test_mitmproxys_own_option_wins(
    proxy: StartProxy, client: httpx.AsyncClient, company: Company, provider: Provider
) -> None:
    config = QUICK + table(f"https://localhost:{provider.port}", f'tls.ca = "{company.ca}"') + route("p")
    running = await proxy(config, options={"ssl_verify_upstream_trusted_ca": certifi.where()})
    assert "not trusted" in reason_of(await ask(client, running.url))


async def test_a_certificate_for_another_name_is_told_as_one(
    proxy: StartProxy, client: httpx.AsyncClient, company: Company, provider: Provider
) -> None:
    config = QUICK + table(f"https://127.0.0.1:{provider.port}", f'tls.ca = "{company.ca}"') + route("p")
    running = await proxy(config)
    reason = reason_of(await ask(client, running.url))
    assert "not trusted: " in reason and "mismatch" in reason and "tls.ca" not in reason


async def test_a_variable_that_leads_nowhere_is_told(
    proxy: StartProxy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", "/no/such/file.pem")
    with caplog.at_level(logging.WARNING):
        await proxy()
    assert "NODE_EXTRA_CA_CERTS: /no/such/file.pem cannot be read" in caplog.text


# --- through which proxy ---

Remote = tuple[Provider, ForwardProxy]
Start = Callable[..., Any]


async def test_a_provider_is_reached_through_the_environments_proxy(
    proxy: StartProxy,
    client: httpx.AsyncClient,
    company: Company,
    remote: Remote,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """anthropics/claude-code needs no more than HTTPS_PROXY."""
    server, out = remote
    out.login = "ada:hush-hush-hush"
    monkeypatch.setenv("HTTPS_PROXY", f"http://ada:hush-hush-hush@127.0.0.1:{out.port}")
    running = await proxy(QUICK + table(f"https://{SOMEWHERE}", f'tls.ca = "{company.ca}"') + route("p"))
    for _ in range(2):
        answer = await ask(client, running.url)
        assert answer.status_code == 200 and text_of(answer)
    # The second asks for HTTP/2, once: the server does not say what it speaks.
    assert [line for line, _ in out.heads] == [f"CONNECT {SOMEWHERE}:443 HTTP/1.1"] * 2
    assert len(server.heads) == 2 and all("proxy-authorization" not in fields for _, fields in server.heads)
    assert_nothing_shown(running, "hush-hush-hush", "YWRhOmh1c2gtaHVzaC1odXNo")


def assert_nothing_shown(running: RunningProxy, *secrets: str) -> None:
    shown = repr([flow.get_state() for flow in running.flows])
    assert running.flows and not any(secret in shown for secret in secrets)


@pytest.mark.parametrize("secure_proxy", [False, True])
async def test_a_provider_without_tls_is_asked_for_in_full(
    proxy: StartProxy, client: httpx.AsyncClient, company: Company, secure_proxy: bool
) -> None:
    server, out = Provider(), ForwardProxy(login="ada:hush-hush-hush")
    async with listening(server), listening(out, company.server() if secure_proxy else None):
        out.to = server.port
        scheme, host = ("https", "localhost") if secure_proxy else ("http", "127.0.0.1")
        lines = f'proxy = "{scheme}://ada:hush-hush-hush@{host}:{out.port}"', f'tls.ca = "{company.ca}"'
        running = await proxy(QUICK + table(f"http://{SOMEWHERE}/anthropic", *lines) + route("p"))
        answer = await ask(client, running.url)
        assert answer.status_code == 200 and text_of(answer)
    [(line, fields)] = out.heads
    assert line == f"POST http://{SOMEWHERE}/anthropic/v1/messages HTTP/1.1" and "proxy-authorization" in fields
    [(_, sent)] = server.heads
    assert sent["host"] == SOMEWHERE and "proxy-authorization" not in sent
    assert_nothing_shown(running, "hush-hush-hush", "YWRhOmh1c2gtaHVzaC1odXNo")


async def test_a_proxy_may_speak_tls_itself(
    proxy: StartProxy, client: httpx.AsyncClient, company: Company, remote: Remote
) -> None:
    server, out = remote
    secure = ForwardProxy(to=server.port)
    async with listening(secure, company.server()):
        lines = f'proxy = "https://localhost:{secure.port}"', f'tls.ca = "{company.ca}"'
        running = await proxy(QUICK + table(f"https://{SOMEWHERE}", *lines) + route("p"))
        assert (await ask(client, running.url)).status_code == 200
    assert secure.heads[0][0].startswith("CONNECT ") and not out.heads


FAULTS = {
    "its login": ({"login": "somebody:else"}, "CONNECT refused with 407 Proxy Authentication Required"),
    "bad gateway": ({"status": "502 Bad Gateway"}, "CONNECT refused with 502 Bad Gateway"),
    "not HTTP": ({"status": "nonsense"}, ""),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_proxy_that_fails_is_told_and_the_next_target_answers(
    proxy: StartProxy, client: httpx.AsyncClient, remote: Remote, fault: str
) -> None:
    _, out = remote
    for name, value in FAULTS[fault][0].items():
        setattr(out, name, value)
    async with ScriptedProvider(accepts="key-2") as second:
        first = table(f"https://{SOMEWHERE}", f'proxy = "http://127.0.0.1:{out.port}"')
        spare = f'[providers.second]\nbase_url = "{second.url}"\nauth = "bearer"\ncredentials = ["key-2"]\n'
        running = await proxy(QUICK + first + spare + route("p", "second"))
        answer = await ask(client, running.url)
        assert answer.status_code == 200 and not any(
            "proxy" in name for request in second.requests for name in request.lower
        )
    comment = running.flows[-1].comment
    assert FAULTS[fault][1] in comment and f"through the proxy http://127.0.0.1:{out.port}" in comment


async def test_a_proxy_that_is_not_there_is_named(proxy: StartProxy, client: httpx.AsyncClient) -> None:
    running = await proxy(QUICK + table(f"https://{SOMEWHERE}", 'proxy = "http://127.0.0.1:9"') + route("p"))
    reason = reason_of(await ask(client, running.url))
    asked = "https://provider.example.invalid:443/v1/messages"
    assert reason == f"p: connection refused through the proxy http://127.0.0.1:9 (asked for {asked})"


async def test_a_proxy_has_as_long_as_any_connection(
    proxy: StartProxy, client: httpx.AsyncClient, remote: Remote
) -> None:
    _, out = remote
    out.hang = True
    short = QUICK + '[timeouts]\nconnect = "300ms"\n'
    running = await proxy(short + table(f"https://{SOMEWHERE}", f'proxy = "http://127.0.0.1:{out.port}"') + route("p"))
    answer = await ask(client, running.url)
    assert answer.status_code == 504 and "connect timeout after 0.3 s" in answer.text


async def test_a_tunnel_that_stands_is_not_ended_by_the_deadline(
    proxy: StartProxy, client: httpx.AsyncClient, company: Company, remote: Remote
) -> None:
    server, out = remote
    lines = f'proxy = "http://127.0.0.1:{out.port}"', f'tls.ca = "{company.ca}"'
    running = await proxy(QUICK + table(f"https://{SOMEWHERE}", *lines) + route("p"))
    assert (await ask(client, running.url)).status_code == 200
    assert not running.addon.deadlines._timers


async def test_a_proxy_that_is_turnout_itself_is_left_aside(
    proxy: StartProxy, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from turnout.testing.proxy import free_port

    port = free_port()
    monkeypatch.setenv("HTTPS_PROXY", f"http://localhost:{port}")
    with caplog.at_level(logging.WARNING):
        running = await proxy(
            QUICK + table("https://127.0.0.2:9") + table(f"https://{SOMEWHERE}", name="q") + route("q"),
            mode=f"reverse:http://127.0.0.1:9@127.0.0.1:{port}",
        )
    assert "HTTPS_PROXY names Turnout itself" in caplog.text
    assert "name not known" in reason_of(await ask(client, running.url))
