"""The proxy that a provider is reached through: `proxy` of its table, or HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY.

The variables have no standard. What is read here is what curl, Go and Claude Code agree on; see
https://everything.curl.dev/usingcurl/proxies/env.html and https://pkg.go.dev/golang.org/x/net/http/httpproxy.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict

from turnout.redaction.secret import Secret
from turnout.settings.address import USUAL_PORTS, is_loopback

VARIABLES = tuple(
    name for each in ("https_proxy", "http_proxy", "all_proxy", "no_proxy") for name in (each, each.upper())
)

_FORM = "write http://host:port, http://user:password@host:port, or none"


class Proxy(BaseModel):
    """An HTTP proxy."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    scheme: Literal["http", "https"]
    """How it is spoken to itself."""
    host: str
    port: int
    authorization: Secret | None = None
    """The value of `Proxy-Authorization`; for the proxy alone."""
    password: Secret | None = None

    def __str__(self) -> str:
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def secrets(self) -> set[Secret]:
        """What must not be shown of it. The authorization holds the user's name, and is known by itself."""
        token = self.authorization and Secret(self.authorization.reveal().partition(" ")[2])
        return {secret for secret in (self.password, token) if secret}


NO_PROXY: Literal["none"] = "none"
"""The provider is dialled directly, whatever the environment says."""


def parse_proxy(value: Any) -> Any:
    """A Proxy, or NO_PROXY, from its text form. Raises ValueError, whose words hold nothing of the text."""
    if isinstance(value, Proxy):
        return value
    if not isinstance(value, str):
        raise ValueError(f"a proxy is a text; {_FORM}")
    text = value.strip()
    if text.lower() in ("", "none", "direct"):
        return NO_PROXY
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError:
        raise ValueError(f"is not the URL of a proxy; {_FORM}") from None
    if parts.scheme not in USUAL_PORTS:
        raise ValueError(f"a {parts.scheme} proxy is not supported; {_FORM}")
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"is not the URL of a proxy; {_FORM}")
    given: dict[str, Any] = {}
    if parts.username is not None or parts.password is not None:
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        given = {"authorization": Secret(f"Basic {token}"), "password": Secret(password) if password else None}
    return Proxy(scheme=parts.scheme, host=parts.hostname, port=port or USUAL_PORTS[parts.scheme], **given)


ProxyChoice = Annotated[Proxy | Literal["none"], BeforeValidator(parse_proxy)]


def variable_for(scheme: str, host: str, port: int, environment: Mapping[str, str]) -> str:
    """The variable that names the proxy for this address; empty when it is dialled directly.

    Lower case wins, as with curl. This machine is never asked for through a proxy.
    """
    if is_loopback(host) or bypassed(host, port, _first(environment, "no_proxy", "NO_PROXY")[1]):
        return ""
    name = scheme.lower()
    return _first(environment, f"{name}_proxy", f"{name.upper()}_PROXY", "all_proxy", "ALL_PROXY")[0]


def bypassed(host: str, port: int, no_proxy: str) -> bool:
    """Whether NO_PROXY excepts an address: `*`, a name with all below it (`.name`, `*.name`), an address, a network
    (10.0.0.0/8), each with or without `:port`."""
    wanted = host.lower().strip("[]").rstrip(".")
    address = _address(wanted)
    for entry in no_proxy.replace(",", " ").lower().split():
        name, port_given = _split(entry)
        if port_given not in ("", str(port)):
            continue
        if name == "*" or (address is not None and _is_in(address, name)):
            return True
        suffix = name.removeprefix("*").strip(".")
        if address is None and suffix and (wanted == suffix or wanted.endswith(f".{suffix}")):
            return True
    return False


def _first(environment: Mapping[str, str], *names: str) -> tuple[str, str]:
    """The first of these variables that says something, with what it says."""
    found = ((name, environment[name].strip()) for name in names if name in environment)
    return next(((name, text) for name, text in found if text), ("", ""))


def _split(entry: str) -> tuple[str, str]:
    """Name and port of an entry. An IPv6 address with a port stands in brackets."""
    if entry.startswith("["):
        name, _, port = entry[1:].partition("]")
        return name, port.removeprefix(":")
    return (entry, "") if entry.count(":") > 1 else (entry.partition(":")[0], entry.partition(":")[2])


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_in(address: ipaddress.IPv4Address | ipaddress.IPv6Address, name: str) -> bool:
    try:
        return address in ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False
