"""The events of a Messages stream as the chunks of a streamed chat completion, one by one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from turnout.dialects.chat.client.ending import error_of, finish_reason, usage_of
from turnout.dialects.chat.parts import PARAGRAPH
from turnout.dialects.messages.events import (
    InputDelta,
    TextDelta,
    ThinkingDelta,
    UsualDelta,
    delta_in,
    recognise,
    usual_delta,
)
from turnout.dialects.messages.usage import counts_of
from turnout.errors import LONGEST_MESSAGE, error_body
from turnout.wire.splice import json_object

_DONE = b"data: [DONE]\n\n"
_COMMENT = b": ping\n\n"


class ChatEncoder:
    """One answer. `include_usage`: it ends with a chunk that tells the counts of tokens. No input makes it raise."""

    def __init__(self, *, include_usage: bool) -> None:
        self._include_usage = include_usage
        self._head: dict[str, Any] = {
            "id": "",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": "",
        }
        self._counts: dict[str, int] = {}
        self._reason: str | None = None
        self._calls: dict[int, int] = {}
        """Which of the calls a block is, by its index."""
        self._silent: set[int] = set()
        """Calls whose arguments have not begun."""
        self._thoughts = -1
        """The block of the last thought."""

    def frame(self, frame: bytes) -> bytes:
        """What one frame says; b"" where it says nothing to such a client."""
        usual = usual_delta(frame)
        if usual is not None:
            return self._delta(usual)
        found = recognise(frame)
        if found is None:
            return frame  # a comment
        if found.kind == "ping":
            return _COMMENT
        if found.kind == "error":
            return _error(found.data)
        if found.kind == "content_block_delta":
            delta = delta_in(found.data)
            return b"" if delta is None else self._delta(delta)
        event = json_object(found.data)
        return b"" if event is None else self._event(found.kind, event)

    def _event(self, kind: str, event: Mapping[str, Any]) -> bytes:
        index = event.get("index")
        match kind:
            case "message_start":
                return self._begin(_object(event, "message"))
            case "content_block_start" if isinstance(index, int):
                return self._block(index, _object(event, "content_block"))
            case "content_block_stop" if isinstance(index, int) and index in self._silent:
                return self._arguments(index, "{}")
            case "message_delta":
                reason = _object(event, "delta").get("stop_reason")
                self._reason = reason if isinstance(reason, str) else self._reason
                self._counts |= counts_of(event.get("usage"))
            case "message_stop":
                return self._end()
        return b""

    def _begin(self, message: Mapping[str, Any]) -> bytes:
        self._head |= {"id": str(message.get("id", "")), "model": str(message.get("model", ""))}
        self._counts = counts_of(message.get("usage"))
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def _block(self, index: int, block: Mapping[str, Any]) -> bytes:
        match block.get("type"):
            case "text":
                return self._text(str(block.get("text") or ""))
            case "thinking":
                return self._thought(index, str(block.get("thinking") or ""))
            case "tool_use":
                place = self._calls[index] = len(self._calls)
                self._silent.add(index)
                function = {"name": str(block.get("name", "")), "arguments": ""}
                call = {"index": place, "id": str(block.get("id", "")), "type": "function", "function": function}
                begun = self._chunk({"tool_calls": [call]})
                given = block.get("input")
                return begun + (self._arguments(index, msgspec.json.encode(given).decode()) if given else b"")
        return b""

    def _delta(self, event: UsualDelta) -> bytes:
        index = event.index
        match event.delta:
            case TextDelta(text=text):
                return self._text(text)
            case ThinkingDelta(thinking=thinking):
                return self._thought(index, thinking)
            case InputDelta(partial_json=piece) if index in self._calls:
                return self._arguments(index, piece)
        return b""

    def _text(self, text: str) -> bytes:
        return self._chunk({"content": text}) if text else b""

    def _thought(self, index: int, thinking: str) -> bytes:
        """Thoughts of several blocks are one text here."""
        if not thinking:
            return b""
        apart = PARAGRAPH if self._thoughts not in (-1, index) else ""
        self._thoughts = index
        return self._chunk({"reasoning_content": apart + thinking})

    def _arguments(self, index: int, piece: str) -> bytes:
        if not piece:
            return b""
        self._silent.discard(index)
        return self._chunk({"tool_calls": [{"index": self._calls[index], "function": {"arguments": piece}}]})

    def _end(self) -> bytes:
        last = self._chunk({}, finish_reason(self._reason))
        if self._include_usage:
            last += _framed({**self._head, "choices": [], "usage": usage_of(self._counts)})
        return last + _DONE

    def _chunk(self, delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        usage = {"usage": None} if self._include_usage else {}
        return _framed({**self._head, "choices": [choice], **usage})


def _error(data: bytes) -> bytes:
    """An error in the middle of a stream: OpenAI's SDKs raise on any data with a member `error`."""
    told = error_of(data) or error_body("openai", "server_error", data.decode("utf-8", "replace")[:LONGEST_MESSAGE])
    return b"data: " + told + b"\n\n"


def _object(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}


def _framed(value: Any) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"
