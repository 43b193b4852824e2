"""A JSON object for people, a line for each field: small values as they are, of large ones how large they are."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from turnout.wire.splice import top_level

WIDTH = 80
"""Columns of a line, unless the name of a field is longer than that."""
_INDENT = "  "
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])


def outline(body: bytes) -> Iterator[str]:
    """`messages: 12 (84.1 kB)`; no line for what is no JSON object."""
    for name, value in (top_level(body) or {}).items():
        lead = f"{_INDENT}{name}: "
        yield lead + _shown(value, WIDTH - len(lead))


def size_in_words(count: int) -> str:
    """`312 bytes`, `76.3 kB`."""
    return f"{count / 1000:,.1f} kB" if count >= 1000 else f"{count} bytes"


def _shown(value: msgspec.Raw, room: int) -> str:
    text = bytes(value).decode()
    if len(text) <= room:
        return text
    size = f"({size_in_words(memoryview(value).nbytes)})"
    if text.startswith("["):
        return f"{len(_ITEMS.decode(value))} {size}"
    return f"{text[: max(0, room - len(size) - 3)]} … {size}"
