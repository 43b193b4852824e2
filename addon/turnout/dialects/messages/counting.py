"""Estimates the input tokens of a Messages body on this machine, where no provider counts them.

Claude's vocabulary is not published. The texts are counted with OpenAI's o200k_base, which Claude's models exceed by
some percent on English prose and by up to a third on code and with their newer vocabularies; everything else follows
the rules of thumb of Anthropic's documentation. Good for "how full is the window", not for a bill.

The tokenizer is the extra `estimate`. It is loaded with the first count, which then takes 0.2 s longer.
"""

from __future__ import annotations

import binascii
import json
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import msgspec

from turnout.errors import NotSupported
from turnout.wire.splice import UNREADABLE

TOKENIZER = "o200k_base"
"""The vocabulary that texts are counted with."""

PER_MESSAGE = 4
"""Tokens around the text of a message: its role and its ends."""
PER_BLOCK = 8
"""Tokens around a tool call or result: its id, its name's quotes, its ends."""
PER_TOOL = 8
"""Tokens around the definition of a tool."""
TOOLS_PROMPT = 346
"""What Anthropic adds to the system prompt as soon as there is a tool (docs: tool use, pricing)."""

IMAGE_EDGE = 1568
"""Pixels; an image with a longer edge is scaled down to it (docs: vision)."""
IMAGE_CEILING = 1600
"""Tokens of the largest image after scaling, and of one whose size cannot be read."""
PIXELS_PER_TOKEN = 750

PAGE = 2000
"""Tokens of a page of a PDF, which is read both as text and as image: 1500 to 3000 and more (docs: PDF support)."""
PAGE_BYTES = 50_000
"""Bytes of a PDF taken for one page."""

PIECE = 16_384
"""Characters tokenized at once. The tokenizer keeps the interpreter to itself meanwhile, for some 2 ms at worst."""
IMAGE_BEGINNING = 1 << 17
"""Characters of base64 in which an image's size is looked for; JPEG puts previews and colour profiles before it."""

_ENCRYPTED = {"redacted_thinking": "data", "compaction": "encrypted_content"}
_MARKERS = frozenset({"type", "cache_control", "citations", "id", "tool_use_id", "signature"})


def count(fields: Mapping[str, msgspec.Raw]) -> int:
    """About how many input tokens a Messages body has, from its top-level fields.

    Takes about 1 ms for 100 KB of body. Meant to be called in a thread; other threads get their turn after every PIECE.
    Whatever the fields hold is counted, if need be as JSON text. Raises NotSupported when the tokenizer is not
    installed.
    """
    tokens_of = tokenizer()
    total = 0
    for name, walk in (("system", _contents), ("messages", _messages), ("tools", _tools)):
        raw = fields.get(name)
        if raw is not None:
            total += _field(raw, walk, tokens_of)
    return total


@cache
def tokenizer() -> Callable[[str], int]:
    """Counts the tokens of a text. Loads the vocabulary, once: 0.2 s and 50 MB of memory.

    Raises NotSupported when the extra `estimate` is not installed.
    """
    try:
        from splintr import Tokenizer
    except ImportError:
        raise NotSupported(
            'count_tokens = "estimate" needs a tokenizer that is not installed. '
            "Install it where Turnout runs: pip install 'turnout[estimate]'"
        ) from None
    encode = Tokenizer.from_pretrained(TOKENIZER).encode_ordinary

    def tokens_of(text: str) -> int:
        # A cut costs at most a token or two.
        return sum(len(encode(text[start : start + PIECE])) for start in range(0, len(text), PIECE))

    tokens_of("It compiles itself with the first long text.")
    return tokens_of


Walk = Callable[[Any], Iterator[str | int]]
"""Goes through a decoded value and yields its texts, and the tokens of what is none."""


def _field(raw: msgspec.Raw, walk: Walk, tokens_of: Callable[[str], int]) -> int:
    try:
        value = msgspec.json.decode(raw)
        return sum(part if isinstance(part, int) else tokens_of(part) for part in walk(value))
    except UNREADABLE:
        return tokens_of(bytes(raw).decode(errors="replace"))


def _messages(value: Any) -> Iterator[str | int]:
    for message in _listed(value):
        if isinstance(message, dict) and "content" in message:
            yield PER_MESSAGE
            yield from _contents(message["content"])
        else:
            yield _json(message)


def _tools(value: Any) -> Iterator[str | int]:
    tools = _listed(value)
    if tools:
        yield TOOLS_PROMPT
    for tool in tools:
        yield PER_TOOL
        if isinstance(tool, dict) and "input_schema" in tool:
            yield from (_text(tool.get(key)) for key in ("name", "description", "input_schema"))
        else:
            yield _without_markers(tool)


def _contents(value: Any) -> Iterator[str | int]:
    """The parts of what `system` or a message's or result's `content` holds: a text, or blocks."""
    for block in _listed(value):
        if isinstance(block, dict):
            yield from _block(block)
        else:
            yield _text(block)


def _block(block: dict[str, Any]) -> Iterator[str | int]:
    kind = block.get("type")
    if kind in ("text", "thinking"):
        yield _text(block.get(kind))
    elif kind in ("image", "document"):
        yield from _text_fields(block, "title", "context")
        yield from _source(kind, block.get("source"))
    elif kind == "search_result":
        yield from _text_fields(block, "title", "source")
        yield from _contents(block.get("content"))
    elif isinstance(kind, str) and kind.endswith("tool_result"):
        yield PER_BLOCK
        yield from _contents(block.get("content"))
    elif isinstance(kind, str) and kind.endswith("tool_use"):
        yield PER_BLOCK
        yield from _text_fields(block, "name", "input")
    elif kind in _ENCRYPTED and isinstance(block.get(_ENCRYPTED[kind]), str):
        # Base64 of text that only Anthropic reads: three bytes in four characters, four bytes to a token.
        yield len(block[_ENCRYPTED[kind]]) * 3 // 16
        yield from _contents(block.get("content"))
    else:
        yield _without_markers(block)


def _source(kind: str, source: Any) -> Iterator[str | int]:
    source = source if isinstance(source, dict) else {}
    data = source.get("data")
    if source.get("type") == "content":
        yield from _contents(source.get("content"))
    elif source.get("type") == "text":
        yield _text(data)
    elif kind == "image":
        yield image_tokens(data) if isinstance(data, str) else IMAGE_CEILING
    else:
        pages = math.ceil(len(data) * 3 / 4 / PAGE_BYTES) if isinstance(data, str) else 1
        yield max(1, pages) * PAGE


def _text_fields(block: dict[str, Any], *names: str) -> Iterator[str]:
    yield from (_text(block[name]) for name in names if name in block)


def _listed(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else _json(value)


def _without_markers(value: Any) -> str:
    """JSON without what only steers the API."""
    if isinstance(value, dict):
        value = {key: inner for key, inner in value.items() if key not in _MARKERS}
    return _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def image_tokens(data: str) -> int:
    """Tokens of an image in base64, from the width and height its first bytes tell."""
    try:
        size = _image_size(binascii.a2b_base64(data[:IMAGE_BEGINNING]))
    except ValueError:  # binascii.Error is one, and so is text that is not ASCII
        size = None
    if size is None or 0 in size:
        return IMAGE_CEILING
    scale = min(1.0, IMAGE_EDGE / max(size))
    return min(IMAGE_CEILING, math.ceil(size[0] * scale * size[1] * scale / PIXELS_PER_TOKEN))


def _image_size(head: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG, GIF, WebP or JPEG; None when they are not in its first bytes."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) >= 24:
        return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    if head.startswith((b"GIF87a", b"GIF89a")) and len(head) >= 10:
        return int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP" and len(head) >= 30:
        return _webp_size(head)
    return _jpeg_size(head) if head.startswith(b"\xff\xd8") else None


def _webp_size(head: bytes) -> tuple[int, int] | None:
    """Three kinds of first chunk (developers.google.com/speed/webp/docs/riff_container)."""
    chunk = head[12:16]
    if chunk == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if chunk == b"VP8L":
        packed = int.from_bytes(head[21:25], "little")
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 ":
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    return None


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    """From segment to segment until a start of frame (ITU T.81, annex B)."""
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(head[at + 7 : at + 9], "big"), int.from_bytes(head[at + 5 : at + 7], "big")
        # A marker may be preceded by any number of 0xFF.
        at += 1 if marker == 0xFF else 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return None
