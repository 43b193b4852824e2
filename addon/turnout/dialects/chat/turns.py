"""The messages of a request as turns: who speaks, and the content blocks of all that is said until another does.

Anthropic reads messages of the same role that follow each other as one, and so answers to the calls of one may come
in several. Most chat templates want the roles to take turns.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from turnout.errors import InvalidRequest

ABSENT = msgspec.Raw(b"")
"""The value of a member that is kept as it is written, where it is not there."""


class Block(msgspec.Struct, omit_defaults=True, gc=False):
    """A content block, or what stands in one: every member that says something, whatever the kind.

    A long conversation has thousands. One decoding for all of them costs a fraction of one for each.
    """

    type: str = ""
    text: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = ABSENT
    tool_use_id: str | None = None
    content: str | list[Block] | Block | None = None
    is_error: bool | None = None
    cache_control: dict[str, Any] | None = None
    """Its cache breakpoint."""
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    source: msgspec.Raw = ABSENT
    title: str | None = None
    context: str | None = None
    tool: msgspec.Raw = ABSENT
    tool_name: str | None = None
    url: str | None = None
    stdout: str | None = None
    stderr: str | None = None
    error_code: str | None = None

    def members(self) -> dict[str, msgspec.Raw]:
        """All that is there, undecoded, by name."""
        return _MEMBERS.decode(msgspec.json.encode(self))


def missing(block: Block, name: str) -> InvalidRequest:
    """The error about a block without this member."""
    kind = f"{block.type} block" if block.type else "content block"
    return InvalidRequest(f"The request body has a {kind} of which `{name}` is missing.")


class Turn(msgspec.Struct, gc=False):
    by_assistant: bool
    blocks: list[Block]


class _Message(msgspec.Struct, gc=False):
    role: Literal["user", "assistant", "system"]
    content: str | list[Block] | None = None
    """A system entry may say nothing, but ask for an effort (Anthropic's SDK 2.14, `BetaSystemMessageParam`)."""


_MESSAGES = msgspec.json.Decoder(list[_Message])
_CONTENT = msgspec.json.Decoder(str | list[Block] | None)
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def turns_of(messages: msgspec.Raw) -> list[Turn]:
    """What `messages` holds. A message of the role `system` is the user's, who alone can speak at its place.

    Raises what msgspec does.
    """
    turns: list[Turn] = []
    for message in _MESSAGES.decode(messages):
        by_assistant = message.role == "assistant"
        blocks = blocks_of(message.content)
        if turns and turns[-1].by_assistant == by_assistant:
            turns[-1].blocks.extend(blocks)
        else:
            turns.append(Turn(by_assistant, blocks))
    return turns


def prompt_of(system: msgspec.Raw | None) -> list[Block]:
    """The blocks of the field `system`. Raises what msgspec does."""
    return [] if system is None else blocks_of(_CONTENT.decode(system))


def blocks_of(content: str | list[Block] | Block | None) -> list[Block]:
    """The blocks of a content, of which a text is one; none where there is none."""
    if isinstance(content, list):
        return content
    if isinstance(content, str):
        return [Block("text", text=content)]
    return [] if content is None else [content]
