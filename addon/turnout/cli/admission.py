"""How a command is let in by a Turnout that wants a client key, without telling the key to anything else."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from turnout.redaction.secret import Secret

if TYPE_CHECKING:
    from turnout.settings.model import Settings


@dataclass(frozen=True)
class Admission:
    """What is shown at one base URL."""

    url: str
    """To be asked instead of the URL that was given: `localhost` could lead to two addresses."""
    key: Secret | None = None
    proven: bool = False
    """The key is not sent, but the proof that it is known: another process may listen there."""

    def fields(self, method: str, path: str) -> tuple[tuple[str, Secret], ...]:
        """The header for a request that is sent now; `path` is that on the wire, with its query."""
        if self.key is None:
            return ()
        if not self.proven:
            return (("x-turnout-key", self.key),)
        from turnout.gate.access import key_bytes
        from turnout.gate.proof import HEADER, Asked, proof

        asked = Asked(method, path, *_address(self.url))
        return ((HEADER, Secret(proof(key_bytes(self.key), asked, time.time()))),)


def admission(url: str, settings: Settings, keys: Sequence[Secret]) -> Admission:
    """How to be let in at this base URL with the client keys of the configuration; the first one will do.

    The key itself goes to the configured address alone. Elsewhere on this machine, where a Turnout with another --port
    may listen, it is proven; to other machines nothing goes.
    """
    if not keys:
        return Admission(url)
    if is_configured(url, settings):
        return Admission(url, keys[0])
    if not is_local(url):
        return Admission(url)
    import httpx

    found = httpx.URL(url)
    if found.host == "localhost":
        url = str(found.copy_with(host="127.0.0.1")).rstrip("/")
    return Admission(url, keys[0], proven=True)


def is_configured(url: str, settings: Settings) -> bool:
    """Whether this is the address at which the configuration says that Turnout listens."""
    from turnout.cli.run import listen_address
    from turnout.status.text import client_url

    return _address(url) == _address(client_url(listen_address(settings)))


def is_local(url: str) -> bool:
    """Whether nobody but this machine is asked."""
    from turnout.settings.address import is_loopback

    return is_loopback(_address(url)[0])


def _address(url: str) -> tuple[str, int]:
    """Host and port, as the client that asks reads them; no host for what it cannot read."""
    import httpx

    from turnout.settings.address import USUAL_PORTS

    try:
        found = httpx.URL(url)
    except httpx.InvalidURL:
        return "", 0
    return found.host, found.port or USUAL_PORTS.get(found.scheme, 80)
