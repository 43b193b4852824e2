"""What a provider kind does for one attempt. A new compatible provider is config only; a new dialect is one class."""

from __future__ import annotations

from typing import Protocol

from turnout.credentials.chain import Credential
from turnout.exchange import Exchange, Outgoing
from turnout.settings.model import Provider


class ProviderKind(Protocol):
    """Addresses, authenticates and shapes one attempt in the dialect of a kind."""

    def prepare(self, exchange: Exchange, provider: Provider, model: str, credential: Credential) -> Outgoing:
        """The attempt as it goes on the wire. `model` is the name to send."""
