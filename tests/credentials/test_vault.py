from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.credentials.conftest import FakeKeyring
from turnout.credentials.vault import LIMIT, NoAnswerYet, Vault
from turnout.errors import CredentialError


@pytest.fixture
def locked(ring: FakeKeyring) -> Iterator[threading.Event]:
    """A keyring that answers once its user has said yes."""
    _, said_yes = ring.hold()
    yield said_yes
    said_yes.set()


async def test_an_entry_is_read_away_from_the_event_loop(ring: FakeKeyring) -> None:
    threads: list[threading.Thread] = []
    ring.before = lambda: threads.append(threading.current_thread())
    ring.entries["svc", "ada"] = "value"
    assert await Vault().read("svc", "ada") == "value"
    assert await Vault().read("svc", "eve") is None
    assert threading.main_thread() not in threads
    assert all(thread.daemon for thread in threads), "a thread that waits for a user must not hold up the exit"


def test_the_limit_is_five_seconds() -> None:
    """A3"""
    assert LIMIT == 5.0


async def test_a_locked_keyring_is_left_after_the_limit_and_asked_once(
    ring: FakeKeyring, locked: threading.Event
) -> None:
    """A3: the answer that comes late is taken by a later read, so its user is asked one question."""
    ring.entries["svc", "ada"] = "value"
    vault = Vault(limit=0.01)
    with pytest.raises(NoAnswerYet, match=r"0\.01 s; unlock it"):
        await vault.read("svc", "ada")
    with pytest.raises(NoAnswerYet):
        await vault.read("svc", "ada")
    locked.set()
    async with asyncio.timeout(10):
        while True:
            try:
                answer = await vault.read("svc", "ada")
                break
            except NoAnswerYet:
                await asyncio.sleep(0)
    assert answer == "value"
    assert ring.asked == [("svc", "ada")]
    assert await vault.read("svc", "ada") == "value"
    assert len(ring.asked) == 2, "an answer is taken once; what is kept is not the vault's concern"


async def test_a_keyring_that_fails_is_reported_without_its_message(ring: FakeKeyring) -> None:
    def fail() -> None:
        raise OSError("cannot decrypt sk-ant-leak")

    ring.before = fail
    with pytest.raises(CredentialError) as caught:
        await Vault().read("svc", "ada")
    assert str(caught.value) == "the keyring failed with OSError"


async def test_a_computer_without_keyring_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(CredentialError, match="ModuleNotFoundError"):
        await Vault().read("svc", "ada")


def test_an_answer_after_the_end_of_the_loop_harms_nobody(ring: FakeKeyring, locked: threading.Event) -> None:
    async def give_up() -> None:
        with pytest.raises(NoAnswerYet):
            await Vault(limit=0.01).read("svc", "ada")

    asyncio.run(give_up())
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "turnout-keyring"]
    locked.set()
    thread.join(10)
    assert not thread.is_alive()
