"""Which credentials a request may be sent with: a provider's references resolved, in the order of the configuration."""

from __future__ import annotations

import hashlib
import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from turnout.credentials.keys import client_key
from turnout.credentials.stores import SecretStores
from turnout.credentials.vault import Vault
from turnout.redaction.secret import Secret
from turnout.settings.model import Provider
from turnout.settings.reference import CredentialReference

AMBIENT = ("keychain", "file")
"""Sources that hold the login of whoever uses this computer; what the client brings itself outranks them."""

CLIENT_KEYS_REMEMBERED = 64
"""Keys of clients kept for redaction. There is no end to what clients may send."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret and how it is sent. It belongs to the provider it was resolved for and to no other."""

    label: str
    """The reference it came from (`env:NAME`, `client`, `keychain`, …), or `none` for a provider that needs no key."""
    secret: Secret | None
    owned: bool
    """False for the client's own credential alone: what the provider says about that one is the client's business."""
    oauth: bool
    """The secret is an OAuth token, which needs the provider's `oauth_beta`."""
    header: str
    """`authorization`, `x-api-key`, `api-key`, or empty when nothing is sent."""

    @property
    def fingerprint(self) -> str:
        """Names the credential in the tables of health without giving it away."""
        return self.secret.fingerprint if self.secret else "none"

    @property
    def account(self) -> str:
        """Names whose it is, as far as that can be told: a key is of one account, and a login is renewed every few
        hours under the same label."""
        name = self.label if self.oauth else self.fingerprint
        return hashlib.sha256(name.encode()).hexdigest()[:8]

    def headers(self) -> dict[str, str]:
        """The header to send, ready for the wire. Holds the secret in the open."""
        if self.secret is None:
            return {}
        value = self.secret.reveal()
        return {self.header: f"Bearer {value}" if self.header == "authorization" else value}


_HEADERS = {"bearer": "authorization", "api-key": "api-key"}
"""By `auth`; all else is sent as `x-api-key`."""

NO_KEY = Credential(label="none", secret=None, owned=True, oauth=False, header="")


class CredentialChain:
    """Resolves the credential references of a provider for one request.

    `environment` is what `env:NAME` may name, and says where Claude Code keeps its login (HOME, USER,
    CLAUDE_CONFIG_DIR). `client_keys` are the keys that let clients into Turnout; they are never sent on as the
    client's own. `clock` gives Unix time.
    """

    def __init__(
        self,
        environment: Mapping[str, Secret],
        client_keys: Collection[Secret] = (),
        *,
        others: Collection[Secret] = (),
        clock: Callable[[], float] = time.time,
        platform: str = sys.platform,
    ) -> None:
        self._client_keys = tuple(key for key in client_keys if key)
        self._others = frozenset(others)
        self._clock = clock
        self._stores = SecretStores(environment, clock=clock, platform=platform, vault=Vault())
        self._from_clients: deque[Secret] = deque(maxlen=CLIENT_KEYS_REMEMBERED)

    async def resolve(self, provider: Provider, request_headers: Mapping[str, str]) -> list[Credential]:
        """Every credential that can be used now, in the order of the configuration, each secret once.

        Empty when the provider needs one and none was found; references that lead to nothing are left out.
        `request_headers` are the client's, with lower-case names.
        """
        if _needs_none(provider):
            return [NO_KEY]
        client = self._client(provider, request_headers)
        found: dict[Secret, Credential] = {}
        for reference in provider.credentials:
            if reference.source == "client":
                if client is not None:
                    found.setdefault(client[1], _of_client(provider, *client))
            elif client is None or reference.source not in AMBIENT:
                reading = self._stores.at_hand(reference) or await self._stores.read(reference)
                secret = reading.usable(self._clock())
                if secret is not None:
                    found.setdefault(secret, _owned(provider, str(reference), secret))
        return list(found.values())

    def reported_dead(self, credential: Credential) -> None:
        """The provider refused this credential: whatever store it came from is read again next time."""
        if credential.secret is not None:
            self._stores.forget(credential.secret)

    async def states(self, provider: Provider) -> list[tuple[str, str]]:
        """Label and state of every reference, for people: `set`, `missing`, `found, expires 14:05`, `withheld`, …"""
        if not _needs_none(provider):
            for reference in provider.credentials:
                if reference.source != "client":
                    await self._stores.read(reference)
        return self.states_at_hand(provider)

    def states_at_hand(self, provider: Provider) -> list[tuple[str, str]]:
        """The same without asking a store: `not read yet` for what none was asked for lately."""
        if _needs_none(provider):
            return [(NO_KEY.label, "no key needed")]
        states = [(str(reference), self._state(reference)) for reference in provider.credentials]
        return [*states, *((label, "withheld") for label in provider.withheld)]

    def labels_at_hand(self, provider: Provider) -> dict[str, str]:
        """The references whose secrets were read lately, by fingerprint of the secret."""
        labels: dict[str, str] = {NO_KEY.fingerprint: NO_KEY.label} if _needs_none(provider) else {}
        for reference in provider.credentials:
            reading = self._stores.at_hand(reference) if reference.source != "client" else None
            if reading is not None and reading.secret is not None:
                labels.setdefault(reading.secret.fingerprint, str(reference))
        return labels

    def secrets(self) -> set[Secret]:
        """Every secret met so far, for redaction: the configured ones in use, client keys, clients' latest keys."""
        return self._stores.known | self._others | set(self._client_keys) | set(self._from_clients)

    def _state(self, reference: CredentialReference) -> str:
        if reference.source == "client":
            return "from the client"
        reading = self._stores.at_hand(reference)
        if reading is None:
            return "not read yet"
        if reference.source in ("env", "literal"):
            return "set" if reading.secret else "missing"
        return reading.state(self._clock())

    def _client(self, provider: Provider, headers: Mapping[str, str]) -> tuple[str, Secret] | None:
        if all(reference.source != "client" for reference in provider.credentials):
            return None
        client = client_key(provider, headers, self._client_keys)
        if client is not None and client[1] not in self._from_clients:
            self._from_clients.append(client[1])
        return client


def _needs_none(provider: Provider) -> bool:
    return not provider.withheld and (provider.auth == "none" or not provider.credentials)


def _is_oauth(provider: Provider, secret: Secret) -> bool:
    return bool(provider.oauth_prefix) and secret.reveal().startswith(provider.oauth_prefix)


def _of_client(provider: Provider, header: str, secret: Secret) -> Credential:
    return Credential("client", secret, owned=False, oauth=_is_oauth(provider, secret), header=header)


def _owned(provider: Provider, label: str, secret: Secret) -> Credential:
    oauth = _is_oauth(provider, secret)
    header = "authorization" if oauth else _HEADERS.get(provider.auth, "x-api-key")
    return Credential(label, secret, owned=True, oauth=oauth, header=header)
