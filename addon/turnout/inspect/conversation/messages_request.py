"""A request of the Messages API (or to count its tokens): what it asks for, and the conversation, newest turn first."""

from __future__ import annotations

import msgspec

from turnout.inspect.conversation.renderer import Body
from turnout.inspect.conversation.request import (
    MOST_TURNS,
    Block,
    Request,
    Turn,
    blocks_of,
    conversation_fields,
    listed,
    page,
    settings_of,
)
from turnout.wire.splice import text_of, top_level

_FIRST = ("max_tokens", "stream", "thinking", "output_config", "tool_choice")


def matches(body: Body) -> bool:
    """`messages` is a list and a model is named, or it is the body of a platform that names the model in the path."""
    fields = conversation_fields(body)
    if fields is None:
        return False
    return "anthropic_version" in fields or ("model" in fields and text_of(fields["model"]) is not None)


def render(body: Body) -> str:
    fields = conversation_fields(body)
    if fields is None:
        raise ValueError("This is no request of the Messages API.")
    raw_turns = listed(fields["messages"])
    begin = max(0, len(raw_turns) - MOST_TURNS)
    settings = settings_of(fields, _FIRST)
    if "max_tokens" not in settings:
        settings = {"max_tokens": "none (as in a request to count tokens)", **settings}
    return page(
        Request(
            api="Messages",
            body=body.data,
            model=text_of(fields["model"]) if "model" in fields else None,
            settings=list(settings.items()),
            messages=bytes(fields["messages"]),
            turns=[_turn(number, raw) for number, raw in enumerate(raw_turns[begin:], begin + 1)],
            system=blocks_of(fields.get("system")),
            tools=[Block(bytes(tool), msgspec.json.decode(tool)) for tool in listed(fields.get("tools"))],
        )
    )


def _turn(number: int, raw: msgspec.Raw) -> Turn:
    fields = top_level(raw)
    if fields is None:
        return Turn(number, "?", bytes(raw), (Block(bytes(raw), msgspec.json.decode(raw)),), {})
    role = text_of(fields["role"]) if "role" in fields else None
    others = {name: msgspec.json.decode(value) for name, value in fields.items() if name not in ("role", "content")}
    return Turn(number, role or "?", bytes(raw), blocks_of(fields.get("content")), others)
