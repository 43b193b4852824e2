"""What the rules share that walk through messages and their content blocks."""

from __future__ import annotations

from collections.abc import Callable
from operator import is_

from turnout.dialects.messages.rewrite.tree import Node, Object, is_list, opened_elements, plain, text

LEFT_OUT = "[What was here cannot be read by this model.]"

BlockEdit = Callable[[Object], list[Node]]
"""What takes the place of a block: itself, something else, or nothing."""


def role(message: Node) -> str:
    return text(message.get("role")) if isinstance(message, dict) else ""


def block_type(block: Node) -> str:
    """The block's `type`; empty when it is no block."""
    return text(block.get("type")) if isinstance(block, dict) else ""


def text_block(content: str, origin: Object | None = None) -> Object:
    """A text block, with the cache breakpoint of the block it stands for."""
    block: Object = {"type": "text", "text": content}
    if origin is not None and "cache_control" in origin:
        block["cache_control"] = origin["cache_control"]
    return block


def content_blocks(message: Object) -> list[Node]:
    """The content as a list of blocks; a text becomes one."""
    content = message.get("content")
    if is_list(content):
        return opened_elements(content)
    empty = content is None or plain(content) in ("", None)
    return [] if empty else [{"type": "text", "text": content}]


def with_blocks(message: Object, edit: BlockEdit) -> Node:
    """The message with each block of a content list edited; the same object when nothing changes."""
    content = message.get("content")
    if not isinstance(content, list):
        return message
    blocks = replaced(content, edit)
    return message if blocks is content else {**message, "content": blocks}


def replaced(blocks: list[Node], edit: BlockEdit) -> list[Node]:
    """Blocks, each replaced by what `edit` gives; the same list when nothing changes."""
    result: list[Node] = []
    for block in blocks:
        result += edit(block) if isinstance(block, dict) else [block]
    return blocks if len(result) == len(blocks) and all(map(is_, result, blocks)) else result


def without_empty(messages: list[Node], before: list[Node]) -> list[Node]:
    """The messages without those that have lost all their content on the way from `before`, message by message.

    What then stands side by side with the same role becomes one message; a turn of the user is never lost.
    """
    result: list[Node] = []
    gap = False
    for message, old in zip(messages, before, strict=True):
        if message is not old and message.get("content") == []:
            if role(message) != "user":
                gap = True
                continue
            message = {**message, "content": [text_block(LEFT_OUT)]}
        if gap and result and role(result[-1]) == role(message):
            message = {**message, "content": [*content_blocks(result.pop()), *content_blocks(message)]}
        result.append(message)
        gap = False
    return result


def inside_results(edit: BlockEdit) -> BlockEdit:
    """The same edit for the blocks inside tool results; the results themselves stay."""

    def edit_result(block: Object) -> list[Node]:
        content = block.get("content")
        if block_type(block) != "tool_result" or not is_list(content):
            return [block]
        inner = opened_elements(content)
        edited = replaced(inner, edit)
        return [block] if edited is inner else [{**block, "content": edited}]

    return edit_result
