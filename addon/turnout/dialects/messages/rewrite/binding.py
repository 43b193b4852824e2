"""Thinking that is bound to what came before it: the model, the account, and every word of the conversation.

The models of the generation 5.5 check it (https://docs.claude.com/en/docs/build-with-claude/extended-thinking): a block
whose conversation has been changed since is refused. So a block goes back only where it was made, by the same account
and by the same rules of rewriting; and where rules do change a conversation, blocks that nobody remembers are given up
by the server, and not refused.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from turnout.dialects.messages.rewrite.betas import header_for, overlap
from turnout.dialects.messages.rewrite.conversation import block_type, content_blocks, role
from turnout.dialects.messages.rewrite.document import Document
from turnout.dialects.messages.rewrite.subject import Subject
from turnout.dialects.messages.signatures import THINKING_BLOCKS
from turnout.settings.claude import claude
from turnout.settings.rewriting import Rewrite, pairs

_PREFIX = ("system", "tools", "messages")
_NOT_OF_PREFIX = {
    "profile", "learn", "models", "thinking", "thinking_budget", "least_thinking_budget", "max_tokens", "whole_answers",
    "tool_choice", "fields", "cache_fields", "cache_markers", "auto_cache", "keep_betas", "drop_betas", "drop", "set",
    "rename", "clamp", "map",
}  # fmt: skip
"""Rules that leave the conversation alone, cache markers included, or that are looked at path by path."""
_DROP_BLOCK = {"prefix_mismatch_behavior": "drop_block"}


def is_bound(model: str) -> bool:
    """Whether this model binds what it thinks to the conversation."""
    known = claude(model)
    return known is not None and known.binds


def shape_of(rules: Rewrite) -> str:
    """A short name for what these rules do to a conversation; empty when that is nothing."""
    found: dict[str, Any] = rules.model_dump(exclude_defaults=True, exclude=_NOT_OF_PREFIX)
    paths = {name: _of_prefix(getattr(rules, name)) for name in ("drop", "set", "rename", "clamp", "map")}
    found |= {name: value for name, value in paths.items() if value}
    if refused := [pair.fields for pair in pairs() if _of_prefix(pair.fields) and _is_refused(pair.betas, rules)]:
        found["betas"] = refused
    return hashlib.sha256(msgspec.json.encode(found, order="sorted")).hexdigest()[:8] if found else ""


def _of_prefix(paths: Any) -> Any:
    """Of a list of paths, or a table by path, what touches the conversation. Cache markers are not compared."""
    kept = [path for path in paths if path.startswith(_PREFIX) and "cache_control" not in path]
    return {path: paths[path] for path in kept} if isinstance(paths, dict) else kept


def _is_refused(betas: tuple[str, ...], rules: Rewrite) -> bool:
    return overlap(rules.drop_betas, betas) or (rules.keep_betas is not None and not overlap(rules.keep_betas, betas))


def give_up_changed(document: Document, subject: Subject) -> tuple[str, ...]:
    """Where rules have changed the conversation, ask for thinking that does not fit any more to be dropped.

    The betas this needs; `fit_betas` takes both back where they are not known.
    """
    thinking = document.table("thinking")
    if (
        thinking.get("type") not in ("adaptive", "enabled")
        or "block_binding" in thinking
        or not is_bound(subject.model)
    ):
        return ()
    if not any(map(document.differs, _PREFIX)) or not _holds_thinking(document):
        return ()
    document.put("thinking", {**thinking, "block_binding": _DROP_BLOCK})
    document.note("thinking.block_binding")
    return header_for("thinking.block_binding")


def _holds_thinking(document: Document) -> bool:
    answers = (message for message in document.messages if role(message) == "assistant")
    return any(block_type(block) in THINKING_BLOCKS for message in answers for block in content_blocks(message))
