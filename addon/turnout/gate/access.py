"""Who may enter: client keys, Host, Origin, size. Everything here is decided before a body is read."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

from turnout.errors import ConfigError, InvalidRequest, NotAuthenticated, NotPermitted, RequestTooLarge
from turnout.gate.proof import HEADER, Asked, proves
from turnout.redaction.secret import Secret
from turnout.settings.address import is_loopback
from turnout.settings.model import Access, Settings
from turnout.settings.reference import CredentialReference


def check_listen(host: str, access: Access) -> None:
    """Refuse an address that other machines reach unless client keys guard it (A17). Raises ConfigError."""
    if is_loopback(host) or access.keys:
        return
    shown = host or "every interface"
    raise ConfigError(
        f"listening on {shown} without client keys would let anyone on the network spend your credentials",
        key="access.keys",
        suggestion="Set access.keys, or listen on 127.0.0.1",
    )


def client_keys(settings: Settings) -> tuple[Secret, ...]:
    """The client keys in force. Raises ConfigError for a missing one: an unset variable must not open the gate."""
    return tuple(_key(reference, settings) for reference in settings.access.keys)


def _key(reference: CredentialReference, settings: Settings) -> Secret:
    if reference.source == "literal" and reference.literal:
        return reference.literal
    if reference.source == "env":
        value = settings.environment.get(reference.name)
        key = value.reveal().strip() if value else ""
        if key:
            return Secret(key)
        problem, hint = f"the variable {reference.name} is not set", "Set it in the environment or in .env"
    else:
        problem, hint = f"{reference} cannot be a client key", "Use env:NAME"
    raise ConfigError(problem, file=settings.file, key="access.keys", suggestion=hint)


class Gatekeeper:
    """Checks the head of a request. Raises a RequestError for one that may not enter. `clock` gives Unix time."""

    def __init__(self, access: Access, keys: Iterable[Secret], *, clock: Callable[[], float] = time.time) -> None:
        self._keys = [key_bytes(key) for key in keys]
        self._clock = clock
        self._hosts = {host.lower().strip("[]").rstrip(".") for host in access.hosts}
        self._origins = {origin.lower().rstrip("/") for origin in access.origins}
        self._max_body = access.max_body

    def admit(self, host: str, headers: Mapping[str, str], asked: Asked | None = None) -> None:
        """`host` is the Host header as the client sent it; header names are lower-case.

        `asked` is what a proof of a key must be for; without it none will do.
        """
        self._check_host(host)
        self._check_origin(headers.get("origin"))
        if asked is None or not self._proven(headers.get(HEADER), asked):
            self._check_key(headers)
        self._check_size(headers.get("content-length"))

    def _check_host(self, host: str) -> None:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            raise InvalidRequest("The Host header is malformed.") from None
        if name.rstrip(".") not in self._hosts and "*" not in self._hosts:
            raise NotPermitted(
                f"Host {name or '(none)'} is not served here. Add it to access.hosts if this address is yours."
            )

    def _check_origin(self, origin: str | None) -> None:
        if origin is not None and origin.lower().rstrip("/") not in self._origins:
            raise NotPermitted("Requests from web pages are refused. Add the Origin to access.origins to allow it.")

    def _proven(self, given: str | None, asked: Asked) -> bool:
        return given is not None and proves(given, self._keys, asked, self._clock())

    def _check_key(self, headers: Mapping[str, str]) -> None:
        if not self._keys:
            return
        scheme, _, token = headers.get("authorization", "").partition(" ")
        offered = [headers.get("x-turnout-key", ""), headers.get("x-api-key", "")]
        if scheme.lower() == "bearer":
            offered.append(token.strip())
        # Every pair is compared, so that the time taken tells nothing about which one fits.
        if not any([hmac.compare_digest(_bytes(given), key) for given in offered for key in self._keys]):  # noqa: C419
            # Claude Code replaces a message that names the API key header by a request to log in.
            raise NotAuthenticated(
                "Turnout wants a client key: send one of access.keys as x-turnout-key or as a Bearer token "
                "(ANTHROPIC_AUTH_TOKEN)."
            )

    def _check_size(self, declared: str | None) -> None:
        # Python refuses to read numbers of thousands of digits.
        if declared is not None and declared.isdecimal() and (len(declared) > 18 or int(declared) > self._max_body):
            raise too_large(self._max_body)


def key_bytes(key: Secret) -> bytes:
    """A client key as it is compared and proven."""
    return _bytes(key.reveal())


def _bytes(text: str) -> bytes:
    """Bytes to compare. What is not UTF-8 in headers and variables stands as surrogates in their text."""
    return text.encode(errors="surrogatepass")


def too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"Request exceeds the maximum size of {limit} bytes (access.max_body).")
