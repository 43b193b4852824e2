"""Thoughts of before that a model wants to have given back, and a conversation in which some are missing.

Where another provider has answered, its thoughts are not sent on. A model that insists on them cannot think on: it is
told not to, and thinks again as soon as no such answer is left in the conversation.
"""

from __future__ import annotations

from turnout.dialects.messages.rewrite.conversation import block_type, content_blocks, role
from turnout.dialects.messages.rewrite.document import Document
from turnout.dialects.messages.rewrite.subject import Subject
from turnout.dialects.messages.rewrite.tree import Node, Object
from turnout.dialects.messages.signatures import THINKING_BLOCKS
from turnout.settings.rewriting import Rewrite

STAND_IN = "(What was thought here was not kept.)"
"""Some servers take a thought without words for none at all."""


def fit_thoughts(document: Document, rules: Rewrite, subject: Subject) -> None:
    """Where thoughts are missing that have to be there, turn thinking off, or put others in their place."""
    if rules.whole_answers == "without_thinking" and document.value("stream") is not True:
        turn_off(document, rules, subject)
    if rules.thoughts == "optional" or not lacks_thoughts(document.messages, rules):
        return
    if rules.thoughts == "filled" or not turn_off(document, rules, subject):
        document.messages = [_filled(message, rules) for message in document.messages]
        document.note("thoughts")


def can_be_off(document: Document, rules: Rewrite) -> bool:
    """Whether the model takes `disabled`, or is asked for nothing at all that could be turned off."""
    return rules.thinking.get("disabled", "keep") in ("keep", "disabled") and "thinking" not in rules.drop


def turn_off(document: Document, rules: Rewrite, subject: Subject) -> bool:
    """Have the model not think in this request; False when it cannot be told so.

    Elsewhere than at Anthropic, no thinking means that it thinks by its own default (DeepSeek), and an effort asks for
    thinking as well.
    """
    if not can_be_off(document, rules):
        return False
    before = document.table("thinking").get("type")
    if before != "disabled":
        document.put("thinking", {"type": "disabled"})
        document.note(f"thinking {before or 'by default'}→disabled")
    if subject.signs_as != "anthropic" and document.drop(("output_config", "effort")):
        document.note("drop output_config.effort")
    return True


def lacks_thoughts(messages: list[Node], rules: Rewrite) -> bool:
    """Whether a thought is missing that these rules ask for."""
    if rules.thoughts == "in_turn":
        return turn_began_without_thought(messages)
    return any(_lacks_one(message, rules) for message in messages)


def _lacks_one(message: Node, rules: Rewrite) -> bool:
    if role(message) != "assistant":
        return False
    types = {*map(block_type, content_blocks(message))}
    wanted = rules.thoughts in ("always", "filled") or "tool_use" in types
    return bool(types) and wanted and types.isdisjoint(THINKING_BLOCKS)


def _filled(message: Node, rules: Rewrite) -> Node:
    if not _lacks_one(message, rules):
        return message
    thought: Object = {"type": "thinking", "thinking": STAND_IN, "signature": ""}
    return {**message, "content": [thought, *content_blocks(message)]}


def turn_began_without_thought(messages: list[Node]) -> bool:
    """The turn that tool results continue has no thinking at its start.

    Anthropic then refuses thinking on a budget: "When `thinking` is enabled, a final `assistant` message must start
    with a thinking block", and recommends to disable it (https://docs.claude.com/en/docs/build-with-claude/
    extended-thinking#preserving-thinking-blocks).
    """
    began: Node = None
    for message in messages:
        if role(message) == "assistant":
            began = began or message
        elif role(message) == "user" and "tool_result" not in map(block_type, content_blocks(message)):
            began = None
    return began is not None and block_type(next(iter(content_blocks(began)), None)) not in THINKING_BLOCKS
