"""Answers of Chat Completions that somebody has kept: whether a body is one, and what it is in the Messages API."""

from __future__ import annotations

import re

from turnout.dialects.chat.message import message_of
from turnout.dialects.chat.stream import ChatDecoder
from turnout.wire.splice import text_of, top_level

_BEGINNING = 1 << 16
# No text of a stream of another API can look like this: in a JSON string the quotes are escaped.
_CHUNK = re.compile(
    rb"(?:\A|[\r\n])(?:\xef\xbb\xbf)?data: ?\{"
    rb'(?:"error":|[^\r\n]*?"(?:choices":|object": ?"chat\.completion\.chunk"))'
)


def is_stream(body: bytes) -> bool:
    """Whether one of the first events is a chunk, or an error as these servers write it."""
    return not body.lstrip().startswith(b"{") and _CHUNK.search(body, 0, _BEGINNING) is not None


def is_whole(body: bytes) -> bool:
    """Whether it is a JSON object with choices, which have messages."""
    if b'"choices"' not in body or b'"message"' not in body or not body.lstrip().startswith(b"{"):
        return False
    fields = top_level(body)
    if fields is None or not bytes(fields.get("choices", b"")).startswith(b"["):
        return False
    return "object" not in fields or (text_of(fields["object"]) or "").startswith("chat.completion")


def as_messages(body: bytes) -> bytes:
    """The same answer as one of the Messages API, streamed or whole; any other body is the same object. Never raises.

    As it comes from its provider: what only its client is told (the model's name, ids) is not in it.
    """
    if is_stream(body):
        decoder = ChatDecoder()
        return decoder.feed(body) + decoder.finish()
    return message_of(body) if is_whole(body) else body
