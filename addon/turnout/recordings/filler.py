"""Replaces what people and programs wrote by filler, and keeps the shape of messages: names, structure, byte lengths.

Everything works on the bytes as they are on the wire, so that what is not replaced stays exactly as it was. What is
not known to be harmless is replaced, and scrubbing twice is the same as scrubbing once.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from turnout.settings.secret import SECRET_TEXT

LOREM = (
    b"Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore "
    b"magna aliqua. Ut enim ad minim veniam, quis nostrud exercitation ullamco laboris nisi ut aliquip ex ea commodo "
    b"consequat. Duis aute irure dolor in reprehenderit in voluptate velit esse cillum dolore eu fugiat nulla "
    b"pariatur. Excepteur sint occaecat cupidatat non proident, sunt in culpa qui officia deserunt mollit anim id est "
    b"laborum. "
)

WORDS = frozenset(
    b"type role model name required enum const format media_type $schema keep ttl scope effort display stop_reason "
    b"finish_reason service_tier inference_geo speed object code param status".split()
)
"""Members whose values are words of the protocol or names."""

IDENTIFIERS = frozenset(b"id tool_use_id request_id parent_tool_use_id".split())
OPAQUE = frozenset(b"data signature encrypted_content".split())
MESSAGES = frozenset(b"message msg status_msg detail".split())
"""Members with a provider's words about an error; Turnout judges a failure by them too."""

FREE = frozenset(b"input metadata".split())
"""Members whose value has no known shape: what a model passes to a tool, what a client says about its user."""

PERSONAL = {
    "secret": re.compile(SECRET_TEXT.pattern.encode()),
    "e-mail address": re.compile(rb"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}"),
    "path of a machine": re.compile(
        rb"(?:/(?:home|Users|root|work|tmp|private|mnt)\b|[A-Za-z]:\\{1,4}Users\b|(?<!\w)~/)[^\s\"',;)]*"
    ),
    "address of a machine": re.compile(
        rb"(?<![\w.])(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01])|169\.254)(?:\.\d{1,3}){2,3}(?![\w.])|\w\.(?:local|lan|internal)\b"
    ),
}
"""What may identify a person or a machine, or open a door, inside any text."""

_PLAIN_WORD = re.compile(rb"[\w.:/+@$\[\]-]{0,128}")
_FIELD_NAME = re.compile(rb"[\w.$-]{1,64}")
_LOOKS_LIKE_IDENTIFIER = re.compile(rb"(?=[^-]*\d)[0-9a-fA-F-]{16,}")
_IDENTIFIER_PREFIX = re.compile(rb"(?:[a-z]+_)?")
_KEPT_IN_PROSE = re.compile(rb"(\\[^u]|[\x00-\x1f])")
_ATTRIBUTION = re.compile(rb"x-anthropic-billing-header:(?: [a-z_]+=[\w.-]*;)+")
_SETTING = re.compile(rb"(=)([^;]*)")
_SCALAR = re.compile(rb"\s+|-?\d[\d.eE+-]*|true|false|null|DONE")
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[{}\[\],:]|[^\s"{}\[\],:]+|\s+', re.DOTALL)
_EMBEDDED_OBJECT = re.compile(rb'\{\\".*\}', re.DOTALL)


def prose(text: bytes) -> bytes:
    """Filler of the same length. Line breaks and JSON escapes (but of characters by number) stay where they are."""
    pieces = _KEPT_IN_PROSE.split(text)
    for position in range(0, len(pieces), 2):
        size = len(pieces[position])
        pieces[position] = (LOREM * (size // len(LOREM) + 1))[:size]
    return b"".join(pieces)


def masked(text: bytes) -> bytes:
    """The text with everything PERSONAL in it starred out, length kept."""
    for pattern in PERSONAL.values():
        text = pattern.sub(lambda found: b"*" * len(found[0]), text)
    return text


class Numbering:
    """Replaces identifiers by numbers in the order in which they appear: equal ones stay equal, length kept."""

    def __init__(self) -> None:
        self._seen: defaultdict[bytes, dict[bytes, int]] = defaultdict(dict)

    def __call__(self, identifier: bytes) -> bytes:
        """`req_01Abc` → `req_00001`; a lower-case word before an underscore and punctuation are kept."""
        prefix = _IDENTIFIER_PREFIX.match(identifier)
        start = prefix.end() if prefix else 0
        shape = identifier[:start] + re.sub(rb"[^-_.]", b"0", identifier[start:])
        number = self._seen[shape].setdefault(identifier, len(self._seen[shape]) + 1)
        out = bytearray(shape)
        for position in reversed(range(start, len(out))):
            if out[position : position + 1] == b"0" and number:
                number, digit = divmod(number, 10)
                out[position] = ord("0") + digit
        return bytes(out)


@dataclass(slots=True)
class _Level:
    """An open object or array."""

    opener: bytes
    name: bytes
    """The member of which it is the value; an array's elements have the name of the array."""
    free: bool
    member: bytes = b""
    expects_name: bool = field(default=False)


def json_document(
    document: bytes, numbering: Numbering, *, answer: bool = False, free: bool = False, piece: bytes | None = None
) -> bytes:
    """A JSON document of the same length, with the strings replaced that are neither words of the protocol nor names.

    Also takes what a broken connection left of one. `answer`: a provider wrote it; its error messages are kept but
    for what is personal. `free`: no member's meaning is known. `piece` replaces the value of `partial_json`.
    """
    out: list[bytes] = []
    levels = [_Level(b"", b"", free)]
    for token in _TOKEN.findall(document):
        level = levels[-1]
        if token in (b"{", b"["):
            name = level.member if level.opener == b"{" else level.name
            inside = level.free or (token == b"{" and name in FREE and level.name != b"properties")
            levels.append(_Level(token, name, inside, expects_name=token == b"{"))
        elif token in (b"}", b"]"):
            if len(levels) > 1:
                levels.pop()
        elif token in (b",", b":"):
            level.expects_name = token == b"," and level.opener == b"{"
        elif token.startswith(b'"'):
            token = _string(token, level, numbering, answer, piece)
        elif not _SCALAR.fullmatch(token):
            token = prose(token)
        out.append(token)
    return b"".join(out)


def _string(token: bytes, level: _Level, numbering: Numbering, answer: bool, piece: bytes | None) -> bytes:
    end = b'"' if len(token) > 1 and token.endswith(b'"') else b""
    text = token[1 : len(token) - len(end)]
    if level.expects_name:
        level.member = text
        return token if _FIELD_NAME.fullmatch(text) else b'"' + prose(text) + end
    name = level.member if level.opener == b"{" else level.name
    if name == b"partial_json" and piece is not None:
        return json.dumps(piece.decode(), ensure_ascii=False).encode()
    return b'"' + _value(text, name, level.free, numbering, answer) + end


def _value(text: bytes, name: bytes, free: bool, numbering: Numbering, answer: bool) -> bytes:
    if name in WORDS and not free and _PLAIN_WORD.fullmatch(text):
        return text
    if name in IDENTIFIERS or _LOOKS_LIKE_IDENTIFIER.fullmatch(text):
        return numbering(text)
    if name in OPAQUE and not free:
        return b"A" * len(text)
    if name in MESSAGES and answer and not free:
        return masked(text)
    if _EMBEDDED_OBJECT.fullmatch(text):
        return _embedded(text, numbering)
    if found := _ATTRIBUTION.match(text):
        return _SETTING.sub(_zeroed, found[0]) + prose(text[found.end() :])
    return prose(text)


def _embedded(text: bytes, numbering: Numbering) -> bytes:
    """A string that holds a JSON object, as `metadata.user_id` does."""
    try:
        inner: str = json.loads(b'"' + text + b'"')
    except ValueError:
        return prose(text)
    scrubbed = json_document(inner.encode(), numbering, free=True)
    return json.dumps(scrubbed.decode(), ensure_ascii=False).encode()[1:-1]


def _zeroed(setting: re.Match[bytes]) -> bytes:
    """`cc_version=2.1.9a7` → `cc_version=0.0.000`; words without a digit stay."""
    name, value = setting[1], setting[2]
    return name + (re.sub(rb"\w", b"0", value) if re.search(rb"\d", value) else value)


def events(body: bytes, numbering: Numbering) -> bytes:
    """A stream of server-sent events, frame by frame; a tool's input is replaced as the one document it adds up to."""
    pieces = {number: _pieces(document, numbering) for number, document in _tool_inputs(body).items()}
    out: list[bytes] = []
    for line in body.splitlines(keepends=True):
        content = line.rstrip(b"\r\n")
        start, colon, value = content.partition(b":")
        if start == b"data":
            piece = None
            if (part := _part_of_input(content)) is not None:
                piece = next(pieces[part[0]])
            value = json_document(value, numbering, answer=True, piece=piece) if _is_json(value) else prose(value)
        elif start == b"id":
            value = b" " + numbering(value[1:]) if value.startswith(b" ") else numbering(value)
        elif start not in (b"event", b"retry") or not _PLAIN_WORD.fullmatch(value.strip()):
            start, value = prose(start), prose(value)
        out.append(start + colon + value + line[len(content) :])
    return b"".join(out)


def _is_json(value: bytes) -> bool:
    return value.lstrip()[:1] in (b"{", b"[")


def _part_of_input(line: bytes) -> tuple[int, bytes] | None:
    """Block number and text of an input_json_delta event's data line; None for every other line."""
    if b'"partial_json"' not in line:
        return None
    try:
        data = json.loads(line.partition(b":")[2])
        return int(data["index"]), data["delta"]["partial_json"].encode()
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # half an event, or something that only looks like one


def _tool_inputs(body: bytes) -> dict[int, list[bytes]]:
    inputs: defaultdict[int, list[bytes]] = defaultdict(list)
    for line in body.splitlines():
        if line.startswith(b"data:") and (part := _part_of_input(line)) is not None:
            inputs[part[0]].append(part[1])
    return inputs


def _pieces(parts: list[bytes], numbering: Numbering) -> Iterator[bytes]:
    whole = json_document(b"".join(parts), numbering, free=True)
    start = 0
    for part in parts:
        yield whole[start : start + len(part)]
        start += len(part)


def body_like(body: bytes, content_type: str, numbering: Numbering, *, answer: bool) -> bytes:
    """Any body, by what it is: JSON, events, or else one text."""
    if "event-stream" in content_type:
        return events(body, numbering)
    return json_document(body, numbering, answer=answer) if _is_json(body) else prose(body)
