"""Where credentials stand: the names of headers and of query parameters whose values open a door."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_plus

from turnout.redaction.secret import SHORTEST_KNOWN, Secret

SECRET_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-turnout-key",
        "x-turnout-proof",
        "cookie",
        "set-cookie",
        "anthropic-workspace-id",
        "x-amz-security-token",
    }
)
"""Header names (lower-case) whose values may identify or authenticate a person; never logged, noted or recorded, and
never sent on as they came."""

_SECRET_HEADER = re.compile(
    r"(?:.*-)?(?:auth|authorization|(?:api|access|auth|secret|subscription|license)-?key|token|secret|password"
    r"|credentials?|assertion|cookie2?|signature|client-cert)"
)
"""Headers of gateways (`helicone-auth`, `cf-aig-authorization`): these pass, and are masked in what is written."""

_SECRET_QUERY = re.compile(
    r"key|code|code_verifier|assertion|jwt|sig|pwd|passwd|session|sessionid"
    r"|(?:x_(?:amz|goog)_|[a-z]+_)?(?:api_?key|auth|authorization|credential|password|secret|signature|subscription_key)"
    r"|(?:(?:access|refresh|id|auth|session|x_amz_security)_)?token"
)
"""Names of query parameters (lower-case, with underscores) whose values open a door. A `page_token` does not."""


def is_secret_header(name: str) -> bool:
    """Whether the value of this header (any case) is masked in everything that is written."""
    lower = name.strip().lower()  # mitmproxy shows a name that a space follows, and refuses it
    return lower in SECRET_HEADERS or _SECRET_HEADER.fullmatch(lower) is not None


def is_secret_parameter(name: str) -> bool:
    """Whether the value of a query parameter of this name opens a door."""
    return _SECRET_QUERY.fullmatch(unquote_plus(name).lower().replace("-", "_")) is not None


def without_secret_parameters(path: str) -> str:
    """A request path without the query parameters in which a credential may stand; the same object if it has none."""
    bare, _, query = path.partition("?")
    pairs = query.split("&")
    kept = [pair for pair in pairs if not is_secret_parameter(pair.partition("=")[0])]
    return path if len(kept) == len(pairs) else "?".join(filter(None, (bare, "&".join(kept))))


def credentials_of(headers: Mapping[str, str], path: str) -> frozenset[Secret]:
    """What stands where a client puts credentials: in headers (lower-case names), without a scheme, and in the query.

    One that is too short to be told from a word is left out.
    """
    found = [value.rpartition(" ")[2] for name, value in headers.items() if is_secret_header(name)]
    for pair in re.split("[&;]", path.partition("?")[2]):
        name, _, value = pair.partition("=")
        if is_secret_parameter(name):
            found += [value, unquote_plus(value)]
    return frozenset(Secret(value) for value in found if len(value) >= SHORTEST_KNOWN)
