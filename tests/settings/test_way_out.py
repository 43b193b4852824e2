"""The proxy that a provider is reached through."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.settings.way_out import NO_PROXY, Proxy, bypassed, parse_proxy, variable_for


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("http://proxy.example:3128", "http://proxy.example:3128"),
        ("proxy.example:3128", "http://proxy.example:3128"),
        (" http://proxy.example/ ", "http://proxy.example:80"),
        ("https://proxy.example", "https://proxy.example:443"),
        ("http://[::1]:3128", "http://[::1]:3128"),
        ("HTTP://Proxy.Example:1", "http://proxy.example:1"),
    ],
)
def test_how_a_proxy_is_written(text: str, told: str) -> None:
    proxy = parse_proxy(text)
    assert str(proxy) == told and proxy.authorization is None and not proxy.secrets


@pytest.mark.parametrize("text", ["", " ", "none", "None", "direct"])
def test_no_proxy(text: str) -> None:
    assert parse_proxy(text) == NO_PROXY


def test_its_password_is_for_it_alone() -> None:
    proxy = parse_proxy("http://ada:p%40ss%3Aword@proxy.example:3128")
    assert isinstance(proxy, Proxy) and proxy.authorization is not None
    token = base64.b64encode(b"ada:p@ss:word").decode()
    assert proxy.authorization.reveal() == f"Basic {token}"
    assert {secret.reveal() for secret in proxy.secrets} == {"p@ss:word", token}
    assert "p@ss" not in f"{proxy!s} {proxy!r} {proxy.model_dump()}"


@pytest.mark.parametrize(
    "text",
    [
        "socks5://u:hush-hush@h:1",
        "ftp://h",
        "http://",
        "http://u:hush-hush@h:port",
        "http://[::1",
        "http://h/path",
        "http://h?x=hush-hush",
        7,
        None,
    ],
)
def test_what_is_no_proxy_is_told_without_its_password(text: object) -> None:
    with pytest.raises(ValueError) as told:
        parse_proxy(text)
    assert "hush" not in str(told.value) and "http://" in str(told.value)


@pytest.mark.parametrize(
    ("environment", "scheme", "chosen"),
    [
        ({"HTTPS_PROXY": "a"}, "https", "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "a"}, "http", ""),
        ({"HTTP_PROXY": "a"}, "http", "HTTP_PROXY"),
        ({"HTTP_PROXY": "a"}, "https", ""),
        ({"HTTPS_PROXY": "a", "https_proxy": "b"}, "https", "https_proxy"),
        ({"HTTPS_PROXY": "a", "https_proxy": " "}, "https", "HTTPS_PROXY"),
        ({"ALL_PROXY": "a"}, "https", "ALL_PROXY"),
        ({"ALL_PROXY": "a", "all_proxy": "b"}, "http", "all_proxy"),
        ({"ALL_PROXY": "a", "HTTPS_PROXY": "b"}, "https", "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "a", "NO_PROXY": "api.example"}, "https", ""),
        ({"HTTPS_PROXY": "a", "NO_PROXY": "api.example", "no_proxy": "x"}, "https", "HTTPS_PROXY"),
        ({}, "https", ""),
    ],
)
def test_which_variable_counts(environment: dict[str, str], scheme: str, chosen: str) -> None:
    assert variable_for(scheme, "api.example", 443, environment) == chosen


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_this_machine_is_dialled_directly(host: str) -> None:
    assert variable_for("http", host, 80, {"HTTP_PROXY": "a", "ALL_PROXY": "a"}) == ""


@pytest.mark.parametrize(
    ("host", "port", "no_proxy", "excepted"),
    [
        ("api.example.com", 443, "*", True),
        ("api.example.com", 443, "", False),
        ("api.example.com", 443, "example.com", True),
        ("example.com", 443, "example.com", True),
        ("api.example.com", 443, ".example.com", True),
        ("example.com", 443, ".example.com", True),
        ("api.example.com", 443, "*.example.com", True),
        ("API.Example.COM.", 443, "example.com", True),
        ("notexample.com", 443, "example.com", False),
        ("example.com.evil", 443, "example.com", False),
        ("api.example.com", 443, "other, example.com", True),
        ("api.example.com", 443, "other example.com", True),
        ("api.example.com", 443, "example.com:443", True),
        ("api.example.com", 8443, "example.com:443", False),
        ("10.1.2.3", 80, "10.0.0.0/8", True),
        ("11.1.2.3", 80, "10.0.0.0/8", False),
        ("10.1.2.3", 80, "10.1.2.3", True),
        ("10.1.2.3", 80, "10.1.2.3:81", False),
        ("10.1.2.3", 80, "2.3", False),
        ("fd00::1", 80, "fd00::/8", True),
        ("[fd00::1]", 80, "[fd00::1]:80", True),
        ("fd00::1", 80, "[fd00::1]:81", False),
        ("fd00::1", 80, "fd00::1", True),
        ("api.example.com", 80, "10.0.0.0/8,[,:,.,:80", False),
    ],
)
def test_what_no_proxy_excepts(host: str, port: int, no_proxy: str, excepted: bool) -> None:
    assert bypassed(host, port, no_proxy) is excepted


@given(st.text("ab.*:[]/,0 ", max_size=20), st.text("ab.:[]0", max_size=8), st.integers(1, 65535))
def test_nothing_in_no_proxy_raises(no_proxy: str, host: str, port: int) -> None:
    assert bypassed(host, port, no_proxy) in (True, False)


@given(st.text(max_size=30))
def test_no_text_raises_anything_but_its_error(text: str) -> None:
    try:
        parse_proxy(text)
    except ValueError as error:
        assert "write http://host:port" in str(error)
