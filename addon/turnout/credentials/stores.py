"""Where each credential reference leads: to a secret, or to nothing. Reads are shared, and kept for a while (A7)."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from turnout.credentials.claude_code import credentials_file, keychain_account, keychain_service, parse_login
from turnout.credentials.keys import key_from
from turnout.credentials.vault import NoAnswerYet, Vault
from turnout.errors import CredentialError
from turnout.redaction.secret import Secret
from turnout.settings.reference import CredentialReference

log = logging.getLogger(__name__)

KEPT = 300.0
"""Seconds a secret, or its absence, is kept before its store is read again."""

KEPT_WHEN_IMMINENT = 30.0
"""The same for a login that has expired or a keyring that waits for its user: either may be mended any moment."""

MAX_FILE = 1_000_000
"""Bytes; no secret is longer, and a file named by mistake is not read whole."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reference led to. `expires_at` is Unix time in seconds."""

    secret: Secret | None = None
    expires_at: float | None = None
    imminent: bool = False

    def usable(self, now: float) -> Secret | None:
        return self.secret if self.expires_at is None or self.expires_at > now else None

    def state(self, now: float) -> str:
        if self.secret is None:
            return "not found"
        if self.expires_at is None:
            return "found"
        return f"found, expires {_clock_time(self.expires_at, now)}" if self.expires_at > now else "expired"


@dataclass(frozen=True, slots=True)
class _Kept:
    reading: Reading
    since: float
    until: float


class SecretStores:
    """Reads references other than `client`. `clock` gives Unix time; `platform` is that of `sys.platform`."""

    def __init__(
        self, environment: Mapping[str, Secret], *, clock: Callable[[], float], platform: str, vault: Vault
    ) -> None:
        self._environment = environment
        self._clock = clock
        self._platform = platform
        self._vault = vault
        self._kept: dict[CredentialReference, _Kept] = {}
        self._reads: dict[CredentialReference, asyncio.Task[Reading]] = {}
        self._warned: set[str] = set()
        self.known: set[Secret] = set()
        """Every secret read so far, also those no longer in force."""

    def at_hand(self, reference: CredentialReference) -> Reading | None:
        """The reading of a reference that needs no store, or whose store was read lately; else None."""
        if reference.source in ("env", "literal"):
            given = self._environment.get(reference.name) if reference.source == "env" else reference.literal
            return self._noted(Reading(self._key(given.reveal() if given else "", str(reference))))
        if reference.source == "keychain" and self._platform != "darwin":
            return Reading()
        kept = self._kept.get(reference)
        return kept.reading if kept and kept.since <= self._clock() < kept.until else None

    async def read(self, reference: CredentialReference) -> Reading:
        """The reading of any reference. Callers at the same time share one read, which outlives each of them."""
        reading = self.at_hand(reference)
        if reading is not None:
            return reading
        task = self._reads.get(reference)
        if task is None or task.done():
            task = asyncio.create_task(self._fetch(reference))
            self._reads[reference] = task
        return await asyncio.shield(task)

    def forget(self, secret: Secret) -> None:
        """Drop what is kept of this secret, so that its stores are read again."""
        self._kept = {key: kept for key, kept in self._kept.items() if kept.reading.secret != secret}

    async def _fetch(self, reference: CredentialReference) -> Reading:
        try:
            reading = await self._from_store(reference)
        except CredentialError as error:
            self._warn_once(f"Credential {reference}: {error}")
            reading = Reading(imminent=isinstance(error, NoAnswerYet))
        now = self._clock()
        until = now + KEPT
        if reading.imminent or (reading.secret and not reading.usable(now)):
            until = now + KEPT_WHEN_IMMINENT
        elif reading.expires_at is not None:
            until = min(until, reading.expires_at)
        self._kept[reference] = _Kept(reading, now, until)
        return self._noted(reading)

    async def _from_store(self, reference: CredentialReference) -> Reading:
        if reference.source == "keychain":
            service, account = keychain_service(self._environment), keychain_account(self._environment)
            return _login(((await self._vault.read(service, account)) or "").encode(errors="replace"), "the Keychain")
        if reference.source == "keyring":
            service, _, account = reference.name.partition("/")
            return Reading(self._key(await self._vault.read(service, account) or "", str(reference)))
        if reference.source == "file":
            path = credentials_file(self._environment)
            content, _ = await asyncio.to_thread(_read, path)
            return _login(content, str(path))
        path = Path(os.path.expanduser(reference.name))
        content, mode = await asyncio.to_thread(_read, path)
        if mode & (stat.S_IRGRP | stat.S_IROTH) and os.name == "posix":
            self._warn_once(f"Other users of this computer can read {path}; run: chmod 600 {path}")
        return Reading(self._key(content.decode(errors="replace"), str(reference)))

    def _key(self, text: str, label: str) -> Secret | None:
        try:
            return key_from(text)
        except ValueError as error:
            self._warn_once(f"Credential {label} is not used: {error}.")
            return None

    def _noted(self, reading: Reading) -> Reading:
        if reading.secret is not None:
            self.known.add(reading.secret)
        return reading

    def _warn_once(self, message: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            log.warning(message)


def _read(path: Path) -> tuple[bytes, int]:
    """Content and permission bits; empty when there is no such file. Raises CredentialError when it is unreadable."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE), stat.S_IMODE(os.fstat(file.fileno()).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return b"", 0
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise CredentialError(f"{path} cannot be read ({reason}); check its owner and permissions") from None


def _login(document: bytes, place: str) -> Reading:
    if not document.strip():
        return Reading()
    try:
        login = parse_login(document)
    except CredentialError as error:
        raise CredentialError(f"{place}: {error}; log in with Claude Code again") from None
    return Reading(login.access_token, login.expires_at) if login else Reading()


def _clock_time(moment: float, now: float) -> str:
    """`14:05` today, with the date on any other day; local time."""
    try:
        then, today = time.localtime(moment), time.localtime(now)
    except (OverflowError, OSError, ValueError):
        return "never"
    return time.strftime("%H:%M" if then[:3] == today[:3] else "%Y-%m-%d %H:%M", then)
