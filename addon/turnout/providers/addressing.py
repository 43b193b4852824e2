"""One attempt as it goes on the wire: its address, and what of the client's headers goes along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Literal
from urllib.parse import urlsplit

from turnout.credentials.chain import Credential
from turnout.exchange import Outgoing
from turnout.redaction.names import SECRET_HEADERS
from turnout.settings.address import USUAL_PORTS
from turnout.settings.model import Provider
from turnout.settings.rewriting import foreign_headers

_DROPPED = SECRET_HEADERS | {
    "host",
    # Hop by hop (RFC 9110, section 7.6.1). `upgrade` invites a provider to leave HTTP/1.1, `expect` to answer 100.
    "connection",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
    "content-length",
    "content-encoding",
    "transfer-encoding",
    "accept-encoding",
}
"""Headers of the client that never go on: credentials are set anew for the target's host, framing by the body."""

_KEPT_BY_CLIENT_CREDENTIAL = {"anthropic-workspace-id"}
"""Belongs to the client's own login; meaningless (and identifying) with another credential."""


def addressed(
    provider: Provider, path: str, body: bytes, headers: Mapping[str, str], dropped: frozenset[str]
) -> Outgoing:
    """The attempt at `path`, which is appended to the provider's base URL. `headers` are set, `dropped` removed."""
    base = urlsplit(provider.base_url)
    scheme: Literal["http", "https"] = "https" if base.scheme == "https" else "http"
    framing = {
        "host": base.netloc,
        # A stream must be readable while it passes: no compression.
        "accept-encoding": "identity",
        "content-length": str(len(body)),
    }
    return Outgoing(
        scheme=scheme,
        host=base.hostname or "",
        port=base.port or USUAL_PORTS[scheme],
        path=base.path.rstrip("/") + path,
        body=body,
        drop=dropped,
        add=tuple({**framing, **headers}.items()),
    )


def dropped_headers(headers: Iterable[str], provider: Provider, credential: Credential) -> frozenset[str]:
    """Which of the client's headers do not go on: what is of its connection, and what is nobody's business but a first
    party's."""
    dropped = frozenset(_DROPPED if credential.owned else _DROPPED - _KEPT_BY_CLIENT_CREDENTIAL)
    if provider.first_party:
        return dropped
    private = frozenset(headers) - foreign_headers()
    needed = [glob.lower() for glob in provider.headers]
    return dropped | {name for name in private if not any(fnmatchcase(name, glob) for glob in needed)}
