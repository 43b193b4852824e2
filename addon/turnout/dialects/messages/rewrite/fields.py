"""What a provider is known to take of a body, its messages and blocks: what nobody has described is left out."""

from __future__ import annotations

from functools import lru_cache
from operator import is_

from turnout.dialects.messages.rewrite.betas import taken_fields
from turnout.dialects.messages.rewrite.conversation import block_type, role
from turnout.dialects.messages.rewrite.document import Document
from turnout.dialects.messages.rewrite.tree import Node, Object, opened
from turnout.settings.rewriting import EACH, Rewrite, parse_path

_MARKER = "cache_control"
"""Has rules of its own."""


def fit_fields(document: Document, betas: tuple[str, ...], rules: Rewrite) -> None:
    """Fields of the body, and members of those of its objects of which single members are named."""
    if rules.fields is None:
        return
    named = {*rules.fields, *taken_fields(betas, rules), *rules.rename, *rules.map, *rules.set}
    known: dict[str, set[str]] = {}
    for path in named:
        top, *below = parse_path(path)
        known.setdefault(top, set()).update(below[:1])
    for name in document.names():
        members = known.get(name)
        if members is None:
            document.drop((name,))
            document.note(f"drop {name}")
        elif members and EACH not in members and name not in named:
            for member in document.table(name).keys() - members:
                document.drop((name, member))
                document.note(f"drop {name}.{member}")


def fit_message_fields(document: Document, betas: tuple[str, ...], rules: Rewrite) -> None:
    """Fields of messages beside role and content, such as the effort that a system entry asks for."""
    if rules.message_fields is None:
        return
    taken = (parse_path(path) for path in taken_fields(betas, rules))
    known = {*rules.message_fields, *(path[2] for path in taken if path[:2] == ("messages", EACH))}
    fitted: list[Node] = []
    for message in document.messages:
        unknown = message.keys() - known if isinstance(message, dict) else ()
        for name in unknown:
            document.removed.add(f"messages.{EACH}.{name}")
        fitted.append({key: message[key] for key in message if key in known} if unknown else message)
    if not all(map(is_, fitted, document.messages)):
        document.messages = fitted
        document.note("message_fields")


def drop_empty_entries(document: Document) -> None:
    """System entries that said nothing but what a rule has removed from them: an empty one is refused."""
    if not any(path.startswith(f"messages.{EACH}.") for path in document.removed):
        return
    document.messages = [
        message
        for message in document.messages
        if role(message) != "system" or message.keys() > {"role", "content"} or not _is_empty(message)
    ]


def _is_empty(message: Object) -> bool:
    content = opened(message.get("content"))
    return content is None or content in ("", [])


def known_of_block(block: Object, rules: Rewrite) -> Object:
    """The block with the fields that the provider takes of its type; the same object when it has no others."""
    if rules.block_fields is None:
        return block
    known = _by_type(rules.block_fields).get(block_type(block))
    if known is None or block.keys() <= known:
        return block
    return {name: value for name, value in block.items() if name in known}


def fit_system_fields(document: Document, rules: Rewrite) -> None:
    """Fields of the blocks of the system prompt."""
    blocks = document.blocks("system") if rules.block_fields is not None else None
    if not blocks:
        return
    fitted: list[Node] = []
    for raw in blocks:
        block = opened(raw)
        known = known_of_block(block, rules) if isinstance(block, dict) else raw
        fitted.append(raw if known is block else known)
    if not all(map(is_, fitted, blocks)):
        document.put("system", fitted)
        document.note("block_fields")


@lru_cache(maxsize=64)
def _by_type(fields: tuple[str, ...]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for field in fields:
        kind, _, name = field.partition(".")
        found.setdefault(kind, {"type", _MARKER}).add(name)
    return {kind: frozenset(names) for kind, names in found.items()}
