"""Whose certificates are trusted where a provider is dialled, beside the public authorities.

mitmproxy makes the context of a handshake from its options, which are the same for all providers, and keeps it. Here
the certificates of one connection come to it. Who sets `ssl_verify_upstream_trusted_ca` or `…_confdir` has decided
otherwise, and nothing is added.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from mitmproxy.net import tls
from OpenSSL import SSL
from OpenSSL.crypto import X509StoreFlags

from turnout.proxy.compat import STOCK, stock
from turnout.settings.certificates import PUBLIC, Trust

# Kept at mitmproxy's module: a connection outlives a reload of this package, and both must speak of the same.
_trust: ContextVar[Trust] = vars(tls).setdefault("turnout_trust", ContextVar("turnout_trust", default=PUBLIC))


@contextmanager
def trusting(trust: Trust) -> Iterator[None]:
    """The handshakes that begin here trust these authorities, too."""
    token = _trust.set(trust)
    try:
        yield
    finally:
        _trust.reset(token)


def server_context(**arguments: Any) -> SSL.Context:
    """In the place of `create_proxy_server_context` (mitmproxy/net/tls.py)."""
    trust, original = _trust.get(), stock(tls, "create_proxy_server_context")
    if not trust or arguments["ca_path"] is not None or arguments["ca_pemfile"] is not None:
        context: SSL.Context = original(**arguments)
        return context
    return _with(trust, _state_of(trust), **arguments)


vars(server_context)[STOCK] = stock(tls, "create_proxy_server_context")


def _state_of(trust: Trust) -> tuple[int, ...]:
    """Changes when a file is replaced, as companies do with certificates that run out."""
    return tuple(os.stat(file).st_mtime_ns if os.path.exists(file) else 0 for file in trust.files)


@lru_cache(64)
def _with(trust: Trust, state: tuple[int, ...], **arguments: Any) -> SSL.Context:
    context: SSL.Context = stock(tls, "create_proxy_server_context").__wrapped__(**arguments)
    for file in trust.files:
        context.load_verify_locations(file)
    for directory in trust.directories:
        context.load_verify_locations(None, directory)
    store = context.get_cert_store()
    assert store is not None
    # As in curl and Python 3.13: a company may hand out the certificate that signs, without the root above it.
    store.set_flags(X509StoreFlags.PARTIAL_CHAIN)
    return context
