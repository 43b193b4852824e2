"""Names and schemas of tools, where a provider takes them only so long and so flat."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from turnout.dialects.messages.rewrite.conversation import block_type, role, with_blocks
from turnout.dialects.messages.rewrite.document import Document
from turnout.dialects.messages.rewrite.tree import Node, Object, opened, plain, text
from turnout.settings.rewriting import Rewrite

_MARK = 8
"""Digits that keep names apart which begin alike."""
_BRANCHES = ("allOf", "anyOf", "oneOf")


def shorten_names(document: Document, rules: Rewrite) -> dict[str, str]:
    """Long names of tools, in the tools, the choice and the conversation, become shorter ones.

    Returns which name stands for which, for the answer. A name alone decides what becomes of it, so that it is the
    same in every request.
    """
    most = rules.tool_name_length
    if most is None:
        return {}
    renamed: dict[str, str] = {}

    def short(node: Node) -> Node:
        name = text(node)
        made = short_name(name, most)
        if made == name:
            return node
        renamed[made] = name
        return made

    def edit(block: Object) -> list[Node]:
        old = block.get("name") if block_type(block) == "tool_use" else None
        new = short(old)
        return [block if new is old else {**block, "name": new}]

    document.edit(("tools", "*", "name"), short)
    document.edit(("tool_choice", "name"), short)
    document.messages = [
        with_blocks(message, edit) if role(message) == "assistant" else message for message in document.messages
    ]
    if renamed:
        document.note("tool_names")
    return renamed


def short_name(name: str, most: int | None) -> str:
    """The name of a tool with at most `most` characters, the same one for the same name."""
    if most is None or len(name) <= most:
        return name
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_MARK]
    return f"{name[: most - _MARK - 1]}_{mark}"


def flatten_schemas(document: Document, rules: Rewrite) -> None:
    """Alternatives at the top of a schema become one object, with all of their properties.

    What every alternative requires stays required. The model is shown the same fields, and the client checks what it
    gets, as it always did.
    """
    if rules.flat_schemas and document.edit(("tools", "*", "input_schema"), _flat):
        document.note("input_schema")


def _flat(node: Node) -> Node:
    schema = opened(node)
    if not isinstance(schema, dict) or schema.keys().isdisjoint(_BRANCHES):
        return node
    whole: dict[str, Any] = plain(schema)
    flat = {name: value for name, value in whole.items() if name not in _BRANCHES}
    properties = dict(_table(whole.get("properties")))
    required = list(dict.fromkeys(_names(whole.get("required"))))
    for kind in _BRANCHES:
        listed = whole.get(kind)
        branches = [_resolved(each, whole) for each in (listed if isinstance(listed, list) else []) if _table(each)]
        for branch in branches:
            properties = {**_table(branch.get("properties")), **properties}
        needs = [_names(branch.get("required")) for branch in branches]
        common = [name for name in sum(needs, []) if kind == "allOf" or all(name in each for each in needs)]
        required += [name for name in dict.fromkeys(common) if name not in required]
    flat |= {"type": "object", "properties": properties}
    return {**flat, "required": required} if required else flat


def _resolved(branch: dict[str, Any], whole: Mapping[str, Any]) -> dict[str, Any]:
    """What a branch refers to among the schema's own definitions."""
    _, _, path = str(branch.get("$ref", "")).partition("#/")
    found: Any = whole if path else branch
    for step in path.split("/") if path else ():
        found = _table(found).get(step)
    return found if isinstance(found, dict) else branch


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _names(value: Any) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []
