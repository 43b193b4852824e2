"""A request of Chat Completions as one of the Messages API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from turnout.dialects.chat.client.asked import ABSENT, ASKED, ChatAsked, Choice, Tool
from turnout.dialects.chat.client.contents import text_block
from turnout.dialects.chat.client.turns import conversation_of
from turnout.errors import InvalidRequest
from turnout.wire.splice import UNREADABLE, any_top_level

MAX_TOKENS = 32_000
"""What an answer may have where the client does not say, and the Messages API wants to be told: what opencode asks for.
A model's own limit makes it less."""
_JSON_ONLY = "Answer with one JSON object and nothing else."
_EMPTY_SCHEMA = msgspec.Raw(b'{"type":"object","properties":{}}')
_EFFORTS = {"minimal": "low"}
"""Anthropic knows all others."""
_HOTTEST = 1
"""OpenAI's temperature goes up to 2, Anthropic's up to 1."""

_SAID = frozenset((*ChatAsked.__struct_fields__, "safety_identifier", "store"))
"""Fields that say nothing of the answer, or that are read."""


@dataclass(frozen=True, slots=True)
class MessagesRequest:
    """What a client of Chat Completions asks."""

    body: bytes
    """For the Messages API."""
    session: str
    """What names the conversation, or the user; empty where nothing does."""
    include_usage: bool
    """A stream ends with a chunk that tells the counts of tokens."""
    client_body: bytes
    """As it came."""

    @property
    def lost(self) -> tuple[str, ...]:
        """Fields that the Messages API has no word for, in their order. Looked for in the whole body, when asked."""
        return tuple(name for name in any_top_level(self.client_body) or {} if name not in _SAID)


def messages_request(body: bytes) -> MessagesRequest:
    """Raises InvalidRequest for a body that is no request of Chat Completions, or that asks what nobody can give."""
    try:
        asked = ASKED.decode(body)
    except UNREADABLE as error:
        raise InvalidRequest(f"The request body is not one of Chat Completions: {error}.") from None
    _check(asked)
    conversation = conversation_of(asked.messages)
    if not conversation.messages:
        raise InvalidRequest("The request body has no messages in which anything is said.")
    system, output = conversation.system, _output(asked)
    if asked.response_format is not None and asked.response_format.type == "json_object":
        system = [*system, text_block(_JSON_ONLY)]
    made: dict[str, Any] = {
        "model": asked.model,
        "max_tokens": asked.max_completion_tokens or asked.max_tokens or MAX_TOKENS,
        **_sampling(asked),
        **_thinking(asked),
        **({"output_config": output} if output else {}),
        **_tools(asked),
        **({"system": system} if system else {}),
        "messages": conversation.messages,
    }
    if asked.stream:
        made["stream"] = True
    options = asked.stream_options
    session = asked.prompt_cache_key or asked.user or ""
    return MessagesRequest(msgspec.json.encode(made), session, bool(options and options.include_usage), body)


def _check(asked: ChatAsked) -> None:
    if asked.n not in (None, 1):
        raise InvalidRequest(f"n = {asked.n} is not supported: one request gets one answer.")
    if asked.logprobs or asked.top_logprobs:
        raise InvalidRequest("logprobs are not supported.")
    if asked.modalities and asked.modalities != ["text"]:
        raise InvalidRequest("Only the modality `text` is supported.")
    if _is_given(asked.functions):
        raise InvalidRequest("`functions` are not supported. Use `tools`.")


def _sampling(asked: ChatAsked) -> dict[str, Any]:
    stop = [asked.stop] if isinstance(asked.stop, str) else asked.stop or ()
    fields: dict[str, Any] = {"stop_sequences": [each for each in stop if each.strip()]}  # Anthropic refuses blank ones
    if asked.temperature is not None:
        fields["temperature"] = min(asked.temperature, _HOTTEST)
    fields |= {"top_p": asked.top_p, "top_k": asked.top_k}
    return {name: value for name, value in fields.items() if value not in (None, [])}


def _thinking(asked: ChatAsked) -> dict[str, Any]:
    forced = _choice(asked.tool_choice).get("type") in ("any", "tool") and asked.tools
    if asked.reasoning_effort is None or (forced and asked.reasoning_effort != "none"):
        return {}  # Anthropic refuses thinking where a tool is forced
    return {"thinking": {"type": "disabled" if asked.reasoning_effort == "none" else "adaptive"}}


def _output(asked: ChatAsked) -> dict[str, Any]:
    output: dict[str, Any] = {}
    if asked.reasoning_effort not in (None, "none"):
        output["effort"] = _EFFORTS.get(asked.reasoning_effort, asked.reasoning_effort)
    form = asked.response_format
    schema = form.json_schema.schema if form is not None and form.json_schema is not None else ABSENT
    if form is not None and form.type == "json_schema" and _is_given(schema):
        output["format"] = {"type": "json_schema", "schema": schema}
    return output


def _is_given(value: msgspec.Raw) -> bool:
    return bytes(value) not in (b"", b"null")


def _tools(asked: ChatAsked) -> dict[str, Any]:
    tools = asked.tools or ()
    if not tools:
        return {}
    choice, allowed = _choice(asked.tool_choice), _allowed(asked.tool_choice)
    if asked.parallel_tool_calls is False and choice.get("type") != "none":
        choice = {"type": "auto", **choice, "disable_parallel_tool_use": True}
    made = [_tool(tool) for tool in tools]
    kept = [tool for tool in made if allowed is None or tool["name"] in allowed]
    return {"tools": kept, **({"tool_choice": choice} if choice else {})}


def _tool(tool: Tool) -> dict[str, Any]:
    defined = tool.function
    if defined is None:
        raise InvalidRequest(f"The request body has a tool of type {tool.type!r}, which is not supported.")
    made: dict[str, Any] = {"name": defined.name}
    if defined.description:
        made["description"] = defined.description
    made["input_schema"] = defined.parameters if _is_given(defined.parameters) else _EMPTY_SCHEMA
    if defined.strict is not None:
        made["strict"] = defined.strict
    return made


def _choice(choice: str | Choice | None) -> dict[str, Any]:
    """Anthropic's `tool_choice`; nothing where it is left to the model."""
    if isinstance(choice, Choice):
        if choice.function is not None:
            return {"type": "tool", "name": choice.function.name}
        return _choice(choice.allowed_tools.mode) if choice.allowed_tools is not None else {}
    return {"required": {"type": "any"}, "none": {"type": "none"}}.get(choice or "", {})


def _allowed(choice: str | Choice | None) -> set[str] | None:
    """The names of the tools among which the model may choose; None for all."""
    if not isinstance(choice, Choice) or choice.allowed_tools is None:
        return None
    return {each.function.name for each in choice.allowed_tools.tools if each.function is not None}
