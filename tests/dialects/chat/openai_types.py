"""What a Chat Completions request may be: the types of OpenAI's SDK, and the rules that types do not say."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable, Mapping
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import openai.types.chat
import openai.types.shared_params
from openai.types.chat.completion_create_params import CompletionCreateParams
from pydantic import ConfigDict, TypeAdapter
from typing_extensions import is_typeddict

Body = dict[str, Any]

_OF_SERVERS = ("top_k", "thinking", "enable_thinking", "thinking_budget", "thinking_budget_tokens")
"""Fields that compatible servers know and OpenAI does not."""
_THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details")


def _adapter() -> TypeAdapter[Any]:
    """The SDK's own types, made to refuse keys that they do not name."""
    for package in (openai.types.chat, openai.types.shared_params):
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            for _, kind in inspect.getmembers(import_module(module.name), is_typeddict):
                kind.__pydantic_config__ = ConfigDict(extra="forbid")
    return TypeAdapter(CompletionCreateParams)


_PARAMS = _adapter()


def check_chat(body: Body) -> None:
    """Raises for what OpenAI would refuse."""
    _exhausted(_PARAMS.validate_python(_without_extras(body)))
    _check_calls(body["messages"])
    for message in body["messages"]:
        _check_message(message)
    names = [tool["function"]["name"] for tool in body.get("tools", [])]
    assert "tools" not in body or names, "no tools are told by leaving them out"
    choice = body.get("tool_choice", "auto")
    assert isinstance(choice, str) or choice["function"]["name"] in names
    assert names or not {"tool_choice", "parallel_tool_calls"} & body.keys()
    for tool in body.get("tools", []):
        parameters = tool["function"]["parameters"]
        assert parameters["type"] == "object" and isinstance(parameters["properties"], dict)
    assert len(body.get("stop", [])) <= 4


def _without_extras(body: Body) -> Body:
    body = copy.deepcopy({key: value for key, value in body.items() if key not in _OF_SERVERS})
    for message in body["messages"]:
        for name in _THOUGHTS:
            message.pop(name, None)
        for call in message.get("tool_calls", []):
            call.pop("extra_content", None)
        for part in message["content"] if isinstance(message.get("content"), list) else []:
            part.pop("cache_control", None)
    return body


def _exhausted(value: Any) -> None:
    """What the SDK types as Iterable is validated while somebody iterates over it."""
    if isinstance(value, Mapping):
        for member in value.values():
            _exhausted(member)
    elif isinstance(value, Iterable) and not isinstance(value, str):
        for element in value:
            _exhausted(element)


def _check_calls(messages: list[Body]) -> None:
    """Each answer that calls is followed by exactly the results of its calls, in their order."""
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            assert waiting and message["tool_call_id"] == waiting.pop(0)
            continue
        assert not waiting, f"there is no result of {waiting}"
        waiting = [call["id"] for call in message.get("tool_calls", [])]
        assert len(set(waiting)) == len(waiting)
    assert not waiting


def _check_message(message: Body) -> None:
    content = message.get("content")
    if message["role"] == "assistant":
        assert content or message["tool_calls"], "an answer says or calls something"
        assert "tool_calls" not in message or message["tool_calls"]
    elif message["role"] != "tool":
        assert content, "only a result may be empty"
    if isinstance(content, list):
        assert content and all(part["type"] != "text" or part["text"] for part in content)
