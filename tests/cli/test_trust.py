"""`turnout trust`, what the other commands trust, and the question of `turnout run` on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest
import typer

from tests.cli.conftest import COMMAND, Turnout
from turnout.cli import trust as trusting
from turnout.cli.replay_target import _command, _hand_on_trust
from turnout.cli.run import mitmproxy_arguments
from turnout.settings.load import load
from turnout.settings.model import Listen
from turnout.settings.trust import trust_file, trusted_files

REDIRECTED = '[providers.anthropic]\nbase_url = "http://127.0.0.1:9"\n'

ELSEWHERE = "http://192.0.2.1"


@pytest.fixture
def redirected(home: Path) -> Path:
    (home / "mitm.conf").write_text(REDIRECTED)
    return home / "mitm.conf"


def withheld() -> bool:
    folder = load().folder
    return folder is not None and folder.withheld != ()


def test_the_file_of_this_folder_and_its_dotenv(turnout: Turnout, redirected: Path) -> None:
    assert withheld()
    dotenv = redirected.parent / ".env"
    dotenv.touch()
    outcome = turnout("trust")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"Trusted: {redirected} and {dotenv}.\n")
    assert str(trust_file(os.environ)) in outcome.out
    assert trusted_files(os.environ) == {redirected, dotenv} and not withheld()


def test_a_dotenv_that_comes_later_is_not_trusted(turnout: Turnout, redirected: Path) -> None:
    """Nobody has seen it."""
    assert turnout("trust").code == 0 and not withheld()
    assert trusted_files(os.environ) == {redirected}
    (redirected.parent / ".env").write_text(f"TURNOUT_PROVIDERS__ANTHROPIC__BASE_URL={ELSEWHERE}\n")
    assert withheld()


def test_a_dotenv_without_a_configuration(turnout: Turnout, home: Path) -> None:
    (home / ".env").write_text("TURNOUT_PROVIDERS__ANTHROPIC__BASE_URL=http://127.0.0.1:9\n")
    assert withheld() and turnout("trust").code == 0
    assert trusted_files(os.environ) == {home / ".env"} and not withheld()


def test_a_file_that_is_named(turnout: Turnout, home: Path, tmp_path: Path) -> None:
    (home / "project").mkdir()
    (home / "project" / "mitm.conf").touch()
    assert turnout("trust", "project/mitm.conf").code == 0
    assert home / "project" / "mitm.conf" in trusted_files(os.environ)


@pytest.mark.parametrize("arguments", [(), ("no.conf",)])
def test_a_file_that_is_not_there(turnout: Turnout, arguments: tuple[str, ...]) -> None:
    outcome = turnout("trust", *arguments)
    assert outcome.code == 2 and "there is no such file" in outcome.err
    assert trusted_files(os.environ) == frozenset()


@pytest.mark.parametrize("dotenv", [True, False])
def test_what_init_writes_is_the_users_own(turnout: Turnout, home: Path, dotenv: bool) -> None:
    """A `.env` beside it is not, whether it was there before or comes later."""
    if dotenv:
        (home / ".env").write_text("TURNOUT_LISTEN__HOST=0.0.0.0\n")
    assert turnout("init").code == 0
    assert trusted_files(os.environ) == {home / "mitm.conf"}
    assert withheld() == dotenv


def test_what_was_only_found_is_not_named_to_the_addon(redirected: Path) -> None:
    """It would count as named by the user, and its `.env` with it."""
    for _ in range(2):
        assert not any("turnout_config" in each for each in mitmproxy_arguments(load(), Listen(), False, []))
        trusting.written_here(redirected)


def test_a_replay_trusts_what_this_turnout_does(redirected: Path, tmp_path: Path) -> None:
    assert "--config" not in _command(load(), None, tmp_path)
    trusting.written_here(redirected)
    _hand_on_trust(str(tmp_path / "state"))
    assert trusted_files({"XDG_STATE_HOME": str(tmp_path / "state")}) == trusted_files(os.environ) != frozenset()


# --- the question ---


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trusting, "_on_a_terminal", lambda: True)


def answering(monkeypatch: pytest.MonkeyPatch, answer: bool) -> None:
    monkeypatch.setattr(typer, "confirm", lambda question, default: answer)


@pytest.mark.parametrize("answer", [True, False])
def test_on_a_terminal_it_is_asked_once(
    redirected: Path,
    terminal: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: bool,
) -> None:
    answering(monkeypatch, answer)
    assert trusting.offer(load()) is answer
    asked = capsys.readouterr().out
    assert str(redirected) in asked and "for providers.anthropic (http://127.0.0.1:9)" in asked
    assert withheld() is not answer
    assert trusting.offer(load()) is False or not answer


def test_a_file_that_was_left_aside_can_take_its_place(
    redirected: Path, home: Path, terminal: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    users = home / ".config" / "turnout" / "mitm.conf"
    users.parent.mkdir(parents=True)
    users.touch()
    answering(monkeypatch, True)
    assert load().file == users
    assert trusting.offer(load()) and load().file == redirected
    assert f"Unless you trust it, {users} is used" in capsys.readouterr().out


def test_what_changes_nothing_is_not_asked_about(home: Path, terminal: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typer, "confirm", lambda *arguments, **options: pytest.fail("it asked"))
    (home / "mitm.conf").write_text('[[routes]]\nmodel = "*"\nto = "anthropic"\n')
    (home / ".env").write_text("DATABASE_URL=x\n")
    assert trusting.offer(load()) is False


def test_without_a_terminal_nobody_is_asked(redirected: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typer, "confirm", lambda *arguments, **options: pytest.fail("it asked"))
    assert trusting.offer(load()) is False


@pytest.mark.e2e
@pytest.mark.parametrize("answer", ["y", "n"])
def test_run_asks_on_a_terminal(redirected: Path, process_environment: dict[str, str], answer: str) -> None:
    ours, theirs = pty.openpty()
    command = [*COMMAND, "run", "--port", "0", "--", "--set", f"confdir={redirected.parent / 'mitmproxy'}"]
    with subprocess.Popen(
        command, cwd=redirected.parent, env=process_environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = read_until(ours, "[y/N]")
        os.write(ours, f"{answer}\n".encode())
        shown += read_until(ours, "Providers")
        process.terminate()
    os.close(ours)
    assert "for providers.anthropic (http://127.0.0.1:9)" in shown
    assert (f"{redirected} (trusted)" in shown) is (answer == "y")
    assert (f"{redirected} (not trusted, in force in part)" in shown) is (answer == "n")


def read_until(terminal: int, text: str) -> str:
    shown = ""
    while text not in shown:
        shown += os.read(terminal, 4096).decode()
    return shown
