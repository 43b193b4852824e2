"""Secrets that a model has said piece by piece: no single event of a stream holds them, its text does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from turnout.redaction.body import without_secrets
from turnout.redaction.secret import Secret

_PIECE = re.compile(
    rb'"(text|thinking|partial_json|content|arguments|reasoning_content|reasoning|refusal|summary)"'
    rb'\s*:\s*"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
)
"""A member of an event whose values add up to a text."""


def without_split_secrets(stream: bytes, known: Iterable[Secret] = ()) -> bytes:
    """A stream of events with every secret in it starred out, length kept; the same object when there is none."""
    known = tuple(known)
    return without_secrets(cleaned_as_one(stream, lambda text: without_secrets(text, known)), known)


def cleaned_as_one(stream: bytes, clean: Callable[[bytes], bytes]) -> bytes:
    """A stream with its pieces as `clean` leaves the text to which they add up.

    `clean` must keep the length, and give back the same object when it changes nothing; so does this.
    """
    spans: dict[bytes, list[tuple[int, int]]] = {}
    for piece in _PIECE.finditer(stream):
        spans.setdefault(piece[1], []).append(piece.span(2))  # one event may tell the same thought in two members
    result = bytearray()
    for of_member in spans.values():
        text = b"".join([stream[start:end] for start, end in of_member])
        cleaned = clean(text)
        if cleaned is text:
            continue
        result = result or bytearray(stream)
        position = 0
        for start, end in of_member:
            result[start:end] = cleaned[position : position + end - start]
            position += end - start
    return bytes(result) if result else stream
