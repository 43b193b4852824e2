"""The system's keyring, asked without ever holding up the event loop."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

from turnout.errors import CredentialError

LIMIT = 5.0
"""Seconds a read may take; a locked keyring can wait for its user for ever."""

Outcome = str | None | CredentialError


class NoAnswerYet(CredentialError):
    """The keyring is still busy, most likely asking its user for permission."""


class Vault:
    """Reads entries of the keyring.

    An entry that did not answer in time stays asked for: a later read takes that answer, and the user sees one
    question only.
    """

    def __init__(self, limit: float = LIMIT) -> None:
        self._limit = limit
        self._late: dict[tuple[str, str], asyncio.Future[Outcome]] = {}

    async def read(self, service: str, account: str) -> str | None:
        """The password of an entry; None when there is no such entry.

        Raises NoAnswerYet after the limit (at once when an earlier question is still open), CredentialError when
        there is no usable keyring.
        """
        entry = (service, account)
        answer = self._late.pop(entry, None)
        if answer is None:
            answer = _ask(service, account)
            await asyncio.wait({answer}, timeout=self._limit)
        if not answer.done():
            self._late[entry] = answer
            raise NoAnswerYet(f"the keyring gave no answer within {self._limit:g} s; unlock it or allow the access")
        outcome = answer.result()
        if isinstance(outcome, CredentialError):
            raise outcome
        return outcome


def _ask(service: str, account: str) -> asyncio.Future[Outcome]:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Outcome] = loop.create_future()

    def work() -> None:
        outcome = _get_password(service, account)
        with suppress(RuntimeError):  # the loop may be gone by the time a user answers
            loop.call_soon_threadsafe(_settle, answer, outcome)

    # asyncio.to_thread would not do: Python waits for its threads at exit, and this one may never end.
    threading.Thread(target=work, name="turnout-keyring", daemon=True).start()
    return answer


def _get_password(service: str, account: str) -> Outcome:
    try:
        import keyring  # loads every backend there is

        return keyring.get_password(service, account)
    except Exception as error:  # backends raise what they like; their messages are not ours to trust
        return CredentialError(f"the keyring failed with {type(error).__name__}")


def _settle(answer: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not answer.done():
        answer.set_result(outcome)
