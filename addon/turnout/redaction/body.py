"""Secrets in bodies: as many stars stand for each, so that nothing moves and JSON stays valid."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator

from turnout.redaction.patterns import found_in, suspicious
from turnout.redaction.secret import SHORTEST_KNOWN, Secret

_WINDOW, _OVERLAP = 16_384, 1_024
"""Bytes that are looked through at once, and how much of what follows it takes to recognise a secret, at the most."""

_NOT_ASCII = bytes(range(128)) + b"\x1f" * 128
_NUMERIC = re.compile(rb"[+-]?[0-9]*\.?[0-9]*(?:[eE][+-]?[0-9]*)?")
_DIGIT = re.compile(rb"[0-9]")


def without_secrets(data: bytes, known: Iterable[Secret] = ()) -> bytes:
    """`data` with every known secret of eight characters or more, and everything that looks like one, starred out.

    The length is kept and JSON stays valid. The same object when nothing was found.
    """
    return starred(without_known(data, known), secret_spans)


def without_known(data: bytes, known: Iterable[Secret]) -> bytes:
    """The same for the known secrets alone."""
    spans = [*_known_spans(data, known)]
    if not spans:
        return data
    out = bytearray(data)
    for start, end in spans:
        number = _NUMERIC.fullmatch(data, start, end)  # it may stand in JSON without quotes
        out[start:end] = _DIGIT.sub(b"1", number[0]) if number else b"*" * (end - start)
    return bytes(out)


def starred(data: bytes, find: Callable[[bytes], Iterable[tuple[int, int]]]) -> bytes:
    """`data` with stars from each start to each end that `find` names; the same object when it names none."""
    # Again and again, because what follows a secret directly begins a word only now.
    while spans := [*find(data)]:
        out = bytearray(data)
        for start, end in spans:
            out[start:end] = b"*" * (end - start)
        data = bytes(out)
    return data


def secret_spans(data: bytes) -> Iterator[tuple[int, int]]:
    """Where (start, end) something stands that looks like a secret, in order. No JSON escape is cut."""
    is_suspicious = suspicious()
    text = (data if data.isascii() else data.translate(_NOT_ASCII)).decode("ascii")
    if not is_suspicious(text):
        return
    position = 0
    for start in range(0, len(text), _WINDOW):
        limit = start + _WINDOW + _OVERLAP
        if not is_suspicious(text[start:limit]):
            continue
        for beginning, end in found_in(text, max(position, start), limit):
            position = end
            if (beginning := outside_escape(data, beginning)) < end:
                yield beginning, end


def _known_spans(data: bytes, known: Iterable[Secret]) -> Iterator[tuple[int, int]]:
    values = {secret.reveal() for secret in known}
    long = [value for value in values if len(value) >= SHORTEST_KNOWN]
    for text in {json.dumps(value, ensure_ascii=ascii)[1:-1] for value in long for ascii in (True, False)}:
        sought = text.encode(errors="surrogatepass")
        start = data.find(sought)
        while start >= 0:
            end = start + len(sought)
            yield outside_escape(data, start), end
            start = data.find(sought, end)


def outside_escape(data: bytes, position: int) -> int:
    """`position`, or the end of the JSON escape (`\\n`, `\\u00e9`) that it would cut in two."""
    start = data.rfind(b"\\", max(0, position - 5), position)
    if start < 0:
        return position
    run = start + 1
    while run and data[run - 1 : run] == b"\\":
        run -= 1
    if (start + 1 - run) % 2 == 0:
        return position  # escaped backslashes
    return max(position, start + (6 if data[start + 1 : start + 2] == b"u" else 2))
