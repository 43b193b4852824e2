"""What became of a replayed exchange, as text: one fact a line, the same in every run."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest
from typing import Any

from mitmproxy.http import HTTPFlow

from turnout.recordings.reading import RecordedExchange
from turnout.recordings.replay.comparing import Substance, differences
from turnout.testing.wire import RecordedRequest

FIRST_WORDS = 60
"""Characters of a text that are shown beside its length and its hash, and of a JSON value without them."""

_MOMENTS = ((r" · first event [\d.]+ s", ""), (r", resets [^·]+$", ", resets …"), (r", \d+ \w+ left\)", ", … left)"))
"""What differs from run to run in a comment."""


@dataclass(frozen=True)
class Retold:
    """A recorded exchange and what happened to it this time."""

    exchange: RecordedExchange
    asked: Sequence[tuple[str, RecordedRequest]]
    """What the providers were sent, with their names."""
    recorded_flows: Sequence[HTTPFlow]
    """The failed attempts and then the exchange, as recorded."""
    flows: Sequence[HTTPFlow]
    """The same of this time."""
    recorded: Substance | None
    now: Substance

    @property
    def lines(self) -> list[str]:
        request, last = self.exchange.request, self.flows[-1]
        return [
            f"== {self.exchange.number} · {self.exchange.model} · {request.method} {request.path} · "
            f"{_size(request.body or b'')}",
            *(line for number, _ in enumerate(self.asked) for line in self._attempt(number)),
            *answer_lines(self.now),
            f"comment {timeless(last.comment)}",
            *([f"marker {last.marked}"] if last.marked else []),
            *(f"differs from the recording: {each}" for each in self._differences()),
        ]

    def _attempt(self, number: int) -> Iterator[str]:
        provider, sent = self.asked[number]
        notes = self.flows[min(number, len(self.flows) - 1)].metadata
        told = [notes.get(f"turnout.{name}", "?") for name in ("attempt", "provider", "model", "verdict")]
        if reason := notes.get("turnout.reason"):
            told.append(reason)
        yield " · ".join(told)
        if provider != notes.get("turnout.provider"):
            yield f"    sent to {provider}"
        yield from (f"    {line}" for line in sent_lines(self.exchange, sent, notes.get("turnout.body", "")))

    def _differences(self) -> Iterator[str]:
        """A stream that broke off is recorded as the provider sent it, without the words that Turnout ended it with."""
        if self.recorded is not None and self.recorded.complete:
            yield from (f"{each.name}: {each.explanation}" for each in differences(self.recorded, self.now))
        if not self.recorded_flows[-1].metadata:
            return  # a plain mitmdump has no notes
        for before, now in zip_longest(map(_notes, self.recorded_flows), map(_notes, self.flows), fillvalue={}):
            for name in sorted({**before, **now}):
                if before.get(name) != now.get(name):
                    yield f"{name}: {before.get(name)}, now {now.get(name)}"


def _notes(flow: HTTPFlow) -> dict[str, str]:
    return {**flow.metadata, "turnout.exchange": "", "comment": timeless(flow.comment), "marker": flow.marked}


def sent_lines(exchange: RecordedExchange, sent: RecordedRequest, rules: str) -> Iterator[str]:
    """What one attempt sent, where it is not what the client sent."""
    client = exchange.request
    if sent.target != client.path:
        yield f"path {sent.target}"
    if rules.startswith("rewritten: "):
        yield f"rules {rules.removeprefix('rewritten: ')}"
    client_betas = _betas(client.fields)
    yield from (f"beta − {beta}" for beta in client_betas if beta not in sent.betas)
    yield from (f"beta + {beta}" for beta in sent.betas if beta not in client_betas)
    if sent.body == client.body:
        yield "body identical"
        return
    yield f"body {_size(sent.body)}"
    yield from field_lines(_fields(client.body or b""), _fields(sent.body))


def field_lines(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What is gone, new and other in a body."""
    for name in {**before, **now}:
        if name not in now:
            yield f"− {name}"
        elif name not in before:
            yield f"+ {name} {_shown(now[name])}"
        elif before[name] != now[name]:
            yield f"~ {name} {_shown(before[name])} → {_shown(now[name])}"


def answer_lines(found: Substance) -> Iterator[str]:
    """What the client gets."""
    yield f"answer {found.status}{'' if found.complete else ' · breaks off'}"
    if found.events:
        yield f"    events {collapsed(found.events)}"
    for name, text in (("thinking", found.thinking), ("text", found.text)):
        if text:
            yield f"    {name} {_digest(text)}"
    for call in found.tools:
        yield f"    tool {call.name} {json.dumps(call.input, ensure_ascii=False, sort_keys=True)}"
    if found.stop_reason:
        yield f"    stop_reason {found.stop_reason}"
    if found.usage:
        yield "    usage " + ", ".join(f"{name} {count}" for name, count in sorted(found.usage.items()))
    if found.error:
        yield f"    error {found.error}: {timeless(found.error_message)}"


def collapsed(events: Sequence[str]) -> str:
    """Block by block: `message_start, 2 × (content_block_start, content_block_delta, content_block_stop), …`."""
    parts: list[str] = []
    for event in events:
        if event.startswith("content_block_") and not event.endswith("_start") and parts:
            parts[-1] += f"+{event.removeprefix('content_block_')}"
        else:
            parts.append(event)
    groups = [(part, len(list(run))) for part, run in groupby(parts)]
    return ", ".join(f"{count} × {part}" if count > 1 else part for part, count in groups)


def timeless(text: str) -> str:
    for pattern, instead in _MOMENTS:
        text = re.sub(pattern, instead, text)
    return text


def _betas(fields: Sequence[tuple[bytes, bytes]]) -> list[str]:
    values = [value.decode() for name, value in fields if name.lower() == b"anthropic-beta"]
    return [beta.strip() for value in values for beta in value.split(",")]


def _fields(body: bytes) -> dict[str, Any]:
    fields = json.loads(body)
    messages = {f"messages.{number}": message for number, message in enumerate(fields.pop("messages"))}
    return {**fields, **messages}


def _shown(value: Any) -> str:
    """The value itself if it is short."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= FIRST_WORDS else f"({len(text):,} characters)"


def _size(data: bytes) -> str:
    return f"{len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()[:12]}"


def _digest(text: str) -> str:
    start = text[:FIRST_WORDS].replace("\n", "\\n")
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f'{len(text)} characters, sha256 {digest}: "{start}{"…" if len(text) > FIRST_WORDS else ""}"'
