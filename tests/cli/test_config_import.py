"""C2: `turnout config import` writes a mitm.conf from an old config.json, and nothing over anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Turnout
from turnout.settings.load import load

OLD = {
    "proxy_port": 9001,
    "providers": [
        {"name": "minimax", "base_url": "https://api.minimax.io/anthropic", "api_key_env": "MINIMAX_API_KEY"},
        {"name": "gateway", "base_url": "https://gateway.example", "api_key": "hush-hush"},
    ],
    "cooldown_minutes": 5,
}


@pytest.fixture
def old(home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("MINIMAX_API_KEY", "GATEWAY_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    (home / "config.json").write_text(json.dumps(OLD))
    return "config.json"


def test_it_writes_a_configuration_that_loads_and_says_what_is_left_to_do(
    turnout: Turnout, home: Path, old: str
) -> None:
    outcome = turnout("config", "import", old)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        f"Wrote {home / 'mitm.conf'}.",
        "providers.1.api_key was not copied: put that key into .env as GATEWAY_API_KEY=…",
        "To be set in the environment or in the .env beside mitm.conf: MINIMAX_API_KEY, GATEWAY_API_KEY",
    ]
    settings = load()
    assert (settings.file, settings.listen.port) == (home / "mitm.conf", 9001)
    assert settings.routes[0].to == ("minimax", "gateway")
    assert settings.providers["gateway"].cooldown == 300
    assert "hush" not in (home / "mitm.conf").read_text()


def test_a_file_of_models_is_known_by_its_key(turnout: Turnout, home: Path) -> None:
    """E8"""
    model = {"id": "big", "base_url": "http://llm.example/v1", "api_key": "hush-hush"}
    (home / "models.json").write_text(json.dumps({"custom_models": [model]}))
    outcome = turnout("config", "import", "models.json")
    assert (outcome.code, outcome.err) == (0, "")
    assert "LLM_EXAMPLE_API_KEY" in outcome.out and "hush" not in outcome.out
    assert load().models["big"].to == ("llm-example/big",)


def test_variables_that_are_set_are_not_asked_for(
    turnout: Turnout, home: Path, old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".env").write_text("GATEWAY_API_KEY=here\n")
    assert turnout("config", "import", old).out.endswith("mitm.conf: MINIMAX_API_KEY\n")
    monkeypatch.setenv("MINIMAX_API_KEY", "there")
    assert "To be set" not in turnout("config", "import", old, "--output", "second.conf").out


@pytest.mark.parametrize("output", [(), ("--output", "other.conf")])
def test_it_never_overwrites(turnout: Turnout, home: Path, old: str, output: tuple[str, ...]) -> None:
    target = home / (output[1] if output else "mitm.conf")
    target.write_text("# mine\n")
    outcome = turnout("config", "import", old, *output)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(f"turnout: {target} exists already")
    assert target.read_text() == "# mine\n"


def test_standard_output_gets_the_configuration_and_nothing_else(turnout: Turnout, home: Path, old: str) -> None:
    printed = turnout("config", "import", old, "--output", "-")
    assert printed.code == 0
    assert [path.name for path in home.glob("*.conf")] == []
    assert "MINIMAX_API_KEY, GATEWAY_API_KEY" in printed.err
    turnout("config", "import", old)
    assert printed.out == (home / "mitm.conf").read_text()


def test_a_folder_that_is_missing(turnout: Turnout, old: str) -> None:
    outcome = turnout("config", "import", old, "--output", "none/mitm.conf")
    assert outcome.code == 1
    assert "cannot be written (No such file or directory)" in outcome.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "config.json: not valid JSON"),
        ('{"providers": [{"name": "x"}]}', "config.json: providers.0.base_url: a value is missing"),
        (None, "config.json: there is no such file"),
    ],
)
def test_bad_input_writes_nothing(turnout: Turnout, home: Path, text: str | None, expected: str) -> None:
    if text is not None:
        (home / "config.json").write_text(text)
    outcome = turnout("config", "import", "config.json")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"turnout: {expected}")
    assert outcome.err.count("\n") == 1
    assert not (home / "mitm.conf").exists()
