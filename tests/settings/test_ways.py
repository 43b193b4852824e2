"""The way to each provider."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import certifi
import pytest

from turnout.errors import ConfigError
from turnout.settings import certificates
from turnout.settings.certificates import PUBLIC, Trust, trusted, trusted_by_variables
from turnout.settings.load import load
from turnout.settings.ways import Ways, ways_of

BUNDLE = certifi.where()
Load = Callable[..., Ways]

REMOTE = '[providers.x]\nbase_url = "https://api.example"\nauth = "none"\n'


@pytest.fixture
def ways(tmp_path: Path) -> Load:
    def run(config: str = REMOTE, own: tuple[tuple[str, int], ...] = (), **environment: str) -> Ways:
        file = tmp_path / "mitm.conf"
        file.write_text(config)
        return ways_of(load(str(file), {"HOME": str(tmp_path), **environment}), own)

    return run


def test_without_a_word_providers_are_dialled_directly(ways: Load) -> None:
    found = ways()
    assert found.to("x").proxy is None and found.to("x").trust == PUBLIC and not found.warnings


def test_the_environment_names_a_proxy(ways: Load) -> None:
    found = ways(HTTPS_PROXY="http://ada:hush-hush@proxy.example:3128")
    way = found.to("x")
    assert (str(way.proxy), way.said_by) == ("http://proxy.example:3128", "HTTPS_PROXY")
    assert "hush-hush" in {secret.reveal() for secret in found.secrets}


@pytest.mark.parametrize(
    ("line", "proxy", "said_by"),
    [
        ('proxy = "http://mine.example:1"', "http://mine.example:1", "providers.x.proxy"),
        ('proxy = "none"', "None", ""),
        ('proxy = ""', "None", ""),
    ],
)
def test_the_table_of_a_provider_wins(ways: Load, line: str, proxy: str, said_by: str) -> None:
    way = ways(REMOTE + line, HTTPS_PROXY="http://proxy.example:3128", NO_PROXY="*").to("x")
    assert (str(way.proxy), way.said_by) == (proxy, said_by)


def test_a_table_may_name_a_proxy_for_this_machine(ways: Load) -> None:
    config = '[providers.x]\nbase_url = "http://127.0.0.1:9"\nproxy = "http://127.0.0.1:10"\n'
    assert str(ways(config).to("x").proxy) == "http://127.0.0.1:10"


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_turnout_is_no_way_out_of_itself(ways: Load, name: str, host: str) -> None:
    """Who starts clients with HTTPS_PROXY set to Turnout may start Turnout with it, too."""
    found = ways(**{name: f"http://{host}:8082"})
    assert found.to("x").proxy is None
    [warning] = found.warnings
    assert name in warning and "Turnout itself" in warning and "dialled directly" in warning
    elsewhere = ways(own=(("127.0.0.1", 9000),), **{name: f"http://{host}:8082"})
    assert elsewhere.to("x").proxy is not None
    with pytest.raises(ConfigError, match=r"providers\.x\.proxy.*Turnout itself"):
        ways(REMOTE + f'proxy = "http://{host}:8082"')


def test_a_variable_that_cannot_be_used_is_told_once_and_left_aside(ways: Load) -> None:
    found = ways(HTTPS_PROXY="socks5://ada:hush-hush@proxy.example:1080")
    [warning] = found.warnings
    assert "HTTPS_PROXY" in warning and "socks5" in warning and "hush" not in warning
    assert found.to("x").proxy is None


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"])
def test_variables_add_authorities(ways: Load, name: str) -> None:
    found = ways(**{name: BUNDLE})
    assert found.to("x").trust == Trust(files=(BUNDLE,)) and not found.warnings


def test_a_file_that_several_variables_name_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such machines are common, and a bundle of the public authorities takes long to read."""
    read: list[str] = []
    monkeypatch.setattr(certificates, "trusted", lambda place: read.append(place) or Trust(files=(place,)))
    found, _ = trusted_by_variables(dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), BUNDLE))
    assert read == [BUNDLE] and found == Trust(files=(BUNDLE,))


def test_directories_of_authorities(tmp_path: Path) -> None:
    places = [str(tmp_path), str(tmp_path.parent)]
    found, warnings = trusted_by_variables({"SSL_CERT_DIR": os.pathsep.join(places), "REQUESTS_CA_BUNDLE": places[0]})
    assert found == Trust(directories=tuple(places)) and not warnings


def test_a_providers_own_authority_comes_in_addition(ways: Load, tmp_path: Path) -> None:
    mine = tmp_path / "mine.pem"
    mine.write_bytes(Path(BUNDLE).read_bytes())
    found = ways(f'{REMOTE}tls.ca = "{mine}"\n', SSL_CERT_FILE=BUNDLE)
    assert found.to("x").trust.files == (BUNDLE, str(mine)) and found.to("anthropic").trust.files == (BUNDLE,)


@pytest.mark.parametrize(("text", "told"), [(None, "No such file"), ("", "PEM"), ("not PEM", "PEM")])
def test_what_holds_no_certificate(ways: Load, tmp_path: Path, text: str | None, told: str) -> None:
    """A variable is told and left aside; what a table says has to hold."""
    file = tmp_path / "ca.pem"
    if text is not None:
        file.write_text(text)
    [warning] = ways(SSL_CERT_FILE=str(file)).warnings
    assert warning.startswith("SSL_CERT_FILE: ") and str(file) in warning and told in warning
    with pytest.raises(ConfigError, match=rf"providers\.x\.tls\.ca: .*{told}"):
        ways(f'{REMOTE}tls.ca = "{file}"\n')


def test_home_may_be_short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(Path(BUNDLE).read_bytes())
    monkeypatch.setenv("HOME", str(tmp_path))
    assert trusted("~/ca.pem").files == (str(tmp_path / "ca.pem"),)


def test_an_unknown_key_of_the_table(ways: Load) -> None:
    with pytest.raises(ConfigError, match=r"providers\.x\.tls\.cas: unknown key. Did you mean ca\?"):
        ways(f'{REMOTE}tls.cas = "x"\n')
