"""What is read of an answer of Chat Completions: one chunk of a stream, or a whole `chat.completion`.

Shapes: OpenAI's SDK (3.57) and what compatible servers have beside them. All else is skipped, and what has another
type than it should have is read as far as it means anything.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from turnout.wire.splice import UNREADABLE


class Part(msgspec.Struct, gc=False):
    """One element of a content that is a list (Mistral)."""

    text: str | None = None
    refusal: str | None = None
    thinking: str | list[Part] | None = None


class Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None
    """JSON, or a piece of it."""


class ToolCall(msgspec.Struct, gc=False):
    """A tool call, or what a chunk brings of it."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None
    extra_content: Any = None
    """What Gemini wants back with the call."""


class Delta(msgspec.Struct, gc=False):
    """What a chunk adds to the message, or the whole message."""

    content: str | list[Part] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[dict[str, Any]] | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: Function | None = None


class Choice(msgspec.Struct, gc=False):
    index: int = 0
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None
    usage: Any = None
    error: Any = None


class Chunk(msgspec.Struct, gc=False):
    """A JSON object that may be a chunk."""

    choices: list[Choice] | UnsetType | None = UNSET
    usage: Any = None
    x_groq: Any = None
    error: Any = None
    base_resp: Any = None
    object: Any = None
    type: Any = None

    @property
    def is_one(self) -> bool:
        """Whether it is a chunk. What has a `type` is of another API."""
        if self.choices is not UNSET:
            return True
        named = isinstance(self.object, str) and self.object.startswith("chat.completion")
        return named or (isinstance(self.usage, dict) and self.type is None)

    @property
    def fails(self) -> bool:
        """It is an error. MiniMax tells of those in a member that says 0 otherwise."""
        if self.error:
            return True
        return (
            self.base_resp is not None and isinstance(self.base_resp, dict) and bool(self.base_resp.get("status_code"))
        )

    @property
    def choice(self) -> Choice | None:
        """The answer, of which nobody asks for several."""
        for choice in self.choices or ():
            if choice.index == 0:
                return choice
        return None

    def counts(self, choice: Choice | None) -> dict[str, Any] | None:
        """The usage, wherever it is: Groq and Moonshot (in the `choice`) have places of their own."""
        usage = self.usage
        if usage is None:
            if self.x_groq is not None and isinstance(self.x_groq, dict):
                usage = self.x_groq.get("usage")
            elif choice is not None:
                usage = choice.usage
        return usage if isinstance(usage, dict) else None


_CHUNK = msgspec.json.Decoder(Chunk)


def chunk_of(data: bytes, *, whole: bool = False) -> Chunk | None:
    """A JSON object, read as a chunk; None for what is none.

    Servers that cut a text into pieces may cut a letter into the halves of a surrogate pair, which are kept. Of a
    `whole` answer there is no other half to come.
    """
    try:
        return _CHUNK.decode(data)
    except UNREADABLE:
        pass
    try:
        value = json.loads(data)
        if whole:
            value = json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
        return _chunk(value) if isinstance(value, dict) else None
    except UNREADABLE:
        return None


# --- what has other types than it should ---


def _chunk(value: dict[str, Any]) -> Chunk:
    return Chunk(
        choices=[_choice(each) for each in _objects(value["choices"])] if "choices" in value else UNSET,
        usage=value.get("usage"),
        x_groq=value.get("x_groq"),
        error=value.get("error"),
        base_resp=value.get("base_resp"),
        object=value.get("object"),
        type=value.get("type"),
    )


def _choice(value: dict[str, Any]) -> Choice:
    return Choice(
        index=_number(value.get("index")) or 0,
        delta=_delta(value.get("delta")),
        message=_delta(value.get("message")),
        finish_reason=_text(value.get("finish_reason")),
        usage=value.get("usage"),
        error=value.get("error"),
    )


def _delta(value: object) -> Delta | None:
    if not isinstance(value, dict):
        return None
    content = value.get("content")
    return Delta(
        content=_text(content) or [_part(each) for each in _listed(content)],
        refusal=_text(value.get("refusal")),
        reasoning_content=_text(value.get("reasoning_content")),
        reasoning=_text(value.get("reasoning")),
        reasoning_details=_objects(value.get("reasoning_details")),
        tool_calls=[_tool_call(each) for each in _objects(value.get("tool_calls"))],
        function_call=_function(value.get("function_call")),
    )


def _part(value: object) -> Part:
    if not isinstance(value, dict):
        return Part(text=_text(value))
    thinking = value.get("thinking")
    return Part(
        text=_text(value.get("text")),
        refusal=_text(value.get("refusal")),
        thinking=_text(thinking) or [_part(each) for each in _listed(thinking)],
    )


def _tool_call(value: dict[str, Any]) -> ToolCall:
    return ToolCall(
        index=_number(value.get("index")),
        id=_text(value.get("id")),
        function=_function(value.get("function")),
        extra_content=value.get("extra_content"),
    )


def _function(value: object) -> Function | None:
    if not isinstance(value, dict):
        return None
    arguments = value.get("arguments")
    if arguments is not None and not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))
    return Function(name=_text(value.get("name")), arguments=arguments)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        return int(value)
    return value if type(value) is int else None


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value] if isinstance(value, dict) else []


def _objects(value: object) -> list[dict[str, Any]]:
    return [each for each in _listed(value) if isinstance(each, dict)]
