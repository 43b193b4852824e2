"""The start-up page of `turnout run`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from turnout.settings.load import load
from turnout.settings.model import Listen
from turnout.settings.trust import trust
from turnout.settings.ways import ways_of
from turnout.status.start_up import credential_states, start_up
from turnout.status.text import client_url, credentials, table

CONFIG = """
[access]
keys = ["env:TEAM_KEY"]
[providers.minimax]
[providers.local]
base_url = "http://127.0.0.1:11434"
auth = "none"
[[routes]]
model = "claude-haiku-*"
to = ["minimax/MiniMax-M2.5", "anthropic"]
[[routes]]
model = ["opus", "claude-opus-*"]
when = { tokens_over = 150_000, thinking = true, class = ["main", "subagent"] }
to = "local"
[models."glm-4.6"]
to = "zai/glm-4.6"
"""

VARIABLES = {
    "TEAM_KEY": "team-key-0123456789",
    "MINIMAX_API_KEY": "minimax-key-0123456789",
    "REAL_ANTHROPIC_API_KEY": "sk-ant-api03-0123456789",
}


def page(home: Path, config: str | None = None, pinned: str | None = None) -> str:
    chosen = None
    if config is not None:
        chosen = str(home / "mitm.conf")
        Path(chosen).write_text(config)
    settings = load(chosen, process=VARIABLES | {"HOME": str(home)})
    return start_up(settings, Listen(), pinned, credential_states(settings), ways_of(settings))


def test_everything_a_person_needs_is_there(home: Path) -> None:
    lines = [" ".join(line.split()) for line in page(home, CONFIG).splitlines()]
    assert "Claude Code ANTHROPIC_BASE_URL=http://127.0.0.1:8082 ANTHROPIC_AUTH_TOKEN=<client key> claude" in lines
    assert f"Config {home / 'mitm.conf'}" in lines
    assert "Access client keys: 1" in lines
    first = lines.index("claude-haiku-* → minimax/MiniMax-M2.5, anthropic")
    assert lines[first + 1 : first + 3] == [
        "opus | claude-opus-* → local when tokens_over 150,000 and thinking yes and class main | subagent",
        "* → anthropic",
    ]
    assert "glm-4.6 → zai/glm-4.6" in lines
    assert "minimax https://api.minimax.io/anthropic ready: env:MINIMAX_API_KEY" in lines
    assert "local http://127.0.0.1:11434 ready: no key needed" in lines
    assert "anthropic https://api.anthropic.com ready: env:REAL_ANTHROPIC_API_KEY, your client's own login" in lines
    assert "zai https://api.z.ai/api/anthropic NO CREDENTIAL" in lines
    assert lines[lines.index("Attention") + 1 :] == ["zai: no credential: set ZAI_API_KEY; this target is skipped"]


def test_no_secret_is_on_the_page(home: Path) -> None:
    literal = CONFIG.replace("[providers.minimax]", '[providers.minimax]\ncredentials = ["literal-key-0123456789"]')
    text = page(home, literal)
    assert "ready: literal" in text
    for secret in (*VARIABLES.values(), "literal-key-0123456789"):
        assert secret not in text


def test_without_a_config_file(home: Path) -> None:
    text = page(home)
    assert "none: everything goes to Anthropic" in text
    assert "ANTHROPIC_BASE_URL=http://127.0.0.1:8082 claude" in text
    assert "*  → anthropic" in text
    assert "every process on this machine" in text
    own_key = "ready: env:REAL_ANTHROPIC_API_KEY, your client's own login"
    assert f"anthropic  https://api.anthropic.com  {own_key}\n" in text
    assert "Attention" not in text


REDIRECTED = "TURNOUT_PROVIDERS__ANTHROPIC__BASE_URL=https://elsewhere.example\nREAL_ANTHROPIC_API_KEY=of-the-folder\n"


def found_page(home: Path) -> list[str]:
    settings = load(process={"HOME": str(home)})
    text = start_up(settings, Listen(), None, credential_states(settings), ways_of(settings))
    return [" ".join(line.split()) for line in text.splitlines()]


def test_a_dotenv_of_the_folder_is_told_with_what_it_changes(home: Path) -> None:
    """Without a mitm.conf too: the page said that everything goes to Anthropic while the login went elsewhere."""
    (home / ".env").write_text(REDIRECTED)
    lines = found_page(home)
    assert "Config none" in lines
    assert f"Variables {home / '.env'} (not trusted, in force in part)" in lines
    assert "Changes anthropic is at https://elsewhere.example" in lines
    assert "anthropic https://elsewhere.example NO CREDENTIAL" in lines
    told = lines[lines.index("Attention") + 1]
    assert told.startswith("its address https://elsewhere.example for providers.anthropic")
    assert told.endswith(f"if you know it, run: turnout trust {home / '.env'}")


def test_trusted_files_are_told_with_what_they_change(home: Path) -> None:
    (home / ".env").write_text(REDIRECTED)
    (home / "mitm.conf").write_text('[access]\nkeys = ["env:REAL_ANTHROPIC_API_KEY"]\n[listen]\nport = 7\n')
    trust([home / "mitm.conf", home / ".env"], {"HOME": str(home)})
    lines = found_page(home)
    start = lines.index(f"Config {home / 'mitm.conf'} (trusted)")
    assert lines[start + 1 : start + 5] == [
        f"Variables {home / '.env'} (trusted)",
        "Changes anthropic is at https://elsewhere.example",
        "Changes client keys: 1",
        "Changes listens on 127.0.0.1 port 7",
    ]
    assert lines[start + 5] == "Changes sets REAL_ANTHROPIC_API_KEY"
    assert "Attention" not in lines


def test_a_dotenv_that_changes_nothing_is_no_news(home: Path) -> None:
    (home / ".env").write_text("DATABASE_URL=postgres://db\n")
    lines = found_page(home)
    assert "Config none: everything goes to Anthropic" in lines and "Attention" not in lines


def test_a_file_that_is_left_aside_is_told(home: Path) -> None:
    users = home / ".config" / "turnout" / "mitm.conf"
    users.parent.mkdir(parents=True)
    users.touch()
    (home / "mitm.conf").write_text("[listen]\nport = 7\n")
    lines = found_page(home)
    assert f"Config {users}" in lines
    assert lines[lines.index("Attention") + 1].startswith(f"{home / 'mitm.conf'} is left aside for {users}: ")


def test_the_healthy_default_looks_healthy(home: Path) -> None:
    settings = load(process={"HOME": str(home)})
    text = start_up(settings, Listen(), None, credential_states(settings), ways_of(settings))
    assert "  anthropic  https://api.anthropic.com  ready: your client's own login\n" in text
    assert "missing" not in text and "not found" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_source_that_is_no_variable_is_named_when_nothing_is_there(home: Path) -> None:
    text = page(
        home, '[providers.minimax]\ncredentials = "file:/nowhere/key"\n[[routes]]\nmodel = "*"\nto = "minimax"\n'
    )
    assert "minimax: no credential: nothing found at file:/nowhere/key; this target is skipped" in text


def test_a_provider_that_no_route_names_needs_no_attention(home: Path) -> None:
    text = page(home, "[providers.moonshot]\n")
    assert "NO CREDENTIAL" in text
    assert "Attention" not in text


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        ([("env:A", "missing"), ("client", "from the client"), ("file", "not found")], "client: from the client"),
        ([("env:A", "missing"), ("file", "expired")], "env:A: missing, file: expired"),
        ([("file", "found, expires 14:05")], "file: found, expires 14:05"),
        ([("none", "no key needed")], "no key needed"),
        ([], "none"),
    ],
)
def test_credentials_that_are_not_there_are_told_only_when_none_is(states: list[tuple[str, str]], shown: str) -> None:
    assert credentials(states) == shown


@pytest.mark.parametrize(("platform", "shown"), [("darwin", "keychain: not found"), ("linux", "none")])
def test_the_keychain_is_apples(platform: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert credentials([("keychain", "not found")]) == shown


def test_the_implicit_route_is_not_shown_when_a_route_takes_everything(home: Path) -> None:
    text = page(home, '[[routes]]\nmodel = "*"\nto = "minimax"\n')
    assert "→ minimax" in text
    assert "→ anthropic" not in text


def test_a_pin_is_shown(home: Path) -> None:
    assert "minimax, without failover" in page(home, CONFIG, pinned="minimax")
    assert "Pinned" not in page(home, CONFIG)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8082"),
        ("0.0.0.0", "http://127.0.0.1:8082"),
        ("::", "http://[::1]:8082"),
        ("::1", "http://[::1]:8082"),
        ("192.168.1.5", "http://192.168.1.5:8082"),
    ],
)
def test_url_for_a_client_on_this_machine(host: str, url: str) -> None:
    assert client_url(Listen(host=host)) == url


def test_columns_are_aligned_and_lines_end_without_blanks() -> None:
    assert table([("a", "bb", ""), ("ccc", "d", "e")]) == ["  a    bb", "  ccc  d   e"]
