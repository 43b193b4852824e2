"""Files that came with a folder move no login, no key and no prompt to a place of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from turnout.errors import ConfigError
from turnout.settings.folder import warnings
from turnout.settings.load import load, salvage
from turnout.settings.model import Settings
from turnout.settings.trust import trust

LOCAL = "http://127.0.0.1:9"
ELSEWHERE = "https://elsewhere.example"

Load = Callable[..., Settings]


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Loads what is found in a folder with this mitm.conf and this `.env`."""
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def run(config: str | None = None, dotenv: str | None = None, **process: str) -> Settings:
        for name, text in {"mitm.conf": config, ".env": dotenv}.items():
            if text is not None:
                Path(name).write_text(text, encoding="utf-8")
        return load(None, {"HOME": str(tmp_path / "home"), **process})

    return run


def references(settings: Settings, provider: str = "anthropic") -> list[str]:
    return [str(reference) for reference in settings.providers[provider].credentials]


def variables(settings: Settings) -> Mapping[str, str]:
    return {name: secret.reveal() for name, secret in settings.environment.items() if name != "HOME"}


def told(settings: Settings) -> tuple[str, ...]:
    assert settings.folder is not None
    return settings.folder.withheld


# --- where a login goes ---


@pytest.mark.parametrize("url", [LOCAL, ELSEWHERE, "http://api.anthropic.com", "https://api.anthropic.com:444"])
@pytest.mark.parametrize("in_dotenv", [True, False])
def test_another_address_of_a_preset_gets_no_login(found: Load, url: str, in_dotenv: bool) -> None:
    if in_dotenv:
        settings = found(None, f"TURNOUT_PROVIDERS__ANTHROPIC__BASE_URL={url}\n")
    else:
        settings = found(f'[providers.anthropic]\nbase_url = "{url}"\n')
    anthropic = settings.providers["anthropic"]
    assert anthropic.base_url == url and anthropic.credentials == () and anthropic.withheld
    assert any("providers.anthropic" in line and url in line for line in warnings(settings))


@pytest.mark.parametrize(
    "reference", ["client", "keychain", "file", "file:~/.ssh/id_ed25519", "keyring:a/b", "env:REAL_ANTHROPIC_API_KEY"]
)
def test_a_provider_of_the_folder_gets_no_credential_of_the_user(found: Load, reference: str) -> None:
    """Nor one of `.env`: that is often the user's own file in somebody else's folder."""
    config = f'[providers.x]\nbase_url = "{LOCAL}"\ncredentials = ["{reference}", "of-the-file"]\n'
    settings = found(config, "REAL_ANTHROPIC_API_KEY=sk-ant-api03-mine\n", AWS_KEY="mine")
    assert references(settings, "x") == ["literal"]
    assert told(settings) == (f"{reference} for providers.x ({LOCAL})",)


def test_what_listens_on_another_machine_is_not_asked_at_all(found: Load) -> None:
    """It would read every prompt, also without any credential."""
    config = f'[providers.x]\nbase_url = "{ELSEWHERE}"\nauth = "none"\n[[routes]]\nmodel = "*"\nto = "x"\n'
    settings = found(config)
    assert settings.providers["x"].withheld == (f"its address {ELSEWHERE}",)
    assert references(settings) != [], "Anthropic is where it was"


def test_what_listens_here_may_be_asked_without_a_credential(found: Load) -> None:
    settings = found(f'[providers.x]\nbase_url = "{LOCAL}"\nauth = "none"\n')
    assert settings.providers["x"].withheld == () and told(settings) == ()


def test_a_preset_at_its_own_address_keeps_its_own_references_alone(found: Load) -> None:
    listed = '["client", "file:/etc/passwd", "env:GITHUB_TOKEN", "env:MY_KEY", "k"]'
    config = f"[providers.anthropic]\ncredentials = {listed}\n"
    settings = found(config, "MY_KEY=of-the-folder\nGITHUB_TOKEN=of-the-folder\n", GITHUB_TOKEN="mine")
    assert references(settings) == ["client", "env:MY_KEY", "literal"]
    assert settings.providers["anthropic"].withheld == ("file:/etc/passwd", "env:GITHUB_TOKEN")


def test_what_a_genuine_key_looks_like_is_not_for_the_folder_to_say(found: Load) -> None:
    forms = 'client_key_prefix = ""\noauth_prefix = "sk-ant-api"\noauth_beta = "x"'
    anthropic = found(f"[providers.anthropic]\n{forms}\n").providers["anthropic"]
    assert anthropic.client_key_prefix == "sk-ant-" and anthropic.oauth_prefix == "sk-ant-oat"
    assert anthropic.oauth_beta.startswith("oauth-")


def test_a_key_that_the_user_gave_is_not_sent_to_an_address_of_the_folder(found: Load) -> None:
    given = {"TURNOUT_PROVIDERS__MINIMAX__CREDENTIALS": '["mine-and-secret"]'}
    settings = found(f'[providers.minimax]\nbase_url = "{LOCAL}"\n', **given)
    assert references(settings, "minimax") == [] and settings.providers["minimax"].withheld == ("literal",)


def test_a_client_key_of_the_user_is_no_credential(found: Load) -> None:
    config = f'[providers.x]\nbase_url = "{LOCAL}"\ncredentials = ["team"]\n'
    settings = found(config, TURNOUT_ACCESS__KEYS='["team"]')
    assert references(settings, "x") == []


def test_the_environment_of_the_process_is_always_trusted(found: Load) -> None:
    settings = found(None, "A=1\n", TURNOUT_PROVIDERS__ANTHROPIC__BASE_URL=ELSEWHERE)
    assert settings.providers["anthropic"].base_url == ELSEWHERE and "client" in references(settings)
    assert told(settings) == () and warnings(settings) == []


# --- where a login lies ---


def test_variables_of_the_folder_do_not_say_where_the_login_lies(found: Load) -> None:
    dotenv = "CLAUDE_CONFIG_DIR=/folder\nUSER=root\nHOME=/folder\nXDG_STATE_HOME=/folder\n"
    config = '[providers.anthropic]\ncredentials = ["env:CLAUDE_CONFIG_DIR", "file"]\n'
    settings = found(config + '[access]\nkeys = ["env:CLAUDE_CONFIG_DIR", "env:USER"]\n', dotenv)
    assert variables(settings) == {} and references(settings) == ["file"]
    assert told(settings)[-2:] == ("CLAUDE_CONFIG_DIR", "USER")


def test_of_other_variables_those_count_that_a_credential_names(found: Load) -> None:
    dotenv = "REAL_ANTHROPIC_API_KEY=sk-ant-api03-folder\nTEAM=t\nPATH=/folder\nPYTHONPATH=/folder\n"
    settings = found('[access]\nkeys = ["env:TEAM"]\n', dotenv)
    assert variables(settings) == {"REAL_ANTHROPIC_API_KEY": "sk-ant-api03-folder", "TEAM": "t"}
    assert settings.folder is not None and "sets REAL_ANTHROPIC_API_KEY" in settings.folder.changes


# --- who may enter ---


def test_keys_of_the_folder_are_in_force(found: Load) -> None:
    settings = found('[access]\nkeys = ["env:TEAM"]\n', TEAM="t")
    assert [str(key) for key in settings.access.keys] == ["env:TEAM"] and told(settings) == ()


def test_keys_of_the_user_cannot_be_taken_away(found: Load) -> None:
    given = {"TURNOUT_ACCESS__KEYS": '["of-the-user"]'}
    assert len(found("[access]\nkeys = []\n", **given).access.keys) == 1


def test_the_folder_does_not_widen_the_gate(found: Load) -> None:
    access = '[access]\nkeys = ["k"]\nhosts = ["*"]\norigins = ["https://evil.example"]\n'
    settings = found(f'{access}[listen]\nhost = "0.0.0.0"\nport = 7\n')
    assert (settings.listen.host, settings.listen.port) == ("127.0.0.1", 7)
    assert settings.access.hosts == ("127.0.0.1", "localhost", "[::1]") and settings.access.origins == ()
    assert told(settings) == ("listen.host 0.0.0.0", "access.hosts", "access.origins")


def test_nor_does_one_with_mistakes(found: Load, tmp_path: Path) -> None:
    """`turnout status` sends a client key to this address."""
    Path("mitm.conf").write_text('[listen]\nhost = "192.0.2.1"\n[access]\nkeys = ["env:SECRET"]\n[oops]\n')
    settings = salvage(None, {"HOME": str(tmp_path), "SECRET": "mine"})
    assert settings.listen.host == "127.0.0.1"


# --- whose files ---


@pytest.mark.parametrize("how", ["named", "trusted"])
def test_what_is_named_or_trusted_is_taken_over_in_full(found: Load, how: str, tmp_path: Path) -> None:
    process = {"HOME": str(tmp_path / "home")}
    config = f'[providers.anthropic]\nbase_url = "{ELSEWHERE}"\n[listen]\nhost = "192.0.2.1"\n'
    found(config, "CLAUDE_CONFIG_DIR=/mine\n")
    trust([Path("mitm.conf"), Path(".env")] if how == "trusted" else [], process)
    settings = load("mitm.conf" if how == "named" else None, process)
    assert "client" in references(settings) and settings.listen.host == "192.0.2.1"
    assert variables(settings) == {"CLAUDE_CONFIG_DIR": "/mine"} and warnings(settings) == []


def test_a_dotenv_beside_a_trusted_file_may_not_change_where_it_sends(found: Load, tmp_path: Path) -> None:
    config = f'[providers.x]\nbase_url = "{LOCAL}"\ncredentials = ["env:MINE"]\n[access]\nkeys = ["mine"]\n'
    dotenv = f"TURNOUT_PROVIDERS__X__BASE_URL={LOCAL}9\nTURNOUT_ACCESS__KEYS=[]\n"
    found(config, dotenv)
    trust([Path("mitm.conf")], {"HOME": str(tmp_path / "home")})
    settings = found(MINE="secret")
    assert references(settings, "x") == [] and len(settings.access.keys) == 1
    assert settings.folder is not None and settings.folder.untrusted == (Path.cwd() / ".env",)
    Path(".env").write_text("MINE=of-the-folder\n")
    assert references(found(), "x") == ["env:MINE"]


def test_a_trusted_dotenv_is_not_for_a_file_that_came_later(found: Load, tmp_path: Path) -> None:
    found(None, "MINE=secret\n")
    trust([Path(".env")], {"HOME": str(tmp_path / "home")})
    settings = found(f'[providers.x]\nbase_url = "{LOCAL}"\ncredentials = ["env:MINE"]\n')
    assert references(settings, "x") == []


def test_names_of_the_folder_write_no_lines_of_their_own(found: Load) -> None:
    config = f'[providers."x\\n  Config  trusted\\u001b[2J"]\nbase_url = "{ELSEWHERE}"\n'
    settings = found(config)
    assert all(line.isprintable() for line in (*told(settings), *warnings(settings)))


def test_the_remedy_can_be_typed(found: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a b;$(reboot)"
    folder.mkdir()
    monkeypatch.chdir(folder)
    line, in_force = warnings(found(f'[providers.anthropic]\nbase_url = "{ELSEWHERE}"\n'))
    assert in_force == f"{folder}{os.sep}mitm.conf: found in this folder, in force in part: anthropic is at {ELSEWHERE}"
    assert line.endswith(f"run: turnout trust '{folder}{os.sep}mitm.conf'")


@pytest.mark.parametrize("key", ["withheld", "name", "folder"])
def test_what_turnout_fills_in_is_no_key(found: Load, key: str) -> None:
    with pytest.raises(ConfigError, match="unknown key"):
        found(f"[providers.anthropic]\n{key} = []\n")


# --- the way to a provider ---


@pytest.mark.parametrize(
    ("key", "line"), [("proxy", 'proxy = "http://127.0.0.1:9"'), ("tls", 'tls.ca = "ca.pem"'), ("proxy", "proxy = ''")]
)
@pytest.mark.parametrize("address", ["", f'base_url = "{LOCAL}"\n'])
def test_nobody_is_put_between_a_provider_and_its_user(found: Load, key: str, line: str, address: str) -> None:
    settings = found(f"[providers.anthropic]\n{address}{line}\n")
    provider = settings.providers["anthropic"]
    assert provider.proxy is None and provider.tls.ca is None
    assert f"providers.anthropic.{key}" in told(settings)


def test_the_way_of_a_trusted_file_is_told(found: Load, tmp_path: Path) -> None:
    config = '[providers.anthropic]\nproxy = "http://me:hush-hush@proxy.example"\ntls.ca = "ca.pem"\n'
    Path("mitm.conf").write_text(config)
    trust([Path("mitm.conf")], {"HOME": str(tmp_path / "home")})
    folder = found(config).folder
    assert folder is not None and folder.changes == (
        "anthropic is reached through http://proxy.example:80",
        "anthropic is trusted with a certificate of ca.pem",
    )


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"])
def test_a_variable_of_the_folder_is_no_way_out(found: Load, name: str) -> None:
    """Not even if a credential names it, which is how a folder has its other variables taken."""
    config = f'[providers.x]\nbase_url = "{LOCAL}"\ncredentials = ["env:{name}"]\n'
    settings = found(config, f"{name}=http://127.0.0.1:9\n")
    assert not variables(settings) and name in told(settings)
    settings = found(config, f"{name}=http://127.0.0.1:9\n", **{name: "http://mine.example"})
    assert variables(settings) == {name: "http://mine.example"}


def test_the_users_own_way_stays(found: Load) -> None:
    given = {"TURNOUT_PROVIDERS__ANTHROPIC__PROXY": "http://mine.example:3128"}
    settings = found('[providers.anthropic]\nproxy = "none"\n', **given)
    assert str(settings.providers["anthropic"].proxy) == "http://mine.example:3128"
