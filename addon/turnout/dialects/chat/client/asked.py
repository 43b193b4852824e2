"""A request of a client of Chat Completions, decoded as far as it means something here.

Fields: `CompletionCreateParams` of OpenAI's SDK (3.57). Clients of other servers add fields of their own, which are
passed over.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

ABSENT = msgspec.Raw(b"")


class ImageAddress(msgspec.Struct):
    url: str


class File(msgspec.Struct):
    file_data: str | None = None
    filename: str | None = None
    file_id: str | None = None


class Part(msgspec.Struct):
    """A piece of a content."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: ImageAddress | None = None
    file: File | None = None
    cache_control: dict[str, Any] | None = None
    """A cache breakpoint in Anthropic's words, as clients of OpenRouter write it."""


Content = str | list[Part] | None


class Function(msgspec.Struct):
    name: str
    arguments: str | None = None


class Call(msgspec.Struct):
    """A tool call of an earlier answer."""

    id: str
    function: Function | None = None
    type: str = "function"


class Said(msgspec.Struct):
    """A message."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Content = None
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None


class Defined(msgspec.Struct):
    name: str
    description: str | None = None
    parameters: msgspec.Raw = ABSENT
    strict: bool | None = None


class Tool(msgspec.Struct):
    type: str
    function: Defined | None = None


class Named(msgspec.Struct):
    name: str


class Allowed(msgspec.Struct):
    mode: str = "auto"
    tools: list[Choice] = []


class Choice(msgspec.Struct):
    """One tool, or several of which it may call any."""

    type: str
    function: Named | None = None
    allowed_tools: Allowed | None = None


class Schema(msgspec.Struct):
    schema: msgspec.Raw = ABSENT


class Format(msgspec.Struct):
    type: str
    json_schema: Schema | None = None


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class ChatAsked(msgspec.Struct):
    """The body of a request."""

    model: str
    messages: list[Said]
    tools: list[Tool] | None = None
    tool_choice: str | Choice | None = None
    parallel_tool_calls: bool | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    stop: str | list[str] | None = None
    temperature: float | int | None = None
    top_p: float | int | None = None
    top_k: int | None = None
    reasoning_effort: str | None = None
    response_format: Format | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    modalities: list[str] | None = None
    prompt_cache_key: str | None = None
    user: str | None = None
    functions: msgspec.Raw = ABSENT
    """The older form of `tools`."""


ASKED = msgspec.json.Decoder(ChatAsked)
