"""Proof that somebody knows a client key, for an address that may not be Turnout's: it does not give the key away.

What listens there instead can neither read the key in it nor pass it on: it is good for one request, for a minute, at
the very socket that was asked.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

HEADER = "x-turnout-proof"

LIFETIME = 60
"""Seconds, before and after. Both sides read the clock of one machine."""

_VERSION = "1"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a proof is good for."""

    method: str
    path: str
    """With its query, as it is sent."""
    address: str
    """The IP address of the socket that is asked. A name could lead to another."""
    port: int


def proof(key: bytes, asked: Asked, now: float) -> str:
    """The value of the header. `now` is Unix time."""
    moment = str(int(now))
    return f"{_VERSION} {moment} {_code(key, asked, moment)}"


def proves(given: str, keys: Iterable[bytes], asked: Asked, now: float) -> bool:
    """Whether the value of the header shows that its sender knows one of these keys, and asks for this."""
    version, _, rest = given.partition(" ")
    moment, _, code = rest.partition(" ")
    if version != _VERSION or len(moment) > 12 or not (moment.isascii() and moment.isdecimal()):
        return False
    offered = code.encode(errors="surrogatepass")
    # Every key is compared, so that the time taken tells nothing about which one fits.
    fits = [hmac.compare_digest(offered, _code(key, asked, moment).encode()) for key in keys]
    return any(fits) and abs(now - int(moment)) <= LIFETIME


def _code(key: bytes, asked: Asked, moment: str) -> str:
    words = ("turnout-proof", _VERSION, moment, asked.method, asked.path, _plain(asked.address), str(asked.port))
    return hmac.new(key, "\n".join(words).encode(errors="surrogatepass"), hashlib.sha256).hexdigest()


def _plain(address: str) -> str:
    """One form for every address, also for IPv4 on a socket that takes IPv6 as well."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)
