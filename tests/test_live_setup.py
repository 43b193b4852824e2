"""What may happen to the files of the configuration while Turnout runs: an accident changes nothing."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import pytest

from turnout.errors import ConfigError
from turnout.reload import LiveSetup
from turnout.settings.edits import SETTLE
from turnout.settings.model import Settings
from turnout.settings.trust import trust
from turnout.setup import Setup

CONFIG = '[listen]\nport = 8082\n[providers.minimax]\nmax_concurrent = 3\n[access]\nkeys = ["env:TEAM"]\n'
WITHOUT_KEYS = "[listen]\nport = 7\n[providers.minimax]\nmax_concurrent = 4\n"


class Running:
    """A LiveSetup in a folder of its own, whose clock stands still."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config, self.dotenv = folder / "mitm.conf", folder / ".env"
        self.now = 0.0
        self.adopted: list[Setup] = []
        self.live = self._made()

    def _made(self) -> LiveSetup:
        return LiveSetup(lambda settings: None, self.adopted.append, lambda pin: None, clock=lambda: self.now)

    def start_again(self, chosen: str | None = None) -> None:
        """As when the script is loaded again: a new object, with the memory of the old one."""
        memory = self.live.memory
        self.live = self._made()
        self.live.memory = memory
        self.live.start(chosen, None)

    def start(self, config: str | None = None, dotenv: str | None = None, *, named: bool = False) -> None:
        self.write(config, dotenv)
        self.live.start(str(self.config) if named else None, None)

    def write(self, config: str | None = None, dotenv: str | None = None) -> None:
        for file, text in ((self.config, config), (self.dotenv, dotenv)):
            if text is not None:
                file.write_text(text, encoding="utf-8")
                os.utime(file, ns=(0, len(self.adopted) + file.stat().st_mtime_ns))

    def look(self, after: float = 0.0) -> bool:
        """Whether a look at this many seconds from the last takes something over."""
        before = self.live.current
        self.now += after
        self.live.look()
        return self.live.current is not before

    @property
    def settings(self) -> Settings:
        assert self.live.current is not None
        return self.live.current.settings


@pytest.fixture
def running(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Running:
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TEAM", "a-client-key")
    return Running(folder)


def told(caplog: pytest.LogCaptureFixture, level: int = logging.ERROR) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == level]


# --- gone ---


@pytest.mark.parametrize("named", [True, False])
def test_a_file_that_is_gone_changes_nothing_until_it_is_back(
    running: Running, home: Path, caplog: pytest.LogCaptureFixture, named: bool
) -> None:
    """The user's own does not take its place, which has no client keys."""
    running.start(CONFIG, named=named)
    users = home / ".config" / "turnout" / "mitm.conf"
    users.parent.mkdir(parents=True)
    users.write_text(WITHOUT_KEYS)
    running.config.unlink()
    assert [running.look() for _ in range(3)] == [False] * 3
    (line,) = told(caplog)
    assert "the old one stays in force" in line and "mitm.conf: there is no such file" in line
    running.write(CONFIG + "hosts = []\n")
    assert running.look() and running.settings.access.hosts == (() if named else ("127.0.0.1", "localhost", "[::1]"))


def test_a_folder_that_is_gone_changes_nothing(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    running.start(CONFIG, "A=1\n")
    shutil.rmtree(running.folder)
    assert [running.look() for _ in range(2)] == [False, False] and len(told(caplog)) == 1


def test_nor_does_one_with_a_dotenv_alone(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    running.start(None, 'TURNOUT_ACCESS__KEYS=["k"]\n')
    shutil.rmtree(running.folder)
    assert not running.look() and len(told(caplog)) == 1 and running.settings.access.keys


@pytest.mark.parametrize("config", [None, WITHOUT_KEYS])
@pytest.mark.parametrize("left", [None, "", "# A=1\n", "\0\0\0\0"])
def test_keys_in_a_dotenv_that_is_gone_or_empty_stay(
    running: Running, caplog: pytest.LogCaptureFixture, config: str | None, left: str | None
) -> None:
    running.start(config, 'TURNOUT_ACCESS__KEYS=["k"]\n')
    running.dotenv.unlink()
    running.write(None, left)
    assert not running.look() and running.settings.access.keys
    (line,) = told(caplog)
    assert f"{running.dotenv}: the file is " in line


def test_a_config_that_appears_elsewhere_does_not_take_the_place_of_a_dotenv(running: Running, home: Path) -> None:
    running.start(None, 'TURNOUT_ACCESS__KEYS=["k"]\n')
    users = home / ".config" / "turnout" / "mitm.conf"
    users.parent.mkdir(parents=True)
    users.write_text("[access]\nkeys = []\n")
    assert not running.look() and running.settings.access.keys


def test_a_config_that_appears_is_taken_over(running: Running) -> None:
    running.start()
    running.write(CONFIG)
    assert running.look() and running.settings.file == running.config
    running.config.unlink()
    assert not running.look() and running.settings.access.keys


@pytest.mark.parametrize("in_its_place", ["directory", "broken link"])
def test_what_is_no_file_any_more(running: Running, in_its_place: str) -> None:
    running.start(CONFIG)
    running.config.unlink()
    if in_its_place == "directory":
        running.config.mkdir()
    else:
        running.config.symlink_to("nowhere")
    assert not running.look() and running.settings.access.keys


# --- empty ---


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "\ufeff", "\ufeff\n", "[access]\n[listen]\n", " "])
def test_an_empty_file_changes_nothing(
    running: Running, caplog: pytest.LogCaptureFixture, text: str, named: bool
) -> None:
    running.start(WITHOUT_KEYS, named=named)
    running.write(text)
    assert [running.look(SETTLE) for _ in range(3)] == [False] * 3 and running.settings.listen.port == 7
    (line,) = told(caplog)
    assert "mitm.conf: the file is empty" in line


def test_at_the_start_an_empty_file_is_what_it_says(running: Running) -> None:
    running.start("")
    assert running.settings.file == running.config
    running.write("[listen]\nport = 5\n")
    assert running.look() and running.settings.listen.port == 5


# --- cut short ---


def test_a_file_cut_within_a_line_is_never_taken_over(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    running.start(WITHOUT_KEYS + "[retry]\nmax_elapsed = 25\n")
    running.write(WITHOUT_KEYS + "[retry]\nmax_elapsed = 2")
    assert [running.look(SETTLE) for _ in range(3)] == [False] * 3
    (line,) = told(caplog)
    assert "ends in the middle" in line and "line break" in line


def test_last_lines_that_go_must_stay_away_for_a_while(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    running.start(WITHOUT_KEYS + "[retry]\nmax_elapsed = 25\n")
    running.write(WITHOUT_KEYS)
    caplog.clear()  # of what the folder's file changes
    assert not running.look() and not running.look(SETTLE - 1)
    assert running.settings.retry.max_elapsed == 25
    (line,) = told(caplog, logging.WARNING)
    assert "has lost its last lines" in line and "5 s" in line
    assert running.look(1) and running.settings.retry.max_elapsed != 25
    assert not running.look(SETTLE)


def test_a_file_that_grows_again_meanwhile_is_whole(running: Running) -> None:
    running.start(WITHOUT_KEYS + "[retry]\nmax_elapsed = 25\n")
    running.write("[listen]\nport = 7\n")
    assert not running.look()
    running.write(WITHOUT_KEYS)
    assert not running.look(4) and not running.look(4), "it has changed since"
    running.write(WITHOUT_KEYS + "[retry]\nmax_elapsed = 26\n")
    assert running.look() and running.settings.retry.max_elapsed == 26
    assert not running.look(SETTLE)


def test_a_cut_dotenv_waits_as_well(running: Running) -> None:
    running.start("", "A=1\nTURNOUT_LISTEN__PORT=9\n")
    running.write(None, "A=1\n")
    assert not running.look() and running.settings.listen.port == 9
    assert running.look(SETTLE) and running.settings.listen.port == 8082


def test_what_ends_within_a_line_is_looked_at_twice(running: Running) -> None:
    running.start(WITHOUT_KEYS)
    running.write("[listen]\nport = 80")
    assert not running.look()
    running.write("[listen]\nport = 8083")
    assert not running.look(1), "it was being written"
    assert running.look(1) and running.settings.listen.port == 8083


def test_comments_may_go_at_once(running: Running) -> None:
    running.start(WITHOUT_KEYS + "# note\n")
    running.write(WITHOUT_KEYS)
    assert running.look() and running.settings.listen.port == 7


# --- client keys ---


def test_keys_go_only_when_the_file_says_so(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    running.start(CONFIG)
    for text in (WITHOUT_KEYS, WITHOUT_KEYS + "[access]\nmax_body = 5\n"):
        running.write(text)
        assert not running.look(SETTLE) and running.settings.access.keys
        assert "access.keys" in told(caplog)[-1] and "keys = []" in told(caplog)[-1]
    running.write(WITHOUT_KEYS + "[access]\nkeys = []\n")
    assert running.look() and not running.settings.access.keys


def test_a_key_whose_variable_went_with_a_line_stays(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    running.start('[access]\nkeys = ["env:OF_DOTENV"]\n', "A=1\nOF_DOTENV=k\n")
    running.write(None, "A=1\n")
    assert not running.look(SETTLE) and not running.look(SETTLE)
    assert "OF_DOTENV is not set" in told(caplog)[0]


def test_another_file_chosen_while_it_runs_must_say_so_too(running: Running) -> None:
    running.start(CONFIG)
    other = running.folder / "other.conf"
    other.write_text(WITHOUT_KEYS)
    with pytest.raises(ConfigError, match="access.keys"):
        running.live.start(str(other), None)
    assert running.settings.file == running.config


def test_a_pin_does_not_read_the_files_again(running: Running) -> None:
    running.start(CONFIG)
    running.config.unlink()
    running.live.start(None, "minimax")
    assert running.settings.access.keys and running.live.pinned_by_option == "minimax"


# --- asked for ---


@pytest.mark.parametrize("text", [None, "", WITHOUT_KEYS, CONFIG[:-3]])
def test_a_reload_that_was_asked_for_refuses_the_same(running: Running, text: str | None) -> None:
    running.start(CONFIG)
    running.config.unlink()
    running.write(text)
    with pytest.raises(ConfigError):
        running.live.reload()
    assert running.settings.access.keys


def test_but_need_not_wait(running: Running) -> None:
    running.start(WITHOUT_KEYS + "[retry]\nmax_elapsed = 25\n")
    running.write(WITHOUT_KEYS)
    assert running.live.reload() and running.settings.retry.max_elapsed != 25
    assert not running.live.reload()


# --- trust ---


def test_a_file_that_is_trusted_while_it_runs_is_taken_over_in_full(running: Running) -> None:
    running.start('[providers.minimax]\nbase_url = "http://127.0.0.1:9"\n[access]\nkeys = ["k"]\n')
    assert running.settings.providers["minimax"].withheld
    trust([running.config], os.environ)
    assert running.look() and not running.settings.providers["minimax"].withheld


def test_what_is_left_out_is_warned_about_once(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    running.start('[listen]\nhost = "0.0.0.0"\n')
    running.write('[listen]\nhost = "0.0.0.0"\nport = 3\n')
    assert running.look()
    (line,) = told(caplog, logging.WARNING)[:1]
    assert "listen.host 0.0.0.0: not taken over" in line and "turnout trust" in line
    assert caplog.text.count("not taken over") == 1


def test_trust_in_another_folder_is_no_news(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    running.start(CONFIG)
    caplog.set_level(logging.INFO)
    caplog.clear()  # of what the folder's file changes
    trust([Path("/elsewhere/mitm.conf")], os.environ)
    assert not running.look() and caplog.records == []


def test_a_start_that_failed_is_mended_by_an_edit(running: Running) -> None:
    with pytest.raises(ConfigError):
        running.start("[listen\n")
    running.write(CONFIG)
    assert running.look() and running.settings.access.keys


# --- a script that is loaded again ---


@pytest.mark.parametrize("text", [None, "", "[listen", WITHOUT_KEYS, CONFIG[:-3]])
def test_an_accident_changes_nothing_when_the_script_is_loaded_again(
    running: Running, home: Path, caplog: pytest.LogCaptureFixture, text: str | None
) -> None:
    running.start(CONFIG)
    users = home / ".config" / "turnout" / "mitm.conf"
    users.parent.mkdir(parents=True)
    users.write_text("[access]\nkeys = []\n")
    running.config.unlink()
    running.write(text)
    running.start_again()
    assert running.settings.access.keys and running.settings.file == running.config
    (line,) = told(caplog)
    assert "the old one stays in force" in line
    running.write(CONFIG + "max_body = 5\n")
    assert running.look() and running.settings.access.max_body == 5


def test_an_edit_is_taken_over_when_the_script_is_loaded_again(running: Running) -> None:
    running.start(CONFIG)
    running.write("[access]\nkeys = []\n[listen]\nport = 5\n")
    running.start_again()
    assert running.settings.listen.port == 5 and not running.look()


def test_lost_last_lines_are_waited_for_then_as_well(running: Running) -> None:
    running.start(WITHOUT_KEYS + "[retry]\nmax_elapsed = 25\n")
    running.write(WITHOUT_KEYS)
    running.start_again()
    assert running.settings.retry.max_elapsed == 25 and not running.look()
    assert running.look(SETTLE) and running.settings.retry.max_elapsed != 25


def test_another_file_chosen_with_it_must_speak_of_the_keys(running: Running) -> None:
    running.start(CONFIG)
    other = running.folder / "other.conf"
    other.write_text(WITHOUT_KEYS)
    with pytest.raises(ConfigError, match="access.keys"):
        running.start_again(str(other))
    other.write_text(WITHOUT_KEYS + "[access]\nkeys = []\n")
    running.start_again(str(other))
    assert running.settings.file == other
