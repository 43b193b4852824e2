"""The way to each provider: through which proxy, and whose certificates are trusted on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from turnout.errors import ConfigError
from turnout.redaction.secret import Secret
from turnout.settings.address import USUAL_PORTS, is_loopback
from turnout.settings.certificates import PUBLIC, Trust, trusted, trusted_by_variables
from turnout.settings.model import Provider, Settings
from turnout.settings.way_out import NO_PROXY, Proxy, parse_proxy, variable_for

Addresses = Collection[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Way:
    """How a provider is reached."""

    proxy: Proxy | None = None
    said_by: str = ""
    """The variable, or the key of the configuration, that named the proxy."""
    trust: Trust = PUBLIC


DIRECT = Way()


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways to all providers, and what of the environment could not be used."""

    of: Mapping[str, Way] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def to(self, provider: str) -> Way:
        return self.of.get(provider, DIRECT)

    @property
    def secrets(self) -> set[Secret]:
        """The passwords of the proxies."""
        return {secret for way in self.of.values() if way.proxy is not None for secret in way.proxy.secrets}


def ways_of(settings: Settings, own: Addresses = ()) -> Ways:
    """How every provider is reached. `own` is where this proxy listens itself, unless it is where the settings say.

    Raises ConfigError for what a provider's table asks for and cannot have. Reads certificates from the disk.
    """
    environment = {name: value.reveal() for name, value in settings.environment.items()}
    trust, warnings = trusted_by_variables(environment)
    own = own or ((settings.listen.host, settings.listen.port),)
    found: dict[str, Way] = {}
    told = dict.fromkeys(warnings)
    for name, provider in settings.providers.items():
        try:
            proxy, said_by = _proxy(provider, environment, own)
        except _Unusable as unusable:
            told[str(unusable)] = None
            proxy, said_by = None, ""
        if provider.proxy is not None and proxy is not None and _is_own(proxy, own):
            raise _mistaken(settings, name, "proxy", f"{proxy} is Turnout itself", "Name another proxy, or none")
        try:
            ca = trusted(provider.tls.ca) if provider.tls.ca is not None else PUBLIC
        except ValueError as error:
            raise _mistaken(settings, name, "tls.ca", str(error), "Name a file with certificates in PEM form") from None
        found[name] = Way(proxy, said_by, trust + ca)
    return Ways(found, tuple(told))


class _Unusable(Exception):
    """A variable of the environment names a proxy that cannot be used."""


def _proxy(provider: Provider, environment: Mapping[str, str], own: Addresses) -> tuple[Proxy | None, str]:
    if provider.proxy is not None:
        return (None, "") if provider.proxy == NO_PROXY else (provider.proxy, f"providers.{provider.name}.proxy")
    base = urlsplit(provider.base_url)
    port = base.port or USUAL_PORTS[base.scheme]
    variable = variable_for(base.scheme, provider.host, port, environment)
    if not variable:
        return None, ""
    try:
        proxy = parse_proxy(environment[variable])
    except ValueError as error:
        raise _Unusable(f"{variable} is left aside, providers are dialled directly: {error}") from None
    if proxy == NO_PROXY:
        return None, ""
    if _is_own(proxy, own):
        raise _Unusable(
            f"{variable} names Turnout itself ({proxy}) and is left aside, providers are dialled directly: it belongs "
            "into the environment of clients, not into Turnout's"
        )
    return proxy, variable


def _is_own(proxy: Proxy, own: Addresses) -> bool:
    """Whether requests would come back to where they came from."""
    return any(port == proxy.port and (host == proxy.host or is_loopback(proxy.host)) for host, port in own)


def _mistaken(settings: Settings, provider: str, key: str, reason: str, suggestion: str) -> ConfigError:
    return ConfigError(reason, file=settings.file, key=f"providers.{provider}.{key}", suggestion=suggestion)
