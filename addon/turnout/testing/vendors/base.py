"""What every server that speaks the Messages API asks of a body, whatever else it supports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from turnout.testing.vendors.problem import Path, invalid, require

_IDENTIFIER = re.compile(r"[a-zA-Z0-9_-]+")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")

Block = dict[str, Any]


def check_base(body: dict[str, Any]) -> None:
    """Raises Problem."""
    model, size = body.get("model"), body.get("max_tokens")
    require(isinstance(model, str) and bool(model) and "[" not in str(model), ("model",), "no such model")
    require(type(size) is int and size >= 1, ("max_tokens",), "must be greater than 0")
    require(isinstance(body.get("stream", False), bool), ("stream",), "must be a boolean")
    _system(body.get("system", "none"))
    _messages(body.get("messages"))
    _tools(body.get("tools", []))
    _thinking(body)


def placed_blocks(body: dict[str, Any]) -> Iterator[tuple[Path, Block]]:
    """Every block of the messages with its place, those inside tool results included."""
    for position, message in enumerate(body["messages"]):
        if isinstance(message["content"], list):
            yield from _placed(message["content"], ("messages", position, "content"))


def _placed(blocks: list[Block], path: Path) -> Iterator[tuple[Path, Block]]:
    for position, block in enumerate(blocks):
        yield (*path, position), block
        if block.get("type") == "tool_result" and isinstance(block.get("content"), list):
            yield from _placed(block["content"], (*path, position, "content"))


def _system(system: Any) -> None:
    blocks = [{"type": "text", "text": system}] if isinstance(system, str) else system
    require(isinstance(blocks, list), ("system",), "must be text or a list of text blocks")
    for position, block in enumerate(blocks):
        _text(block, ("system", position))
        require(block.get("type") == "text", ("system", position, "type"), "must be text")


def _messages(messages: Any) -> None:
    require(isinstance(messages, list) and bool(messages), ("messages",), "at least one message is required")
    turns = []
    for position, message in enumerate(messages):
        path: Path = ("messages", position)
        require(isinstance(message, dict) and set(message) == {"role", "content"}, path, "needs role and content only")
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        require(isinstance(blocks, list) and bool(blocks), (*path, "content"), "must not be empty")
        for number, block in enumerate(blocks):
            _block(block, (*path, "content", number))
        if message["role"] != "system":
            turns.append((path, message["role"], blocks))
    require(bool(turns) and turns[0][1] == "user", ("messages", 0, "role"), "the first message must be the user's")
    _tool_order(turns)


def _block(block: Any, path: Path) -> None:
    require(isinstance(block, dict) and isinstance(block.get("type"), str), path, "needs a type")
    match block["type"]:
        case "text":
            _text(block, path)
        case "thinking":
            require(isinstance(block.get("thinking"), str), (*path, "thinking"), "field required")
            require(isinstance(block.get("signature"), str), (*path, "signature"), "field required")
        case "tool_use":
            require(_IDENTIFIER.fullmatch(str(block.get("id"))) is not None, (*path, "id"), "must match the pattern")
            require(isinstance(block.get("input"), dict), (*path, "input"), "must be an object")
        case "tool_result":
            content = block.get("content", "")
            require(isinstance(content, str | list), (*path, "content"), "must be text or a list of blocks")
            for number, inner in enumerate(content if isinstance(content, list) else []):
                _block(inner, (*path, "content", number))


def _text(block: Any, path: Path) -> None:
    text = block.get("text") if isinstance(block, dict) else None
    require(isinstance(text, str) and bool(text.strip()), (*path, "text"), "text blocks must be non-empty")


def _tool_order(turns: list[tuple[Path, str, list[Block]]]) -> None:
    """Each tool_use is answered in the very next user message, whose results come first."""
    waiting: list[str] = []
    for path, role, blocks in turns:
        results = [block.get("tool_use_id") for block in blocks if block["type"] == "tool_result"]
        if role == "assistant":
            require(not results and not waiting, path, "tool_use without tool_result immediately after")
            waiting = [block["id"] for block in blocks if block["type"] == "tool_use"]
            continue
        require(sorted(map(str, results)) == sorted(waiting), path, f"tool_result {results} for tool_use {waiting}")
        first = [block["type"] for block in blocks[: len(results)]]
        require(all(kind == "tool_result" for kind in first), path, "tool_result blocks must come first")
        waiting = []
    require(not waiting, ("messages",), f"tool_use {waiting} without tool_result")


def _tools(tools: Any) -> None:
    require(isinstance(tools, list), ("tools",), "must be a list")
    names = []
    for position, tool in enumerate(tools):
        path: Path = ("tools", position)
        require(isinstance(tool, dict), path, "must be an object")
        require(_TOOL_NAME.fullmatch(str(tool.get("name"))) is not None, (*path, "name"), "must match the pattern")
        names.append(tool["name"])
    require(len(set(names)) == len(names), ("tools",), "tool names must be unique")


def _thinking(body: dict[str, Any]) -> None:
    thinking = body.get("thinking", {})
    require(isinstance(thinking, dict), ("thinking",), "must be an object")
    if thinking.get("type") != "enabled":
        return
    budget = thinking.get("budget_tokens")
    path = ("thinking", "budget_tokens")
    if type(budget) is not int or budget < 1024:
        raise invalid(path, "must be at least 1024")
    require(budget < body["max_tokens"], path, "must be less than max_tokens")
