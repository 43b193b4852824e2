"""No more cache breakpoints than a request may have.

"You can define up to 4 cache breakpoints" (https://docs.claude.com/en/docs/build-with-claude/prompt-caching); the
automatic one of a marker at the top level is one of them.
"""

from __future__ import annotations

from turnout.dialects.messages.rewrite.conversation import content_blocks
from turnout.dialects.messages.rewrite.document import Document
from turnout.dialects.messages.rewrite.tree import Node, is_list, opened, opened_elements

_MARKER = "cache_control"
_Place = tuple[str, int, int, int]
"""The list, the element of it, the block in that, the block inside a tool result; -1 where there is none."""


def limit_markers(document: Document, most: int) -> None:
    """Keep the most useful: the newest of the conversation, the last of the prompt, of the tools, then the newest."""
    places = [*_listed(document, "tools"), *_listed(document, "system"), *_of_messages(document)]
    most -= _MARKER in document
    if len(places) <= most:
        return
    newest = [place for place in places if place[0] == "messages"][::-1]
    prompt = [place for place in places if place[0] == "system"][::-1]
    tools = [place for place in places if place[0] == "tools"][::-1]
    order = dict.fromkeys([*newest[:1], *prompt[:1], *newest[1:2], *tools[:1], *newest, *prompt, *tools])
    for place in list(order)[most:]:
        _unmark(document, place)
    document.note("cache_control")


def _listed(document: Document, name: str) -> list[_Place]:
    return [(name, at, -1, -1) for at, block in enumerate(document.blocks(name) or []) if _is_marked(opened(block))]


def _of_messages(document: Document) -> list[_Place]:
    found: list[_Place] = []
    for at, message in enumerate(document.messages):
        if not isinstance(message, dict) or not is_list(message.get("content")):
            continue
        for position, block in enumerate(content_blocks(message)):
            if isinstance(block, dict) and is_list(block.get("content")):
                inner = opened_elements(block["content"])
                found += [("messages", at, position, deep) for deep, each in enumerate(inner) if _is_marked(each)]
            if _is_marked(block):
                found.append(("messages", at, position, -1))
    return found


def _is_marked(block: Node) -> bool:
    return isinstance(block, dict) and _MARKER in block


def _unmark(document: Document, place: _Place) -> None:
    name, at, position, deep = place
    if name != "messages":
        blocks = list(document.blocks(name) or [])
        blocks[at] = _unmarked(opened(blocks[at]))
        document.put(name, blocks)
        return
    messages = list(document.messages)
    content = content_blocks(messages[at])
    block = content[position]
    if deep >= 0:
        inner = opened_elements(block["content"])
        inner[deep] = _unmarked(inner[deep])
        content[position] = {**block, "content": inner}
    else:
        content[position] = _unmarked(block)
    messages[at] = {**messages[at], "content": content}
    document.messages = messages


def _unmarked(block: Node) -> Node:
    return {name: value for name, value in block.items() if name != _MARKER}
