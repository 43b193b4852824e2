"""The system prompt: system roles inside messages, Claude Code's attribution block, a text put before."""

from __future__ import annotations

import re

from turnout.dialects.messages.rewrite.conversation import block_type, content_blocks, role, text_block
from turnout.dialects.messages.rewrite.document import Document
from turnout.dialects.messages.rewrite.flatten import as_text
from turnout.dialects.messages.rewrite.tree import Node, Object, is_list, opened, text
from turnout.settings.rewriting import EACH, Rewrite

_ATTRIBUTION = re.compile(r"x-anthropic-billing-header:(?:[ \t]*[\w.-]+=[^;\n]*;?)*[^\S\n]*(?:\n+|\Z|(?=\S))")
"""The name, and the `key=value;` behind it."""
_REMINDER = "<system-reminder>\n{}\n</system-reminder>"


def drop_attribution(document: Document, rules: Rewrite) -> None:
    """Anthropic removes the block from the prompt by its position; anyone else would read it as part of the prompt."""
    system = document.node("system")
    if rules.attribution != "drop" or system is None:
        return
    before: Node = opened(system) if is_list(system) else text(system)
    after: Node = _unattributed(before) if isinstance(before, str) else _unattributed_blocks(before)
    if after == before:
        return
    if after:
        document.put("system", after)
    else:
        document.remove("system")
    document.note("attribution")


def _unattributed(words: str) -> str:
    found = _ATTRIBUTION.match(words)
    return words[found.end() :] if found else words


def _unattributed_blocks(blocks: list[Node]) -> list[Node]:
    kept: list[Node] = []
    for block in blocks:
        words = text(_member(block, "text"))
        left = _unattributed(words)
        if left is words:
            kept.append(block)
        elif left:
            kept.append({**opened(block), "text": left})
    return kept


def _member(block: Node, name: str) -> Node:
    members = opened(block)
    return members.get(name) if isinstance(members, dict) else None


def prepend_system(document: Document, rules: Rewrite) -> None:
    if not rules.prepend_system:
        return
    system = document.node("system")
    blocks = _system_blocks(system)
    if blocks and text(_member(blocks[0], "text")).startswith(rules.prepend_system):
        return
    if system is None or is_list(system):
        document.put("system", [text_block(rules.prepend_system), *blocks])
    else:
        document.put("system", f"{rules.prepend_system}\n\n{text(system)}")
    document.note("prepend_system")


def move_system_roles(document: Document, rules: Rewrite, *, hoist: bool = True) -> None:
    """`role: system` inside messages, for providers that know it only as a field of the request.

    Those before the first turn always go into the system prompt. With `hoist` all others do, which changes the prompt
    before every cached prefix; with `user` they become text of the user message at their place, behind tool results,
    which have to come first. Not to `hoist` is for models that bind what they think to a prompt that stays.
    """
    if rules.system_role == "keep" or not any(role(message) == "system" for message in document.messages):
        return
    turns = [message for message in document.messages if role(message) != "system"]
    fields = {name for message in document.messages if role(message) == "system" for name in message}
    document.removed.update(f"messages.{EACH}.{name}" for name in fields - {"role", "content"})
    hoisted: list[Node] = []
    if turns and hoist and rules.system_role == "hoist":
        for message in document.messages:
            hoisted += _texts(message) if role(message) == "system" else []
        document.messages = turns
    else:
        hoisted, document.messages = _in_place(document.messages, hoist_first=bool(turns))
    if hoisted:
        document.put("system", [*_system_blocks(document.node("system")), *hoisted])
    document.note("system_role")


def _in_place(messages: list[Node], *, hoist_first: bool) -> tuple[list[Node], list[Node]]:
    """What goes to the system prompt, and the messages with the rest at its place."""
    hoisted: list[Node] = []
    result: list[Node] = []
    waiting: list[Node] = []
    for message in messages:
        if role(message) != "system":
            if waiting:
                message, before = _with_waiting(message, waiting)
                result += before
                waiting = []
            result.append(message)
        elif not result and hoist_first:
            hoisted += _texts(message)
        elif result and role(result[-1]) == "user":
            result[-1] = {**result[-1], "content": [*content_blocks(result[-1]), *_reminders(message)]}
        else:
            waiting += _reminders(message)
    if waiting:
        result.append({"role": "user", "content": waiting})
    return hoisted, result


def _with_waiting(message: Node, waiting: list[Node]) -> tuple[Node, list[Node]]:
    """The message after the waiting blocks with them inside it, or else a message of their own to come before it."""
    if role(message) != "user":
        return message, [{"role": "user", "content": waiting}]
    blocks = content_blocks(message)
    results = next((place for place, block in enumerate(blocks) if block_type(block) != "tool_result"), len(blocks))
    return {**message, "content": [*blocks[:results], *waiting, *blocks[results:]]}, []


def _texts(message: Object) -> list[Node]:
    found: list[Node] = []
    for block in content_blocks(message):
        if not isinstance(block, dict):
            continue  # no API takes it
        if block_type(block) == "text":
            found += [block] if text(block.get("text")) else []
        elif words := as_text(block):
            found.append(text_block(words, block))
    return found


def _reminders(message: Object) -> list[Node]:
    return [text_block(_REMINDER.format(text(block["text"])), block) for block in _texts(message)]


def _system_blocks(system: Node) -> list[Node]:
    if system is None:
        return []
    if is_list(system):
        return list(opened(system))
    return [{"type": "text", "text": system}] if text(system) else []
