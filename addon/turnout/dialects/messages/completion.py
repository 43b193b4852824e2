"""The events of a provider that is not first party, completed so that every client can put the answer together.

What clients ask of a stream (Python SDK 2.14, TypeScript SDK 1.14, Claude Code 2.1): one message_start, first; blocks
with all their members, whose index is their place; deltas for the block they name, of its kind, with a value that is a
text; a message_delta with usage and a reason why the message stopped; message_stop. Where something of it is missing
it is supplied, and what fits nowhere is left out. What is right already keeps its bytes.

    message_start ─► [block start ─► deltas ─► block stop] … ─► message_delta ─► message_stop

- One block is open at a time. A start closes the block before it, which some servers never close, unless that is a
  call whose input has not all come: then what belongs to other blocks waits until it is closed.
- A call is never passed off as whole that nobody has said to be: `torn` tells why the answer has failed instead.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import msgspec

from turnout.dialects.messages.blocks import CALLS
from turnout.dialects.messages.events import (
    DELTA_MEMBERS,
    MESSAGE_EVENTS,
    STOP_FRAME,
    Delta,
    Fields,
    InputDelta,
    Recognised,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    UsualDelta,
    delta_of,
    frame_of,
    index_of,
    stop_reason_of,
)
from turnout.dialects.messages.reply import ForeignReply, reason_for
from turnout.wire.splice import UNREADABLE, changed
from turnout.wire.sse import with_data

MOST_WAITING = 100
"""Blocks that may wait for a call to be closed. Models ask for a dozen tools at once at most."""
MOST_BYTES_WAITING = 16 << 20

_BLOCK_OF = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "thinking"}
"""The kind of block that is opened for a delta whose block was never started."""
_PLACES = {
    "text": frozenset(("text_delta", "citations_delta")),
    "thinking": frozenset(("thinking_delta", "signature_delta")),
    **dict.fromkeys(CALLS, frozenset(("input_json_delta",))),
}
"""The deltas that belong into each kind of block."""
_USUAL: dict[str, tuple[type, ...]] = {
    "text": (TextDelta,),
    "thinking": (ThinkingDelta, SignatureDelta),
    **dict.fromkeys(CALLS, (InputDelta,)),
}
_ALL_SAID = ("tool_use", "end_turn", "stop_sequence")
"""Reasons for which a message stops that is whole. For others a call may be cut short, and the client is told so."""


@dataclass(slots=True)
class _Block:
    """A block that the client has been given."""

    place: int
    """The client's index."""
    kind: str
    given: str = ""
    pieces: list[str] = field(default_factory=list)
    """What has come of a call's input."""
    usual: tuple[type, ...] = ()
    """The deltas that pass as they are."""

    @property
    def input(self) -> str:
        return "".join(self.pieces).strip() or self.given

    @property
    def is_unfinished(self) -> bool:
        """A call whose input has not all come."""
        return self.kind in CALLS and not _is_object(self.input)


class Completion:
    """One streamed reply, event by event. No input makes it raise."""

    def __init__(self, reply: ForeignReply) -> None:
        self.torn = ""
        """Why the answer cannot be completed. Nothing is passed on from then."""
        self._reply = reply
        self._started = False
        self._count = 0
        self._live: _Block | None = None
        self._blocks: dict[int, _Block] = {}
        """By the provider's index: the last block that it has begun under it."""
        self._waiting: list[Recognised] = []
        self._bytes_waiting = self._blocks_waiting = 0
        self._called = False
        self._reason = ""
        self._finished = False
        """The message has stopped for a reason, and nothing has come since but counts."""

    @property
    def whole(self) -> bool:
        """All is there but message_stop."""
        return self._finished and self._live is None and not self._waiting and not self.torn

    @property
    def calling(self) -> bool:
        """A call is open."""
        return self._live is not None and self._live.kind in CALLS

    def begins(self, event: Recognised) -> bool:
        """Whether an answer can be made of a stream of which this is the first event."""
        if event.fields is None:
            return False
        if event.kind == "content_block_delta":
            delta = delta_of(event.fields)
            return delta is not None and delta.kind in _BLOCK_OF and delta.value != ""
        return event.kind in ("message_start", "content_block_start")

    def takes(self, delta: UsualDelta) -> bool:
        """Whether a delta may be passed on as it came."""
        live = self._live
        if live is None or delta.index != live.place or self._blocks.get(delta.index) is not live:
            return False
        if type(delta.delta) not in live.usual:
            return False
        if type(delta.delta) is InputDelta:
            live.pieces.append(delta.delta.partial_json)
        return True

    def keeps(self, delta: UsualDelta) -> bool:
        """Whether all deltas of this type have to be taken, for what they bring."""
        return type(delta.delta) is InputDelta

    def take(self, event: Recognised) -> bytes:
        """What is passed on for this event: frames, or nothing."""
        if event.kind not in MESSAGE_EVENTS:
            # What clients pass over when a message has begun, the Python SDK (2.14) takes for a fault before that.
            return event.frame if event.kind == "ping" or (event.kind and self._started) else b""
        if event.fields is None:
            return b""
        if event.kind == "message_start":
            return self._start(event.data, event.fields, event.frame) if not self._started else b""
        begin = b"" if self._started else self._start(b"{}", {}, b"")
        if event.kind == "message_delta":
            return begin + self._message_delta(event, event.fields)
        if event.kind == "message_stop":
            return begin + self._message_stop(event, event.fields)
        self._finished = False
        return begin + self._placed(event, event.fields)

    def end(self) -> bytes:
        """What the client needs at the end of a connection, where the answer is whole."""
        return STOP_FRAME

    # --- the message ---

    def _start(self, data: bytes, fields: Fields, frame: bytes) -> bytes:
        self._started = True
        new, held = self._reply.start(data, fields)
        out = [_exchanged(frame, data, new) if frame else frame_of("message_start", new)]
        for raw in held:
            out += [self._open(None, raw), self._close(said=True)]
        return b"".join(out)

    def _message_delta(self, event: Recognised, fields: Fields) -> bytes:
        told = stop_reason_of(fields)
        out = b""
        if told:
            out = self._all_closed(reason_for(False, told))
            self._reason, self._finished = reason_for(self._called, told), True
        if self.torn:
            return out
        return out + _exchanged(event.frame, event.data, self._reply.delta(event.data, fields, self._reason))

    def _message_stop(self, event: Recognised, fields: Fields) -> bytes:
        out = self._all_closed(self._reason)
        if self.torn:
            return out
        if not self._reason:
            out += frame_of("message_delta", self._reply.delta(b"{}", {}, reason_for(self._called)))
        return out + _exchanged(event.frame, event.data, changed(event.data, fields, {"type": b'"message_stop"'}))

    # --- blocks ---

    def _placed(self, event: Recognised, fields: Fields) -> bytes:
        """An event of a block, in its turn."""
        index = index_of(fields)
        if event.kind == "content_block_start":
            raw = fields.get("content_block")
            if self._must_wait:
                return self._wait(event)
            index = self._count if index is None else index
            return self._close() + self._open(index, bytes(raw) if raw is not None else b"", event)
        block = self._live if index is None else self._blocks.get(index)
        if self._waiting and block is not self._live:
            return self._wait(event)
        if event.kind == "content_block_delta":
            return self._delta(event, fields, index, block)
        if block is None or block is not self._live:
            return b""  # never begun, or closed here before
        return self._close(event, said=True) + self._let_in()

    @property
    def _must_wait(self) -> bool:
        return bool(self._waiting) or (self._live is not None and self._live.is_unfinished)

    def _wait(self, event: Recognised) -> bytes:
        self._waiting.append(event)
        self._bytes_waiting += len(event.frame)
        self._blocks_waiting += event.kind == "content_block_start"
        if self._bytes_waiting > MOST_BYTES_WAITING or self._blocks_waiting > MOST_WAITING:
            self.torn = "the blocks of the answer come in no order"
        return b""

    def _let_in(self) -> bytes:
        """What has waited for the block that is closed now. Some of it may have to wait again."""
        waiting, self._waiting = self._waiting, []
        self._bytes_waiting = self._blocks_waiting = 0
        out: list[bytes] = []
        for event in waiting:
            if not self.torn and event.fields is not None:
                out.append(self._placed(event, event.fields))
        return b"".join(out)

    def _all_closed(self, reason: str) -> bytes:
        """The message has stopped, for this reason if any is known: so have its blocks."""
        out = self._close(reason=reason)
        while self._waiting and not self.torn:
            out += self._let_in() + self._close(reason=reason)
        return out

    def _open(self, index: int | None, raw: bytes, event: Recognised | None = None) -> bytes:
        begun = self._reply.block(raw)
        if begun is None:
            return b""  # its deltas will tell what it is
        block = _Block(self._count, begun.kind, begun.given, usual=_USUAL.get(begun.kind, ()))
        self._count += 1
        self._live = block
        if index is not None:
            self._blocks[index] = block
        self._called |= begun.kind == "tool_use"
        place = b"%d" % block.place
        if event is None or event.fields is None:
            data = b'{"type":"content_block_start","index":' + place + b',"content_block":' + begun.block + b"}"
            out = frame_of("content_block_start", data)
        else:
            new = {"type": b'"content_block_start"', "index": place, "content_block": begun.block}
            out = _exchanged(event.frame, event.data, changed(event.data, event.fields, new))
        return out + b"".join(_delta_frame(block.place, delta) for delta in begun.deltas)

    def _close(self, event: Recognised | None = None, *, said: bool = False, reason: str | None = None) -> bytes:
        """The end of the open block, if there is one.

        `said`: the provider has ended it. Else it has begun another block, or its message has stopped: with a
        `reason`, or without one ("").
        """
        block, self._live = self._live, None
        if block is None:
            return b""
        if not said and self._is_half(block, reason):
            self.torn = "the answer ended inside a tool call"
            return b""
        out = b""
        if block.given and not "".join(block.pieces).strip():
            piece = msgspec.json.encode(block.given)
            out = _delta_frame(block.place, b'{"type":"input_json_delta","partial_json":' + piece + b"}")
        place = b"%d" % block.place
        if event is None or event.fields is None:
            return out + frame_of("content_block_stop", b'{"type":"content_block_stop","index":' + place + b"}")
        new = {"type": b'"content_block_stop"', "index": place}
        return out + _exchanged(event.frame, event.data, changed(event.data, event.fields, new))

    def _is_half(self, block: _Block, reason: str | None) -> bool:
        if not block.is_unfinished or (reason and reason not in _ALL_SAID):
            return False
        return bool(block.input) or not reason  # a call without input may be one without arguments

    # --- deltas ---

    def _delta(self, event: Recognised, fields: Fields, index: int | None, block: _Block | None) -> bytes:
        delta = delta_of(fields)
        if delta is None:
            return b""
        live = block if block is self._live else None
        if live is not None and (delta.kind in _PLACES.get(live.kind, ()) or delta.kind not in DELTA_MEMBERS):
            return self._given(event, fields, live, delta)
        if delta.kind == "input_json_delta":
            if delta.value.strip() not in ("", "{}"):
                self.torn = "a piece of a tool call came outside of one"
            return b""
        opens = _BLOCK_OF.get(delta.kind)
        # A signature seals the thinking before it, which may have been hidden: it opens a block only where none was.
        hidden = block is not None and (delta.kind == "signature_delta" or block.kind == "redacted_thinking")
        if opens is None or not delta.value or (hidden and opens == "thinking"):
            return b""
        if self._must_wait:
            return self._wait(event)
        opened = self._close() + self._open(index, b'{"type":"' + opens.encode() + b'"}')
        assert self._live is not None
        return opened + self._given(event, fields, self._live, delta)

    def _given(self, event: Recognised, fields: Fields, block: _Block, delta: Delta) -> bytes:
        new = {"type": msgspec.json.encode(delta.kind)}
        if delta.kind == "input_json_delta":
            block.pieces.append(delta.value)
            if bytes(delta.fields["partial_json"])[:1] != b'"':
                new["partial_json"] = msgspec.json.encode(delta.value)
        told = {
            "type": b'"content_block_delta"',
            "index": b"%d" % block.place,
            "delta": changed(bytes(fields["delta"]), delta.fields, new),
        }
        return _exchanged(event.frame, event.data, changed(event.data, fields, told))


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except UNREADABLE:
        return False


def _exchanged(frame: bytes, old: bytes, new: bytes) -> bytes:
    return frame if new is old else with_data(frame, old, new)


def _delta_frame(place: int, delta: bytes) -> bytes:
    data = b'{"type":"content_block_delta","index":%d,"delta":' % place + delta + b"}"
    return frame_of("content_block_delta", data)
