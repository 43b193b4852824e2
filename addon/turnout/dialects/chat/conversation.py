"""The messages of a Chat Completions request: the system prompt, and the conversation turn by turn.

Each turn is written from itself and the one before it, so that a conversation that goes on begins with the very bytes
that it had: caches of prompts live from that. The one exception is a conversation that ends with calls. No server takes
it so, and results are made up that give way to those that come. It costs no cache: what comes then is that very turn,
and no client asks for an answer between its tool's call and the result.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from turnout.dialects.chat.assistant import assistant_turn
from turnout.dialects.chat.parts import Contents
from turnout.dialects.chat.results import Call, Message, unanswered, user_turn
from turnout.dialects.chat.turns import Block, prompt_of, turns_of
from turnout.errors import InvalidRequest
from turnout.settings.chat import ChatForm


class Conversation(NamedTuple):
    messages: list[Message]
    call_ids: frozenset[str]
    """Of all tool calls, as the client knows them."""


def conversation_of(system: msgspec.Raw | None, messages: msgspec.Raw, form: ChatForm) -> Conversation:
    """From the fields `system` and `messages`.

    Raises InvalidRequest when they are no such fields, or when nobody says anything in them, and what msgspec does.
    """
    prompt, turns = prompt_of(system), turns_of(messages)
    contents = Contents(form.documents, _has_markers([prompt, *(turn.blocks for turn in turns)]))
    told = contents.texts(prompt)
    begun: list[Message] = [{"role": "system", "content": contents.content(told)}] if told else []
    made = list(begun)
    ids: set[str] = set()
    waiting: list[Call] = []
    for turn in turns:
        if turn.by_assistant:
            message, waiting = assistant_turn(turn.blocks, form, contents)
            if message is not None:
                made.append(message)
            ids.update([call.client_id for call in waiting])
        else:
            made += user_turn(turn.blocks, waiting, contents, form.after_results)
            waiting = []
    made += map(unanswered, waiting)
    if len(made) == len(begun):
        raise InvalidRequest("The request body has no messages in which anything is said.")
    return Conversation(made, frozenset(ids))


def _has_markers(contents: Iterable[Iterable[Block]]) -> bool:
    return any(block.cache_control is not None for blocks in contents for block in blocks)
