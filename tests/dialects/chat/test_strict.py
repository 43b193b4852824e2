"""Schemas of structured outputs that OpenAI takes as strict (D2)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnout.dialects.chat.strict import is_strict

TITLE = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (TITLE, True),
        ({**TITLE, "additionalProperties": True}, False),
        ({name: value for name, value in TITLE.items() if name != "additionalProperties"}, False),
        ({**TITLE, "required": []}, False),
        ({"type": "object"}, False),
        ({"type": "object", "additionalProperties": False}, True),
        ({"type": "array", "items": TITLE}, True),
        ({"type": "array", "items": {"type": "object"}}, False),
        ({"anyOf": [TITLE, {"type": "null"}]}, True),
        ({"anyOf": [TITLE, {"type": "object"}]}, False),
        ({**TITLE, "properties": {"title": {"type": "object"}}}, False),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}}, False),
        ("no schema", True),
    ],
)
def test_what_is_strict(schema: Any, strict: bool) -> None:
    assert is_strict(json.dumps(schema).encode()) is strict


@pytest.mark.parametrize("broken", [b"{", b"[" * 5000])
def test_what_cannot_be_read(broken: bytes) -> None:
    assert not is_strict(broken)


@pytest.mark.parametrize("required", [{"a": 1}, [{}], 7, None])
def test_required_that_is_none(required: Any) -> None:
    assert not is_strict(json.dumps({**TITLE, "required": required}).encode())
