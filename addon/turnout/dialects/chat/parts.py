"""Content blocks as the parts of which Chat Completions makes the content of a message.

Parts: `ChatCompletionContentPartParam` of OpenAI's SDK. `cache_control` beside them is OpenRouter's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from turnout.dialects.chat.turns import ABSENT, Block, missing
from turnout.dialects.messages.rewrite.flatten import as_text
from turnout.dialects.messages.signatures import THINKING_BLOCKS

Part = dict[str, Any]

PARAGRAPH = "\n\n"
_PDF = "application/pdf"
_UNNAMED = "document"


class _Source(msgspec.Struct):
    """Where an image or a document is."""

    type: str | None = None
    media_type: str | None = None
    data: str | None = None
    url: str | None = None

    @property
    def data_url(self) -> str | None:
        if self.media_type is None or self.data is None:
            return None
        return f"data:{self.media_type};base64,{self.data}"


_SOURCE = msgspec.json.Decoder(_Source)


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
        return [part for block in blocks if (part := (block.type != "text" and self._shown(block)) or text_of(block))]

    def texts(self, blocks: Iterable[Block]) -> list[Part]:
        """The same for those who can only write: whatever they show becomes text."""
        return [part for block in blocks if (part := text_of(block))]

    def content(self, parts: list[Part]) -> str | list[Part]:
        """A text wherever it can be one: many servers take no lists."""
        if not self.marked and all(part["type"] == "text" for part in parts):
            return PARAGRAPH.join([part["text"] for part in parts])
        return parts or ""

    def _shown(self, block: Block) -> Part | None:
        """None for what is not shown, but told in words."""
        shown = _image(block) if block.type == "image" else None
        if block.type == "document" and self.documents == "file":
            shown = _file(block)
        return None if shown is None else _marked(shown, block)


def text_part(words: str) -> Part:
    return {"type": "text", "text": words}


def text_of(block: Block) -> Part | None:
    """What a block says in words. None for one without any, which no API takes."""
    words = block.text if block.type == "text" else _told(block)
    if words is None:
        raise missing(block, "text")
    return _marked(text_part(words), block) if words else None


def _told(block: Block) -> str:
    """Nothing for thoughts, which were never said."""
    if not block.type:
        raise missing(block, "type")
    return "" if block.type in THINKING_BLOCKS else as_text(block.members())


def _marked(part: Part, block: Block) -> Part:
    if block.cache_control is not None:
        part["cache_control"] = block.cache_control
    return part


def _image(block: Block) -> Part | None:
    """None for an image that is neither in the request nor at an address."""
    source = _source(block)
    match source.type:
        case "base64":
            url = source.data_url
        case "url":
            url = source.url
        case _:
            url = None
    return None if url is None else {"type": "image_url", "image_url": {"url": url}}


def _file(block: Block) -> Part | None:
    """None for a document that is no PDF in the request."""
    source = _source(block)
    url = source.data_url if source.media_type == _PDF else None
    if url is None:
        return None
    name = block.title or _UNNAMED
    name = name if name.lower().endswith(".pdf") else f"{name}.pdf"
    return {"type": "file", "file": {"filename": name, "file_data": url}}


def _source(block: Block) -> _Source:
    return _Source() if block.source == ABSENT else _SOURCE.decode(block.source)
