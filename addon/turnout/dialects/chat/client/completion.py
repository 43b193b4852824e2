"""A whole message of the Messages API as a chat completion."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from turnout.dialects.chat.client.ending import finish_reason, usage_of
from turnout.dialects.chat.parts import PARAGRAPH
from turnout.dialects.messages.usage import counts_of
from turnout.wire.splice import UNREADABLE


class _Block(msgspec.Struct):
    type: str
    text: str | None = None
    thinking: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw(b"{}")


class _Message(msgspec.Struct, tag="message"):
    content: list[_Block]
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    usage: Any = None


_MESSAGE = msgspec.json.Decoder(_Message)


def completion_of(body: bytes) -> bytes:
    """The completion, as JSON; what is no message (an error, no JSON) is the same object. Never raises."""
    try:
        message = _MESSAGE.decode(body)
    except UNREADABLE:
        return body
    choice = {
        "index": 0,
        "message": _said(message.content),
        "finish_reason": finish_reason(message.stop_reason),
        "logprobs": None,
    }
    return msgspec.json.encode(
        {
            "id": message.id or "",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": message.model or "",
            "choices": [choice],
            "usage": usage_of(counts_of(message.usage)),
        }
    )


def _said(blocks: list[_Block]) -> dict[str, Any]:
    text = "".join(block.text for block in blocks if block.type == "text" and block.text)
    thoughts = PARAGRAPH.join(block.thinking for block in blocks if block.type == "thinking" and block.thinking)
    calls = [_call(block) for block in blocks if block.type == "tool_use"]
    message: dict[str, Any] = {"role": "assistant", "content": text or (None if calls else ""), "refusal": None}
    if thoughts:
        message["reasoning_content"] = thoughts
    if calls:
        message["tool_calls"] = calls
    return message


def _call(block: _Block) -> dict[str, Any]:
    function = {"name": block.name or "", "arguments": str(block.input, "utf-8")}
    return {"id": block.id or "", "type": "function", "function": function}
