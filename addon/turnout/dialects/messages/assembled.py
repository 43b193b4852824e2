"""A whole answer of the Messages API, put together again: what a stream of events adds up to, or a JSON body.

Shapes: https://docs.claude.com/en/docs/build-with-claude/streaming. Nothing that a provider can send makes this raise:
what has no meaning here (unknown events and deltas, data that is no JSON) is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from turnout.dialects.messages.events import KNOWN_EVENTS
from turnout.wire.splice import json_object
from turnout.wire.sse import EventSplitter, parse_event

_PIECES = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}
"""Which member of a delta is one piece of a longer text."""
_WHOLE = {"signature_delta": ("signature",), "compaction_delta": ("content", "encrypted_content")}
"""Which members of a delta come at once, and are members of the block as they are."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """An answer as the client understands it."""

    events: tuple[str, ...]
    """The types of the events in the order received, pings included; () for an answer that is no stream."""
    message: dict[str, Any]
    """The `message` object: texts joined, tool inputs parsed, the usage of message_delta over that of message_start.

    {} when there was none. A tool input whose JSON is cut short stays as text under `partial_input`.
    """
    error: dict[str, Any] | None
    """The `error` object of an error event or of an error body."""
    complete: bool
    """message_stop was seen, or it was a whole JSON message."""


def assembled(body: bytes, content_type: str) -> Assembled | None:
    """The answer that `body` holds: an event stream, a JSON message or a JSON error; None for anything else.

    `content_type` may have parameters, be wrong or be empty: an empty body alone is judged by it.
    """
    whole = _whole(body)
    if whole is not None:
        return whole
    if not body.strip():
        return Assembled((), {}, None, False) if "event-stream" in content_type.lower() else None
    return _streamed(body)


def _whole(body: bytes) -> Assembled | None:
    if not body.lstrip().startswith(b"{"):
        return None
    value = json_object(body)
    if value is None:
        return None
    if "error" in value and value.get("type") in (None, "error"):
        error = _error(value["error"])
        return Assembled((), {}, error, False) if error is not None else None
    if value.get("type") == "message" and isinstance(value.get("content"), list):
        return Assembled((), value, None, True)
    return None


def _streamed(body: bytes) -> Assembled | None:
    adding = _Adding()
    for frame in _frames(body):
        event = parse_event(frame)
        if event is None:
            continue
        data = json_object(event.data)
        kind = event.name or (data or {}).get("type")
        if isinstance(kind, str) and kind:
            adding.events.append(kind)
            if kind == "error":
                adding.fail(data, event.data)
            elif data is not None:
                adding.add(kind, data)
    if KNOWN_EVENTS.isdisjoint(adding.events):
        return None
    return Assembled(tuple(adding.events), adding.result(), adding.error, "message_stop" in adding.events)


def _frames(body: bytes) -> list[bytes]:
    """All whole frames; one that the end of the body cuts short is no event."""
    splitter = EventSplitter()
    frames = splitter.feed(body)
    if splitter.tail.endswith(b"\r"):
        # Held back as half of CR LF, but nothing follows. As CR LF it is one line end as well.
        frames += splitter.feed(b"\n")
    return frames


class _Adding:
    """The message so far."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.error: dict[str, Any] | None = None
        self._message: dict[str, Any] = {}
        self._blocks: dict[int, _Block] = {}

    def add(self, kind: str, data: Mapping[str, Any]) -> None:
        match kind:
            case "message_start":
                message = data.get("message")
                self._message = dict(message) if isinstance(message, dict) else {}
                self._blocks.clear()
            case "content_block_start":
                block, index = data.get("content_block"), data.get("index")
                if isinstance(block, dict) and isinstance(index, int):
                    self._blocks[index] = _Block(block)
            case "content_block_delta":
                delta, index = data.get("delta"), data.get("index")
                if isinstance(delta, dict) and isinstance(index, int) and index in self._blocks:
                    self._blocks[index].add(delta)
            case "message_delta":
                self._add_to_message(data)

    def _add_to_message(self, data: Mapping[str, Any]) -> None:
        """The counts are cumulative, so a later one replaces an earlier one; null tells nothing."""
        delta, counts, usage = data.get("delta"), data.get("usage"), self._message.get("usage")
        self._message |= {name: value for name, value in data.items() if name not in ("type", "delta", "usage")}
        if isinstance(delta, dict):
            self._message |= delta
        if isinstance(counts, dict):
            known = usage if isinstance(usage, dict) else {}
            self._message["usage"] = known | {name: count for name, count in counts.items() if count is not None}

    def fail(self, data: Mapping[str, Any] | None, raw: bytes) -> None:
        error = _error(data.get("error")) if data is not None else None
        self.error = error if error is not None else {"message": raw.decode("utf-8", "replace")}

    def result(self) -> dict[str, Any]:
        if not self._message and not self._blocks:
            return {}
        content = self._message.get("content")
        begun = content if isinstance(content, list) else []
        return {**self._message, "content": [*begun, *(block.result() for block in self._blocks.values())]}


class _Block:
    """A content block so far. The pieces are joined once: a text of a megabyte comes in ten thousands of them."""

    __slots__ = ("_begun", "_pieces")

    def __init__(self, begun: Mapping[str, Any]) -> None:
        self._begun = dict(begun)
        self._pieces: dict[str, list[str]] = {}

    def add(self, delta: Mapping[str, Any]) -> None:
        kind = delta.get("type")
        if not isinstance(kind, str):
            return
        if kind in _PIECES:
            piece = delta.get(_PIECES[kind])
            if isinstance(piece, str):
                self._pieces.setdefault(_PIECES[kind], []).append(piece)
        elif kind in _WHOLE:
            self._begun |= {name: delta[name] for name in _WHOLE[kind] if name in delta}
        elif kind == "citations_delta":
            citations = self._begun.get("citations")
            self._begun["citations"] = [*(citations if isinstance(citations, list) else ()), delta.get("citation")]

    def result(self) -> dict[str, Any]:
        block = dict(self._begun)
        for name, pieces in self._pieces.items():
            text = "".join(pieces)
            if name != "partial_json":
                begun = block.get(name)
                block[name] = begun + text if isinstance(begun, str) else text
            elif text:
                parsed = json_object(text.encode("utf-8", "surrogatepass"))
                block |= {"partial_input": text} if parsed is None else {"input": parsed}
        return block


def _error(value: object) -> dict[str, Any] | None:
    """The error object; some servers give only its text."""
    if isinstance(value, str):
        return {"message": value}
    return value if isinstance(value, dict) else None
