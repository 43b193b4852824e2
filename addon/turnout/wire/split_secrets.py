"""Secrets that a model has said piece by piece: no single event of a stream holds them, its text does."""

from __future__ import annotations

import re
from collections.abc import Iterable

from turnout.settings.secret import Secret, without_secrets

_PIECE = re.compile(rb'"(?:text|thinking|partial_json|content|arguments)"\s*:\s*"([^"\\]*+(?:\\.[^"\\]*+)*+)"')
"""A member of a delta whose values add up to a text."""


def without_split_secrets(stream: bytes, known: Iterable[Secret] = ()) -> bytes:
    """A stream of events with every secret in it starred out, length kept; the same object when there is none."""
    known = tuple(known)
    spans = [piece.span(1) for piece in _PIECE.finditer(stream)]
    text = b"".join(stream[start:end] for start, end in spans)
    cleaned = without_secrets(text, known)
    if cleaned is not text:
        result, position = bytearray(stream), 0
        for start, end in spans:
            result[start:end] = cleaned[position : position + end - start]
            position += end - start
        stream = bytes(result)
    return without_secrets(stream, known)
