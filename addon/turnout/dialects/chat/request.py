"""A request of the Messages API as one of OpenAI's Chat Completions.

Fields: `CompletionCreateParams` of OpenAI's SDK (3.57). What the API does not have and compatible servers do is only
written where the form says so; `top_k` alone goes along when it is still there. `messages` comes last, behind what a
conversation does not change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from turnout.dialects.base import Translated
from turnout.dialects.chat.conversation import conversation_of
from turnout.dialects.chat.effort import Thinking, thinking_fields
from turnout.dialects.chat.schemas import plain_schema
from turnout.dialects.chat.strict import is_strict
from turnout.dialects.chat.tools import ToolChoice, tools_of
from turnout.errors import InvalidRequest
from turnout.settings.chat import ChatForm
from turnout.wire.splice import UNREADABLE

_MOST_STOPS = 4
"""OpenAI: "Up to 4 sequences where the API will stop generating further tokens"."""
_FORMAT_NAME = "answer"
_READ_WHOLE = frozenset(("messages", "system"))
_LARGE = _READ_WHOLE | {"tools"}
_NULL = msgspec.Raw(b"null")


class _Format(msgspec.Struct):
    type: str
    schema: msgspec.Raw = msgspec.Raw(b"{}")


class _OutputConfig(msgspec.Struct):
    effort: str | None = None
    format: _Format | None = None


class _Small(msgspec.Struct):
    """What a request says beside the conversation, as far as there are words for it."""

    model: str
    max_tokens: int | None = None
    stop_sequences: tuple[str, ...] = ()
    stream: bool = False
    temperature: float | int | None = None
    top_p: float | int | None = None
    top_k: int | None = None
    thinking: Thinking | None = None
    tool_choice: ToolChoice | None = None
    output_config: _OutputConfig = msgspec.field(default_factory=_OutputConfig)
    output_format: _Format | None = None
    """The older name of `output_config.format`."""


_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_SMALL = msgspec.json.Decoder(_Small)
_KNOWN = frozenset((*_LARGE, *_Small.__struct_fields__))


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A translated request, and what its answer has to know of it."""

    translated: Translated
    call_ids: frozenset[str]
    """Of the tool calls that the conversation holds, as the client knows them."""


def chat_request(body: bytes, form: ChatForm) -> ChatRequest:
    """Raises InvalidRequest for a body that is no request of the Messages API.

    `lost` of what comes out: fields without an equivalent, `metadata`, which tells who the user is, `tools` where a
    tool of Anthropic's own is left out, and `thinking` that is wished for where the form has no word for it.
    """
    try:
        return _request(body, form)
    except UNREADABLE as error:
        raise InvalidRequest(f"The request body is not one of the Messages API: {error}.") from None


def _request(body: bytes, form: ChatForm) -> ChatRequest:
    fields = {name: raw for name, raw in _FIELDS.decode(body).items() if raw != _NULL}
    for name in fields.keys() - _READ_WHOLE:
        str(fields[name], "utf-8")  # schemas are copied unread, and nothing else looks whether they are UTF-8
    small = _SMALL.decode(msgspec.json.encode({name: raw for name, raw in fields.items() if name not in _LARGE}))
    if "messages" not in fields:
        raise InvalidRequest("The request body has no messages.")
    conversation = conversation_of(fields.get("system"), fields["messages"], form)
    tools = tools_of(fields.get("tools"), small.tool_choice, form)
    thinking = thinking_fields(small.thinking, small.output_config.effort, form)
    asked: dict[str, Any] = {
        "model": small.model,
        **_limits(small, form),
        **thinking,
        **_response_format(small, form),
        **tools.fields,
        "messages": conversation.messages,
        **form.extra,
    }
    unsaid = {"tools": tools.lost, "thinking": small.thinking is not None and not (small.thinking.off or thinking)}
    lost = tuple(name for name in fields if name not in _KNOWN or unsaid.get(name, False))
    return ChatRequest(Translated(msgspec.json.encode(asked), lost), conversation.call_ids)


def _limits(small: _Small, form: ChatForm) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if small.max_tokens is not None:
        fields[form.output_limit] = max(small.max_tokens, 1)  # 0 warms a cache of Anthropic's, and is refused here
    if small.stop_sequences:
        fields["stop"] = small.stop_sequences[:_MOST_STOPS]
    sampling = {"temperature": small.temperature, "top_p": small.top_p, "top_k": small.top_k}
    fields |= {name: value for name, value in sampling.items() if value is not None}
    if small.stream:
        fields["stream"] = True
        if form.stream_usage:
            fields["stream_options"] = {"include_usage": True}
    return fields


def _response_format(small: _Small, form: ChatForm) -> dict[str, Any]:
    wanted = small.output_config.format or small.output_format
    if wanted is None or wanted.type != "json_schema":
        return {}
    asked = msgspec.Raw(plain_schema(bytes(wanted.schema))) if form.schemas == "plain" else wanted.schema
    schema = {"name": _FORMAT_NAME, "schema": asked, "strict": is_strict(bytes(asked))}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}
