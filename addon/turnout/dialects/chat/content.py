"""The content of an answer as blocks of the Messages API, written one after another.

The blocks of Anthropic do not interleave. What comes for another block while a call is open whose arguments are not
whole waits until they are, or until the answer ends.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import msgspec

from turnout.dialects.chat.calls import Call, is_object
from turnout.dialects.chat.ids import ClientIds
from turnout.dialects.chat.inline_thoughts import Kind
from turnout.dialects.chat.reasoning_details import ReasoningDetails
from turnout.dialects.chat.seal import Seal, sealed
from turnout.dialects.messages.events import frame_of
from turnout.wire.splice import UNREADABLE

_BLOCKS = {
    "text": b'{"type":"text","text":""}',
    "thinking": b'{"type":"thinking","thinking":"","signature":""}',
}
_DELTAS = {
    "text": b'"text_delta","text":',
    "thinking": b'"thinking_delta","thinking":',
    "tool_use": b'"input_json_delta","partial_json":',
}
_SIGNATURE = b'"signature_delta","signature":'


class _Said(NamedTuple):
    """Text or thoughts that wait."""

    kind: Kind
    pieces: list[str]


class Content:
    """The blocks of one answer. Every method returns the frames that it makes."""

    def __init__(self, ids: ClientIds) -> None:
        self.signatures: list[str] = []
        """Of the thinking blocks so far; of those without one their text."""
        self.called = False
        self.torn = ""
        """Why what came cannot be written as blocks."""
        self._ids = ids
        self._count = 0
        self._open = ""
        """The kind of the open block."""
        self._head = b""
        """How its deltas begin."""
        self._live: Call | None = None
        self._waiting: list[Call | _Said] = []
        """Empty, unless the first of them has to wait."""
        self._blank: tuple[Kind, list[str]] = ("text", [])
        """What may yet begin a block, but makes none by itself: Anthropic takes no blank text."""
        self._thoughts: list[str] = []
        """The text of the open thinking block."""
        self._details = ReasoningDetails()
        self._extras: dict[str, Any] = {}

    @property
    def empty(self) -> bool:
        """Nothing has come yet."""
        return not self._count and not self._waiting

    @property
    def calling(self) -> bool:
        """A call has begun whose arguments are not whole."""
        calls = [each for each in self._waiting if isinstance(each, Call)]
        return bool(calls) or (self._live is not None and not self._live.is_whole)

    @property
    def cut(self) -> bool:
        """The arguments of a call stop in the middle."""
        calls = [self._live, *(each for each in self._waiting if isinstance(each, Call))]
        return any(call is not None and call.is_cut for call in calls)

    def say(self, kind: Kind, text: str) -> bytes:
        """A piece of text or thoughts."""
        if kind == self._open:
            if kind == "thinking":
                self._thoughts.append(text)
            return self._delta(text)
        last = self._waiting[-1] if self._waiting else None
        if isinstance(last, _Said) and last.kind == kind:
            last.pieces.append(text)
            return b""
        if self._blank[0] != kind:
            self._blank = (kind, [])
        self._blank[1].append(text)
        if not text.strip():
            return b""
        text = "".join(self._blank[1])
        self._blank = (kind, [])
        if self._waiting or (self._live is not None and not self._live.is_whole):
            self._waiting.append(_Said(kind, [text]))
            return b""
        return self._said(kind, text)

    def call(self, call: Call, piece: str, *, new: bool) -> bytes:
        """A piece of a call's arguments, which the call holds already."""
        if call.client_id and call.extra is not None:
            self._extras[call.client_id], call.extra = call.extra, None
        if call.closed:
            self.torn = "a tool call goes on after its end" if piece.strip() else self.torn
            return b""
        if new:
            self._waiting.append(call)
        out = self._arguments(call, piece) if call is self._live else b""
        return out + self._let_in() if self._waiting else out

    def details(self, elements: list[dict[str, Any]]) -> str:
        """Keeps `reasoning_details`, and returns what is to be read of them."""
        return self._details.add(elements)

    def end(self) -> bytes:
        """All that has waited, and the end of the last block."""
        waiting, self._waiting = self._waiting, []
        out: list[bytes] = []
        for each in waiting:
            if isinstance(each, _Said):
                out.append(self._said(each.kind, "".join(each.pieces)))
            elif each.name:
                out.append(self._begin_call(each))
            elif each.is_begun:
                self.torn = "a tool call has no name"
        return b"".join((*out, self._close(), self._carried()))

    def break_off(self) -> None:
        """The answer has ended in the middle."""
        if self._open == "thinking":
            self.signatures.append("".join(self._thoughts))

    # --- blocks ---

    def _said(self, kind: Kind, text: str) -> bytes:
        out = self._close()
        if kind == "thinking":
            self._thoughts = [text]
        else:
            out += self._carried()
        return out + self._begin(kind, _BLOCKS[kind]) + self._delta(text)

    def _begin(self, kind: str, block: bytes) -> bytes:
        place = b"%d" % self._count
        self._count += 1
        self._open = kind
        self._head = (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":' + place + b',"delta":{"type":'
        )
        data = b'{"type":"content_block_start","index":' + place + b',"content_block":' + block + b"}"
        return frame_of("content_block_start", data)

    def _delta(self, text: str) -> bytes:
        return b"".join((self._head, _DELTAS[self._open], quoted(text), b"}}\n\n"))

    def _close(self) -> bytes:
        """The end of the open block, if there is one."""
        out = b""
        if self._open == "thinking":
            out = self._sign(self._seal())
        elif self._live is not None:
            out = self._rest_of(self._live)
            self._live.closed = True
            self._live = None
        return out + self._stop() if self._open else b""

    def _stop(self) -> bytes:
        self._open = ""
        return frame_of("content_block_stop", b'{"type":"content_block_stop","index":%d}' % (self._count - 1))

    def _carried(self) -> bytes:
        """An empty thinking block for what no other could carry."""
        signature = self._seal()
        if not signature:
            return b""
        return self._begin("thinking", _BLOCKS["thinking"]) + self._sign(signature) + self._stop()

    def _sign(self, signature: str) -> bytes:
        """The end of the thoughts, and the signature where there is anything to carry."""
        self.signatures.append(signature or "".join(self._thoughts))
        return b"".join((self._head, _SIGNATURE, quoted(signature), b"}}\n\n")) if signature else b""

    def _seal(self) -> str:
        extras, self._extras = self._extras, {}
        try:
            return sealed(Seal(self._details.taken(), extras))
        except UNREADABLE:  # halves of surrogate pairs, and the deepest nesting that could just be read
            return ""

    # --- calls ---

    def _let_in(self) -> bytes:
        """What has waited, up to the first that has to wait on."""
        out: list[bytes] = []
        while self._waiting and (self._live is None or self._live.is_whole):
            first = self._waiting[0]
            if isinstance(first, Call):
                # Some servers name the id later than the function.
                if not first.name or not (first.id or first.is_begun):
                    break
                out.append(self._begin_call(first))
            else:
                out.append(self._said(first.kind, "".join(first.pieces)))
            del self._waiting[0]
        return b"".join(out)

    def _begin_call(self, call: Call) -> bytes:
        call.client_id = self._ids.of(call.id)
        if call.extra is not None:
            self._extras[call.client_id], call.extra = call.extra, None
        out = self._close() + self._carried()
        head = b'{"type":"tool_use","id":' + quoted(call.client_id) + b',"name":' + quoted(call.name)
        self._live, self.called = call, True
        return out + self._begin("tool_use", head + b',"input":{}}') + self._arguments(call, "")

    def _arguments(self, call: Call, piece: str) -> bytes:
        """The piece, or all pieces where the first of them tell that it is an object."""
        if call.flows:
            return self._delta(piece) if piece else b""
        if call.is_odd:
            return b""
        begun = call.arguments.lstrip()
        if begun.startswith("{}"):  # Some servers begin with an empty object, and the arguments follow.
            begun = begun[2:].lstrip()
            if begun[:1] in ("", "{"):
                call.begin_again(begun or "{}")
        call.flows, call.is_odd = begun.startswith("{"), begun[:1] not in ("", "{")
        return self._delta(begun) if call.flows else b""

    def _rest_of(self, call: Call) -> bytes:
        """The arguments of a call that are no object, as its input. What is no JSON is the client's to judge."""
        told = call.arguments.strip()
        if call.flows or not told:
            return b""
        try:
            value = json.loads(told)
        except UNREADABLE:
            return self._delta(told)
        if value in (None, "", [], {}):  # no arguments; a list is what PHP makes of an empty object
            return b""
        if isinstance(value, str) and is_object(value):
            return self._delta(value)
        return self._delta('{"input":' + told + "}")


def quoted(text: str) -> bytes:
    """A text as JSON, also one with halves of surrogate pairs."""
    try:
        return msgspec.json.encode(text)
    except UNREADABLE:
        return json.dumps(text).encode()
