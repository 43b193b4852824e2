"""A body for people: a line for each field, none wider than a screen."""

from __future__ import annotations

import json

from turnout.status.outline import WIDTH, outline


def test_small_values_as_they_are_and_of_large_ones_how_large_they_are() -> None:
    message = {"role": "user", "content": "hi"}
    body = {
        "model": "m",
        "stop": ["a"],
        "instructions": "word " * 100,
        "response_format": {"type": "json_schema", "json_schema": {"schema": {"description": "x" * 2000}}},
        "messages": [message] * 300,
    }
    lines = list(outline(json.dumps(body, separators=(",", ":")).encode()))
    assert lines == [
        '  model: "m"',
        '  stop: ["a"]',
        '  instructions: "word word word word word word word word word word … (502 bytes)',
        '  response_format: {"type":"json_schema","json_schema":{"schema":{"de … (2.1 kB)',
        "  messages: 300 (9.3 kB)",
    ]
    assert max(map(len, lines)) <= WIDTH


def test_as_much_as_fits_is_shown() -> None:
    room = WIDTH - len("  a: ")
    fits, too_long = "x" * (room - 2), "x" * (room - 1)
    assert list(outline(json.dumps({"a": fits}).encode())) == [f'  a: "{fits}"']
    assert "…" in next(outline(json.dumps({"a": too_long}).encode()))


def test_what_is_no_object_has_no_lines() -> None:
    assert list(outline(b"[1]")) == []
