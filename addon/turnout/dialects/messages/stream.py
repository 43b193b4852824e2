"""Anthropic Messages on the wire: the model name in a body, and an answer that is relayed live.

Nothing here looks at more of a body than it has to: a request of megabytes is decoded at its top level only, and of an
answer's stream the deltas, nearly all of it, are decoded once and not copied.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from functools import partial
from itertools import islice

import msgspec

from turnout.dialects.messages.completion import Completion
from turnout.dialects.messages.content import says_something
from turnout.dialects.messages.events import (
    MESSAGE_EVENTS,
    NO_LIKENESS,
    STOP_FRAME,
    Recognised,
    frame_of,
    is_like,
    likeness,
    recognise,
    usual_delta,
)
from turnout.dialects.messages.reply import ForeignReply
from turnout.dialects.messages.usage import MOST_COUNTS, counts_of, facts_of
from turnout.dialects.messages.verbatim import Verbatim
from turnout.wire.splice import replace_value, text_of, top_level
from turnout.wire.sse import BYTE_ORDER_MARK, EventSplitter


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


class Peek(enum.Enum):
    """What the beginning of an answer says about it."""

    WAITING = "waiting"
    BEGUN = "begun"
    """It is an answer, and nothing of it has been said: it may still come from somebody else."""
    VALID = "valid"
    """Something has been said."""
    FAILED = "failed"


HOLD_LIMIT = 1 << 20
"""Bytes of an unfinished frame, or of an answer without a meaningful event, that are held back."""
LONGEST_COMPLETED = 16 << 20
"""The same for a frame of a provider whose events are completed, so that it has to be read whole."""
FOREIGN_LIMIT = 1 << 16
"""Bytes after which an answer that does not begin like server-sent events is taken for something else."""

_MEANINGFUL = MESSAGE_EVENTS | {"error", ""}
_OTHER_APIS = "response."
"""How the names of all events of OpenAI's Responses API begin."""
_BEGINS_LIKE_EVENTS = re.compile(rb"(?:\xef\xbb\xbf)?[\r\n]*(?::|(?:event|data|id|retry)[:\r\n])")


class MessageStream:
    """Follows an Anthropic SSE answer while it is relayed: is it valid, has it ended, what did it cost.

    First `peek` is called with what arrives, until it has decided (VALID or FAILED); then `relay(b"")` gives what was
    held, `relay` what follows, and `finish` the rest. Only whole frames are passed on, byte for byte, without those
    that no client can read; frames without an event line get one. With `model`, the model name that the provider gives
    in message_start is replaced by this one; with `shape`, the events are completed as well. No input makes it
    raise.
    """

    def __init__(self, model: str | None = None, shape: ForeignReply | None = None) -> None:
        self.failure = b""
        """The JSON that tells why the answer failed (an error event, or what came in place of events), or b""."""
        self.torn = ""
        """Why an answer that had begun is none, where its provider does not say so."""
        self.at_boundary = True
        """A frame of our own may be inserted now: no unfinished frame has been passed on in part."""
        self.ended = False
        """message_stop or an error event has been relayed, or the answer is torn: what follows is passed over."""
        self.whole = False
        """All has been relayed but message_stop."""
        self.reports = False
        """The failure is an error that the provider reports itself."""
        self.usage: dict[str, int] = {}
        """Token counts so far, under the names of the wire; those of nested objects as `cache_creation.…`."""
        self.stop_reason: str | None = None
        self._shape = shape
        start = partial(_start_with_model, model=model) if model is not None else None
        self._way: Completion | Verbatim = Verbatim(start) if shape is None else Completion(shape)
        self._longest = None if shape is None else LONGEST_COMPLETED
        self._splitter = EventSplitter()
        self._between = False
        """Nothing is held or unfinished: what comes next begins a frame."""
        self._usual = NO_LIKENESS
        """How the deltas begin that may be passed on, as long as nothing else has come."""
        self._held: list[bytes] = []
        self._held_size = 0
        self._seen = Peek.WAITING
        self.alive = False
        """What has come is the beginning of an event stream, if only comments, pings or blank lines."""

    def peek(self, data: bytes) -> Peek:
        """Takes bytes that arrive before anything is passed on. The first meaningful events decide.

        Pings, comments and unknown events leave the question open. An answer begins with the start of a message, that
        of a provider that is not first party with a block or a text as well; it has failed with any other event of
        one, with an error, with an event that has no type or no JSON, with one of another API, and when it is too long
        for what it shows. One that has begun may still fail with an error, until something of it has been said or more
        has come than is held. When the stream ends before the decision, `finish` leaves a JSON object that came instead
        of events in `failure`.
        """
        self._held_size += len(data)
        for frame in self._splitter.feed(data):
            if self._shape is not None and not self._held:
                frame = frame.removeprefix(BYTE_ORDER_MARK)  # the SDKs take it for a part of the first name
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
        like_events = self.looks_like_events
        self.alive = self.alive or (self._held_size > 0 and like_events)
        if self._held_size > (HOLD_LIMIT if like_events else FOREIGN_LIMIT):
            self._seen = Peek.FAILED

    @property
    def looks_like_events(self) -> bool:
        """Whether what has been held begins like server-sent events, whatever they are about; also when there is
        nothing."""
        beginning = next((frame for frame in self._held if frame.strip()), None) or self._splitter.tail
        return not beginning.strip() or _BEGINS_LIKE_EVENTS.match(beginning) is not None

    def _judge(self, frame: bytes) -> Peek:
        event = recognise(frame)
        if event is None or (event.kind not in _MEANINGFUL and not event.kind.startswith(_OTHER_APIS)):
            return Peek.WAITING
        if self._way.begins(event):
            return Peek.VALID if says_something(event) else Peek.BEGUN
        self.reports = event.kind == "error"
        if self.reports or event.fields is not None:
            self.failure = event.data
        return Peek.FAILED

    def _judge_further(self, frame: bytes) -> Peek:
        """What a frame says of an answer that has begun."""
        event = recognise(frame)
        if event is None:
            return Peek.BEGUN
        if event.kind == "error":
            self.failure, self.reports = event.data, True
            return Peek.FAILED
        return Peek.VALID if says_something(event) else Peek.BEGUN

    def relay(self, data: bytes) -> list[bytes]:
        """What can be passed on after these bytes: all whole frames as one chunk, or nothing.

        A frame of more than HOLD_LIMIT is passed on as it comes, from then to its end.
        """
        if self.ended:
            return []
        if self._between and (is_like(data, self._usual) or self._passes(data)):
            return [data]
        frames = self._splitter.feed(data)
        if self._held:
            frames = self._held + frames
            self._held = []
        begun = 0
        if frames and not self.at_boundary:
            begun = 1
            self.at_boundary = True
        frames = frames[:begun] + self._passed(frames[begun:]) if begun else self._passed(frames)
        if not self.at_boundary or (not self.ended and self._splitter.pending > (self._longest or HOLD_LIMIT)):
            rest = self._splitter.flush()
            if rest:
                frames.append(rest)
                self.at_boundary = False
        self._between = self.at_boundary and not self._splitter.pending
        chunk = b"".join(frames)
        return [chunk] if chunk else []

    def _passes(self, frame: bytes) -> bool:
        """Whether this is a delta that may be passed on without a further look."""
        delta = usual_delta(frame)
        if delta is None or not self._way.takes(delta):
            return False
        self._usual = NO_LIKENESS if self._way.keeps(delta) else likeness(frame)
        return True

    def _passed(self, frames: list[bytes]) -> list[bytes]:
        """What is passed on for whole frames, up to the end of the answer."""
        for index, frame in enumerate(frames):
            if not is_like(frame, self._usual) and not self._passes(frame):
                frames[index] = self._follow(frame)
                if self.ended:
                    return frames[: index + 1]
        return frames

    def finish(self) -> list[bytes]:
        """What is left to send at the end of upstream: what is still held, and the end of an answer that lacks it.

        Half a frame is left out: closed by a blank line it would be read as half an event. If a part of it has been
        passed on already, `at_boundary` is False. A frame that lacks its blank line alone is whole.
        """
        rest = b"".join(self.relay(b""))
        tail = self._splitter.flush()
        if self._seen is Peek.WAITING and facts_of(rest + tail) is not None:
            self.failure = rest + tail
        if self.ended:
            return [rest] if rest else []
        if tail and self.at_boundary:
            rest += self._last(tail)
        if not self.ended and self.whole and self.at_boundary:
            rest += self._way.end()
            self.ended = True
        return [rest] if rest else []

    def _last(self, tail: bytes) -> bytes:
        """What is passed on for the frame that the end of upstream has cut off, or left without its blank line."""
        if tail == b"\r" or tail.endswith((b"\r\r", b"\n\r")):
            return self._follow(tail)
        event = recognise(tail)
        end = b"\n" if tail.endswith(b"\n") else b"\n\n"
        return self._follow(tail + end) if event is not None and event.fields is not None else b""

    def _follow(self, frame: bytes) -> bytes:
        """Notes what the frame tells, and returns what is to be passed on in its place."""
        event = recognise(frame)
        if event is None:
            return frame
        self._usual = NO_LIKENESS
        if event.kind == "error":
            return self._fail(event)
        if event.is_lost:
            if event.kind != "message_stop":
                return self._lose(event)
            event = recognise(STOP_FRAME)
            assert event is not None
        if event.kind in ("message_start", "message_delta"):
            self._note(event.data)
        out = self._way.take(event)
        self.torn, self.whole = self._way.torn, self._way.whole
        self.ended = event.kind == "message_stop" or self.torn != ""
        return out

    def _fail(self, event: Recognised) -> bytes:
        self.ended = True
        self.failure = event.data
        new = self._shape.error(event.data) if self._shape is not None else event.data
        # An error may come without any data. It is the last event, so nothing of its frame is worth keeping.
        return event.frame if new == event.data else frame_of("error", new)

    def _lose(self, event: Recognised) -> bytes:
        """Leaves out what no client can read; not where it may be a piece of a tool call."""
        piece = event.kind == "content_block_delta" or (not event.kind and event.data.startswith(b"{"))
        if piece and self._way.calling:
            self.torn = "a piece of a tool call cannot be read"
            self.ended = True
        return b""

    def _note(self, data: bytes) -> None:
        facts = facts_of(data)
        if facts is None:
            return
        message = facts.message if isinstance(facts.message, dict) else {}
        # The counts of message_delta are cumulative: one that is present replaces the earlier one
        # (https://docs.claude.com/en/docs/build-with-claude/streaming).
        told = self.usage | counts_of(message.get("usage")) | counts_of(facts.usage)
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
