"""The command line as a whole: version, help, and how errors are told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import turnout as package
from tests.cli.conftest import Turnout


def test_version(turnout: Turnout) -> None:
    outcome = turnout("--version")
    assert (outcome.code, outcome.out, outcome.err) == (0, f"turnout {package.__version__}\n", "")


def test_without_a_command_the_help_is_shown(turnout: Turnout) -> None:
    outcome = turnout()
    text = outcome.out + outcome.err
    assert all(command in text for command in ("run", "init", "demo", "switch", "reset", "status"))


def test_unknown_command(turnout: Turnout) -> None:
    outcome = turnout("fly")
    assert outcome.code == 2
    assert "fly" in outcome.err


def test_the_help_says_where_the_configuration_is_looked_for(turnout: Turnout) -> None:
    text = " ".join(turnout("run", "--help").out.split())
    for expected in ("$TURNOUT_CONFIG", "./mitm.conf", "~/.config/turnout/mitm.conf", "turnout init", "--port PORT"):
        assert expected in text
    assert "<bool>" not in text


@pytest.mark.parametrize("command", [("run",), ("switch", "anthropic")])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[listen]\nprot = 1\n", "listen.prot: unknown key. Did you mean port?"),
        ("[listen\n", "not valid TOML"),
        ('[[routes]]\nmodel = "*"\nto = "minmax"\n', "'minmax' names no known provider. Did you mean minimax?"),
        (None, "there is no such file"),
    ],
)
def test_config_error_is_one_line_and_code_2(
    turnout: Turnout, home: Path, command: tuple[str, ...], text: str | None, expected: str
) -> None:
    file = home / "broken.conf"
    if text is not None:
        file.write_text(text)
    outcome = turnout(*command, "--config", str(file))
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"turnout: {file}: ")
    assert expected in outcome.err
    assert outcome.err.count("\n") == 1


def test_an_error_never_shows_a_key(turnout: Turnout, home: Path) -> None:
    (home / "mitm.conf").write_text('[[routes]]\nmodel = "*"\nto = "sk-ant-api03-secretsecretsecret"\n')
    outcome = turnout("run")
    assert outcome.code == 2
    assert "secretsecret" not in outcome.err


def test_only_what_a_command_needs_is_imported(process_environment: dict[str, str]) -> None:
    script = """
import sys
from turnout.cli import main
try:
    main(["--version"])
except SystemExit:
    pass
print(sorted({"mitmproxy", "pydantic", "httpx", "keyring", "rich"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=process_environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
