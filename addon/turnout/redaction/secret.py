"""A string that never shows itself."""

from __future__ import annotations

import hashlib

MASK = "***"

SHORTEST_KNOWN = 8
"""Characters. A shorter key cannot be told from the words of a text."""


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
