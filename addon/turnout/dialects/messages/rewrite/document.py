"""A Messages body on its way through the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from turnout.dialects.messages.rewrite.tree import (
    DROP,
    Edit,
    Node,
    Object,
    edited,
    is_list,
    opened,
    opened_elements,
    plain,
    values_at,
    with_value,
)
from turnout.wire.splice import replace_value


class Document:
    """The top-level fields of a body, opened as far as rules ask, and the names of the rules that changed something."""

    def __init__(self, fields: Mapping[str, msgspec.Raw]) -> None:
        self.rules: list[str] = []
        self.removed: set[str] = set()
        """Paths of which at least one value was removed."""
        self._before = fields
        self._fields: Object = dict(fields)
        self._messages: list[Node] | None = None
        self._as_sent: dict[int, tuple[Node, msgspec.Raw]] = {}
        """By identity of an opened message: the message, and its bytes."""

    def note(self, rule: str) -> None:
        if rule not in self.rules:
            self.rules.append(rule)

    # --- top-level fields ---

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def names(self) -> tuple[str, ...]:
        return tuple(self._fields)

    def node(self, name: str) -> Node:
        """The value of a top-level field as it stands; None when it is missing."""
        return self._fields.get(name)

    def value(self, name: str) -> Any:
        """The same as plain Python; for small fields."""
        return plain(self._fields.get(name))

    def table(self, name: str) -> dict[str, Any]:
        """The same, when it is an object; else an empty one."""
        value = self.value(name)
        return value if isinstance(value, dict) else {}

    def put(self, name: str, node: Node) -> None:
        self._fields[name] = node

    def remove(self, name: str) -> None:
        self._fields.pop(name, None)

    @property
    def left_out(self) -> frozenset[str]:
        """The top-level fields that the client sent and that are gone."""
        return frozenset(self._before.keys() - self._fields.keys())

    def differs(self, name: str) -> bool:
        """Whether a top-level field is another than the client sent, or gone; messages are not by being opened."""
        if (name in self._fields) != (name in self._before):
            return True
        node = self._fields.get(name)
        return node is not self._before.get(name) and not (name == "messages" and node is self._messages)

    # --- lists of blocks ---

    def blocks(self, name: str) -> list[Node] | None:
        """The elements of a top-level list (`system`, `tools`); None when it is none."""
        node = self._fields.get(name)
        found: list[Node] | None = opened(node) if node is not None and is_list(node) else None
        return found

    @property
    def messages(self) -> list[Node]:
        """The messages, opened to the members of their content blocks; empty when there is no such list."""
        node = self._fields.get("messages")
        if isinstance(node, list):
            return node
        if node is None or not is_list(node):
            return []
        self._messages = [self._opened_message(raw) for raw in opened(node)]
        self._fields["messages"] = self._messages
        return self._messages

    @messages.setter
    def messages(self, messages: list[Node]) -> None:
        current = self.messages
        if len(messages) != len(current) or any(a is not b for a, b in zip(messages, current, strict=True)):
            self._fields["messages"] = messages

    def _opened_message(self, raw: msgspec.Raw) -> Node:
        message = opened(raw)
        if isinstance(message, dict) and (content := message.get("content")) is not None and is_list(content):
            message["content"] = opened_elements(content)
        self._as_sent[id(message)] = (message, raw)
        return message

    # --- paths ---

    def edit(self, path: tuple[str, ...], edit: Edit) -> bool:
        """Edit every value at a path; whether anything changed."""
        name, rest = path[0], path[1:]
        if name not in self._fields:
            return False
        old = self.messages if name == "messages" and rest and is_list(self._fields[name]) else self._fields[name]
        new = edited(old, rest, edit)
        if new is old:
            return False
        if new is DROP:
            del self._fields[name]
        else:
            self._fields[name] = new
        return True

    def has(self, path: tuple[str, ...]) -> bool:
        name, rest = path[0], path[1:]
        if name not in self._fields:
            return False
        node = self.messages if name == "messages" and rest else self._fields[name]
        return next(values_at(node, rest), DROP) is not DROP

    def drop(self, path: tuple[str, ...]) -> bool:
        """Remove every value at a path; whether there was one."""
        found = self.edit(path, lambda _: DROP)
        if found:
            self.removed.add(".".join(path))
        return found

    def set(self, path: tuple[str, ...], value: Any) -> bool:
        name, rest = path[0], path[1:]
        if name == "messages" and rest:
            self.messages  # noqa: B018  opened to keep the bytes of those that do not change
        old = self._fields.get(name)
        new = with_value(old, rest, value)
        if new is old and (name in self._fields or rest):
            return False
        self._fields[name] = new
        return True

    # --- the result ---

    def encoded(self, body: bytes) -> bytes:
        """The body with what changed written anew and everything else byte for byte; the same object if nothing did."""
        changed = [name for name in self._fields if self.differs(name)]
        if self._fields.keys() == self._before.keys():
            if not changed:
                return body
            if len(changed) == 1:
                return replace_value(body, self._before, changed[0], self._encoded_field(changed[0]))
        fields = {
            name: msgspec.Raw(self._encoded_field(name)) if name in changed else self._before[name]
            for name in self._fields
        }
        return msgspec.json.encode(fields)

    def _encoded_field(self, name: str) -> bytes:
        node = self._fields[name]
        if name == "messages" and isinstance(node, list):
            node = [self._as_sent[id(message)][1] if id(message) in self._as_sent else message for message in node]
        return msgspec.json.encode(node)
