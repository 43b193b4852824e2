"""What an answer comes to, apart from how it was cut into chunks, and in what two answers differ."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from turnout.dialects.chat.recognised import as_messages
from turnout.dialects.messages.assembled import Assembled, assembled
from turnout.dialects.messages.reply import is_count
from turnout.errors import STATUS_OF_TYPE
from turnout.health.verdict import Outcome, judge
from turnout.wire.splice import json_object

CONTEXT = 24
"""Characters shown on either side of where two texts part."""

BROKEN = "breaks off or is none of the API"

_LAST_WORDS = re.compile(r"[\w.-]+: ")
"""How the message begins with which Turnout ends a stream that broke off: the name of the provider."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One tool that the model asks for."""

    name: str
    input: Any
    """The JSON value; text where it was cut short."""


@dataclass(frozen=True, slots=True)
class Substance:
    """What is compared of an answer. Names that a provider gives itself (its model, ids) are not in it."""

    status: int
    complete: bool
    """The answer came to its proper end: message_stop, or a whole JSON body."""
    events: tuple[str, ...] = ()
    """Types of the events without pings, the deltas of a block as one; () for an answer that is no stream."""
    text: str = ""
    """All text blocks, with an empty line between two."""
    thinking: str = ""
    tools: tuple[ToolCall, ...] = ()
    stop_reason: str | None = None
    usage: Mapping[str, int] = field(default_factory=dict)
    """Token counts that are not 0, those of nested objects as `cache_creation.…`."""
    error: str = ""
    """Type of the error, empty when there is none; of one that a provider tells in a stream in words of its own, the
    type in which its client is told."""
    error_message: str = ""
    """The provider's own words about it; never compared."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which a new answer is not like the recorded one."""

    name: str
    """`answer`, `status`, `complete`, `events`, `text`, `thinking`, `tools`, `stop_reason`, `usage` or `error`."""
    explanation: str


def substance(status: int, content_type: str, body: bytes) -> Substance:
    """What this answer comes to. `body` is without content coding, of whichever API. Never raises."""
    found = assembled(as_messages(body), content_type)
    if found is None:
        # Not a message: /v1/messages/count_tokens answers with nothing but numbers.
        value = json_object(body)
        return Substance(status, value is not None, usage=_counts(value or {}))
    blocks = _blocks(found)
    error = found.error or {}
    stop_reason = found.message.get("stop_reason")
    return Substance(
        status,
        found.complete or (found.error is not None and not found.events),
        _normalised(found.events),
        _joined(blocks, "text"),
        _joined(blocks, "thinking"),
        tuple(_tool_call(block) for block in blocks if str(block.get("type", "")).endswith("tool_use")),
        stop_reason if isinstance(stop_reason, str) else None,
        _counts(found.message.get("usage")),
        "" if found.error is None else _error_type(error, streamed=bool(found.events)),
        str(error.get("message") or ""),
    )


def differences(recorded: Substance, now: Substance) -> tuple[Difference, ...]:
    """In what the new answer differs, in words; the status alone when success has become failure or the reverse."""
    if recorded.status // 100 != now.status // 100:
        return (_status(recorded, now),)
    if not recorded.complete and not now.complete:
        # A recording holds what the provider sent; the client of a Turnout is told in an event that it broke off.
        recorded, now = _without_last_words(recorded), _without_last_words(now)
    found: list[Difference] = []
    if recorded.status != now.status:
        found.append(_status(recorded, now))
    if recorded.complete != now.complete:
        found.append(_completeness(recorded, now))
    if recorded.error != now.error:
        found.append(Difference("error", f"recorded {_error(recorded)}, now {_error(now)}"))
    if recorded.events != now.events:
        found.append(Difference("events", _of_events(recorded.events, now.events)))
    for name, before, after in (
        ("text", recorded.text, now.text),
        ("thinking", recorded.thinking, now.thinking),
    ):
        if before != after:
            found.append(Difference(name, _of_texts(before, after)))
    if recorded.tools != now.tools:
        found.append(Difference("tools", _of_tools(recorded.tools, now.tools)))
    if recorded.stop_reason != now.stop_reason:
        reasons = f"recorded {recorded.stop_reason or 'none'}, now {now.stop_reason or 'none'}"
        found.append(Difference("stop_reason", readable(reasons)))
    if recorded.usage != now.usage:
        found.append(Difference("usage", _of_usage(recorded.usage, now.usage)))
    return tuple(found)


def faults(recorded: Substance | None, now: Substance) -> tuple[Difference, ...]:
    """What is wrong with the new answer where the words may differ: another class of status, or no proper end.

    `recorded` is None where the client got no answer then: any success will do.
    """
    if recorded is None:
        if now.status >= 400:
            return (Difference("status", f"no answer was recorded, now {now.status}{_because(now)}"),)
        return () if now.complete else (Difference("complete", f"the answer {BROKEN}"),)
    if recorded.status // 100 != now.status // 100:
        return (_status(recorded, now),)
    return (_completeness(recorded, now),) if recorded.complete and not now.complete else ()


def readable(text: str) -> str:
    """Foreign text for a terminal: what cannot be printed as an escape."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


# --- an answer ---


def _blocks(found: Assembled) -> list[dict[str, Any]]:
    content = found.message.get("content")
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _error_type(error: Mapping[str, Any], *, streamed: bool) -> str:
    told = str(error.get("type") or "error")
    if not streamed or told in STATUS_OF_TYPE:
        return told
    said = json.dumps({"error": error}).encode()
    return judge(Outcome(status=200, body=said), now=0).error_type


def _normalised(events: Sequence[str]) -> tuple[str, ...]:
    kept: list[str] = []
    for name, run in groupby(event for event in events if event != "ping"):
        kept += [name] if name.endswith("_delta") else list(run)
    return tuple(kept)


def _joined(blocks: Sequence[Mapping[str, Any]], kind: str) -> str:
    texts = [block.get(kind) for block in blocks if block.get("type") == kind]
    return "\n\n".join(text for text in texts if isinstance(text, str))


def _tool_call(block: Mapping[str, Any]) -> ToolCall:
    return ToolCall(str(block.get("name") or ""), block.get("partial_input", block.get("input")))


def _counts(usage: object, lead: str = "") -> dict[str, int]:
    counts: dict[str, int] = {}
    for name, value in usage.items() if isinstance(usage, Mapping) else ():
        if isinstance(value, Mapping) and not lead:
            counts |= _counts(value, f"{name}.")
        elif is_count(value) and value:
            counts[lead + str(name)] = value
    return counts


def _without_last_words(found: Substance) -> Substance:
    told = found.events[-1:] == ("error",) and found.error == "api_error" and _LAST_WORDS.match(found.error_message)
    return replace(found, events=found.events[:-1], error="", error_message="") if told else found


# --- in words ---


def _status(recorded: Substance, now: Substance) -> Difference:
    return Difference("status", f"recorded {recorded.status}, now {now.status}{_because(now)}")


def _because(now: Substance) -> str:
    return f" ({_error(now)}: {_shortened(now.error_message)})" if now.error else ""


def _error(found: Substance) -> str:
    return _shortened(found.error) or "no error"


def _completeness(recorded: Substance, now: Substance) -> Difference:
    if recorded.complete:
        return Difference("complete", f"the recorded answer is whole, the new one {BROKEN}{_because(now)}")
    return Difference("complete", f"the recorded answer {BROKEN}, the new one is whole")


def _of_events(recorded: Sequence[str], now: Sequence[str]) -> str:
    if not recorded or not now:
        kinds = ["a stream" if events else "no stream" for events in (recorded, now)]
        return f"recorded {kinds[0]}, now {kinds[1]}"
    place = _parting(recorded, now)
    before, after = (_shortened(events[place]) if place < len(events) else "the end" for events in (recorded, now))
    return f"event {place + 1}: recorded {before}, now {after} ({len(recorded)} and {len(now)} events)"


def _of_texts(recorded: str, now: str) -> str:
    if not recorded or not now:
        return f"recorded {_length(recorded)}, now {_length(now)}"
    place = _parting(recorded, now)
    before, after = (_excerpt(text, place) for text in (recorded, now))
    return f"recorded {before}, now {after} (at character {place + 1}; {_length(recorded)} and {len(now)})"


def _of_tools(recorded: Sequence[ToolCall], now: Sequence[ToolCall]) -> str:
    names = [[_shortened(call.name) for call in calls] for calls in (recorded, now)]
    if names[0] != names[1]:
        before, after = (", ".join(called) or "none" for called in names)
        return f"recorded {before}; now {after}"
    number = _parting(recorded, now)
    texts = [json.dumps(calls[number].input, ensure_ascii=False, sort_keys=True) for calls in (recorded, now)]
    return f"input of {names[0][number]} (call {number + 1}): {_of_texts(*texts)}"


def _of_usage(recorded: Mapping[str, int], now: Mapping[str, int]) -> str:
    names = [name for name in {**recorded, **now} if recorded.get(name, 0) != now.get(name, 0)]
    return ", ".join(f"{_shortened(name)} {recorded.get(name, 0)} → {now.get(name, 0)}" for name in names)


def _parting(first: Sequence[Any], second: Sequence[Any]) -> int:
    """Where the two part; the length of the shorter one when it begins the other."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(first), len(second)))


def _excerpt(text: str, place: int) -> str:
    start, end = max(0, place - CONTEXT), place + CONTEXT
    lead, rest = "…" if start else "", "…" if end < len(text) else ""
    return f'"{lead}{readable(text[start:end])}{rest}"'


def _length(text: str) -> str:
    return f"{len(text)} characters" if text else "none"


def _shortened(text: str) -> str:
    text = readable(text)
    return text if len(text) <= 160 else f"{text[:159]}…"
