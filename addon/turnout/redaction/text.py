"""Secrets in texts: `***` stands for each."""

from __future__ import annotations

import re
from collections.abc import Iterable

from turnout.redaction.names import is_secret_parameter
from turnout.redaction.patterns import found_in, suspicious
from turnout.redaction.secret import MASK, Secret


def redact(text: str, known: Iterable[Secret] = ()) -> str:
    """`text` with every known secret and everything that looks like one replaced by `***`."""
    # The longest first: a secret that is part of another must not leave the rest of it standing.
    for value in sorted({secret.reveal() for secret in known if secret}, key=len, reverse=True):
        text = text.replace(value, MASK)
    if not suspicious()(text):
        return text
    pieces, position = [], 0
    for start, end in found_in(text, 0, len(text)):
        pieces += [text[position:start], MASK]
        position = end
    return "".join([*pieces, text[position:]])


def masked_path(path: str, known: Iterable[Secret] = ()) -> str:
    """A request path with `***` for the values of secret query parameters, and for what is secret anywhere in it."""
    path, mark, query = path.partition("?")
    pairs = re.split("([&;])", query)
    pairs[::2] = [_masked_pair(pair) for pair in pairs[::2]]
    return redact(path + mark + "".join(pairs), known)


def _masked_pair(pair: str) -> str:
    name, _, value = pair.partition("=")
    return f"{name}={MASK}" if value and is_secret_parameter(name) else pair
