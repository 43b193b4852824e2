"""The certificate authorities that are trusted beside the public ones: those of a company whose firewall looks inside.

mitmproxy's own option for them (`ssl_verify_upstream_trusted_ca`) takes the public ones away.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
"""What OpenSSL, Python's requests, curl and Node read. Claude Code's documentation names the first and the last."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Files (PEM) and directories (as `openssl rehash` makes them) of authorities that are trusted as well."""

    files: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.files or self.directories)

    def __add__(self, other: Trust) -> Trust:
        return Trust(
            tuple(dict.fromkeys((*self.files, *other.files))),
            tuple(dict.fromkeys((*self.directories, *other.directories))),
        )


PUBLIC = Trust()
"""The public authorities alone."""


def trusted(place: str) -> Trust:
    """The authorities in a file or a directory. Raises ValueError that says what is wrong with it.

    Reads from the disk.
    """
    path = Path(os.path.expanduser(place)).absolute()
    if path.is_dir():
        return Trust(directories=(str(path),))
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise ValueError(f"{path} holds no certificate in PEM form") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror or error})") from None
    return Trust(files=(str(path),))


def trusted_by_variables(environment: Mapping[str, str]) -> tuple[Trust, tuple[str, ...]]:
    """What the environment adds, and a warning for every variable that leads nowhere."""
    found, warnings = PUBLIC, []
    # Several variables often name one bundle; OpenSSL takes 20 ms to read the public authorities.
    read = cache(trusted)
    for name in VARIABLES:
        given = environment.get(name, "").strip()
        for place in filter(None, given.split(os.pathsep) if name == "SSL_CERT_DIR" else [given]):
            try:
                found += read(place)
            except ValueError as error:
                warnings.append(f"{name}: {error}; certificates that it was to vouch for are not trusted")
    return found, tuple(warnings)
