"""The input of tools as a stream brings it: piece by piece, each in its place, of several tools in turn."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

import msgspec

from turnout.dialects.chat.calls import Calls
from turnout.dialects.chat.chunk import Chunk, Delta, ToolCall
from turnout.wire.splice import UNREADABLE

_CHUNK = msgspec.json.Decoder(Chunk)


@dataclass(slots=True)
class ToolInputs:
    """What the events of a stream bring of them."""

    pieces: defaultdict[Hashable, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    """The pieces of each input, in order."""
    of_line: dict[int, list[Hashable]] = field(default_factory=dict)
    """Whose pieces stand in a line, by its number, in order."""


def tool_inputs(body: bytes) -> ToolInputs:
    """Those of a stream of the Messages API, or of Chat Completions. What cannot be read brings none."""
    found = ToolInputs()
    calls: defaultdict[int, Calls] = defaultdict(Calls)
    for number, line in enumerate(body.splitlines()):
        if not line.startswith(b"data:"):
            continue
        told = [*_of_messages(line[5:]), *_of_chat(line[5:], calls)]
        if told:
            found.of_line[number] = [whose for whose, _ in told]
        for whose, piece in told:
            found.pieces[whose].append(piece)
    return found


def _of_messages(data: bytes) -> Iterator[tuple[Hashable, bytes]]:
    """Block number and text of an input_json_delta event."""
    if b'"partial_json"' not in data:
        return
    try:
        event = json.loads(data)
        yield int(event["index"]), event["delta"]["partial_json"].encode()
    except (ValueError, KeyError, TypeError, AttributeError):
        return  # half an event, or something that only looks like one


def _of_chat(data: bytes, calls: defaultdict[int, Calls]) -> Iterator[tuple[Hashable, bytes]]:
    """The arguments in a chunk. `calls`: of each choice."""
    if b'"arguments"' not in data:
        return
    try:
        choices = _CHUNK.decode(data).choices
    except UNREADABLE:
        return
    for choice in choices or ():
        for told, place in _calls_in(choice.delta or choice.message):
            call, _, _ = calls[choice.index].take(told, place)
            if told.function is not None and told.function.arguments is not None:
                yield call, told.function.arguments.encode()


def _calls_in(delta: Delta | None) -> Iterator[tuple[ToolCall, int | None]]:
    """Each call, and its place where several come at once."""
    told = (delta.tool_calls if delta is not None else None) or []
    yield from ((call, place if len(told) > 1 else None) for place, call in enumerate(told))
    if delta is not None and delta.function_call is not None:
        yield ToolCall(index=-1, function=delta.function_call), None
