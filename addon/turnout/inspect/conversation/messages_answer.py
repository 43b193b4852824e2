"""An answer of the Messages API: what was said, how it ended and what it cost; a stream is read as one message."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from turnout.dialects.messages.assembled import Assembled, assembled
from turnout.inspect.conversation.blocks import block_text
from turnout.inspect.conversation.layout import counted, indented, joined, pretty, rows, rule, size, words
from turnout.inspect.conversation.renderer import Body, Timing
from turnout.wire.splice import text_of, top_level

_BEGINNING = 1 << 16
_EVENT = re.compile(
    rb"(?:\A|[\r\n])(?:\xef\xbb\xbf)?"
    rb"(?:event: ?(?:message_start|content_block_|message_delta|message_stop|error|ping)"
    rb'|data: ?\{"type": ?"(?:message_start|error)")'
)
_COUNTS = {
    "input_tokens": "input",
    "cache_read_input_tokens": "cached",
    "cache_creation_input_tokens": "cache write",
    "output_tokens": "output",
}
_SHOWN_APART = frozenset(("type", "role", "model", "content", "usage", "stop_reason"))
_NO_MESSAGE = "Answer without a message"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and how its API tells of it."""

    api: str
    """`Messages`."""
    body: Body
    assembled: Assembled
    told: tuple[str, ...] | None = None
    """The types of the events of the stream; None: those that were assembled."""
    last_word: str = "message_stop"
    """With what a stream ends."""

    @property
    def events(self) -> tuple[str, ...]:
        return self.assembled.events if self.told is None else self.told


def matches(body: Body) -> bool:
    """One of the events of the API stands at the beginning, or it is a JSON message or error of the API."""
    if body.data.lstrip().startswith(b"{"):
        return _is_message_or_error(body.data)
    return _EVENT.search(body.data, 0, _BEGINNING) is not None


def _is_message_or_error(data: bytes) -> bool:
    if b'"message"' not in data and b'"error"' not in data:
        return False
    fields = top_level(data)
    kind = text_of(fields["type"]) if fields is not None and "type" in fields else None
    return fields is not None and (
        (kind == "message" and "content" in fields) or (kind == "error" and "error" in fields)
    )


def render(body: Body) -> str:
    answer = assembled(body.data, body.content_type)
    if answer is None:
        raise ValueError("This is no answer of the Messages API.")
    return page(Answer("Messages", body, answer))


def page(shown: Answer) -> str:
    answer = shown.assembled
    sections = [f"{rule(_title(shown))}\n\n{rows(_facts(shown))}"]
    if answer.error is not None:
        sections.append(f"{rule('Error')}\n\n{_error(answer.error)}")
    if answer.message:
        content = answer.message.get("content")
        blocks = [block_text(block) for block in content] if isinstance(content, list) else []
        sections += [rule("Content"), *(blocks or ["  (none)"])]
    if shown.events:
        sections.append(f"{rule('Events')}\n\n{_events(shown.events)}")
    return "\n\n".join(sections) + "\n"


def _title(shown: Answer) -> str:
    answer = shown.assembled
    model = answer.message.get("model")
    kind = f"{shown.api} answer" if answer.message else "Error" if answer.error is not None else _NO_MESSAGE
    failed = "ENDS IN AN ERROR" if answer.message and answer.error is not None else ""
    cut = "CUT OFF" if _is_cut(answer) else ""
    return joined(kind, model if isinstance(model, str) else "", size(len(shown.body.data)), failed, cut)


def _is_cut(answer: Assembled) -> bool:
    return bool(answer.events) and not answer.complete and answer.error is None


def _facts(shown: Answer) -> list[tuple[str, str]]:
    message = shown.assembled.message
    pairs = [("cut off", f"the stream ends without {shown.last_word}")] if _is_cut(shown.assembled) else []
    if message:
        reason = message.get("stop_reason")
        pairs.append(("stop reason", words(reason) if reason is not None else "none"))
    usage = message.get("usage")
    if isinstance(usage, dict):
        pairs += _usage(usage)
    pairs += _timing(shown.body.timing)
    count = len(shown.events)
    pairs.append(("form", f"stream of {counted(count, 'event')}" if count else "one piece of JSON"))
    others = ((name, words(value)) for name, value in message.items() if name not in _SHOWN_APART and value is not None)
    return [*pairs, *others]


def _usage(usage: Mapping[str, Any]) -> list[tuple[str, str]]:
    """`25 input · 12,000 cached · 300 cache write · 15 output`, the share of the cache, and all other counts."""
    counts = {name: usage[name] for name in _COUNTS if isinstance(usage.get(name), int)}
    pairs = [("usage", joined(*(f"{count:,} {_COUNTS[name]}" for name, count in counts.items())) or "no counts")]
    read = sum(count for name, count in counts.items() if name != "output_tokens")
    cached = counts.get("cache_read_input_tokens", 0)
    if read > 0 and cached > 0:
        pairs.append(("", f"{cached / read:.0%} of {read:,} input tokens came from the cache"))
    rest = [f"{name} {words(value)}" for name, value in usage.items() if name not in counts and value is not None]
    return [*pairs, ("", joined(*rest))] if rest else pairs


def _timing(timing: Timing) -> list[tuple[str, str]]:
    told = joined(
        f"first byte after {timing.first_byte:.2f} s" if timing.first_byte is not None else "",
        f"last byte after {timing.last_byte:.2f} s" if timing.last_byte is not None else "",
    )
    return [("timing", told)] if told else []


def _error(error: Mapping[str, Any]) -> str:
    message = error.get("message")
    rest = {name: value for name, value in error.items() if name not in ("type", "message")}
    text = message if isinstance(message, str) else pretty(message)
    parts = [f"  {words(error.get('type', '(no type)'))}", indented(text)]
    return "\n".join((*parts, indented(pretty(rest))) if rest else parts)


def _events(events: tuple[str, ...]) -> str:
    counts = Counter(events)
    width = max(len(f"{count:,}") for count in counts.values())
    return "\n".join(f"  {count:>{width},}  {words(name)}" for name, count in counts.items())
