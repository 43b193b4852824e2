"""JSON strings as they are written: told apart, joined and framed without being read.

Two JSON strings become one by leaving out the quotes between them. A text of a megabyte is copied, never decoded.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

Text = msgspec.Raw
"""A JSON string, quotes included."""

EMPTY: Text = msgspec.Raw(b'""')
PARAGRAPH: Text = msgspec.Raw(rb'"\n\n"')
_QUOTE = ord('"')


def quoted(words: str) -> Text:
    return msgspec.Raw(msgspec.json.encode(words))


def is_text(raw: msgspec.Raw) -> bool:
    return memoryview(raw)[0] == _QUOTE


def joined(texts: Sequence[Text], between: Text = EMPTY) -> Text:
    """All of them as one, `between` every two; a single one is the same object."""
    if len(texts) == 1:
        return texts[0]
    inner = _inner(between)
    pieces: list[bytes | memoryview] = []
    for text in texts:
        pieces += (inner, _inner(text))
    return msgspec.Raw(b"".join((b'"', *pieces[1:], b'"')))


def _inner(text: Text) -> memoryview:
    return memoryview(text)[1:-1]
