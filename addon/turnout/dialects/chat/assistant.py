"""Turns of the assistant: what it said, called and thought in one message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from turnout.dialects.chat.ids import provider_id
from turnout.dialects.chat.parts import Contents
from turnout.dialects.chat.results import Call, Message
from turnout.dialects.chat.seal import Seal, opened
from turnout.dialects.chat.texts import EMPTY, PARAGRAPH, Text, joined, quoted
from turnout.dialects.chat.turns import Block
from turnout.dialects.messages.signatures import THINKING_BLOCKS
from turnout.errors import InvalidRequest
from turnout.settings.chat import ChatForm

_NO_INPUT = msgspec.Raw(b"{}")
_BRACE = ord("{")


class Answer(NamedTuple):
    message: Message | None
    """None where nothing was said and nothing called: there is no empty answer."""
    calls: list[Call]
    """Those of the message, in order."""


def assistant_turn(blocks: Sequence[Block], form: ChatForm, contents: Contents) -> Answer:
    """Raises InvalidRequest for blocks without what makes them one."""
    called = [block for block in blocks if block.kind == "tool_use"]
    thoughts = [block for block in blocks if block.kind in THINKING_BLOCKS]
    said = contents.texts(block for block in blocks if block.kind != "tool_use")
    if not said and not called:
        return Answer(None, [])
    message: Message = {"role": "assistant"}
    if said or form.no_content != "absent":
        message["content"] = contents.content(said) if said or form.no_content == "empty" else None
    seals = [seal for seal in map(_seal, thoughts) if seal is not None]
    message |= _given_back(thoughts, seals, form)
    calls = _calls(called, form)
    if calls:
        extras = {id: extra for seal in seals for id, extra in seal.calls.items()}
        message["tool_calls"] = [_call(block, call, extras, form) for block, call in zip(called, calls, strict=True)]
    return Answer(message, calls)


def _calls(blocks: Iterable[Block], form: ChatForm) -> list[Call]:
    """The ids of the calls of one turn: no two of them are the same for the provider."""
    nine = form.call_ids == "nine"
    calls: list[Call] = []
    taken: set[str] = set()
    for block in blocks:
        client_id = block.word("id")
        id, number = provider_id(client_id, nine=nine), 1
        while id in taken:
            number += 1
            id = provider_id(f"{provider_id(client_id)}_{number}", nine=nine)
        taken.add(id)
        calls.append(Call(client_id, id))
    return calls


def _call(block: Block, call: Call, extras: dict[str, Any], form: ChatForm) -> dict[str, Any]:
    """`extras`: what the provider wants back beside a call, by the client's id."""
    function = {"name": block.text("name"), "arguments": _arguments(block)}
    told = extras.get(call.client_id) or form.call_extra
    extra = {"extra_content": told} if told else {}
    return {"id": call.id, "type": "function", "function": function, **extra}


def _arguments(block: Block) -> Text:
    """The input as it was written, in a string."""
    given = block.members.get("input", _NO_INPUT)
    if memoryview(given)[0] != _BRACE:
        raise InvalidRequest("The request body has a tool_use block of which `input` is no object.")
    return quoted(str(given, "utf-8"))


def _seal(thought: Block) -> Seal | None:
    signed = "signature" if thought.kind == "thinking" else "data"
    return opened(thought.word(signed)) if signed in thought.members else None


def _given_back(thoughts: Iterable[Block], seals: Iterable[Seal], form: ChatForm) -> dict[str, Any]:
    """The thoughts in the field in which the provider wants them."""
    if form.thoughts == "none":
        return {}
    if form.thoughts == "reasoning_details":
        given: Any = [detail for seal in seals for detail in seal.details]
    else:
        texts = [thought.text("thinking") for thought in thoughts if thought.kind == "thinking"]
        worded = [text for text in texts if text != EMPTY]
        given = joined(worded, PARAGRAPH) if worded else None
    return {form.thoughts: given} if given else {}
