"""Who may enter: Host, Origin, client keys, declared size (A17, DESIGN 5)."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.errors import ConfigError, InvalidRequest, NotAuthenticated, NotPermitted, RequestError, RequestTooLarge
from turnout.gate.access import Gatekeeper, check_listen, client_keys
from turnout.gate.proof import HEADER, Asked, proof
from turnout.redaction.secret import Secret
from turnout.settings.address import is_loopback
from turnout.settings.model import Access, Settings
from turnout.settings.reference import parse_reference

KEY = "a-key-of-this-proxy"
HOST = "127.0.0.1:8082"


def gatekeeper(*keys: str, **access: Any) -> Gatekeeper:
    return Gatekeeper(Access(**access), [Secret(key) for key in keys])


# --- listening ---


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("localhost", True),
        ("LocalHost", True),
        ("::1", True),
        ("[::1]", True),
        ("", False),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("example.com", False),
        ("localhost.example.com", False),
    ],
)
def test_only_loopback_may_do_without_keys(host: str, loopback: bool) -> None:
    """A17."""
    assert is_loopback(host) is loopback
    check_listen(host, Access(keys=(parse_reference("env:KEY"),)))
    if loopback:
        check_listen(host, Access())
        return
    with pytest.raises(
        ConfigError, match=r"access\.keys: .* would let anyone .*Set access\.keys, or listen on"
    ) as caught:
        check_listen(host, Access())
    assert (host or "every interface") in str(caught.value)


# --- client keys from the configuration ---


def settings(*keys: str, **environment: str) -> Settings:
    secrets = {name: Secret(value) for name, value in environment.items()}
    return Settings(access=Access(keys=keys), environment=secrets, file=Path("mitm.conf"))  # type: ignore[arg-type]


def test_keys_come_from_variables_and_literals() -> None:
    assert client_keys(settings("env:KEY", "word", KEY=f" {KEY}\n")) == (Secret(KEY), Secret("word"))
    assert client_keys(settings()) == ()


@pytest.mark.parametrize(
    ("key", "environment", "told"),
    [
        ("env:KEY", {}, "the variable KEY is not set. Set it in the environment or in .env"),
        ("env:KEY", {"KEY": ""}, "the variable KEY is not set"),
        ("env:KEY", {"KEY": " \n"}, "the variable KEY is not set"),
        ("client", {}, "client cannot be a client key. Use env:NAME"),
        ("keyring:a/b", {}, "keyring:a/b cannot be a client key"),
        ("file:x", {}, "file:x cannot be a client key"),
    ],
)
def test_a_key_that_is_missing_does_not_open_the_gate(key: str, environment: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        client_keys(settings("word", key, **environment))
    assert told in str(caught.value) and str(caught.value).startswith("mitm.conf: access.keys: ")


# --- Host ---


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8082",
        "localhost",
        "LOCALHOST:1",
        "localhost.",
        "localhost.:80",
        "[::1]",
        "[::1]:8082",
        "proxy.lan",
        "Proxy.LAN.:8082",
    ],
)
def test_hosts_that_are_served(host: str) -> None:
    gatekeeper(hosts=("127.0.0.1", "localhost", "[::1]", "Proxy.Lan.")).admit(host, {})


@pytest.mark.parametrize(
    "host",
    [
        "",
        ":8082",
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:8082",
        "evil.example#localhost",
        "evil.example?@localhost",
        "evil.example/@localhost",
        "127.0.0.2",
        "[::2]",
        "\udcff",
    ],
)
def test_other_hosts_are_refused(host: str) -> None:
    """DNS rebinding: a page of another name that resolves to this address."""
    with pytest.raises(NotPermitted, match=r"access\.hosts"):
        gatekeeper().admit(host, {})


@pytest.mark.parametrize("host", ["[::1", "a\u2100b"])
def test_a_malformed_host(host: str) -> None:
    with pytest.raises(InvalidRequest, match="Host"):
        gatekeeper(hosts=("*",)).admit(host, {})


def test_every_host_when_asked_for() -> None:
    gatekeeper(hosts=("*",)).admit("whatever.example", {})


# --- Origin ---


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://127.0.0.1:8082"])
def test_web_pages_are_refused(origin: str) -> None:
    with pytest.raises(NotPermitted, match=r"access\.origins"):
        gatekeeper().admit(HOST, {"origin": origin})


def test_origins_that_are_allowed() -> None:
    gate = gatekeeper(origins=("https://App.example/",))
    gate.admit(HOST, {"origin": "https://app.Example"})
    for other in ("http://app.example", "https://app.example:444", "https://app.example.evil"):
        with pytest.raises(NotPermitted):
            gate.admit(HOST, {"origin": other})


# --- keys ---


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY} "},
        {"x-api-key": KEY},
        {"x-turnout-key": KEY},
        {"x-turnout-key": KEY, "authorization": "Bearer sk-ant-oat01-login-of-the-client"},
        {"x-api-key": KEY, "authorization": "Bearer other"},
        {"x-api-key": "other", "authorization": f"Bearer {KEY}"},
        {"x-api-key": "\udcff", "x-turnout-key": KEY},
    ],
)
def test_a_key_in_any_of_three_headers(headers: dict[str, str]) -> None:
    gatekeeper("another", KEY).admit(HOST, headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-api-key": ""},
        {"authorization": KEY},
        {"authorization": f"Basic {KEY}"},
        {"authorization": "Bearer"},
        {"x-api-key": KEY + "x"},
        {"x-api-key": KEY[:-1]},
        {"x-api-key": "schlüssel"},
        {"x-api-key": "\udcff\udc00"},
        {"authorization": "Bearer \udcff"},
        {"cookie": KEY},
    ],
)
def test_without_the_key_nobody_enters(headers: dict[str, str]) -> None:
    with pytest.raises(NotAuthenticated, match="x-turnout-key") as caught:
        gatekeeper(KEY).admit(HOST, headers)
    assert KEY not in str(caught.value)
    assert "ANTHROPIC_AUTH_TOKEN" in str(caught.value)
    assert "x-api-key" not in str(caught.value), "Claude Code would ask its user to log in"


@pytest.mark.parametrize(("port", "passes"), [(8082, True), (9000, False)])
def test_a_proof_of_the_key_in_its_place(port: int, passes: bool) -> None:
    """One that was made for another port was given to somebody else."""
    asked = Asked("GET", "/health", "127.0.0.1", 8082)
    headers = {HEADER: proof(KEY.encode(), replace(asked, port=port), time.time())}
    gate = gatekeeper("another", KEY)
    if passes:
        gate.admit(HOST, headers, asked)
    for unproven in (None, replace(asked, port=8083)):
        with pytest.raises(NotAuthenticated):
            gate.admit(HOST, headers, unproven)


def test_a_proof_opens_no_other_check() -> None:
    asked = Asked("GET", "/health", "127.0.0.1", 8082)
    headers = {HEADER: proof(KEY.encode(), asked, time.time()), "origin": "https://evil.example"}
    with pytest.raises(NotPermitted):
        gatekeeper(KEY).admit(HOST, headers, asked)


def test_keys_that_are_not_ascii() -> None:
    gatekeeper("schlüssel-\udcff").admit(HOST, {"x-turnout-key": "schlüssel-\udcff"})


def test_without_keys_every_local_process_may_enter() -> None:
    gatekeeper().admit(HOST, {"x-api-key": "proxy-managed"})


# --- size ---


@pytest.mark.parametrize("declared", ["101", "9" * 19, "9" * 5000])
def test_a_declared_size_beyond_the_limit(declared: str) -> None:
    """C5: before the body is read, and whatever the number."""
    with pytest.raises(RequestTooLarge, match="100 bytes"):
        gatekeeper(max_body=100).admit(HOST, {"content-length": declared})


@pytest.mark.parametrize("declared", ["100", "0", "", "-1", "abc"])
def test_sizes_within_the_limit_or_unreadable(declared: str) -> None:
    gatekeeper(max_body=100).admit(HOST, {"content-length": declared})


_TEXT = st.text(st.characters(codec=None), max_size=20)


@given(_TEXT, st.dictionaries(st.sampled_from(["origin", "authorization", "x-api-key", "x-turnout-key"]), _TEXT))
def test_nothing_that_is_sent_makes_it_raise_anything_else(host: str, headers: dict[str, str]) -> None:
    try:
        gatekeeper(KEY, hosts=("*",)).admit(host, headers)
    except RequestError as error:
        assert error.body("anthropic")
    else:
        raise AssertionError("nobody knows the key")
