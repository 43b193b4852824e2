"""What is in force: the settings, and what is built from them."""

from __future__ import annotations

from dataclasses import dataclass

from turnout.credentials.chain import CredentialChain
from turnout.gate.access import Gatekeeper, client_keys
from turnout.settings.model import Settings
from turnout.settings.ways import Addresses, Ways, ways_of


@dataclass(frozen=True)
class Setup:
    """The settings in force and what is built from them. Exchanges under way keep the one they began with."""

    settings: Settings
    gatekeeper: Gatekeeper
    chain: CredentialChain
    ways: Ways = Ways()


def build(settings: Settings, own: Addresses = ()) -> Setup:
    """Everything that is made of settings. `own` is where the proxy listens. Raises ConfigError."""
    keys, ways = client_keys(settings), ways_of(settings, own)
    access = settings.access.model_copy(update={"hosts": (*settings.access.hosts, settings.listen.host)})
    chain = CredentialChain(settings.environment, keys, others=ways.secrets)
    return Setup(settings, Gatekeeper(access, keys), chain, ways)
