"""The one definition of what is secret."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

SECRET_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-turnout-key",
        "cookie",
        "set-cookie",
        "anthropic-workspace-id",
        "x-amz-security-token",
    }
)
"""Header names (lower-case) whose values may identify or authenticate a person; never logged, noted or recorded."""

SECRET_TEXT = re.compile(
    r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{8,}"  # Anthropic, OpenAI, DeepSeek, Moonshot, OpenRouter, LiteLLM
    r"|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+"  # JWT (MiniMax keys, Google and Entra tokens)
    r"|(?i:bearer)\s+[A-Za-z0-9._~+/=-]{8,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}"
)
"""What a secret looks like inside free text."""

MASK = "***"


class Secret:
    """A string that never shows itself: it prints, formats and pickles as `***`. `reveal()` is the only way in."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that name this value without giving it away (SHA-256, truncated)."""
        return hashlib.sha256(self._value.encode(errors="surrogatepass")).hexdigest()[:12]

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return Secret, (MASK,)


def redact(text: str, known: Iterable[Secret] = ()) -> str:
    """`text` with every known secret and everything that looks like one replaced by `***`."""
    # The longest first: a secret that is part of another must not leave the rest of it standing.
    for value in sorted({secret.reveal() for secret in known if secret}, key=len, reverse=True):
        text = text.replace(value, MASK)
    return SECRET_TEXT.sub(MASK, text)
