"""Which version of HTTP a provider is spoken to in.

HTTP/1.1 wherever it is spoken: it keeps the client's headers as they are. mitmproxy offers a provider no more than its
client offers, and a client without TLS offers nothing; a server that speaks HTTP/2 alone is then asked in HTTP/1.1.
Here HTTP/1.1 is offered by name. Who does not take it is asked once whether HTTP/2 is what it wants.
"""

from __future__ import annotations

from mitmproxy import ctx
from mitmproxy.net import tls

_Address = tuple[str, int]

# By address: whether HTTP/2 is all that it speaks. Kept at mitmproxy's module: it stays true after a reload.
_only_http2: dict[_Address, bool] = vars(tls).setdefault("turnout_only_http2", {})

_REFUSED = "no application protocol"
"""OpenSSL's name for the alert of RFC 7301, section 3.2."""


def offers(address: _Address) -> list[bytes]:
    """The protocols to offer, as TLS calls them (ALPN), the most wanted first."""
    return [b"h2", b"http/1.1"] if _only_http2.get(address) else [b"http/1.1"]


def may_want_http2(address: _Address, alpn: bytes | None, error: str | None) -> bool:
    """Whether this end of a handshake in which HTTP/1.1 was offered leaves it open."""
    if not ctx.options.http2 or _only_http2.get(address):
        return False
    return _REFUSED in error if error is not None else not alpn and address not in _only_http2


def note(address: _Address, *, http2: bool) -> None:
    _only_http2[address] = http2
