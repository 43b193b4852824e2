"""A request of Chat Completions, on the page that requests of the Messages API have.

The system messages at the beginning are the system prompt; every other message is a turn, and what it holds is shown as
the block that means the same in the Messages API.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Any

import msgspec

from turnout.inspect.conversation.renderer import Body
from turnout.inspect.conversation.request import (
    MOST_TURNS,
    Block,
    Request,
    Turn,
    blocks_of,
    conversation_fields,
    listed,
    page,
    settings_of,
)
from turnout.wire.splice import UNREADABLE, json_object, text_of, top_level

_FIRST = (
    ("max_tokens", "max_completion_tokens", "stream", "stream_options", "reasoning_effort", "thinking")
    + ("parallel_tool_calls", "tool_choice")
)  # fmt: skip
_OF_MESSAGES = frozenset(
    ("system", "anthropic_version", "stop_sequences", "output_config", "output_format", "context_management")
    + ("mcp_servers", "container")
)  # fmt: skip
"""Members of a request of the Messages API that are none here."""
_OF_CHAT = frozenset(
    ("stream_options", "max_completion_tokens", "reasoning_effort", "parallel_tool_calls", "response_format", "stop")
    + ("n", "seed", "logprobs", "frequency_penalty", "presence_penalty", "logit_bias", "prediction")
    + ("prompt_cache_key", "safety_identifier", "functions")
)  # fmt: skip
_SYSTEM = ("system", "developer")
_DATA_URL = re.compile(r"data:([^;,]*);base64,(.*)", re.DOTALL)
_THOUGHTS = ("reasoning_content", "reasoning")


class _Peek(msgspec.Struct):
    """A message, as far as it tells of the API."""

    role: Any = None
    tool_calls: msgspec.Raw = msgspec.Raw()


_PEEKS = msgspec.json.Decoder(list[_Peek])


def matches(body: Body) -> bool:
    """Something in it is of Chat Completions alone. What could be either is shown as a request of the Messages API."""
    fields = conversation_fields(body)
    if fields is None or "model" not in fields or not _OF_MESSAGES.isdisjoint(fields):
        return False
    return not _OF_CHAT.isdisjoint(fields) or _has_functions(fields) or _has_own_roles(fields)


def _has_functions(fields: Mapping[str, msgspec.Raw]) -> bool:
    raw = fields.get("tools")
    if raw is None or b'"function"' not in bytes(raw):
        return False
    try:
        return any("function" in (top_level(tool) or {}) for tool in listed(raw))
    except UNREADABLE:
        return False


def _has_own_roles(fields: Mapping[str, msgspec.Raw]) -> bool:
    """The Messages API has the role `system` too, but not at the beginning."""
    try:
        peeks = _PEEKS.decode(fields["messages"])
    except UNREADABLE:
        return False
    begins = bool(peeks) and peeks[0].role in _SYSTEM
    return begins or any(peek.role in ("tool", "developer") or bytes(peek.tool_calls) != b"" for peek in peeks)


def render(body: Body) -> str:
    fields = conversation_fields(body)
    if fields is None:
        raise ValueError("This is no request of Chat Completions.")
    messages = listed(fields["messages"])
    system = list(takewhile(lambda raw: _role(top_level(raw) or {}) in _SYSTEM, messages))
    turns = messages[len(system) :]
    begin = max(0, len(turns) - MOST_TURNS)
    return page(
        Request(
            api="Chat",
            body=body.data,
            model=text_of(fields["model"]) if "model" in fields else None,
            settings=list(settings_of(fields, _FIRST).items()),
            messages=b",".join(map(bytes, turns)),
            turns=[_turn(number, raw) for number, raw in enumerate(turns[begin:], begin + 1)],
            system=[block for raw in system for block in _turn(0, raw).blocks],
            tools=[Block(bytes(tool), _tool(msgspec.json.decode(tool))) for tool in listed(fields.get("tools"))],
        )
    )


def _role(fields: Mapping[str, msgspec.Raw]) -> str:
    return (text_of(fields["role"]) if "role" in fields else None) or "?"


def _tool(tool: Any) -> Any:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict):
        return tool
    return {**{name: value for name, value in tool.items() if name not in ("type", "function")}, **function}


def _turn(number: int, raw: msgspec.Raw) -> Turn:
    fields = top_level(raw)
    if fields is None:
        return Turn(number, "?", bytes(raw), (Block(bytes(raw), msgspec.json.decode(raw)),), {})
    role = _role(fields)
    left = dict(fields)
    left.pop("role", None)
    blocks = tuple(_result(left) if role == "tool" else _said(left))
    others = {name: msgspec.json.decode(value) for name, value in left.items() if bytes(value) != b"null"}
    return Turn(number, role, bytes(raw), blocks, others)


def _result(left: dict[str, msgspec.Raw]) -> Iterator[Block]:
    """What a tool has said. Members that are shown are taken out of `left`, here and below."""
    content, used = left.pop("content", None), left.pop("tool_call_id", None)
    value = {
        "type": "tool_result",
        "tool_use_id": msgspec.json.decode(used) if used is not None else None,
        "content": msgspec.json.decode(content) if content is not None else None,
    }
    yield Block(bytes(content) if content is not None else b"", value)


def _said(left: dict[str, msgspec.Raw]) -> Iterator[Block]:
    for name in _THOUGHTS:
        if name in left and (thoughts := text_of(left[name])) is not None:
            yield Block(bytes(left.pop(name)), {"type": "thinking", "thinking": thoughts})
    for detail in _several(left, "reasoning_details"):
        yield Block(bytes(detail), msgspec.json.decode(detail))
    for part in blocks_of(left.pop("content", None)):
        yield Block(part.raw, _part(part.value))
    for call in _several(left, "tool_calls"):
        yield Block(bytes(call), _call(msgspec.json.decode(call)))


def _several(left: dict[str, msgspec.Raw], name: str) -> list[msgspec.Raw]:
    return listed(left.pop(name)) if name in left and bytes(left[name]).startswith(b"[") else []


def _part(part: Any) -> Any:
    """A part of a content as a block of the Messages API, where it has one."""
    kind = part.get("type") if isinstance(part, dict) else None
    inner = part.get(kind) if isinstance(kind, str) else None
    if not isinstance(inner, dict):
        return part
    rest = {name: value for name, value in part.items() if name not in ("type", kind)}
    if kind == "image_url":
        more = {name: value for name, value in inner.items() if name != "url"}
        return {**rest, **more, "type": "image", "source": _source(inner.get("url"))}
    if kind == "file":
        more = {name: value for name, value in inner.items() if name not in ("file_data", "filename")}
        source = {"source": _source(inner["file_data"])} if "file_data" in inner else {"source": {"type": "file"}}
        return {**rest, **more, "type": "document", "title": inner.get("filename"), **source}
    return part


def _source(address: Any) -> Any:
    found = _DATA_URL.fullmatch(address) if isinstance(address, str) else None
    if found is None:
        return {"type": "url", "url": address}
    return {"type": "base64", "media_type": found[1], "data": found[2]}


def _call(call: Any) -> Any:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return call
    arguments = function.get("arguments")
    found = json_object(arguments.encode("utf-8", "surrogatepass")) if isinstance(arguments, str) else None
    cut = found is None and isinstance(arguments, str) and bool(arguments.strip())
    told = {"partial_input": arguments} if cut else {"input": found or {}}
    rest = {name: value for name, value in call.items() if name not in ("type", "function")}
    return {**rest, "type": "tool_use", "name": function.get("name"), **told}
