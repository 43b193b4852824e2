"""Where the files of the configuration are found, and whose they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from turnout.errors import ConfigError, TurnoutError
from turnout.settings.sources import Place, find_place, read_sources, sound_sources
from turnout.settings.trust import trust, trust_file, trusted_files


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, as an archive or a clone may have brought it."""
    directory = tmp_path / "here"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


@pytest.fixture
def users(tmp_path: Path) -> Path:
    """The user's own configuration, which says nothing yet."""
    file = tmp_path / "config" / "turnout" / "mitm.conf"
    file.parent.mkdir(parents=True)
    file.touch()
    return file


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_STATE_HOME": str(tmp_path / "state")}


def test_what_is_named_comes_first(here: Path, users: Path, environment: dict[str, str]) -> None:
    (here / "mitm.conf").touch()
    named = {**environment, "TURNOUT_CONFIG": "/named/x.conf"}
    assert find_place(None, named) == Place(Path("/named/x.conf"), Path("/named/.env"))
    assert find_place("/chosen/y.conf", named) == Place(Path("/chosen/y.conf"), Path("/chosen/.env"))


def test_without_any_file_the_working_directory_is_looked_at(here: Path, environment: dict[str, str]) -> None:
    assert find_place(None, environment) == Place(None, here / ".env", of_folder=True)
    (here / "mitm.conf").mkdir()
    assert find_place(None, environment).config is None, "a directory of that name is no config"


def test_the_users_own_comes_before_a_file_that_is_not_trusted(
    here: Path, users: Path, environment: dict[str, str]
) -> None:
    assert find_place(None, environment) == Place(users, users.parent / ".env")
    config = here / "mitm.conf"
    config.touch()
    assert find_place(None, environment) == Place(users, users.parent / ".env", shadowed=config)
    trust([config], environment)
    assert find_place("", {**environment, "TURNOUT_CONFIG": ""}) == Place(config, here / ".env", of_folder=True)
    users.unlink()
    assert find_place(None, environment).config == config


def test_a_tilde_is_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert find_place("~/x.conf", {}).config == Path("/somewhere/x.conf")
    assert find_place("~nobody-of-that-name/x.conf", {}).config == Path("~nobody-of-that-name/x.conf")


def test_files_of_a_folder_are_trusted_one_by_one(here: Path, environment: dict[str, str]) -> None:
    config, dotenv = here / "mitm.conf", here / ".env"
    config.write_text("[listen]\nport = 1\n")
    dotenv.write_text("A=1\n")

    def untrusted() -> tuple[Path, ...]:
        return read_sources(find_place(None, environment), environment).untrusted

    assert untrusted() == (config, dotenv)
    dotenv.write_text("# nothing\n")
    assert untrusted() == (config,)
    dotenv.write_text("A=1\n")
    trust([config], environment)
    assert untrusted() == (dotenv,)
    trust([Path(".env")], environment)
    assert untrusted() == ()
    assert read_sources(find_place(str(config), environment), environment).untrusted == ()


def test_files_in_the_users_config_directory_are_theirs(
    users: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(users.parent)
    (users.parent / ".env").write_text("A=1\n")
    assert read_sources(find_place(None, environment), environment).untrusted == ()


def test_a_link_to_a_trusted_file_is_not_trusted(here: Path, users: Path, environment: dict[str, str]) -> None:
    """A folder can bring one; the `.env` beside it would be taken over in full."""
    (here / "mitm.conf").symlink_to(users)
    assert find_place(None, environment).shadowed == here / "mitm.conf"
    mine = here.parent / "mine.conf"
    mine.touch()
    trust([mine], environment)
    (here / "mitm.conf").unlink()
    (here / "mitm.conf").symlink_to(mine)
    assert find_place(None, environment).shadowed == here / "mitm.conf"


def test_the_way_to_a_trusted_file_may_be_a_link(here: Path, environment: dict[str, str]) -> None:
    (here / "mitm.conf").touch()
    (here.parent / "link").symlink_to(here)
    trust([here.parent / "link" / "mitm.conf"], environment)
    assert trusted_files(environment) == {here / "mitm.conf"}


def test_the_list_is_the_users_alone(environment: dict[str, str]) -> None:
    trust([Path("/b/mitm.conf")], environment)
    trust([Path("/a/\udcff.conf"), Path("/b/mitm.conf")], environment)
    file = trust_file(environment)
    assert file.read_bytes() == b"/a/\xff.conf\n/b/mitm.conf\n" and file.stat().st_mode & 0o777 == 0o600
    assert trusted_files(environment) == {Path("/a/\udcff.conf"), Path("/b/mitm.conf")}


def test_a_name_cannot_bring_a_line_of_its_own(environment: dict[str, str]) -> None:
    with pytest.raises(TurnoutError, match="line break"):
        trust([Path("/a\n/home/me/project/mitm.conf")], environment)
    assert trusted_files(environment) == frozenset()


def test_a_list_that_cannot_be_written(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "state").write_text("no directory")
    assert trusted_files(environment) == frozenset()
    with pytest.raises(TurnoutError, match="trusted cannot be changed"):
        trust([Path("/a/mitm.conf")], environment)


def test_lines_that_are_no_absolute_path_mean_nothing(here: Path, environment: dict[str, str]) -> None:
    trust_file(environment).parent.mkdir(parents=True)
    trust_file(environment).write_text("mitm.conf\n\n./mitm.conf\n")
    assert trusted_files(environment) == frozenset()


def test_only_what_is_sound(here: Path, environment: dict[str, str]) -> None:
    (here / "mitm.conf").write_text("[listen\n")
    (here / ".env").write_text("A=1\n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        read_sources(find_place(None, environment), environment)
    sources = sound_sources(find_place(None, environment), environment)
    assert (sources.config, sources.variables) == ({}, {"A": "1"})
