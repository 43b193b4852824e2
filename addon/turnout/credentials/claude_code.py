"""Where Claude Code keeps its login, and how to read it. Nothing here touches a store."""

from __future__ import annotations

import getpass
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from turnout.credentials.keys import key_from
from turnout.errors import CredentialError
from turnout.redaction.secret import Secret

_SERVICE = "Claude Code-credentials"


@dataclass(frozen=True, slots=True)
class OAuthLogin:
    """The login of `claude /login`, as far as it is needed to send requests."""

    access_token: Secret
    expires_at: float | None
    """Unix time in seconds; None for a token that names no end."""


class _Login(msgspec.Struct, rename="camel"):
    access_token: str = ""
    expires_at: float | None = None


class _Document(msgspec.Struct):
    login: _Login | None = msgspec.field(name="claudeAiOauth", default=None)


_DOCUMENT = msgspec.json.Decoder(_Document)


def keychain_service(environment: Mapping[str, Secret]) -> str:
    """Name of the Keychain entry; a config directory of the user's own has an entry of its own."""
    directory = _config_directory(environment)
    if not directory:
        return _SERVICE
    return f"{_SERVICE}-{hashlib.sha256(directory.encode(errors='surrogateescape')).hexdigest()[:8]}"


def keychain_account(environment: Mapping[str, Secret]) -> str:
    """The user's name, under which the entry stands. Raises CredentialError when the system knows none."""
    user = environment.get("USER")
    if user:
        return user.reveal()
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # Python 3.13 raises OSError, earlier ones what lies beneath
        raise CredentialError("the user's name is unknown; set USER") from None


def credentials_file(environment: Mapping[str, Secret]) -> Path:
    """The file that holds the login where there is no Keychain. Raises CredentialError when there is no home."""
    directory = _config_directory(environment)
    if directory:
        return Path(directory) / ".credentials.json"
    home = environment.get("HOME")
    try:
        return (Path(home.reveal()) if home else Path.home()) / ".claude" / ".credentials.json"
    except RuntimeError:
        raise CredentialError("the user's home directory is unknown; set HOME") from None


def parse_login(document: bytes) -> OAuthLogin | None:
    """The login in Claude Code's JSON; None when the user is logged out. Other top-level keys are not looked at.

    Raises CredentialError, without any value, when the document is not what Claude Code writes.
    """
    try:
        login = _DOCUMENT.decode(document).login
        token = key_from(login.access_token) if login else None
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise CredentialError(f"this is not a login of Claude Code ({type(error).__name__})") from None
    if login is None or token is None:
        return None
    return OAuthLogin(token, None if login.expires_at is None else login.expires_at / 1000)


def _config_directory(environment: Mapping[str, Secret]) -> str:
    directory = environment.get("CLAUDE_CONFIG_DIR")
    return directory.reveal() if directory else ""
