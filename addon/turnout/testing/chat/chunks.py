"""A chat completion as a stream of chunks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, zip_longest
from typing import Any

from turnout.testing.chat.script import Call, Comment, Failure, Part, Text, Thought, Usage
from turnout.testing.chat.style import Style
from turnout.testing.chat.whole import counts, detail, head, in_tags, tool_calls, unsigned_detail, usual_finish
from turnout.testing.wire import RecordedRequest

Frame = bytes | asyncio.Event
Delta = dict[str, Any]

_PIECES = 3
DONE = b"data: [DONE]\n\n"


def frames(
    parts: Sequence[Part], finish: str | None, usage: Usage, style: Style, request: RecordedRequest
) -> list[Frame]:
    """The whole stream, frame by frame."""
    asked = bool((request.json.get("stream_options") or {}).get("include_usage"))
    start = {**head("chat.completion.chunk", request), **style.beside}
    if style.usage == "asked" and asked:
        start["usage"] = None
    result: list[Frame] = [_comment(style.keep_alive)] if style.keep_alive else []
    result.append(_chunk(start, {"role": "assistant", "content": ""}))
    for item in _told(parts, style, request):
        if isinstance(item, Failure):
            return [*result, _failure(start, item, style)]
        result.append(_chunk(start, item) if isinstance(item, dict) else item)
    last = {**start, "usage": counts(usage, style)} if style.usage == "at finish" else start
    result.append(_chunk(last, {}, finish or usual_finish(parts, style)))
    if style.usage == "always" or (style.usage == "asked" and asked):
        result.append(_frame({**start, "choices": [], "usage": counts(usage, style)}))
    return [*result, DONE] if style.done else result


def _frame(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data, separators=(',', ':'), ensure_ascii=False)}\n\n".encode()


def _comment(text: str) -> bytes:
    return f": {text}\n\n".encode()


def _chunk(start: dict[str, Any], delta: Delta, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _frame({**start, "choices": [choice]})


def _failure(start: dict[str, Any], failure: Failure, style: Style) -> bytes:
    error = {"message": failure.message, "code": failure.code}
    if style.failure == "bare":
        return _frame({"error": {**error, "type": "server_error", "param": None}})
    choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
    return _frame({**start, "error": error, "choices": [choice]})


def _told(parts: Sequence[Part], style: Style, request: RecordedRequest) -> Iterator[Delta | Failure | Frame]:
    entries = iter(enumerate(tool_calls(parts, style, request)))
    thoughts = 0
    for calling, group in groupby(parts, lambda part: isinstance(part, Call)):
        if calling:
            yield from _called([(*next(entries), part.text) for part in group if isinstance(part, Call)], style)
            continue
        for part in group:
            match part:
                case Text(text):
                    yield from ({"content": piece} for piece in _pieces(text))
                case Thought():
                    yield from _thought(part, thoughts, style)
                    thoughts += 1
                case Comment(text):
                    yield _comment(text)
                case Failure() | asyncio.Event() | bytes():
                    yield part


def _thought(thought: Thought, index: int, style: Style) -> Iterator[Delta]:
    if style.reasoning == "none":
        return
    if style.reasoning == "unsigned":
        for piece in _pieces(thought.text):
            yield {"reasoning_content": piece, "reasoning_details": [unsigned_detail(piece)]}
        return
    if style.reasoning != "reasoning_details":
        tagged = style.reasoning == "think"
        place, text = ("content", in_tags(thought.text)) if tagged else (style.reasoning, thought.text)
        yield from ({place: piece} for piece in _pieces(text))
        return
    whole = detail(thought, index)
    if thought.encrypted:
        yield {"content": "", "reasoning_details": [whole]}
        return
    known = {key: value for key, value in whole.items() if key not in ("text", "signature")}
    for piece in _pieces(thought.text):
        yield {"content": "", "reasoning": piece, "reasoning_details": [{**known, "text": piece}]}
    yield {"content": "", "reasoning_details": [{**known, "signature": whole["signature"]}]}


def _called(calls: list[tuple[int, dict[str, Any], str]], style: Style) -> Iterator[Delta]:
    """The deltas of parallel calls, each with one piece of one call."""
    told = [_deltas(index, entry, text, style) for index, entry, text in calls]
    pieces: Iterable[Delta | None]
    if style.interleaved:
        pieces = (piece for row in zip_longest(*told) for piece in row)
    else:
        pieces = (piece for row in told for piece in row)
    yield from ({"tool_calls": [piece]} for piece in pieces if piece is not None)


def _deltas(index: int, entry: dict[str, Any], text: str, style: Style) -> list[Delta]:
    place = {"index": index} if style.indexed else {}
    if style.arguments == "whole":
        return [{**place, **entry}]
    opened = {**place, **entry, "function": {"name": entry["function"]["name"], "arguments": ""}}
    rest = [{**place, "function": {"arguments": piece}} for piece in _pieces(text)]
    if style.repeats:
        name = entry["function"]["name"]
        rest = [{**opened, "function": {"name": name, "arguments": piece}} for piece in _pieces(text)]
    if style.name_later:
        named = {**place, "function": {"name": entry["function"]["name"]}}
        return [{**opened, "function": {"arguments": ""}}, named, *rest]
    return [opened, *rest]


def _pieces(text: str) -> list[str]:
    size = max(1, -(-len(text) // _PIECES))
    return [text[start : start + size] for start in range(0, len(text), size)]
