"""Servers of OpenAI's Chat Completions API, each as strict as the real one, for a scripted provider.

    provider(answer(Text("Hello.")), vendor=CHAT_VENDORS["openai"], accepts="key")

`CHAT_VENDORS` are the flavours; `dataclasses.replace` makes others. What a script answers is in `replies`.
"""

from turnout.testing.chat.problem import ChatProblem
from turnout.testing.chat.replies import answer, context_length_exceeded, error
from turnout.testing.chat.script import Call, Comment, Failure, Text, Thought, Usage
from turnout.testing.chat.style import Style
from turnout.testing.chat.vendor import ChatVendor
from turnout.testing.chat.vendors import CHAT_VENDORS

__all__ = [
    "CHAT_VENDORS",
    "Call",
    "ChatProblem",
    "ChatVendor",
    "Comment",
    "Failure",
    "Style",
    "Text",
    "Thought",
    "Usage",
    "answer",
    "context_length_exceeded",
    "error",
]
