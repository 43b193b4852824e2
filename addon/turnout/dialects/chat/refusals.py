"""What a provider of Chat Completions refuses, as lessons in terms of the Messages request and of how it is written.

The wordings are those that the Messages API's imitators use as well, with names of this API in them; what is here is
their meaning, and what only this API can refuse.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import get_args

from turnout.dialects.error_body import ErrorBody
from turnout.dialects.messages.refusals import words
from turnout.dialects.messages.refusals.lesson import NO_EFFORT, Lesson
from turnout.settings.chat import Effort

_MEANT: dict[str, tuple[Lesson, ...]] = {
    "stop": (Lesson("drop", "stop_sequences"),),
    "response_format": (Lesson("drop", "output_config.format"),),
    "reasoning_effort": (Lesson("chat.efforts", NO_EFFORT),),
    # Without an effort of the client's, one would be made of its thinking.
    "output_config.effort": (Lesson("chat.efforts", NO_EFFORT),),
    "thinking": (Lesson("chat.thinking_switch", "none"),),
    "enable_thinking": (Lesson("chat.thinking_switch", "none"),),
    "thinking_budget": (Lesson("chat.thinking_switch", "none"),),
    "thinking_budget_tokens": (Lesson("chat.thinking_switch", "none"),),
    "parallel_tool_calls": (Lesson("chat.parallel_switch", "off"),),
    "stream_options": (Lesson("chat.stream_usage", "off"),),
    "max_completion_tokens": (Lesson("chat.output_limit", "max_tokens"),),
    "tools[*].strict": (Lesson("chat.strict", "absent"), Lesson("drop", "tools[*].strict")),
    "messages[*].reasoning_content": (Lesson("chat.thoughts", "none"),),
    "messages[*].reasoning": (Lesson("chat.thoughts", "none"),),
    "messages[*].reasoning_details": (Lesson("chat.thoughts", "none"),),
}
"""By the path of a field that is refused."""

_QUOTE = "[`'\"]"

_IN_SCHEMA = re.compile(r"tools\[\*\]\.(?:function_declarations|parameters)\b")
"""Where the schemas of tools stand: Gemini's own name for them, and that of this API without its tag."""


def lessons_told(told: ErrorBody) -> Iterator[Lesson]:
    """All lessons in what an error body says, sound or not."""
    for lesson in words.lessons_told(told):
        yield from _meant(lesson)
    for text in told.texts:
        for pattern, read in _WORDINGS:
            for match in pattern.finditer(text):
                yield from read(match)


def _meant(lesson: Lesson) -> Iterator[Lesson]:
    if lesson == Lesson("refused_blocks", "thinking"):
        yield Lesson("chat.thoughts", "none")
    elif lesson == Lesson("refused_blocks", "file"):
        yield Lesson("chat.documents", "text")
    elif lesson.rule == "drop" and _IN_SCHEMA.match(str(lesson.value)):
        yield Lesson("chat.schemas", "plain")
    elif lesson.rule == "drop":
        path = str(lesson.value).replace("stream_options.include_usage", "stream_options")
        yield from _MEANT.get(path, (lesson,))
    else:
        yield lesson
        if lesson.rule == "thoughts":  # they have to be there, so they have to be given back
            yield Lesson("chat.thoughts", "reasoning_content")


def _fixed(*lessons: Lesson) -> Callable[[re.Match[str]], Iterator[Lesson]]:
    return lambda _: iter(lessons)


def _efforts(match: re.Match[str]) -> Iterator[Lesson]:
    """The efforts that it takes, in their order."""
    taken = [effort for effort in get_args(Effort) if re.search(rf"\b{effort}\b", match["expected"])]
    if taken:
        yield Lesson("chat.efforts", " ".join(taken))


_WORDINGS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Iterator[Lesson]]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), read)
    for pattern, read in (
        # OpenAI, of its reasoning models: "Use 'max_completion_tokens' instead."
        (rf"{_QUOTE}max_tokens{_QUOTE} is not supported[^\n]{{0,60}}{_QUOTE}max_completion_tokens{_QUOTE}",
         _fixed(Lesson("chat.output_limit", "max_completion_tokens"))),
        (rf"Unsupported value: {_QUOTE}reasoning_effort{_QUOTE}[^\n]{{0,120}}? Supported values are: "
         rf"(?P<expected>[^\n]{{1,200}})", _efforts),
        (r"Invalid value: '\w{1,20}'\. Supported values are: (?P<expected>(?=[^\n]{0,80}'low')[^\n]{1,200})", _efforts),
        (rf"reasoning_effort{_QUOTE}?:? (?:must be one of|Input should be) (?P<expected>[^\n]{{1,200}})", _efforts),
        # Cerebras; xAI
        (r"property 'parallel_tool_calls' is unsupported", _fixed(Lesson("chat.parallel_switch", "off"))),
        (r"(?:does not support parameter|not supported on this model:) `?reasoning_?effort",
         _fixed(Lesson("chat.efforts", NO_EFFORT))),
        # DeepSeek, OpenAI, Groq
        (r"response[_ ]format[^\n]{0,80}? (?:is )?(?:unavailable|not (?:supported|available))"
         r"|does not support response format", _fixed(Lesson("drop", "output_config.format"))),
        (rf"{_QUOTE}?stop{_QUOTE}? is not supported (?:by|for|with|on) this model",
         _fixed(Lesson("drop", "stop_sequences"))),
        # OpenAI and its imitators, of models that read text only
        (r"invalid content type\. image_url is only supported|image_url is (?:only supported|not supported)"
         r"|does not support image(?: input|_url|s)\b",
         _fixed(Lesson("images", "note"))),
        # vLLM without a parser for tool calls, Moonshot, DeepSeek
        (rf"tool[_ ]choice[^\n]{{0,40}}{_QUOTE}?required{_QUOTE}?[^\n]{{0,40}}"
         r" (?:is )?(?:not|in)[ -]?(?:supported|compatible)",
         _fixed(Lesson("tool_choice.any", "auto"))),
    )
)  # fmt: skip
