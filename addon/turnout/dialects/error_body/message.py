"""What is wrong, in the words of an error that has no message where errors have theirs."""

from __future__ import annotations

from typing import Any

from turnout.dialects.error_body.keys import DEEPEST, ENVELOPES


def messages_in(value: Any, depth: int = DEEPEST) -> str:
    """The message of decoded JSON, "" where there is none; entries of a list are joined, each behind its path."""
    if isinstance(value, str):
        return value.strip()
    if not depth:
        return ""
    if isinstance(value, list):
        return "; ".join(dict.fromkeys(text for item in value if (text := messages_in(item, depth - 1))))
    if not isinstance(value, dict):
        return ""
    told = (messages_in(value.get(name), depth - 1) for name in ENVELOPES)
    text = next(filter(None, told), "")
    place = value.get("loc")
    path = ".".join(str(step) for step in place if step != "body") if isinstance(place, list) else ""
    return f"{path}: {text}" if path and text else text
