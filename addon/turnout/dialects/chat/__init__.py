"""The Chat Completions API of OpenAI, and of all that serve a compatible one."""

from __future__ import annotations

from collections.abc import Iterator

from turnout.dialects.base import Decoder, Translated
from turnout.dialects.chat.message import message_of
from turnout.dialects.chat.refusals import lessons_told
from turnout.dialects.chat.request import chat_request
from turnout.dialects.chat.stream import ChatDecoder
from turnout.dialects.error_body import ErrorBody
from turnout.dialects.messages.refusals.lesson import Lesson
from turnout.settings.rewriting import Rewrite


class ChatTranslation:
    """One exchange with a provider that speaks Chat Completions."""

    def __init__(self, rules: Rewrite) -> None:
        self._form = rules.chat
        self._call_ids: frozenset[str] = frozenset()
        """Those that the conversation holds already."""

    def request(self, body: bytes) -> Translated:
        made = chat_request(body, self._form)
        self._call_ids = made.call_ids
        return made.translated

    def lessons(self, told: ErrorBody) -> Iterator[Lesson]:
        return lessons_told(told)

    def decoder(self) -> Decoder:
        return ChatDecoder(self._call_ids)

    def whole(self, body: bytes) -> bytes:
        return message_of(body, self._call_ids)
