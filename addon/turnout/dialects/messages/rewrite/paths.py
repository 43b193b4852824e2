"""Rules on single fields: drop, rename, map, clamp, set."""

from __future__ import annotations

from functools import partial
from typing import Any

from turnout.dialects.messages.rewrite.document import Document
from turnout.dialects.messages.rewrite.tree import Node, Object, opened, plain
from turnout.settings.rewriting import Rewrite, parse_path


def apply_paths(document: Document, rules: Rewrite) -> None:
    """In this order: drop, rename, map, clamp, set. Only what is there is changed; `set` may add."""
    for path in rules.drop:
        if document.drop(parse_path(path)):
            document.note(f"drop {path}")
    for path, name in rules.rename.items():
        if _rename(document, parse_path(path), name):
            document.note(f"rename {path}")
    for path, values in rules.map.items():
        if document.edit(parse_path(path), partial(_mapped, values=values)):
            document.note(f"map {path}")
    for path, bounds in rules.clamp.items():
        if document.edit(parse_path(path), partial(_clamped, bounds=bounds)):
            document.note(f"clamp {path}")
    for path, value in rules.set.items():
        if document.set(parse_path(path), value):
            document.note(f"set {path}")


def _rename(document: Document, path: tuple[str, ...], name: str) -> bool:
    old = path[-1]
    if len(path) == 1:
        if old not in document or name in document:
            return False
        document.put(name, document.node(old))
        document.remove(old)
        return True
    return document.edit(path[:-1], lambda node: _renamed(node, old, name))


def _renamed(node: Node, old: str, new: str) -> Node:
    container = opened(node)
    if not isinstance(container, dict) or old not in container or new in container:
        return node
    renamed: Object = {new if key == old else key: value for key, value in container.items()}
    return renamed


def _mapped(node: Node, values: dict[str, Any]) -> Node:
    value = plain(node)
    return values[value] if isinstance(value, str) and value in values else node


def _clamped(node: Node, bounds: tuple[float, float]) -> Node:
    value = plain(node)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return node
    low, high = bounds
    if low <= value <= high:
        return node
    bound = low if value < low else high
    return int(bound) if isinstance(value, int) and bound == int(bound) else bound
