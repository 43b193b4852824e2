"""One answer of Chat Completions, chunk by chunk, as the events of the Messages API.

    chunk ─► message_start ─► [blocks, see `content`] ─► message_delta ─► message_stop

- The first chunk starts the message, whatever is in it. The end waits until the token counts have come, which are told
  after the reason: for the chunk that brings them alone, `[DONE]`, or the end of the connection.
- Ids and model of the message, and members that every client needs, are added behind this: see `messages.completion`.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from turnout.dialects.chat.calls import Calls
from turnout.dialects.chat.chunk import Choice, Chunk, Delta, Part, ToolCall
from turnout.dialects.chat.content import Content, quoted
from turnout.dialects.chat.ending import FAILURES, counts_of, stop_reason
from turnout.dialects.chat.ids import ClientIds
from turnout.dialects.chat.inline_thoughts import InlineThoughts
from turnout.dialects.messages.events import STOP_FRAME, frame_of
from turnout.errors import error_event
from turnout.wire.splice import UNREADABLE, any_top_level, changed

_START = frame_of(
    "message_start", b'{"type":"message_start","message":{"type":"message","role":"assistant","content":[]}}'
)


class Answer:
    """One answer. Every method returns the frames that it makes. No input makes it raise."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        """`taken`: the ids of calls that the conversation holds already."""
        self.content = Content(ClientIds(taken))
        self.started = False
        self.over = False
        """Nothing may follow."""
        self.reason = ""
        """The `finish_reason`."""
        self._inline = InlineThoughts()
        self._calls = Calls()
        self._refused = False
        self._usage: dict[str, int] = {}

    def take(self, chunk: Chunk, data: bytes) -> bytes:
        """What is said for a chunk. `data`: its JSON."""
        if chunk.fails:
            return self.fail(data)
        choice = chunk.choice
        if choice is not None and (choice.error or (choice.finish_reason or "").lower() in FAILURES):
            return self.fail(_with_error(data, choice))
        out = b"" if self.started else _START
        self.started = True
        counts = chunk.counts(choice)
        if counts is not None:
            self._usage = counts_of(counts) or self._usage
        if choice is None:
            return out + self.end() if self.reason and counts is not None else out
        self.reason = choice.finish_reason or self.reason
        if choice.delta is not None:
            said = self._delta(choice.delta)
            if said and not choice.finish_reason:
                self.reason = ""  # it was none: the answer goes on
            out += said
        elif choice.message is not None and self.content.empty:
            out += self._delta(choice.message)
            self.reason = self.reason or "stop"
        return out + self.tear(self.content.torn) if self.content.torn else out

    def end(self) -> bytes:
        """The end of the message, whose provider has said that it ends."""
        if not self.reason and self.content.cut:
            return self.tear("the answer ended inside a tool call")
        out = self._held() + self.content.end()
        if self.content.torn:
            return out + self.tear(self.content.torn)
        self.over = True
        reason = stop_reason(self.reason, called=self.content.called, refused=self._refused)
        delta = b'{"type":"message_delta","delta":{"stop_reason":' + quoted(reason) + b',"stop_sequence":null},"usage":'
        return out + frame_of("message_delta", delta + msgspec.json.encode(self._usage) + b"}") + STOP_FRAME

    def fail(self, data: bytes) -> bytes:
        """The provider reports an error, with this JSON."""
        self.over = True
        return frame_of("error", b" ".join(data.split(b"\n")).strip())

    def tear(self, why: str) -> bytes:
        """What came makes no answer."""
        self.over = True
        return error_event("anthropic", "api_error", why)

    def _delta(self, delta: Delta) -> bytes:
        """What is said for a delta: thoughts, text and calls, in this order."""
        content, out = self.content, b""
        read = content.details(delta.reasoning_details) if delta.reasoning_details else ""
        # Servers that have several of these tell the same in all of them.
        thoughts = delta.reasoning_content or delta.reasoning or read
        if thoughts:
            out += content.say("thinking", thoughts)
        text = delta.content
        if text:
            out += self._text(text) if isinstance(text, str) else self._parts(text)
        if delta.refusal:
            out += self._refusal(delta.refusal)
        if delta.tool_calls:
            out += self._tool_calls(delta.tool_calls)
        elif delta.function_call is not None:
            out += self._tool_calls([ToolCall(index=0, function=delta.function_call)])
        return out

    def _text(self, text: str) -> bytes:
        if self._inline.over:
            return self.content.say("text", text)
        return b"".join([self.content.say(*said) for said in self._inline.split(text)])

    def _held(self) -> bytes:
        return b"".join([self.content.say(*said) for said in self._inline.rest()])

    def _refusal(self, text: str) -> bytes:
        self._refused = True
        return self._held() + self.content.say("text", text)

    def _parts(self, parts: list[Part]) -> bytes:
        out = b""
        for part in parts:
            if thoughts := _thoughts(part.thinking):
                out += self.content.say("thinking", thoughts)
            if part.text:
                out += self._text(part.text)
            if part.refusal:
                out += self._refusal(part.refusal)
        return out

    def _tool_calls(self, calls: list[ToolCall]) -> bytes:
        out = self._held() if self._inline.holds else b""
        for place, told in enumerate(calls):
            call, piece, new = self._calls.take(told, place if len(calls) > 1 else None)
            out += self.content.call(call, piece, new=new)
        return out


def _thoughts(thinking: str | list[Part] | None) -> str:
    """What a part of Mistral's content tells of thoughts."""
    return thinking if isinstance(thinking, str) else "".join(part.text or "" for part in thinking or ())


def _with_error(data: bytes, choice: Choice) -> bytes:
    """The JSON of a chunk that tells of a failure in its choice alone, with an `error` where such is looked for."""
    told = choice.error or {"message": f"finish_reason: {choice.finish_reason}", "code": choice.finish_reason}
    try:
        return changed(data, any_top_level(data) or {}, {"error": msgspec.json.encode(told)})
    except UNREADABLE:
        return data
