"""Content blocks as the parts of which Chat Completions makes the content of a message.

Parts: `ChatCompletionContentPartParam` of OpenAI's SDK. `cache_control` beside them is OpenRouter's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from turnout.dialects.chat.texts import EMPTY, PARAGRAPH, Text, is_text, joined, quoted
from turnout.dialects.chat.turns import Block, Members
from turnout.dialects.messages.rewrite.flatten import as_text
from turnout.dialects.messages.rewrite.tree import text
from turnout.dialects.messages.signatures import THINKING_BLOCKS
from turnout.wire.splice import top_level

Part = dict[str, Any]

_PDF = "application/pdf"
_UNNAMED = "document"


@dataclass(frozen=True, slots=True)
class Contents:
    """How contents are written in one request."""

    documents: Literal["file", "text"]
    marked: bool
    """The request has cache breakpoints, and so every content is a list of parts.

    Breakpoints move on with the conversation: were a content a list only while it has one, what was cached before
    would be written otherwise in the next request.
    """

    def parts(self, blocks: Iterable[Block]) -> list[Part]:
        """What a user says. A block that says nothing has no part."""
        return [part for block in blocks if (part := _marked(self._part(block), block))]

    def texts(self, blocks: Iterable[Block]) -> list[Part]:
        """The same for those who can only write: whatever they show becomes text."""
        return [part for block in blocks if (part := _marked(_text(block), block))]

    def content(self, parts: list[Part]) -> Text | list[Part]:
        """A text wherever it can be one: many servers take no lists."""
        if not parts:
            return EMPTY
        if self.marked or any(part["type"] != "text" for part in parts):
            return parts
        return joined([part["text"] for part in parts], PARAGRAPH)

    def _part(self, block: Block) -> Part | None:
        shown = _image(block) if block.kind == "image" else None
        if block.kind == "document" and self.documents == "file":
            shown = _file(block)
        return shown or _text(block)


def text_part(words: Text) -> Part:
    return {"type": "text", "text": words}


def _marked(part: Part | None, block: Block) -> Part | None:
    if part is not None and block.marker is not None:
        part["cache_control"] = block.marker
    return part


def _text(block: Block) -> Part | None:
    """None for one without words, which no API takes, and for thoughts, which were never said."""
    if block.kind in THINKING_BLOCKS:
        return None
    words = block.text("text") if block.kind == "text" else quoted(as_text({**block.members}))
    return None if words == EMPTY else text_part(words)


def _image(block: Block) -> Part | None:
    """None for an image that is neither in the request nor at an address."""
    source = _source(block)
    match text(source.get("type")):
        case "base64":
            url = _data_url(source)
        case "url":
            url = _string(source, "url")
        case _:
            url = None
    return None if url is None else {"type": "image_url", "image_url": {"url": url}}


def _file(block: Block) -> Part | None:
    """None for a document that is no PDF in the request."""
    source = _source(block)
    url = _data_url(source) if text(source.get("media_type")) == _PDF else None
    if url is None:
        return None
    name = text(block.members.get("title")) or _UNNAMED
    name = name if name.lower().endswith(".pdf") else f"{name}.pdf"
    return {"type": "file", "file": {"filename": name, "file_data": url}}


def _source(block: Block) -> Members:
    return top_level(block.members.get("source", b"")) or {}


def _string(members: Members, name: str) -> Text | None:
    value = members.get(name)
    return value if value is not None and is_text(value) else None


def _data_url(source: Members) -> Text | None:
    kind, data = _string(source, "media_type"), _string(source, "data")
    if kind is None or data is None:
        return None
    return joined((msgspec.Raw(b'"data:"'), kind, msgspec.Raw(b'";base64,"'), data))
