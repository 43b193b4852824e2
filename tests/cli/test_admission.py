"""A client key goes to the configured address; elsewhere on this machine it is proven, and nothing goes further."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from turnout.cli.admission import admission
from turnout.gate.proof import Asked, proves
from turnout.redaction.secret import Secret
from turnout.settings.load import load
from turnout.settings.model import Settings

KEY = Secret("open-turnout-0001")


def listening(home: Path, host: str) -> Settings:
    (home / "mitm.conf").write_text(f'[listen]\nhost = "{host}"\n[access]\nkeys = ["env:TURNOUT_KEY"]\n')
    return load(str(home / "mitm.conf"))


def sent(url: str, settings: Settings) -> dict[str, str]:
    admitted = admission(url, settings, [KEY])
    return {name: value.reveal() for name, value in admitted.fields("GET", "/health")}


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8082"),
        ("127.0.0.1", "http://127.0.0.1:8082/base"),
        ("0.0.0.0", "http://127.0.0.1:8082"),
        ("::1", "http://[::1]:8082"),
        ("localhost", "http://LOCALHOST:8082"),
        ("192.168.1.5", "http://192.168.1.5:8082"),
    ],
)
def test_the_configured_address_gets_the_key(home: Path, host: str, url: str) -> None:
    assert sent(url, listening(home, host)) == {"x-turnout-key": KEY.reveal()}


def test_the_environment_configures_it_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNOUT_LISTEN__HOST", "127.0.0.9")
    monkeypatch.setenv("TURNOUT_LISTEN__PORT", "9009")
    assert sent("http://127.0.0.9:9009", listening(home, "127.0.0.1")) == {"x-turnout-key": KEY.reveal()}


@pytest.mark.parametrize(
    ("url", "address", "port", "asked"),
    [
        ("http://127.0.0.1:9000", "127.0.0.1", 9000, "http://127.0.0.1:9000"),
        ("http://127.0.0.1", "127.0.0.1", 80, "http://127.0.0.1"),
        ("http://[::1]:8082", "::1", 8082, "http://[::1]:8082"),
        ("http://127.0.0.2:8082", "127.0.0.2", 8082, "http://127.0.0.2:8082"),
        ("http://localhost:8082", "127.0.0.1", 8082, "http://127.0.0.1:8082"),
        ("http://localhost:9000/base", "127.0.0.1", 9000, "http://127.0.0.1:9000/base"),
    ],
)
def test_elsewhere_on_this_machine_it_is_proven(home: Path, url: str, address: str, port: int, asked: str) -> None:
    """Another process may listen there. `localhost` can be two sockets: the one for which the proof is, is asked."""
    settings = listening(home, "127.0.0.1")
    (value,) = sent(url, settings).values()
    assert proves(value, [KEY.reveal().encode()], Asked("GET", "/health", address, port), time.time())
    assert KEY.reveal() not in value and admission(url, settings, [KEY]).url == asked


@pytest.mark.parametrize(
    "url",
    [
        "http://192.168.1.5:8082",
        "https://turnout.example",
        "http://127.0.0.1.evil.example:8082",
        "http://localhost.evil.example:8082",
        "http://127.0.0.1:8082@evil.example",
        "http://127.0.0.1:8082@evil.example:8082/",
        "http://evil.example:8082/127.0.0.1:8082",
        "http://[",
        "127.0.0.1:8082",
    ],
)
def test_nothing_goes_further(home: Path, url: str) -> None:
    assert sent(url, listening(home, "127.0.0.1")) == {}


def test_without_keys_there_is_nothing_to_show(home: Path) -> None:
    admitted = admission("http://localhost:9000", listening(home, "127.0.0.1"), [])
    assert admitted.fields("GET", "/health") == () and admitted.url == "http://localhost:9000"
