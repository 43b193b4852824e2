"""JSON that is opened only where somebody looks: containers whose members may still be undecoded bytes.

A node is a `msgspec.Raw`, a dict or list of nodes, or a plain value. Nodes are never changed in place: an edit gives
back a new one, or the very same object when there was nothing to do. What nobody opened is written as it came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import is_
from typing import Any

import msgspec

from turnout.settings.rewriting import EACH

Node = Any
Object = dict[str, Node]
Edit = Callable[[Node], Node]


class _Drop:
    """The type of DROP."""


DROP = _Drop()
"""What an edit gives back for a value that is to go."""

_ONE_LEVEL = msgspec.json.Decoder(dict[str, msgspec.Raw] | list[msgspec.Raw] | str | float | int | bool | None)
_OBJECTS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_STRING = msgspec.json.Decoder(str)
_BRACKET = ord("[")


def opened(node: Node) -> Node:
    """The node with one level decoded: the members of a container stay Raw. Raises what msgspec does for bad JSON."""
    return _ONE_LEVEL.decode(node) if isinstance(node, msgspec.Raw) else node


def opened_elements(node: Node) -> list[Node]:
    """The elements of a list, opened too."""
    if isinstance(node, msgspec.Raw):
        try:
            return _OBJECTS.decode(node)  # nearly always all are objects, and this reads them only once
        except msgspec.ValidationError:
            pass
    return [opened(element) for element in opened(node)]


def plain(node: Node) -> Any:
    """The node as Python values, all of it."""
    if isinstance(node, msgspec.Raw):
        return msgspec.json.decode(node)
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items()}
    return [plain(value) for value in node] if isinstance(node, list) else node


def is_list(node: Node) -> bool:
    """Without decoding it."""
    return memoryview(node)[0] == _BRACKET if isinstance(node, msgspec.Raw) else isinstance(node, list)


def text(node: Node) -> str:
    """The text of a string node; empty for anything else."""
    if isinstance(node, msgspec.Raw):
        try:
            return _STRING.decode(node)
        except msgspec.ValidationError:
            return ""
    return node if isinstance(node, str) else ""


def edited(node: Node, path: tuple[str, ...], edit: Edit) -> Node:
    """The node with every value at `path` replaced by what `edit` makes of it.

    A key goes when its value becomes DROP, and so does an object that is left without keys, unless it stands in a list.
    """
    if not path:
        return edit(node)
    step, rest = path[0], path[1:]
    if step == EACH:
        return _edited_elements(node, rest, edit) if is_list(node) else node
    container = opened(node)
    if not isinstance(container, dict) or step not in container:
        return node
    old = container[step]
    new = edited(old, rest, edit)
    if new is old:
        return node
    changed = {key: new if key == step else value for key, value in container.items()}
    if new is DROP:
        del changed[step]
        return changed or DROP
    return changed


def _edited_elements(node: Node, path: tuple[str, ...], edit: Edit) -> Node:
    elements = opened(node)
    results = [
        element if path and isinstance(element, dict) and path[0] not in element else edited(element, path, edit)
        for element in elements
    ]
    if all(map(is_, results, elements)):
        return node
    if path:  # only an element that is itself the target of an edit may go
        results = [{} if result is DROP else result for result in results]
    return [result for result in results if result is not DROP]


def with_value(node: Node, path: tuple[str, ...], value: Any) -> Node:
    """The node with `value` set at `path`; objects on the way are made when they are missing, lists are not."""
    if not path:
        return node if _same(node, value) else value
    step, rest = path[0], path[1:]
    if step == EACH:
        return edited(node, (EACH,), lambda element: with_value(element, rest, value))
    container = {} if node is None else opened(node)
    if not isinstance(container, dict):
        return node
    old = container.get(step)
    if step not in container and EACH in rest:
        return node
    new = with_value(old, rest, value)
    return node if new is old and step in container else {**container, step: new}


def _same(node: Node, value: Any) -> bool:
    known = plain(node)
    return type(known) is type(value) and bool(known == value)


def values_at(node: Node, path: tuple[str, ...]) -> Iterator[Node]:
    """Every value at `path`."""
    if not path:
        yield node
        return
    step, rest = path[0], path[1:]
    if step == EACH:
        for element in opened(node) if is_list(node) else ():
            yield from values_at(element, rest)
        return
    container = opened(node)
    if isinstance(container, dict) and step in container:
        yield from values_at(container[step], rest)
