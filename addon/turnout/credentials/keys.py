"""What counts as a key: placeholders are none, and a client's key is genuine for some providers only."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping

from turnout.redaction.secret import Secret
from turnout.settings.model import Provider

SENTINELS = frozenset(
    {
        "proxy-managed",  # ANTHROPIC_API_KEY of clients whose proxy holds the real key
        "local-dev-key",  # ANTHROPIC_AUTH_TOKEN in common ~/.claude/settings.json set-ups
        "dummy",  # for SDKs that refuse to start without a key
    }
)
"""Words that stand where a key is required and mean that there is none. They are never sent to a provider."""

ANTHROPIC_PREFIX = "sk-ant-"
"""How every key and token of Anthropic begins; it must not reach another vendor by accident (CCP-10)."""


def key_from(text: str) -> Secret | None:
    """The key in `text` without surrounding space; None when it is empty or a sentinel.

    Raises ValueError, without the value, when it holds a character that no header can carry.
    """
    key = text.strip()
    if not key or key.lower() in SENTINELS:
        return None
    if not (key.isascii() and key.isprintable()):
        raise ValueError("it holds characters that no header can carry")
    return Secret(key)


def client_key(
    provider: Provider, headers: Mapping[str, str], client_keys: Collection[Secret]
) -> tuple[str, Secret] | None:
    """The header and value of the client's own key, when it is genuine for `provider`. Header names are lower-case."""
    for header in ("authorization", "x-api-key"):
        text = headers.get(header, "")
        if header == "authorization":
            scheme, _, text = text.strip().partition(" ")
            if scheme.lower() != "bearer":
                continue
        try:
            key = key_from(text)
        except ValueError:
            continue
        if key is not None and _fits(provider, key) and not _is_one_of(client_keys, key):
            return header, key
    return None


def _fits(provider: Provider, key: Secret) -> bool:
    if provider.client_key_prefix:
        return key.reveal().startswith(provider.client_key_prefix)
    return not key.reveal().startswith(ANTHROPIC_PREFIX)


def _is_one_of(client_keys: Collection[Secret], key: Secret) -> bool:
    """Compares with every key, each in constant time, so that the time taken tells nothing."""
    value = key.reveal().encode()
    matches = 0
    for known in client_keys:
        matches += hmac.compare_digest(known.reveal().strip().encode(errors="surrogateescape"), value)
    return matches > 0
