"""Schemas that OpenAI takes as strict. Anthropic's structured outputs ask for less.

"additionalProperties must be set to false in each object", and "all fields must be required": anything else is refused
(https://platform.openai.com/docs/guides/structured-outputs, "Supported schemas").
"""

from __future__ import annotations

from typing import Any

import msgspec

from turnout.wire.splice import UNREADABLE

_WITHIN = ("items", "anyOf")
_TABLES = ("properties", "$defs", "definitions")


def is_strict(schema: bytes) -> bool:
    """Whether a schema, in JSON, may be called strict."""
    try:
        return _is_strict(msgspec.json.decode(schema))
    except (*UNREADABLE, TypeError):  # `required` may hold anything
        return False


def _is_strict(node: Any) -> bool:
    if isinstance(node, list):
        return all(map(_is_strict, node))
    if not isinstance(node, dict):
        return True
    if node.get("type") == "object" or "properties" in node:
        properties, required = node.get("properties", {}), node.get("required", [])
        if node.get("additionalProperties") is not False or set(properties) != set(required):
            return False
    inner = [node[name] for name in _WITHIN if name in node]
    inner += [list(node[name].values()) for name in _TABLES if isinstance(node.get(name), dict)]
    return all(map(_is_strict, inner))
