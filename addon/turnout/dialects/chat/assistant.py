"""Turns of the assistant: what it said, called and thought in one message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from turnout.dialects.chat.ids import provider_id
from turnout.dialects.chat.parts import PARAGRAPH, Contents, Part, text_of
from turnout.dialects.chat.results import Call, Message
from turnout.dialects.chat.seal import Seal, opened
from turnout.dialects.chat.turns import Block, missing
from turnout.dialects.messages.signatures import THINKING_BLOCKS
from turnout.errors import InvalidRequest
from turnout.settings.chat import ChatForm


class _Function(msgspec.Struct, gc=False):
    name: str
    arguments: str


class _ToolCall(msgspec.Struct, omit_defaults=True, gc=False, tag="function"):
    """`ChatCompletionMessageFunctionToolCallParam` of OpenAI's SDK; `extra_content` is Google's."""

    id: str
    function: _Function
    extra_content: Any = None


class Answer(NamedTuple):
    message: Message | None
    """None where nothing was said and nothing called: there is no empty answer."""
    calls: list[Call]
    """Those of the message, in order."""


def assistant_turn(blocks: Sequence[Block], form: ChatForm, contents: Contents) -> Answer:
    """Raises InvalidRequest for blocks without what makes them one."""
    called: list[Block] = []
    thoughts: list[Block] = []
    said: list[Part] = []
    for block in blocks:
        if block.type == "tool_use":
            called.append(block)
        elif block.type in THINKING_BLOCKS:
            thoughts.append(block)
        elif (part := text_of(block)) is not None:
            said.append(part)
    if not said and not called:
        return Answer(None, [])
    message: Message = {"role": "assistant"}
    if said or form.no_content != "absent":
        message["content"] = contents.content(said) if said or form.no_content == "empty" else None
    seals = [seal for seal in map(_seal, thoughts) if seal is not None]
    if thoughts and form.thoughts != "none":
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
    numbers: dict[str, int] = {}  # the last that was tried: all before it are taken, and stay so
    for block in blocks:
        if block.id is None:
            raise missing(block, "id")
        id, number = provider_id(block.id, nine=nine), numbers.get(block.id, 1)
        while id in taken:
            number += 1
            id = provider_id(f"{provider_id(block.id)}_{number}", nine=nine)
        numbers[block.id] = number
        taken.add(id)
        calls.append(Call(block.id, id))
    return calls


def _call(block: Block, call: Call, extras: dict[str, Any], form: ChatForm) -> _ToolCall:
    """`extras`: what the provider wants back beside a call, by the client's id."""
    if block.name is None:
        raise missing(block, "name")
    extra = extras.get(call.client_id) or form.call_extra
    return _ToolCall(call.id, _Function(block.name, _arguments(block)), extra or None)


def _arguments(block: Block) -> str:
    """The input as it was written."""
    written = str(block.input, "utf-8") or "{}"
    if written[0] != "{":
        raise InvalidRequest("The request body has a tool_use block of which `input` is no object.")
    return written


def _seal(thought: Block) -> Seal | None:
    signed = thought.signature if thought.type == "thinking" else thought.data
    return None if signed is None else opened(signed)


def _given_back(thoughts: Iterable[Block], seals: Iterable[Seal], form: ChatForm) -> dict[str, Any]:
    """The thoughts in the field in which the provider wants them."""
    if form.thoughts == "reasoning_details":
        given: Any = [detail for seal in seals for detail in seal.details]
    else:
        given = PARAGRAPH.join(thought.thinking for thought in thoughts if thought.thinking)
    return {form.thoughts: given} if given else {}
