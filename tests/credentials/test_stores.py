"""Reading the stores, and keeping what was read (A7)."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest

from tests.credentials.conftest import NOW, OWN_TOKEN, Clock, FakeKeyring, login, write_login
from turnout.credentials.stores import Reading, SecretStores
from turnout.credentials.vault import Vault
from turnout.redaction.secret import Secret
from turnout.settings.reference import CredentialReference, parse_reference

ENTRY = ("Claude Code-credentials", "ada")
KEYRING = parse_reference("keyring:svc/ada/work")
KEYCHAIN = parse_reference("keychain")
FILE = parse_reference("file")

MakeStores = Callable[..., SecretStores]


@pytest.fixture
def make_stores(home: Path, clock: Clock) -> MakeStores:
    def make(*, platform: str = "darwin", limit: float = 5.0, **environment: str) -> SecretStores:
        secrets = {name: Secret(value) for name, value in {"HOME": str(home), "USER": "ada", **environment}.items()}
        return SecretStores(secrets, clock=clock, platform=platform, vault=Vault(limit))

    return make


def path_reference(path: Path) -> CredentialReference:
    reference = parse_reference(f"file:{path}")
    assert isinstance(reference, CredentialReference)
    return reference


async def test_keyring_splits_service_and_account_at_the_first_slash(
    make_stores: MakeStores, ring: FakeKeyring
) -> None:
    ring.entries["svc", "ada/work"] = " key \n"
    assert await make_stores().read(KEYRING) == Reading(Secret("key"))


async def test_a_reading_is_kept_for_300_seconds(make_stores: MakeStores, ring: FakeKeyring, clock: Clock) -> None:
    """A7"""
    stores = make_stores()
    ring.entries["svc", "ada/work"] = "first"
    assert (await stores.read(KEYRING)).secret == Secret("first")
    ring.entries["svc", "ada/work"] = "second"
    clock.now += 299.9
    assert (await stores.read(KEYRING)).secret == Secret("first")
    clock.now += 0.1
    assert (await stores.read(KEYRING)).secret == Secret("second")
    assert len(ring.asked) == 2
    assert stores.known == {Secret("first"), Secret("second")}


async def test_absence_is_kept_for_300_seconds_too(make_stores: MakeStores, ring: FakeKeyring, clock: Clock) -> None:
    """A7"""
    stores = make_stores()
    assert await stores.read(KEYRING) == Reading()
    ring.entries["svc", "ada/work"] = "key"
    clock.now += 299
    assert await stores.read(KEYRING) == Reading()
    clock.now += 1
    assert await stores.read(KEYRING) == Reading(Secret("key"))


async def test_a_clock_set_back_keeps_nothing_for_ever(
    make_stores: MakeStores, ring: FakeKeyring, clock: Clock
) -> None:
    stores = make_stores()
    await stores.read(KEYRING)
    clock.now -= 86400
    await stores.read(KEYRING)
    assert len(ring.asked) == 2


async def test_a_login_is_read_again_when_it_ends(make_stores: MakeStores, ring: FakeKeyring, clock: Clock) -> None:
    """A7: dropped on expiresAt, before the 300 s are over."""
    stores = make_stores()
    ring.entries[ENTRY] = login("sk-ant-oat01-old", expires_in=100)
    assert (await stores.read(KEYCHAIN)).usable(clock.now) == Secret("sk-ant-oat01-old")
    ring.entries[ENTRY] = login("sk-ant-oat01-new", expires_in=9000)
    clock.now += 100
    assert (await stores.read(KEYCHAIN)).usable(clock.now) == Secret("sk-ant-oat01-new")


async def test_a_login_found_expired_is_looked_for_again_soon(
    make_stores: MakeStores, ring: FakeKeyring, clock: Clock
) -> None:
    """A7: Claude Code renews its login whenever it is used; 300 s of refusals would be long."""
    stores = make_stores()
    ring.entries[ENTRY] = login(expires_in=0)
    reading = await stores.read(KEYCHAIN)
    assert reading.usable(clock.now) is None and reading.state(clock.now) == "expired"
    ring.entries[ENTRY] = login(expires_in=9000)
    clock.now += 29
    assert (await stores.read(KEYCHAIN)).usable(clock.now) is None
    clock.now += 1
    assert (await stores.read(KEYCHAIN)).usable(clock.now) == Secret(OWN_TOKEN)


async def test_a_keyring_that_answers_late_is_asked_again_soon(
    make_stores: MakeStores, ring: FakeKeyring, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A3: while its user thinks, requests do not wait; the answer counts once it is there."""
    _, said_yes = ring.hold()
    ring.entries["svc", "ada/work"] = "key"
    stores = make_stores(limit=0.01)
    assert await stores.read(KEYRING) == Reading(imminent=True)
    assert "Credential keyring:svc/ada/work: the keyring gave no answer within 0.01 s" in caplog.text
    said_yes.set()
    async with asyncio.timeout(10):
        while (await stores.read(KEYRING)).secret is None:
            clock.now += 30
            await asyncio.sleep(0)
    assert len(ring.asked) == 1


async def test_forgetting_a_secret_drops_that_one_only(make_stores: MakeStores, ring: FakeKeyring) -> None:
    """A7"""
    stores, other = make_stores(), parse_reference("keyring:other/ada")
    ring.entries.update({("svc", "ada/work"): "key", ("other", "ada"): "other"})
    await stores.read(KEYRING)
    await stores.read(other)
    stores.forget(Secret("key"))
    await stores.read(KEYRING)
    await stores.read(other)
    assert ring.asked == [("svc", "ada/work"), ("other", "ada"), ("svc", "ada/work")]


EAGER_TASKS = pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.12 brought eager tasks")


@pytest.mark.parametrize("eager", [False, pytest.param(True, marks=EAGER_TASKS)])
async def test_readers_at_the_same_time_share_one_read(make_stores: MakeStores, ring: FakeKeyring, eager: bool) -> None:
    """A7; mitmproxy runs its loop with eager tasks from Python 3.12 on."""
    if eager and sys.version_info >= (3, 12):
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    asked, go_on = ring.hold()
    ring.entries["svc", "ada/work"] = "key"
    stores = make_stores()
    readers = [asyncio.create_task(stores.read(KEYRING)) for _ in range(5)]
    await asyncio.to_thread(asked.wait, 10)
    readers[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await readers[0]
    go_on.set()
    assert await asyncio.gather(*readers[1:]) == [Reading(Secret("key"))] * 4
    assert len(ring.asked) == 1


async def test_a_read_outlives_everybody_who_asked_for_it(make_stores: MakeStores, ring: FakeKeyring) -> None:
    asked, go_on = ring.hold()
    ring.entries["svc", "ada/work"] = "key"
    stores = make_stores()
    reader = asyncio.create_task(stores.read(KEYRING))
    await asyncio.to_thread(asked.wait, 10)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    go_on.set()
    assert await stores.read(KEYRING) == Reading(Secret("key"))
    assert len(ring.asked) == 1


async def test_the_keychain_is_asked_for_the_entry_of_the_config_directory(
    make_stores: MakeStores, ring: FakeKeyring
) -> None:
    """A3"""
    await make_stores(CLAUDE_CONFIG_DIR="/x").read(KEYCHAIN)
    assert ring.asked == [("Claude Code-credentials-b3d1db31", "ada")]


async def test_only_a_mac_has_a_keychain(make_stores: MakeStores, ring: FakeKeyring) -> None:
    """A3"""
    ring.entries[ENTRY] = login()
    assert await make_stores(platform="linux").read(KEYCHAIN) == Reading()
    assert ring.asked == []


async def test_the_login_file_of_home_or_config_directory(make_stores: MakeStores, home: Path, tmp_path: Path) -> None:
    """A8"""
    write_login(home / ".claude")
    write_login(tmp_path / "own", login("sk-ant-oat01-own", expires_in=None))
    assert await make_stores().read(FILE) == Reading(Secret(OWN_TOKEN), NOW + 3600)
    own = make_stores(CLAUDE_CONFIG_DIR=str(tmp_path / "own"))
    assert await own.read(FILE) == Reading(Secret("sk-ant-oat01-own"))


async def test_reading_changes_nothing(make_stores: MakeStores, home: Path) -> None:
    """A4: whatever else stands in the file is left as it is."""
    path = write_login(home / ".claude")
    before = (path.read_bytes(), path.stat().st_mtime_ns, sorted(path.parent.iterdir()))
    await make_stores().read(FILE)
    assert (path.read_bytes(), path.stat().st_mtime_ns, sorted(path.parent.iterdir())) == before


async def test_a_malformed_login_is_reported_once_with_its_place(
    make_stores: MakeStores, home: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_login(home / ".claude", '{"claudeAiOauth": {"accessToken": "sk-ant-oat01-leak"')
    stores = make_stores()
    for _ in range(2):
        assert await stores.read(FILE) == Reading()
        clock.now += 300
    (record,) = caplog.records
    assert record.levelno == logging.WARNING and str(path) in record.getMessage()
    assert "leak" not in caplog.text


async def test_a_failing_keychain_is_reported_once(
    make_stores: MakeStores, ring: FakeKeyring, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A3: any failure counts as not found."""

    def fail() -> None:
        raise RuntimeError("sk-ant-leak")

    ring.before = fail
    stores = make_stores()
    for _ in range(2):
        assert await stores.read(KEYCHAIN) == Reading()
        clock.now += 300
    assert [record.getMessage() for record in caplog.records] == [
        "Credential keychain: the keyring failed with RuntimeError"
    ]


async def test_a_file_is_its_text_without_space_around_it(make_stores: MakeStores, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("\n key-in-a-file \n", encoding="utf-8")
    path.chmod(0o600)
    assert await make_stores().read(path_reference(path)) == Reading(Secret("key-in-a-file"))


async def test_a_tilde_stands_for_home(
    make_stores: MakeStores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "key").write_text("key", encoding="utf-8")
    (tmp_path / "key").chmod(0o600)
    assert await make_stores().read(path_reference(Path("~/key"))) == Reading(Secret("key"))


async def test_files_are_read_away_from_the_event_loop(
    make_stores: MakeStores, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_login(home / ".claude")
    threads: list[threading.Thread] = []
    really_open = Path.open

    def spy(path: Path, mode: str) -> IO[Any]:
        threads.append(threading.current_thread())
        return really_open(path, mode)

    monkeypatch.setattr(Path, "open", spy)
    stores = make_stores()
    await stores.read(FILE)
    await stores.read(path_reference(tmp_path / "key"))
    assert len(threads) == 2 and threading.main_thread() not in threads


@pytest.mark.skipif(os.name != "posix", reason="permission bits")
@pytest.mark.parametrize(("mode", "warnings"), [(0o600, 0), (0o400, 0), (0o640, 1), (0o604, 1)])
async def test_a_file_that_others_can_read_is_reported_once(
    make_stores: MakeStores, tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture, mode: int, warnings: int
) -> None:
    """C7"""
    path = tmp_path / "key"
    path.write_text("key", encoding="utf-8")
    path.chmod(mode)
    stores = make_stores()
    for _ in range(2):
        assert await stores.read(path_reference(path)) == Reading(Secret("key"))
        clock.now += 300
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [f"Other users of this computer can read {path}; run: chmod 600 {path}"] * warnings


@pytest.mark.parametrize("name", ["missing", "missing/deeper", "empty"])
async def test_an_absent_file_is_not_found_in_silence(
    make_stores: MakeStores, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    (tmp_path / "empty").touch(mode=0o600)
    assert await make_stores().read(path_reference(tmp_path / name)) == Reading()
    assert caplog.records == []


@pytest.mark.parametrize(("name", "reason"), [("", "directory"), ("a\0b", "not a path")])
async def test_an_unreadable_file_is_reported(
    make_stores: MakeStores, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, reason: str
) -> None:
    assert await make_stores().read(path_reference(tmp_path / name)) == Reading()
    assert str(tmp_path) in caplog.text and reason in caplog.text


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"two\nlines"])
async def test_what_no_header_can_carry_is_reported(
    make_stores: MakeStores, tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    assert await make_stores().read(path_reference(path)) == Reading()
    assert f"Credential file:{path} is not used: it holds characters that no header can carry." in caplog.text
    assert "lines" not in caplog.text


async def test_a_computer_that_knows_no_home_has_no_login(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    stores = SecretStores({}, clock=clock, platform="linux", vault=Vault())
    assert await stores.read(FILE) == Reading()
    assert "set HOME" in caplog.text


def test_states_are_told_in_local_time() -> None:
    assert Reading().state(NOW) == "not found"
    assert Reading(Secret("x")).state(NOW) == "found"
    assert Reading(Secret("x"), NOW).state(NOW) == "expired"
    assert Reading(Secret("x"), NOW - 1).usable(NOW) is None
    assert Reading(Secret("x"), 1e300).state(NOW) == "found, expires never"
