"""Addresses: the ports that need not be written, and those that only this machine reaches."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from types import MappingProxyType

USUAL_PORTS: Mapping[str, int] = MappingProxyType({"http": 80, "https": 443})
"""By scheme (RFC 9110, section 4.2)."""


def is_loopback(host: str) -> bool:
    """Whether a listen address is reachable from this machine only. The empty address means every interface."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
