"""The messages of a request as turns: who speaks, and the content blocks of all that is said until another does.

Anthropic reads messages of the same role that follow each other as one, and so answers to the calls of one may come
in several. Most chat templates want the roles to take turns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from turnout.dialects.chat.texts import Text, is_text
from turnout.errors import InvalidRequest

Members = Mapping[str, msgspec.Raw]
"""Of a JSON object, undecoded."""

_NULL = msgspec.Raw(b"null")


class _Message(msgspec.Struct):
    role: Literal["user", "assistant", "system"]
    content: msgspec.Raw


_MESSAGES = msgspec.json.Decoder(list[_Message])
_BLOCKS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_STRING = msgspec.json.Decoder(str)


class Block(NamedTuple):
    """A content block."""

    kind: str
    """Its `type`."""
    members: Members

    def text(self, name: str) -> Text:
        """A member that is a string, as it is written. Raises InvalidRequest where it is missing or none."""
        text = self.members.get(name)
        if text is None or not is_text(text):
            raise InvalidRequest(f"The request body has a content block of which `{name}` is missing or no string.")
        return text

    def word(self, name: str) -> str:
        """The same decoded."""
        return _STRING.decode(self.text(name))

    @property
    def marker(self) -> msgspec.Raw | None:
        """Its cache breakpoint."""
        marker = self.members.get("cache_control")
        return None if marker == _NULL else marker


class Turn(NamedTuple):
    by_assistant: bool
    blocks: list[Block]


def turns_of(messages: msgspec.Raw) -> list[Turn]:
    """What `messages` holds. A message of the role `system` is the user's, who alone can speak at its place.

    Raises InvalidRequest, or what msgspec does.
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


def blocks_of(content: msgspec.Raw | None) -> list[Block]:
    """The blocks of a content, of which a text is one; none where there is none. Raises what `turns_of` does."""
    if content is None or content == _NULL:
        return []
    if is_text(content):
        return [Block("text", {"text": content})]
    return [Block(_kind(members), members) for members in _BLOCKS.decode(content)]


def _kind(members: Members) -> str:
    kind = members.get("type")
    if kind is None:
        raise InvalidRequest("The request body has a content block without a type.")
    return _STRING.decode(kind)
