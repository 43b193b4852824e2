"""Contents of a client of Chat Completions as content blocks."""

from __future__ import annotations

import re
from typing import Any

from turnout.dialects.chat.client.asked import Content, File, Part
from turnout.errors import InvalidRequest

Block = dict[str, Any]

_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^;,]*)*?(;base64)?,", re.IGNORECASE)
_PDF = "application/pdf"


def text_block(words: str) -> Block:
    return {"type": "text", "text": words}


def blocks_of(content: Content) -> list[Block]:
    """Pieces without words are left out: Anthropic takes no empty text. Raises InvalidRequest for what it cannot hear
    or see."""
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [text_block(content)]
    return [block for part in content if (block := _block(part)) is not None]


def words_of(content: Content) -> list[Block]:
    """The same where nothing but text can stand."""
    blocks = blocks_of(content)
    if any(block["type"] != "text" for block in blocks):
        raise InvalidRequest("The request body has a message of its system or of its assistant that is not text alone.")
    return blocks


def _block(part: Part) -> Block | None:
    match part.type:
        case "text":
            block = text_block(part.text) if part.text else None
        case "refusal":
            block = text_block(part.refusal) if part.refusal else None
        case "image_url" if part.image_url is not None:
            block = {"type": "image", "source": _source(part.image_url.url)}
        case "file" if part.file is not None:
            block = _document(part.file)
        case _:
            raise InvalidRequest(f"The request body has a content part of type {part.type!r}, which is not supported.")
    if block is not None and part.cache_control is not None:
        block["cache_control"] = part.cache_control
    return block


def _source(url: str) -> Block:
    found = _DATA_URL.match(url)
    if found is None:
        return {"type": "url", "url": url}
    if found[2] is None:
        raise InvalidRequest("The request body has an image in a data URL that is not base64.")
    return {"type": "base64", "media_type": found[1].lower(), "data": url[found.end() :]}


def _document(file: File) -> Block:
    if file.file_data is None:
        raise InvalidRequest("The request body has a file by its file_id. Send its content as file_data.")
    source = _source(file.file_data) if file.file_data.startswith("data:") else None
    if source is None or source["media_type"] != _PDF:
        raise InvalidRequest("The request body has a file that is not a PDF in a data URL.")
    return {"type": "document", "source": source, **({"title": file.filename} if file.filename else {})}
