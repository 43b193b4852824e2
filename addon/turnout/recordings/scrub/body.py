"""Replaces what people and programs wrote by filler, and keeps the shape of messages: names, structure, byte lengths.

Everything works on the bytes as they are on the wire, so that what is not replaced stays exactly as it was. What is
not known to be harmless is replaced, and scrubbing twice is the same as scrubbing once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from turnout.dialects.chat.ids import WRAPPED, with_provider_id
from turnout.dialects.chat.seal import Seal, opened, sealed
from turnout.recordings.scrub.pieces import ToolInputs, tool_inputs
from turnout.recordings.scrub.text import Numbering, fixed_moment, kept, masked, numbered, prose, without_hosts
from turnout.redaction.streams import cleaned_as_one

WORDS = frozenset(
    b"type role model name required enum const format media_type $schema $ref keep ttl scope effort display "
    b"stop_reason finish_reason service_tier inference_geo speed object code param status "
    b"tool_choice reasoning_effort verbosity modalities".split()
)
"""Members whose values are words of the protocol or names."""

IDENTIFIERS = frozenset(
    b"id tool_use_id request_id parent_tool_use_id file_id container container_id session_id user_id "
    b"organization_id account_uuid previous_message_id tool_call_id".split()
)
OF_A_USER = frozenset(b"user safety_identifier prompt_cache_key".split())
"""Members of a request that are identifiers at its top."""
OPAQUE = frozenset(b"data signature thought_signature encrypted_content encrypted_index encrypted_stdout".split())
TIMES = frozenset(
    b"created created_at updated_at expires_at started_at ended_at archived_at cancel_initiated_at timestamp".split()
)
MESSAGES = frozenset(b"message msg status_msg detail".split())
"""Members with a provider's words about an error; Turnout judges a failure by them too."""

INPUT, METADATA, ARGUMENTS = b"input", b"metadata", b"arguments"
"""Members whose value has no known shape: what a model passes to a tool, what a client says about its user. In Chat
Completions the arguments of a tool are JSON in a string."""

TOKENS = frozenset(b"bytes token_ids prompt_token_ids".split())
"""Lists of numbers that are a text."""

_PLAIN_WORD = re.compile(rb"[\w.:/+@$#*\[\]-]{0,128}")
_FIELD_NAME = re.compile(rb"[\w.$*-]{0,64}")
_STARS = re.compile(rb"\*+")
_BASE64 = re.compile(rb"(?:chat\.)?[A-Za-z0-9+/_=-]*")
_SHORTEST_OPAQUE = 6
"""Bytes. Fewer could be filler."""
_SHORTEST_DATA = 64
"""Bytes. Where texts are kept, `data` of fewer could be the text of a document."""
_DATA_URL = re.compile(rb"(data:[\w/+.;=-]*;base64,)([A-Za-z0-9+/_=-]*)")
_URL = re.compile(rb"(https?://)[^\s]+")
_LOOKS_LIKE_IDENTIFIER = re.compile(rb"(?=[^-]*\d)[0-9a-fA-F-]{16,}")
_OF_A_USER = re.compile(rb"user_[0-9a-f]+(?:_account_[0-9a-f-]*)?(?:_session_[0-9a-f-]+)?")
_HEX = re.compile(rb"(?<=_)[0-9a-f-]{8,}")
_ATTRIBUTION = re.compile(rb"x-anthropic-billing-header:(?: [a-z_]+=[\w.-]*;)+")
_SETTING = re.compile(rb"(=)([^;]*)")
_SCALAR = re.compile(rb"\s+|-?\d[\d.eE+-]*|true|false|null|DONE")
_UNIX_TIME = re.compile(rb"\d{9,}(?:\.\d+)?")
_MOMENT = re.compile(rb"\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-][\d:]+)?")
# Possessive: what a string holds is never tried again, which would take a hundred times its size in memory.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[{}\[\],:]|[^\s"{}\[\],:]+|\s+', re.DOTALL)
_EMBEDDED = re.compile(rb"(?:\s|\\[nrt])*[{\[]")
_EMBEDDED_OBJECT = re.compile(rb'\{\\".*\}', re.DOTALL)


@dataclass(slots=True)
class _Level:
    """An open object or array."""

    opener: bytes
    name: bytes
    """The member of which it is the value; an array's elements have the name of the array."""
    free: bytes
    """INPUT or METADATA inside such a value, else empty."""
    member: bytes = b""
    expects_name: bool = field(default=False)


@dataclass(slots=True)
class Filler:
    """Fills the bodies of one recording. `keep_text` leaves what people, models and tools said, without its secrets."""

    numbering: Numbering
    keep_text: bool = False
    hosts: Collection[str] = ()
    """Names and addresses that are starred out in what is kept."""
    texts: int = 0
    """How many texts were replaced."""

    def body(self, body: bytes, content_type: str, *, answer: bool = False) -> bytes:
        """Any body, by what it is: JSON, events, or else one text. `answer`: a provider wrote it."""
        if "event-stream" in content_type:
            filled = self.events(body)
        elif _is_json(body):
            filled = self.document(body, answer=answer)
        else:
            filled = self._text(body)
        return masked(filled)

    def document(
        self, document: bytes, *, answer: bool = False, free: bytes = b"", pieces: Iterator[bytes] | None = None
    ) -> bytes:
        """A JSON document of the same length, with the strings replaced that are no words of the protocol or names.

        Also takes what a broken connection left of one. `answer`: its error messages are kept but for what is
        personal. `free`: no member's meaning is known. `pieces` replace the values of `partial_json` and `arguments`,
        in order.
        """
        out: list[bytes] = []
        levels = [_Level(b"", b"", free)]
        for token in _TOKEN.findall(document):
            level = levels[-1]
            if token in (b"{", b"["):
                name = level.member if level.opener == b"{" else level.name
                opens = token == b"{" and name in (INPUT, METADATA, ARGUMENTS) and level.name != b"properties"
                levels.append(_Level(token, name, level.free or (name if opens else b""), expects_name=token == b"{"))
            elif token in (b"}", b"]"):
                if len(levels) > 1:
                    levels.pop()
            elif token in (b",", b":"):
                level.expects_name = token == b"," and level.opener == b"{"
            elif token.startswith(b'"'):
                token = self._string(token, level, answer, pieces)
            elif level.member in TIMES and not level.free and _UNIX_TIME.fullmatch(token):
                token = b"17" + re.sub(rb"\d", b"0", token[2:])
            elif level.name in TOKENS and token.isdigit():
                token = b"1" * len(token)
            elif not _SCALAR.fullmatch(token):
                token = prose(token)
            out.append(token)
        return b"".join(out)

    def _string(self, token: bytes, level: _Level, answer: bool, pieces: Iterator[bytes] | None) -> bytes:
        end = b'"' if len(token) > 1 and token.endswith(b'"') else b""
        text = token[1 : len(token) - len(end)]
        if level.expects_name:
            level.member = text
            return token if _FIELD_NAME.fullmatch(text) else b'"' + self.numbering(text) + end
        name = level.member if level.opener == b"{" else level.name
        if name in (b"partial_json", ARGUMENTS) and (piece := next(pieces or iter(()), None)) is not None:
            return json.dumps(piece.decode(), ensure_ascii=False).encode()
        value = self._value(text, name, level, answer)
        self.texts += value != text
        return b'"' + value + end

    def _value(self, text: bytes, name: bytes, level: _Level, answer: bool) -> bytes:
        if _STARS.fullmatch(text):
            return text
        if name in IDENTIFIERS or _LOOKS_LIKE_IDENTIFIER.fullmatch(text):
            return self._identifier(text)
        if not level.free:
            if name in OF_A_USER and not level.name:
                return self.numbering(text)
            if (name in WORDS or (name == b"detail" and level.name == b"image_url")) and _is_word(text, name, level):
                return text
            if name == b"required":
                return self.numbering(text)  # as the name of the property was
            if name == ARGUMENTS and not self.keep_text:
                return self._arguments(text)
            if name == b"signature" and (seal := opened(text.decode(errors="replace"))) is not None:
                return self._resealed(seal)
            if name in OPAQUE and self._is_opaque(text, name):
                # A thinking block is known by its signature: equal ones stay equal, and others different.
                return b"A" * len(text) if level.name == b"source" else self.numbering(text)
            if name in TIMES and _MOMENT.fullmatch(text):
                return fixed_moment(text)
            if name in MESSAGES and answer:
                return without_hosts(numbered(masked(text), self.numbering), self.hosts)
            if found := _DATA_URL.fullmatch(text):
                return found[1] + b"A" * len(found[2])
            if name == b"url" and not self.keep_text and (found := _URL.fullmatch(text)):
                return found[1] + b"x" * (len(text) - found.end(1))
        if found := _ATTRIBUTION.match(text):
            return _SETTING.sub(_zeroed, found[0]) + self._text(text[found.end() :])
        if _EMBEDDED_OBJECT.fullmatch(text) and (level.free == METADATA or not self.keep_text):
            return self._embedded(text)
        return prose(text) if level.free == METADATA else self._text(text)

    def _is_opaque(self, text: bytes, name: bytes) -> bool:
        shortest = _SHORTEST_DATA if self.keep_text and name == b"data" else _SHORTEST_OPAQUE
        return len(text) >= shortest and _BASE64.fullmatch(text) is not None

    def _text(self, text: bytes) -> bytes:
        return kept(text, self.numbering, self.hosts) if self.keep_text else prose(text)

    def _identifier(self, text: bytes) -> bytes:
        """Of a user it may be several in one, or a JSON object."""
        if _OF_A_USER.fullmatch(text):
            return _HEX.sub(lambda found: self.numbering(found[0]), text)
        if _EMBEDDED_OBJECT.fullmatch(text):
            return self._embedded(text)
        if text.startswith(WRAPPED.encode()):
            return with_provider_id(text.decode(errors="replace"), self._renamed).encode()
        return self.numbering(text)

    def _renamed(self, identifier: str) -> str:
        return self.numbering(identifier.encode(errors="replace")).decode()

    def _arguments(self, text: bytes) -> bytes:
        if _EMBEDDED.match(text):
            return self._embedded(text, INPUT)
        return text if _SCALAR.fullmatch(text) else self._text(text)

    def _resealed(self, seal: Seal) -> bytes:
        """A signature of our own: what it carries is scrubbed as it is in the answers that brought it."""
        calls = {self._identifier(call.encode()).decode(): self._part(extra) for call, extra in seal.calls.items()}
        return sealed(Seal(details=self._part(seal.details), calls=calls)).encode()

    def _part(self, value: Any) -> Any:
        return msgspec.json.decode(masked(self.document(msgspec.json.encode(value))))

    def _embedded(self, text: bytes, free: bytes = METADATA) -> bytes:
        """A string that holds JSON, as `metadata.user_id` does, or its beginning."""
        try:
            inner: str = json.loads(b'"' + text + b'"')
        except ValueError:
            return prose(text)
        scrubbed = self.document(inner.encode(errors="surrogatepass"), free=free)
        again = json.dumps(scrubbed.decode(errors="surrogatepass"), ensure_ascii=False).encode()[1:-1]
        return again[:-1] + b" " * (len(text) - len(again)) + again[-1:]  # for the escapes that are gone

    def events(self, body: bytes) -> bytes:
        """A stream of server-sent events, frame by frame; a tool's input is filled as the one document it adds up to.

        Where texts are kept, what is personal is found though it came in pieces.
        """
        if self.keep_text:
            body = cleaned_as_one(body, masked)
        inputs = ToolInputs() if self.keep_text else tool_inputs(body)
        filled = {whose: self._pieces(parts) for whose, parts in inputs.pieces.items()}
        out: list[bytes] = []
        for number, line in enumerate(body.splitlines(keepends=True)):
            content = line.rstrip(b"\r\n")
            start, colon, value = content.partition(b":")
            if start == b"data":
                pieces = (next(filled[whose]) for whose in inputs.of_line[number]) if number in inputs.of_line else None
                value = self.document(value, answer=True, pieces=pieces) if _is_json(value) else self._text(value)
            elif start == b"id":
                value = b" " + self.numbering(value[1:]) if value.startswith(b" ") else self.numbering(value)
            elif start not in (b"event", b"retry") or not _PLAIN_WORD.fullmatch(value.strip()):
                start, value = prose(start), prose(value)
            out.append(start + colon + value + line[len(content) :])
        return b"".join(out)

    def _pieces(self, parts: list[bytes]) -> Iterator[bytes]:
        whole = b"".join(parts)
        whole = self.document(whole, free=INPUT) if _is_json(whole) else self._text(whole)
        start = 0
        for part in parts:
            yield whole[start : start + len(part)]
            start += len(part)


def _is_word(text: bytes, name: bytes, level: _Level) -> bool:
    if not _PLAIN_WORD.fullmatch(text):
        return False
    of_a_person = name == b"name" and level.name == b"messages"  # Chat Completions
    return not of_a_person and (name != b"$ref" or text.startswith(b"#"))


def _is_json(value: bytes) -> bool:
    return value.lstrip()[:1] in (b"{", b"[")


def _zeroed(setting: re.Match[bytes]) -> bytes:
    """`cc_version=2.1.9a7` → `cc_version=0.0.000`; words without a digit stay."""
    name, value = setting[1], setting[2]
    return name + (re.sub(rb"\w", b"0", value) if re.search(rb"\d", value) else value)
