"""Where a secret is to be found: the text forms that a credential may have."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from turnout.redaction.secret import Secret
from turnout.settings.table import Table, as_list

REFERENCES = "env:NAME, keyring:SERVICE/ACCOUNT, file:PATH, keychain, file, client"

_VARIABLE_NAME = re.compile(r"[A-Z][A-Z0-9_]{3,}")


class CredentialReference(Table):
    """Where a secret is to be found, or (`literal`) the secret itself."""

    source: Literal["env", "keyring", "path", "keychain", "file", "client", "literal"]
    name: str = ""
    """Variable name, `service/account`, or path; empty for the sources that need none."""
    literal: Secret | None = None

    def __str__(self) -> str:
        if self.source == "literal":
            return "literal"
        prefix = "file" if self.source == "path" else self.source
        return f"{prefix}:{self.name}" if self.name else prefix


def parse_reference(value: Any) -> Any:
    """A CredentialReference from its text form; ValueError says which forms there are."""
    if isinstance(value, CredentialReference):
        return value
    if not isinstance(value, str):
        raise ValueError(f"a credential is a string: one of {REFERENCES}")
    text = value.strip()
    if text in ("keychain", "file", "client"):
        return CredentialReference(source=text)
    prefix, separator, name = text.partition(":")
    if separator and prefix in ("env", "keyring", "file"):
        if not name or (prefix == "keyring" and not all(name.partition("/"))):
            raise ValueError(f"{prefix}: needs a name; a credential is one of {REFERENCES}")
        return CredentialReference(source="path" if prefix == "file" else prefix, name=name)
    if not text:
        raise ValueError(f"an empty credential; write one of {REFERENCES}")
    if _VARIABLE_NAME.fullmatch(text.removeprefix("$").removeprefix("{").removesuffix("}")):
        raise ValueError("this looks like the name of a variable; did you mean env:NAME?")
    return CredentialReference(source="literal", literal=Secret(text))


Reference = Annotated[CredentialReference, BeforeValidator(parse_reference)]
References = Annotated[tuple[Reference, ...], BeforeValidator(as_list)]
