"""The dialects of providers and of clients, each with its way to the Messages API and back."""

from __future__ import annotations

from collections.abc import Mapping

from turnout.dialects.base import ClientDialect, Translator
from turnout.dialects.chat import ChatTranslation
from turnout.dialects.chat.client import chat_asked
from turnout.errors import Dialect

TRANSLATORS: Mapping[str, Translator] = {"chat": ChatTranslation}
"""By dialect. The Messages API needs none: its bodies stay byte for byte."""

CLIENTS: Mapping[Dialect, ClientDialect] = {"openai": chat_asked}
"""By the dialect of the client. One of the Messages API is understood as it is."""
