"""What a scripted Chat Completions server can be told to answer.

    answer(Thought("Two files."), Call("Read", {…}), Call("Read", {…}))
    answer(Text("Done."), usage=Usage(cached=20))
    error(429, "Rate limit reached", code="rate_limit_exceeded")

Each comes in the style and the envelope of the vendor that plays it, or in the `style` it is given. Broken answers are
those of `turnout.testing.replies`: `close_before_headers`, `hang`, `garbage`, `json`.
"""

from __future__ import annotations

import asyncio
import json as json_codec
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from turnout.testing.chat.check import too_many_tokens
from turnout.testing.chat.chunks import frames
from turnout.testing.chat.phrases import openai
from turnout.testing.chat.problem import ChatProblem, Phrase
from turnout.testing.chat.script import Failure, Part, Text, Usage
from turnout.testing.chat.style import Style
from turnout.testing.chat.vendor import ChatVendor
from turnout.testing.chat.whole import whole
from turnout.testing.replies import Headers, Reply, StreamReply, WholeReply, json
from turnout.testing.wire import Answer, RecordedRequest


@dataclass(frozen=True)
class ChatReply:
    """An answer of a model: a stream when the request asks for one."""

    parts: tuple[Part, ...]
    finish: str | None = None
    """None: `tool_calls` or `stop`, as the answer calls tools or not."""
    usage: Usage = Usage()
    style: Style | None = None
    """None: the vendor's."""
    cut: int | None = None
    """The frames after which a stream stops; None: all of them."""
    ending: Literal["finish", "close", "reset", "hang"] = "finish"
    gate: asyncio.Event | None = None
    """Waited for after the request has arrived and before the headers are sent."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def by(self, vendor: ChatVendor) -> Reply:
        return replace(self, style=self.style or vendor.style)

    async def play(self, request: RecordedRequest, answer: Answer, headers: Headers) -> None:
        await self._made_for(request).play(request, answer, headers)

    def _made_for(self, request: RecordedRequest) -> Reply:
        style = (self.style or Style()).asked_by(request)
        if request.streams:
            steps = frames(self.parts, self.finish, self.usage, style, request)[: self.cut]
            return StreamReply(steps, self.ending, self.gate, headers=self.headers)
        for part in self.parts:
            if isinstance(part, Failure):
                error = {"message": part.message, "type": "server_error", "param": None, "code": part.code}
                return json(part.code, {"error": error}, self.headers, gate=self.gate)
        body = json_codec.dumps(whole(self.parts, self.finish, self.usage, style, request)).encode()
        return WholeReply(200, body, {"content-type": "application/json", **self.headers}, self.gate)


@dataclass(frozen=True)
class ChatError:
    """An answer that says what is wrong, in the envelope of the vendor."""

    problem: ChatProblem
    headers: Mapping[str, str] = field(default_factory=dict)
    say: Phrase = openai

    def by(self, vendor: ChatVendor) -> Reply:
        return replace(self, say=vendor.say)

    async def play(self, request: RecordedRequest, answer: Answer, headers: Headers) -> None:
        told = self.say(self.problem)
        await json(told.status, told.body, self.headers).play(request, answer, headers)


def answer(
    *parts: Part,
    finish: str | None = None,
    usage: Usage | None = None,
    style: Style | None = None,
    cut: int | None = None,
    ending: Literal["finish", "close", "reset", "hang"] = "finish",
    gate: asyncio.Event | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """An answer of these parts; by default a short text. See ChatReply."""
    said = parts or (Text("Hello from a scripted provider."),)
    return ChatReply(said, finish, usage or Usage(), style, cut, ending, gate, headers or {})


def error(
    status: int,
    message: str = "scripted",
    *,
    code: str | None = None,
    type: str = "",
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Any failure; `type` where it is not the usual one of the status."""
    return ChatError(ChatProblem("own", (), message, code, status, type=type), headers or {})


def context_length_exceeded(window: int = 128_000, tokens: int = 130_000) -> Reply:
    """The refusal of a conversation that is too long, in OpenAI's words."""
    return ChatError(too_many_tokens(window, tokens))
