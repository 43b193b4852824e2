"""An answer of Chat Completions, on the page that answers of the Messages API have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from turnout.dialects.chat.chunk import chunk_of
from turnout.dialects.chat.recognised import as_messages, is_stream, is_whole
from turnout.dialects.messages.assembled import assembled
from turnout.inspect.conversation.layout import joined
from turnout.inspect.conversation.messages_answer import Answer, page
from turnout.inspect.conversation.renderer import Body
from turnout.wire.splice import json_object, text_of, top_level
from turnout.wire.sse import EventSplitter, parse_event

_SHOWN_APART = frozenset(("object", "choices", "usage", "created"))


def matches(body: Body) -> bool:
    """A chunk stands at the beginning, or it is a JSON completion or an error in the words of these servers."""
    return is_stream(body.data) or is_whole(body.data) or _is_error(body.data)


def _is_error(data: bytes) -> bool:
    """As OpenAI writes it; an error of the Messages API has a `type` beside it."""
    if b'"error"' not in data or not data.lstrip().startswith(b"{"):
        return False
    fields = top_level(data)
    if fields is None or "error" not in fields or "type" in fields:
        return False
    error = top_level(fields["error"]) or {}
    return text_of(error.get("message", b"")) is not None and not error.keys().isdisjoint(("type", "code", "param"))


def render(body: Body) -> str:
    found = assembled(as_messages(body.data), body.content_type)
    if found is None:
        raise ValueError("This is no answer of Chat Completions.")
    frames = list(_frames(body.data)) if found.events else []
    if found.message:
        told, reason = _told(frames or [body.data])
        stops = joined(found.message.get("stop_reason") or "", f"finish_reason {reason}" if reason else "")
        found.message.update({**told, **found.message, "stop_reason": stops or None})
    return page(Answer("Chat", body, found, tuple(map(_kind, frames)), "a finish reason"))


def _frames(data: bytes) -> Iterator[bytes]:
    """The data of all events. A comment is none."""
    splitter = EventSplitter()
    for frame in (*splitter.feed(data), splitter.flush()):
        event = parse_event(frame)
        if event is not None and event.data:
            yield event.data


def _kind(data: bytes) -> str:
    if data.strip() == b"[DONE]":
        return "[DONE]"
    chunk = chunk_of(data)
    if chunk is None:
        return "(no JSON)"
    if chunk.fails:
        return "error"
    return "chunk" if chunk.choice is not None else "chunk without a choice"


def _told(bodies: Iterable[bytes]) -> tuple[dict[str, Any], str]:
    """What the provider says beside the message: of itself and what it cost, and why it stopped."""
    told: dict[str, Any] = {}
    reason, usage = "", None
    for data in bodies:
        chunk = chunk_of(data)
        if chunk is None:
            continue
        told = told or _members(json_object(data) or {})
        choice = chunk.choice
        reason = (choice.finish_reason if choice is not None else None) or reason
        usage = chunk.counts(choice) or usage
    return {**told, "usage as told": usage}, reason


def _members(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in _SHOWN_APART}
