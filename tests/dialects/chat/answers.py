"""Answers of Chat Completions as their servers send them, and what becomes of them on the way to the client."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from turnout.dialects.chat.stream import ChatDecoder
from turnout.dialects.messages.assembled import Assembled, assembled
from turnout.dialects.messages.events import MESSAGE_EVENTS
from turnout.dialects.messages.reply import ForeignReply
from turnout.dialects.messages.stream import MessageStream, Peek
from turnout.wire.sse import EventSplitter, parse_event

Fields = dict[str, Any]

DONE = b"data: [DONE]\n\n"


def frame(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def chunk(delta: object = None, finish: str | None = None, **beside: Any) -> bytes:
    """A chunk of the first choice; `beside`: members of the chunk."""
    choice = {"index": 0, "delta": {} if delta is None else delta, "logprobs": None, "finish_reason": finish}
    return frame({"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m", "choices": [choice], **beside})


def text(said: str) -> bytes:
    return chunk({"content": said})


def calls(*told: Fields) -> bytes:
    return chunk({"tool_calls": list(told)})


def call(index: int | None, arguments: Any = None, *, id: str | None = None, name: str | None = None) -> Fields:
    """One element of `tool_calls`, with the members that are given."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    members = {"index": index, "id": id, "function": function}
    return {key: value for key, value in members.items() if value is not None}


def completion(message: Fields, finish: str | None = "stop", **beside: Any) -> bytes:
    """A whole answer."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return json.dumps({"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], **beside}).encode()


def decoded(*pieces: bytes, taken: Iterable[str] = ()) -> bytes:
    """All that the decoder makes of these pieces."""
    decoder = ChatDecoder(taken)
    return b"".join([*(decoder.feed(piece) for piece in pieces), decoder.finish()])


def relayed(*pieces: bytes) -> tuple[bytes, MessageStream]:
    """What the client gets, and what was seen of the stream."""
    decoder, stream = ChatDecoder(), MessageStream("claude", ForeignReply("claude", seed="s"))
    seen, out = Peek.WAITING, list[bytes]()
    for piece in (*(decoder.feed(piece) for piece in pieces), decoder.finish()):
        if seen in (Peek.VALID, Peek.FAILED):
            out += stream.relay(piece)
        else:
            seen = stream.peek(piece)
            out += stream.relay(b"") if seen is Peek.VALID else []
    return b"".join([*out, *stream.finish()]), stream


def answer_of(*pieces: bytes) -> Assembled:
    """The answer as its client understands it."""
    body, _ = relayed(*pieces)
    found = assembled(body, "text/event-stream")
    assert found is not None
    return found


def message_of_stream(*pieces: bytes) -> Fields:
    """The message of a stream that came to its end."""
    found = answer_of(*pieces)
    assert found.error is None and found.complete
    return found.message


def content_of(*pieces: bytes) -> list[Fields]:
    return list(message_of_stream(*pieces)["content"])


def unsealed(content: list[Fields]) -> list[Fields]:
    """Without what thoughts carry to be given back."""
    return [{**block, "signature": ""} if block["type"] == "thinking" else block for block in content]


def error_of(*pieces: bytes) -> Fields:
    """The data of the error with which a stream ends."""
    *_, last = events_of(decoded(*pieces))
    assert last[0] == "error"
    return last[1]


def events_of(stream: bytes) -> list[tuple[str, Any]]:
    """Names and data of all events; the data of frames that hold no JSON is None."""
    events = [event for event in map(parse_event, EventSplitter().feed(stream)) if event is not None]
    return [(event.name, _json(event.data)) for event in events]


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


_DELTAS = {
    "text": {"text_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
}


def check_grammar(stream: bytes) -> None:
    """A beginning of: message_start, blocks one after another, message_delta, message_stop; or an error that ends it.

    Clients pass over events of other names, and without one.
    """
    place, kind, ended = -1, "", False
    known = [event for event in events_of(stream) if event[0] in MESSAGE_EVENTS | {"error"}]
    for number, (name, data) in enumerate(known):
        assert not ended
        if name == "error":
            ended = True
            continue
        assert data["type"] == name
        if number == 0:
            assert name == "message_start" and data["message"]["content"] == []
        elif name == "content_block_start":
            assert not kind and data["index"] == place + 1
            place, kind = data["index"], data["content_block"]["type"]
        elif name == "content_block_delta":
            assert data["index"] == place and data["delta"]["type"] in _DELTAS[kind]
        elif name == "content_block_stop":
            assert kind and data["index"] == place
            kind = ""
        elif name == "message_delta":
            assert not kind and data["delta"]["stop_reason"]
            kind = "the end"
        else:
            assert name == "message_stop" and kind == "the end"
            ended = True
