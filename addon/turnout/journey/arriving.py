"""The bytes of a streamed answer as they arrive: opened where they are compressed, and kept to be shown and saved."""

from __future__ import annotations

from turnout.wire.compression import Unpacker, Unreadable, unpacker

KEPT = 32 * 10**6
"""Bytes that are kept; answers of the Messages API are far smaller."""


class Arriving:
    """One answer, chunk by chunk."""

    def __init__(self) -> None:
        self.unreadable = ""
        """Why nothing of it can be read any more."""
        self._encoding = ""
        self._unpacker: Unpacker | None = None
        self._raw: list[bytes] = []
        self._kept = 0

    def opens(self, encoding: str) -> bool:
        """Whether an answer of this content-encoding can be read while it arrives."""
        self._encoding, self._unpacker = encoding, unpacker(encoding)
        return self._unpacker is not None

    def take(self, data: bytes) -> bytes:
        """What there is to be read of these bytes."""
        if self.unreadable:
            return b""
        try:
            plain = self._unpacker(data) if self._unpacker is not None else data
        except Unreadable:
            self.unreadable = f"its {self._encoding} data cannot be read"
            return b""
        self.keep(plain)
        return plain

    def keep(self, plain: bytes) -> None:
        if self._kept < KEPT:
            self._raw.append(plain)
            self._kept += len(plain)

    @property
    def cut(self) -> bool:
        """More has come than is kept."""
        return self._kept >= KEPT

    @property
    def received(self) -> bytes:
        """The answer as the provider sent it, opened, as much as is kept."""
        return b"".join(self._raw)
