"""The bytes that travel: requests as Claude Code sends them, in any size, and answers as server-sent events."""

from __future__ import annotations

import json
from typing import Any

SHORT, LONG = 12, 412
"""Events in the two prepared answers. Six of them frame the text, the rest are text deltas."""

_SENTENCE = 'The quick brown fox jumps over the lazy dog, and says: "why not?"\n'

_CLIENT_HEADERS = (
    ("Accept", "application/json"),
    ("X-Stainless-Retry-Count", "0"),
    ("X-Stainless-Timeout", "600"),
    ("X-Stainless-Lang", "js"),
    ("X-Stainless-Package-Version", "0.70.0"),
    ("X-Stainless-OS", "Linux"),
    ("X-Stainless-Arch", "x64"),
    ("X-Stainless-Runtime", "node"),
    ("X-Stainless-Runtime-Version", "v24.3.0"),
    ("anthropic-dangerous-direct-browser-access", "true"),
    ("anthropic-version", "2023-06-01"),
    ("x-app", "cli"),
    ("User-Agent", "claude-cli/2.1.0 (external, cli)"),
    ("content-type", "application/json"),
    ("anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14"),
    ("accept-language", "*"),
    ("sec-fetch-mode", "cors"),
    ("accept-encoding", "gzip, deflate"),
)


def request_body(size: int, model: str) -> bytes:
    """A streamed Messages request of exactly `size` bytes: up to half of it tools, the rest conversation."""
    request: dict[str, Any] = {"model": model, "max_tokens": 1024, "stream": True, "tools": [], "messages": []}
    room = size - len(_packed(request))
    tools = request["tools"]
    while room > 4000 and len(_packed(tools)) < min(size // 2, 60_000):
        tools.append(_tool(len(tools)))
    messages = request["messages"]
    room = size - len(_packed(request))
    while room > 10_000:
        messages.append({"role": ("user", "assistant")[len(messages) % 2], "content": _text(4000)})
        room -= len(_packed(messages[-1])) + 1
    messages.append({"role": "user", "content": [{"type": "text", "text": ""}]})
    room = size - len(_packed(request))
    messages[-1]["content"][0]["text"] = "x" * max(0, room)
    return _packed(request)


def request(body: bytes, answer: str) -> bytes:
    """An HTTP/1.1 request with this body. `answer` tells the upstream what to stream, see `upstream.Answering`."""
    head = [
        "POST /v1/messages HTTP/1.1",
        "Host: 127.0.0.1",
        "x-api-key: sk-ant-bench-0000000000",
        f"x-bench-answer: {answer}",
        *(f"{name}: {value}" for name, value in _CLIENT_HEADERS),
        f"content-length: {len(body)}",
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def answer_events(count: int) -> list[bytes]:
    """A complete answer of `count` events, each as one frame."""
    return [*beginning(), *(delta("token ") for _ in range(count - 6)), *ending()]


def beginning() -> list[bytes]:
    usage = {"input_tokens": 3, "cache_read_input_tokens": 21000, "output_tokens": 1}
    message = {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-bench",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    return [
        _frame("message_start", message=message),
        _frame("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        _frame("ping"),
    ]


def delta(text: str) -> bytes:
    return _frame("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


def ending() -> list[bytes]:
    return [
        _frame("content_block_stop", index=0),
        _frame("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 42}),
        _frame("message_stop"),
    ]


def _frame(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\n".encode() + b"data: " + _packed({"type": kind, **members}) + b"\n\n"


def _tool(number: int) -> dict[str, Any]:
    properties = {
        f"argument_{index}": {"type": "string", "description": _text(120), "minLength": index} for index in range(6)
    }
    schema = {"type": "object", "properties": properties, "required": ["argument_0"], "additionalProperties": False}
    return {"name": f"tool_{number}", "description": _text(900), "input_schema": schema}


def _text(length: int) -> str:
    return (_SENTENCE * (length // len(_SENTENCE) + 1))[:length]


def _packed(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
