"""A whole answer of Chat Completions, made a message of the Messages API.

It is what its stream would add up to: it goes the same way, as one chunk.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from turnout.dialects.chat.answer import Answer
from turnout.dialects.chat.chunk import chunk_of
from turnout.dialects.messages.assembled import assembled

_CUT = ("max_tokens", "model_context_window_exceeded", "refusal")
"""Reasons for which a call may have been cut short."""


def message_of(body: bytes, taken: Iterable[str] = ()) -> bytes:
    """The message, as JSON; anything else (an error, no JSON, no choices) is the same object. Never raises.

    `taken`: the ids of calls that the conversation holds already. A call whose arguments were cut short is left out
    where the reason tells of it; else the answer is none.
    """
    chunk = chunk_of(body, whole=True)
    choice = chunk.choice if chunk is not None else None
    if chunk is None or choice is None or choice.message is None:
        return body
    answer = Answer(taken)
    events = answer.take(chunk, body)
    events += b"" if answer.over else answer.end()
    found = assembled(events, "text/event-stream")
    if found is None or not found.complete:
        return body
    content = [block for block in found.message["content"] if "partial_input" not in block]
    if len(content) < len(found.message["content"]) and found.message["stop_reason"] not in _CUT:
        return body
    return msgspec.json.encode({**found.message, "content": content})
