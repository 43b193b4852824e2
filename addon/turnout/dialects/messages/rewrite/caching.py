"""Cache breakpoints: what a provider knows of them, and some for clients that set none.

Rules of Anthropic: https://docs.claude.com/en/docs/build-with-claude/prompt-caching.
"""

from __future__ import annotations

from functools import partial

from turnout.dialects.messages.rewrite.conversation import block_type, content_blocks, role
from turnout.dialects.messages.rewrite.document import Document
from turnout.dialects.messages.rewrite.tree import DROP, Node, opened, plain
from turnout.dialects.messages.signatures import THINKING_BLOCKS
from turnout.settings.rewriting import MARKED, Pair, Rewrite, parse_path

_MARKED = tuple(parse_path(f"{place}.cache_control") for place in MARKED)

_BREAKPOINT = {"type": "ephemeral"}
MARKED_MESSAGES = 2
"""User messages that get a breakpoint: the newest writes, the one before is read (E6)."""


def fit_markers(document: Document, rules: Rewrite, unpaired: tuple[Pair, ...]) -> None:
    """Keep of each marker what the provider knows; with nothing known the markers go."""
    known = None if rules.cache_fields is None else frozenset(rules.cache_fields)
    refused = frozenset(key for pair in unpaired for key in pair.cache_fields) - (known or frozenset())
    if known is None and not refused:
        return
    for marker in _MARKED:
        lost: set[str] = set()
        if document.edit(marker, partial(_fitted, known=known, refused=refused, lost=lost)):
            document.note("cache_control")
            document.removed.update(f"cache_control.{name}" for name in lost)


def _fitted(marker: Node, known: frozenset[str] | None, refused: frozenset[str], lost: set[str]) -> Node:
    members = opened(marker)
    if not isinstance(members, dict):
        return DROP
    unknown = members.keys() & refused if known is None else members.keys() - known
    lost |= unknown
    return {name: value for name, value in members.items() if name not in unknown} or DROP if unknown else marker


def set_breakpoints(document: Document, rules: Rewrite) -> None:
    """Breakpoints on the system prompt and the last two user messages, for a body that has none at all (E6)."""
    if not rules.auto_cache or rules.cache_fields == () or any(document.has(path) for path in _MARKED):
        return
    if "cache_control" in document and "cache_control" not in rules.drop:
        return
    system = document.node("system")
    if system is not None and (blocks := content_blocks({"content": system})):
        document.put("system", _marked(blocks))
        document.note("auto_cache")
    messages = list(document.messages)
    users = [place for place, message in enumerate(messages) if role(message) == "user"]
    for place in users[-MARKED_MESSAGES:]:
        blocks = content_blocks(messages[place])
        if blocks and block_type(blocks[-1]) not in THINKING_BLOCKS:  # they take no marker
            messages[place] = {**messages[place], "content": _marked(blocks)}
            document.note("auto_cache")
    document.messages = messages


def _marked(blocks: list[Node]) -> list[Node]:
    last = opened(blocks[-1])
    if not isinstance(last, dict) or (block_type(last) == "text" and not plain(last.get("text"))):
        return blocks
    return [*blocks[:-1], {**last, "cache_control": _BREAKPOINT}]
