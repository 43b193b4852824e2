"""The tools of a Chat Completions request, and the choice among them."""

from __future__ import annotations

from typing import Any

from turnout.testing.chat.messages import check_name
from turnout.testing.chat.problem import (
    ChatProblem,
    empty_array,
    invalid,
    missing,
    too_long,
    unknown_value,
    wrong_type,
)
from turnout.testing.chat.schemas import check_parameters
from turnout.testing.chat.vendor import ChatVendor
from turnout.testing.vendors.problem import Path


def check_tools(own: ChatVendor, body: dict[str, Any]) -> None:
    """Raises ChatProblem."""
    tools = body.get("tools")
    if "tools" in body:
        if not isinstance(tools, list):
            raise wrong_type(("tools",), "an array of objects", tools)
        if not tools:
            raise empty_array(("tools",))
        if own.most_tools is not None and len(tools) > own.most_tools:
            raise too_long(("tools",), "array", own.most_tools, len(tools))
        for position, tool in enumerate(tools):
            _check_tool(own, tool, ("tools", position))
        names = [tool["function"]["name"] for tool in tools]
        if len(set(names)) != len(names):
            raise invalid(("tools",), "tool names must be unique.")
        return
    for name in ("tool_choice", "parallel_tool_calls"):
        if name in body:
            said = f"Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified."
            raise ChatProblem("value", (name,), said)


def _check_tool(own: ChatVendor, tool: Any, path: Path) -> None:
    if not isinstance(tool, dict):
        raise wrong_type(path, "an object", tool)
    own.refuse_unknown(tool, {"type", "function"} | ({"cache_control"} if own.marked_parts else set()), path)
    if tool.get("type") != "function":
        raise unknown_value((*path, "type"), tool.get("type"), ("function",))
    function = tool.get("function")
    if not isinstance(function, dict):
        raise missing((*path, "function"))
    own.refuse_unknown(function, own.function_fields, (*path, "function"))
    if "name" not in function:
        raise missing((*path, "function", "name"))
    check_name(own, function["name"], (*path, "function", "name"))
    if not isinstance(function.get("description", ""), str):
        raise wrong_type((*path, "function", "description"), "a string", function["description"])
    if not isinstance(function.get("strict", False), bool):
        raise wrong_type((*path, "function", "strict"), "a boolean", function["strict"])
    if "parameters" in function:
        check_parameters(own, function, (*path, "function", "parameters"))


def check_choice(own: ChatVendor, body: dict[str, Any]) -> None:
    """Raises ChatProblem."""
    if not isinstance(body.get("parallel_tool_calls", True), bool):
        raise wrong_type(("parallel_tool_calls",), "a boolean", body["parallel_tool_calls"])
    if "tool_choice" not in body:
        return
    choice = body["tool_choice"]
    kind = choice.get("type") if isinstance(choice, dict) else choice
    if kind not in own.choices or (kind == "function") != isinstance(choice, dict):
        raise unknown_value(("tool_choice",), kind, own.choices)
    if isinstance(choice, dict):
        _check_named(own, choice, [tool["function"]["name"] for tool in body["tools"]])
    allowed = own.choices_while_thinking
    if allowed is not None and own.is_thinking(body) and kind not in allowed:
        said = "Thinking mode does not support this tool_choice"
        raise ChatProblem("value", ("tool_choice",), said, "invalid_value", value=kind)


def _check_named(own: ChatVendor, choice: dict[str, Any], names: list[str]) -> None:
    own.refuse_unknown(choice, ("type", "function"), ("tool_choice",))
    function = choice.get("function")
    if not isinstance(function, dict) or "name" not in function:
        raise missing(("tool_choice", "function", "name"))
    own.refuse_unknown(function, ("name",), ("tool_choice", "function"))
    if function["name"] not in names:
        said = f"Tool choice '{function['name']}' not found in 'tools' parameter."
        raise ChatProblem("value", ("tool_choice",), said)
