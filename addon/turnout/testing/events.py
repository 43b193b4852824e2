"""Builders of Anthropic's stream events, and their sum.

Grammar: https://docs.claude.com/en/docs/build-with-claude/streaming
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event. A message_start whose model is None answers with the model that was asked for."""

    name: str
    data: _Fields

    def encode(self, model: str = "") -> bytes:
        data = self.data
        if self.name == "message_start" and data["message"]["model"] is None:
            data = {**data, "message": {**data["message"], "model": model}}
        text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
        return f"event: {self.name}\ndata: {text}\n\n".encode()


def event(name: str, **fields: Any) -> Event:
    return Event(name, {"type": name, **fields})


def message_start(
    model: str | None = None,
    *,
    id: str = "msg_01scripted",
    input_tokens: int = 25,
    cache_read: int = 0,
    cache_write: int = 0,
) -> Event:
    usage = {
        "input_tokens": input_tokens,
        "cache_creation_input_tokens": cache_write,
        "cache_read_input_tokens": cache_read,
        "output_tokens": 1,
        "service_tier": "standard",
    }
    message: _Fields = {"id": id, "type": "message", "role": "assistant", "model": model, "content": []}
    return event("message_start", message={**message, "stop_reason": None, "stop_sequence": None, "usage": usage})


def message_delta(stop_reason: str = "end_turn", *, output_tokens: int = 15, **usage: int) -> Event:
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    return event("message_delta", delta=delta, usage={"output_tokens": output_tokens, **usage})


def message_stop() -> Event:
    return event("message_stop")


def ping() -> Event:
    return event("ping")


def error(type: str = "overloaded_error", message: str = "Overloaded") -> Event:
    return Event("error", {"type": "error", "error": {"type": type, "message": message}})


def text_block(index: int, parts: Iterable[str]) -> list[Event]:
    return _block(index, {"type": "text", "text": ""}, [{"type": "text_delta", "text": part} for part in parts])


def thinking_block(index: int, parts: Iterable[str], signature: str = "c2NyaXB0ZWQ=") -> list[Event]:
    deltas: list[_Fields] = [{"type": "thinking_delta", "thinking": part} for part in parts]
    deltas.append({"type": "signature_delta", "signature": signature})
    return _block(index, {"type": "thinking", "thinking": "", "signature": ""}, deltas)


def tool_use_block(index: int, name: str, input: _Fields, *, id: str = "toolu_01scripted") -> list[Event]:
    """The input arrives in two halves after the usual empty first piece."""
    text = json.dumps(input)
    parts = ["", text[: len(text) // 2], text[len(text) // 2 :]]
    deltas = [{"type": "input_json_delta", "partial_json": part} for part in parts]
    return _block(index, {"type": "tool_use", "id": id, "name": name, "input": {}}, deltas)


def stream_of(
    text: str = "Hello from a scripted provider.", n_chunks: int = 3, model: str | None = None
) -> list[Event]:
    """A whole answer of one text block, the text in `n_chunks` deltas."""
    size = max(1, -(-len(text) // n_chunks))
    parts = [text[start : start + size] for start in range(0, len(text), size)]
    return [message_start(model), *text_block(0, parts)[:1], ping(), *text_block(0, parts)[1:], *_ending("end_turn")]


def tool_turn(name: str, input: _Fields, *, say: str = "Let me look.", id: str = "toolu_01scripted") -> list[Event]:
    """A whole answer that says something and then asks for one tool call."""
    return [message_start(), *text_block(0, [say]), *tool_use_block(1, name, input, id=id), *_ending("tool_use")]


def thinking_turn(thought: str, text: str) -> list[Event]:
    """A whole answer that thinks, then speaks."""
    return [message_start(), *thinking_block(0, [thought]), *text_block(1, [text]), *_ending("end_turn")]


def _ending(stop_reason: str) -> list[Event]:
    return [message_delta(stop_reason), message_stop()]


def _block(index: int, start: _Fields, deltas: Iterable[_Fields]) -> list[Event]:
    return [
        event("content_block_start", index=index, content_block=start),
        *(event("content_block_delta", index=index, delta=delta) for delta in deltas),
        event("content_block_stop", index=index),
    ]


def folded(events: Iterable[Event], model: str) -> _Fields:
    """The message that a stream adds up to, as a request without `stream` receives it."""
    message: _Fields = {}
    for item in events:
        data = item.data
        match item.name:
            case "message_start":
                message = {**data["message"], "content": [], "usage": dict(data["message"]["usage"])}
                message["model"] = message["model"] or model
            case "content_block_start":
                message["content"].append({**data["content_block"]})
            case "content_block_delta":
                _apply(message["content"][data["index"]], data["delta"])
            case "content_block_stop":
                block = message["content"][data["index"]]
                if "partial_json" in block:
                    block["input"] = json.loads(block.pop("partial_json") or "{}")
            case "message_delta":
                message.update(data["delta"])
                message["usage"].update(data["usage"])
    return message


def _apply(block: _Fields, delta: _Fields) -> None:
    key = next(key for key in delta if key != "type")
    block[key] = block.get(key, "") + delta[key]
