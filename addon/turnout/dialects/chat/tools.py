"""Tools, and which of them to use."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from turnout.dialects.chat.schemas import plain_schema
from turnout.errors import InvalidRequest
from turnout.settings.chat import ChatForm
from turnout.wire.splice import top_level

_OWN = frozenset(("", "custom"))
"""The types of tools that bring their schema. All others are Anthropic's: the server runs them, or the model knows
them by heart."""
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_OBJECT = msgspec.Raw(b'"object"')
_NOTHING = msgspec.Raw(b"{}")
_BRACE = ord("{")


class ToolChoice(msgspec.Struct):
    """The field `tool_choice` of a request."""

    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _Tool(msgspec.Struct):
    name: str | None = None
    type: str | None = None
    description: str | None = None
    input_schema: msgspec.Raw = _NOTHING
    strict: bool | None = None


_TOOLS = msgspec.json.Decoder(list[_Tool])


class Tools(NamedTuple):
    fields: dict[str, Any]
    """`tools` and what goes with them; nothing when there are none."""
    lost: bool
    """There was one that has no schema, and is left out."""


def tools_of(tools: msgspec.Raw | None, choice: ToolChoice | None, form: ChatForm) -> Tools:
    """Raises InvalidRequest for a tool without a name, and what msgspec does for what is none."""
    given = [] if tools is None else _TOOLS.decode(tools)
    own = [tool for tool in given if (tool.type or "") in _OWN]
    lost = len(own) < len(given)
    if not own:
        return Tools({}, lost)
    fields: dict[str, Any] = {"tools": [_function(tool, form) for tool in own]}
    if choice is not None:
        fields |= _choice(choice, {tool.name for tool in own}, form)
    return Tools(fields, lost)


def _choice(choice: ToolChoice, names: set[str | None], form: ChatForm) -> dict[str, Any]:
    """One of a tool that is not there is none, and left to the model."""
    fields: dict[str, Any] = {}
    if choice.type == "tool" and choice.name in names:
        fields["tool_choice"] = {"type": "function", "function": {"name": choice.name}}
    else:
        fields["tool_choice"] = _CHOICES.get(choice.type, "auto")
    if choice.disable_parallel_tool_use and form.parallel_switch:
        fields["parallel_tool_calls"] = False
    return fields


def _function(tool: _Tool, form: ChatForm) -> dict[str, Any]:
    if not tool.name:
        raise InvalidRequest("The request body has a tool without a name.")
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = _parameters(tool.input_schema, form)
    strict = False if tool.strict is None and form.strict == "false" else tool.strict
    if strict is not None:
        function["strict"] = strict
    return {"type": "function", "function": function}


def _parameters(schema: msgspec.Raw, form: ChatForm) -> msgspec.Raw:
    """A schema of an object with properties: as it was written where it is one."""
    if form.schemas == "plain":
        return msgspec.Raw(plain_schema(bytes(schema)))
    members = top_level(schema) or {}
    properties = members.get("properties", _NOTHING)
    known = properties if memoryview(properties)[0] == _BRACE else _NOTHING
    if members.get("type") == _OBJECT and members.get("properties") is known:
        return schema
    return msgspec.Raw(msgspec.json.encode({**members, "type": _OBJECT, "properties": known}))
