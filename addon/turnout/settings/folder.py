"""What a file may say that came with a folder: nothing that moves a login, a key or a prompt to a place of its own.

The folder may be a clone or an archive of anybody's. Until the user names or trusts its files, what they say is held
against what would hold without them.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turnout.settings.address import is_loopback
from turnout.settings.certificates import VARIABLES as _CERTIFICATES
from turnout.settings.model import Access, Listen, Provider, Settings, Tls
from turnout.settings.reference import CredentialReference
from turnout.settings.way_out import VARIABLES as _PROXIES

NOT_FOR_FOLDERS = frozenset({"HOME", "USER", "CLAUDE_CONFIG_DIR", *_PROXIES, *_CERTIFICATES})
"""Variables that say where Claude Code's login is read from (`credentials.claude_code`), and who may read on the way to
a provider."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What would hold without the files in question."""

    providers: Mapping[str, Provider]
    """As the user or a preset has them; without those that only the files know."""
    listen: Listen
    access: Access
    variables: Collection[str]
    """Names of the variables that are set."""


def restrained(settings: Settings, outside: Outside) -> tuple[Settings, tuple[str, ...]]:
    """The settings without what untrusted files may not say, and a line for each thing that is left out.

    - At the address that it has without them a provider keeps the credentials that it has without them, and gets those
      that stand in the files themselves. At any other address of this machine it gets these alone; what listens
      elsewhere would read every prompt, and is not asked at all.
    - Who may enter and from where is not widened.
    - The way to a provider, its proxy and whose certificates are trusted, is what it is without them.
    - Of the variables those count that a credential names. None says where a login lies, or who reads on the way.
    """
    providers = {name: _provider(provider, outside) for name, provider in settings.providers.items()}
    access, listen = _access(settings.access, outside.access), _listen(settings.listen, outside.listen)
    references = [*access.keys, *(each for provider in providers.values() for each in provider.credentials)]
    named = {reference.name for reference in references if reference.source == "env"} - NOT_FOR_FOLDERS
    environment = {
        name: value for name, value in settings.environment.items() if name in outside.variables or name in named
    }
    update = {"providers": providers, "access": access, "listen": listen, "environment": environment}
    left = settings.model_copy(update=update)
    return left, tuple(map(_plain, _left_out(settings, left)))


def changes(settings: Settings, outside: Outside) -> tuple[str, ...]:
    """What is in force and would not be without the files, in words."""
    return tuple(map(_plain, _changes(settings, outside)))


def warnings(settings: Settings) -> list[str]:
    """A line for everything that files of the folder say and that is not in force."""
    found = []
    if settings.shadowed is not None:
        found.append(f"{settings.shadowed} is left aside for {settings.file}: {_remedy((settings.shadowed,))}")
    if settings.folder is not None:
        found += [f"{each}: not taken over. {why_withheld(settings)}" for each in settings.folder.withheld]
        if settings.folder.untrusted and settings.folder.changes:
            names = " and ".join(map(str, settings.folder.untrusted))
            found.append(f"{names}: found in this folder, in force in part: {'; '.join(settings.folder.changes)}")
    return found


def why_withheld(settings: Settings) -> str:
    """Which files are not trusted, and how to trust them; empty when there is none."""
    untrusted = settings.folder.untrusted if settings.folder is not None else ()
    return _remedy(untrusted) if untrusted else ""


def _remedy(untrusted: Sequence[Path]) -> str:
    names = " and ".join(map(str, untrusted))
    came = "come with the folder and are" if len(untrusted) > 1 else "comes with the folder and is"
    return _plain(f"{names} {came} not trusted; if you know it, run: turnout trust {shlex.quote(str(untrusted[0]))}")


_NO_WAY: Mapping[str, Any] = {"proxy": None, "tls": Tls()}


def _provider(provider: Provider, outside: Outside) -> Provider:
    known = outside.providers.get(provider.name)
    theirs = {each for it in outside.providers.values() for each in it.credentials} | set(outside.access.keys)
    literals = [each for each in provider.credentials if each.source == "literal" and each not in theirs]
    if known is None or known.base_url != provider.base_url:
        if not is_loopback(provider.host):
            withheld = (f"its address {provider.base_url}",)
            return provider.model_copy(update={**_NO_WAY, "credentials": (), "withheld": withheld})
        if provider.auth == "none":
            return provider.model_copy(update={**_NO_WAY, "credentials": ()})
        return _with_only(provider, literals, _NO_WAY)
    kept = [*known.credentials, *literals]
    kept += [each for each in provider.credentials if each.source == "env" and _is_of_files(each.name, outside)]
    # What a genuine key looks like decides which keys of clients are sent.
    forms = ("client_key_prefix", "oauth_prefix", "oauth_beta", *_NO_WAY)
    return _with_only(provider, kept, {name: getattr(known, name) for name in forms})


def _with_only(provider: Provider, kept: Collection[CredentialReference], update: Mapping[str, Any]) -> Provider:
    credentials = tuple(each for each in provider.credentials if each in kept)
    withheld = tuple(str(each) for each in provider.credentials if each not in kept)
    return provider.model_copy(update={**update, "credentials": credentials, "withheld": withheld})


def _is_of_files(variable: str, outside: Outside) -> bool:
    return variable not in outside.variables and variable not in NOT_FOR_FOLDERS


def _access(access: Access, outside: Access) -> Access:
    wanted = {"keys": outside.keys or access.keys, "hosts": outside.hosts, "origins": outside.origins}
    # A key that is not touched must not count as given (`edits.check_keys`).
    return access.model_copy(update={key: value for key, value in wanted.items() if getattr(access, key) != value})


def _listen(listen: Listen, outside: Listen) -> Listen:
    return listen if is_loopback(listen.host) else listen.model_copy(update={"host": outside.host})


def _left_out(asked: Settings, left: Settings) -> Iterator[str]:
    for name, provider in left.providers.items():
        if provider.withheld:
            yield f"{', '.join(provider.withheld)} for providers.{name} ({provider.base_url})"
        for key in _NO_WAY:
            if getattr(asked.providers[name], key) != getattr(provider, key):
                yield f"providers.{name}.{key}"
    if asked.listen != left.listen:
        yield f"listen.host {asked.listen.host}"
    for key in ("keys", "hosts", "origins"):
        if getattr(asked.access, key) != getattr(left.access, key):
            yield f"access.{key}"
    yield from sorted(NOT_FOR_FOLDERS & (asked.environment.keys() - left.environment.keys()))


def _changes(settings: Settings, outside: Outside) -> Iterator[str]:
    for name, provider in settings.providers.items():
        known = outside.providers.get(name)
        if known is None or known.base_url != provider.base_url:
            yield f"{name} is at {provider.base_url}"
        elif known.credentials != provider.credentials:
            yield f"{name} has credentials {', '.join(map(str, provider.credentials)) or 'of nobody'}"
        if provider.proxy != (known.proxy if known is not None else None):
            yield f"{name} is reached through {provider.proxy}"
        if provider.tls != (known.tls if known is not None else Tls()):
            yield f"{name} is trusted with a certificate of {provider.tls.ca}"
    if settings.access.keys != outside.access.keys:
        yield f"client keys: {len(settings.access.keys)}"
    if settings.listen != outside.listen:
        yield f"listens on {settings.listen.host} port {settings.listen.port}"
    for word, count in (("routes", len(settings.routes)), ("models", len(settings.models))):
        if count:
            yield f"{word}: {count}"
    named = {each.name for it in settings.providers.values() for each in it.credentials if each.source == "env"}
    yield from (f"sets {name}" for name in sorted(named & settings.environment.keys() - set(outside.variables)))


def _plain(text: str) -> str:
    """Without line breaks and control characters: a file must not write lines of its own into what is told of it."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
