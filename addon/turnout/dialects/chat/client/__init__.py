"""Clients of Chat Completions: what they ask, as a request of the Messages API, and its answer in their words."""

from __future__ import annotations

from turnout.dialects.base import Asked
from turnout.dialects.chat.client.completion import completion_of
from turnout.dialects.chat.client.ending import error_of
from turnout.dialects.chat.client.request import messages_request
from turnout.dialects.chat.client.stream import ChatEncoder
from turnout.wire.sse import EventSplitter


class ChatAnswer:
    """The answer to one request. `include_usage`: a stream ends with a chunk that tells the counts of tokens."""

    def __init__(self, *, include_usage: bool) -> None:
        self._encoder = ChatEncoder(include_usage=include_usage)
        self._splitter = EventSplitter()

    def feed(self, data: bytes) -> bytes:
        return b"".join(map(self._encoder.frame, self._splitter.feed(data)))

    def whole(self, body: bytes) -> bytes:
        told = error_of(body)
        return completion_of(body) if told is None else told


def chat_asked(body: bytes) -> Asked:
    made = messages_request(body)
    return Asked(made.body, ChatAnswer(include_usage=made.include_usage), made.session)
