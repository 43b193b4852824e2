"""Anthropic Messages on the wire: the model name in a body, the token counts, and an answer that is relayed live.

Nothing here looks at more of a body than it has to: a request of megabytes is decoded at its top level only, and of an
answer's stream only the few frames that carry the model, the usage or the end are decoded.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

import msgspec

from turnout.wire.content import is_error, says_something
from turnout.wire.reply import ForeignReply, is_count, with_data
from turnout.wire.splice import UNREADABLE, replace_value, text_of, top_level
from turnout.wire.sse import EventSplitter, event_name, parse_event


def replace_model(body: bytes, fields: Mapping[str, msgspec.Raw], model: str) -> bytes:
    """The body with only the value of the top-level "model" key exchanged, every other byte kept.

    `fields` is the top-level decode of exactly this body. The same object comes back when the model is the same
    already, or when there is none. A body that names a key twice is written anew from `fields`, where the last one
    counts.
    """
    old = fields.get("model")
    if old is None or text_of(old) == model:
        return body
    return replace_value(body, fields, "model", msgspec.json.encode(model))


def reply_model(body: bytes, model: str) -> bytes:
    """A JSON reply with its top-level model replaced; unchanged when it has none or is not a JSON object."""
    fields = top_level(body)
    return replace_model(body, fields, model) if fields else body


def estimate_tokens(body: bytes) -> int:
    """About how many input tokens a request has: one for every four bytes of body.

    English has three to four characters to a token, and the JSON around the text adds keys, quotes and escapes. Code
    and other scripts come out too low, images in base64 far too high. Routing by size needs the order of magnitude,
    and this costs nothing on a body of megabytes; `count_tokens` of a provider is the exact answer.
    """
    return len(body) // 4


class _Facts(msgspec.Struct):
    """What is read of an event's data or of a whole message; all else is skipped. Foreign, so of any type."""

    type: Any = None
    message: Any = None
    delta: Any = None
    usage: Any = None


_FACTS = msgspec.json.Decoder(_Facts)


def _facts(data: bytes) -> _Facts | None:
    try:
        return _FACTS.decode(data)
    except UNREADABLE:
        return None


def read_usage(body: bytes) -> dict[str, int]:
    """The token counts of a complete JSON message, named as in `MessageStream.usage`; {} for anything else."""
    facts = _facts(body)
    return _counts(facts.usage) if facts is not None and facts.type == "message" else {}


MOST_COUNTS = 40
_LONGEST_COUNT_NAME = 80


def _counts(usage: object) -> dict[str, int]:
    """Anthropic has about ten counts; there is no end to the names that others may invent."""
    counts: dict[str, int] = {}
    if isinstance(usage, dict):
        for name, value in usage.items():
            members = {f"{name}.{inner}": count for inner, count in value.items()} if isinstance(value, dict) else {}
            counts |= {key: count for key, count in (members or {name: value}).items() if is_count(count)}
    short = ((name, count) for name, count in counts.items() if len(name) <= _LONGEST_COUNT_NAME)
    return dict(islice(short, MOST_COUNTS))


class Peek(enum.Enum):
    """What the beginning of an answer says about it."""

    WAITING = "waiting"
    BEGUN = "begun"
    """It is an answer, and nothing of it has been said: it may still come from somebody else."""
    VALID = "valid"
    """Something has been said."""
    FAILED = "failed"


MESSAGE_EVENTS = frozenset(
    (
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    )
)
"""Events of which an answer consists; pings and errors come between them."""
_NOTHING_TO_FOLLOW = (b"event: content_block_", b"event:content_block_", b"event: ping", b"event:ping")
_NOTHING_TO_SHAPE = (
    b"event: content_block_delta",
    b"event:content_block_delta",
    b"event: content_block_stop",
    b"event:content_block_stop",
    b"event: ping",
    b"event:ping",
)

HOLD_LIMIT = 1 << 20
"""Bytes of an unfinished frame, or of an answer without a meaningful event, that are held back."""
FOREIGN_LIMIT = 1 << 16
"""Bytes after which an answer that does not begin like server-sent events is taken for something else."""

_BEGINS_LIKE_EVENTS = re.compile(rb"(?:\xef\xbb\xbf)?[\r\n]*(?::|(?:event|data|id|retry)[:\r\n])")


class MessageStream:
    """Follows an Anthropic SSE answer while it is relayed: is it valid, has it ended, what did it cost.

    First `peek` is called with what arrives, until it has decided (VALID or FAILED); then `relay(b"")` gives what was
    held, `relay` what follows, and `finish` the rest. Only whole frames are passed on, byte for byte. With `model`, the
    model name that the provider gives in message_start is replaced by this one; with `shape`, this changes all events
    that need it, the model among the rest. No input makes it raise.
    """

    def __init__(self, model: str | None = None, shape: ForeignReply | None = None) -> None:
        self.failure = b""
        """The JSON that tells why the answer failed (an error event, or what came in place of events), or b""."""
        self.at_boundary = True
        """A frame of our own may be inserted now: no unfinished frame has been passed on in part."""
        self.ended = False
        """message_stop or an error event has been relayed."""
        self.usage: dict[str, int] = {}
        """Token counts so far, under the names of the wire; those of nested objects as `cache_creation.…`."""
        self.stop_reason: str | None = None
        self._model = model
        self._shape = shape
        self._unseen = _NOTHING_TO_FOLLOW if shape is None else _NOTHING_TO_SHAPE
        """How the frames begin that are passed on without a look inside."""
        self._splitter = EventSplitter()
        self._held: list[bytes] = []
        self._held_size = 0
        self._seen = Peek.WAITING
        self.alive = False
        """What has come is the beginning of an event stream, if only comments, pings or blank lines."""

    def peek(self, data: bytes) -> Peek:
        """Takes bytes that arrive before anything is passed on. The first meaningful events decide.

        Pings, comments and unknown events leave the question open. An answer begins with the start of a message; it
        has failed with any other event of one, with an error, with an event that has no name or no JSON, and when it is
        too long for what it shows. One that has begun may still fail with an error, until something of it has been
        said or more has come than is held. When the stream ends before the decision, `finish` leaves a JSON object that
        came instead of events in `failure`.
        """
        self._held_size += len(data)
        for frame in self._splitter.feed(data):
            self._held.append(frame)
            if self._seen is Peek.WAITING:
                self._seen = self._judge(frame)
            elif self._seen is Peek.BEGUN:
                self._seen = self._judge_further(frame)
        self.alive = self.alive or self._seen is Peek.BEGUN
        if self._seen is Peek.BEGUN and self._held_size > HOLD_LIMIT:
            self._seen = Peek.VALID
        elif self._seen is Peek.WAITING:
            self._judge_bytes()
        return self._seen

    def _judge_bytes(self) -> None:
        """Before there is an event to judge by."""
        if self.alive and self._held_size <= FOREIGN_LIMIT:
            return
        beginning = next((frame for frame in self._held if frame.strip()), None) or self._splitter.tail
        like_events = bool(_BEGINS_LIKE_EVENTS.match(beginning))
        self.alive = self.alive or like_events or (self._held_size > 0 and not beginning.strip())
        if self._held_size > FOREIGN_LIMIT and (self._held_size > HOLD_LIMIT or not like_events):
            self._seen = Peek.FAILED

    def _judge(self, frame: bytes) -> Peek:
        event = parse_event(frame)
        if event is None or (event.name and event.name != "error" and event.name not in MESSAGE_EVENTS):
            return Peek.WAITING
        facts = _facts(event.data)
        if event.name == "message_start" and facts is not None and isinstance(facts.message, dict):
            return Peek.BEGUN
        if event.name == "error" or facts is not None:
            self.failure = event.data
        return Peek.FAILED

    def _judge_further(self, frame: bytes) -> Peek:
        """What a frame says of an answer that has begun."""
        event = parse_event(frame)
        if event is None:
            return Peek.BEGUN
        if is_error(event):
            self.failure = event.data
            return Peek.FAILED
        return Peek.VALID if says_something(event) else Peek.BEGUN

    def relay(self, data: bytes) -> list[bytes]:
        """What can be passed on after these bytes: all whole frames as one chunk, or nothing.

        A frame of more than HOLD_LIMIT is passed on as it comes, from then to its end.
        """
        if data.startswith(self._unseen) and not self._held and self.at_boundary and self._splitter.passes(data):
            return [data]
        frames = self._splitter.feed(data)
        if self._held:
            frames = self._held + frames
            self._held = []
        begun = 0
        if frames and not self.at_boundary:
            begun = 1
            self.at_boundary = True
        for index in range(begun, len(frames)):
            if not frames[index].startswith(self._unseen):
                frames[index] = self._follow(frames[index])
        if not self.at_boundary or self._splitter.pending > HOLD_LIMIT:
            rest = self._splitter.flush()
            if rest:
                frames.append(rest)
                self.at_boundary = False
        chunk = b"".join(frames)
        return [chunk] if chunk else []

    def finish(self) -> list[bytes]:
        """What is still held at the end of upstream, an unfinished frame included.

        Such a frame leaves `at_boundary` False. Closed by a blank line it would be read as half an event, so it
        is better left out when an error event of our own is to follow.
        """
        rest = b"".join(self.relay(b""))
        tail = self._splitter.flush()
        if tail == b"\r" or tail.endswith((b"\r\r", b"\n\r")):
            tail = self._follow(tail)
        elif tail:
            self.at_boundary = False
        if self._seen is Peek.WAITING and _facts(rest + tail) is not None:
            self.failure = rest + tail
        return [rest + tail] if rest or tail else []

    def _follow(self, frame: bytes) -> bytes:
        """Notes what the frame tells, and returns it as it is to be passed on."""
        name = event_name(frame)
        if name == b"message_stop":
            self.ended = True
        if name not in (b"message_start", b"message_delta", b"error") and (
            self._shape is None or name != b"content_block_start"
        ):
            return frame
        event = parse_event(frame)
        data = event.data if event else b""
        if name == b"error":
            self.ended = True
            self.failure = data
        elif name != b"content_block_start":
            self._note(data)
        return self._shaped(frame, name, data)

    def _shaped(self, frame: bytes, name: bytes, data: bytes) -> bytes:
        if self._shape is not None:
            new = self._shape.event(name, data)
        elif self._model is not None and name == b"message_start":
            new = _start_with_model(data, self._model)
        else:
            return frame
        if new == data:
            return frame
        # An error may come without any data. It is the last event, so nothing of its frame is worth keeping.
        return b"event: error\ndata: " + new + b"\n\n" if name == b"error" else with_data(frame, data, new)

    def _note(self, data: bytes) -> None:
        facts = _facts(data)
        if facts is None:
            return
        message = facts.message if isinstance(facts.message, dict) else {}
        # The counts of message_delta are cumulative: one that is present replaces the earlier one
        # (https://docs.claude.com/en/docs/build-with-claude/streaming).
        told = self.usage | _counts(message.get("usage")) | _counts(facts.usage)
        self.usage = dict(islice(told.items(), MOST_COUNTS))
        delta = facts.delta if isinstance(facts.delta, dict) else message
        reason = delta.get("stop_reason")
        if isinstance(reason, str):
            self.stop_reason = reason


def _start_with_model(data: bytes, model: str) -> bytes:
    """The data of a message_start event whose message names another model."""
    event = top_level(data)
    raw = event.get("message") if event else None
    message = top_level(raw) if raw is not None else None
    if event is None or raw is None or message is None:
        return data
    old = bytes(raw)
    new = replace_model(old, message, model)
    return data if new is old else replace_value(data, event, "message", new)
