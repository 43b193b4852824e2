"""The wordings in which providers refuse a part of a request, and the lessons in them.

Every wording is one that a server is known to use; one that could mean something else is not here. The texts may quote
what a user wrote, so patterns are bounded, and what they find is checked again by `Lesson.is_sound`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from turnout.dialects.error_body import ErrorBody, Placed
from turnout.dialects.error_body.places import split_location
from turnout.dialects.messages.refusals.lesson import Lesson
from turnout.dialects.messages.refusals.path import (
    is_block_type,
    is_place,
    paths_of_location,
    paths_of_name,
    without_tags,
)
from turnout.dialects.messages.refusals.thinking import EFFORTS, MODES, of_mode
from turnout.dialects.messages.refusals.thinking import WORDINGS as OF_THINKING
from turnout.settings.rewriting import EACH, MARKED

_QUOTE = "[`'\"]"
_WHERE = r"(?<![\w.\[\]])(?P<where>[A-Za-z_][\w.\[\]]{0,200})"
_NAME = r"(?P<name>[A-Za-z_]\w{0,63})"
_WORD = r"(?P<word>[A-Za-z]\w{0,63})"
_EXPECTED = r"(?P<expected>[^\n]{1,600})"


def lessons_told(told: ErrorBody) -> Iterator[Lesson]:
    """All lessons in what an error body says, sound or not."""
    for error in told.placed:
        yield from _of_placed(error)
    if told.param and {"unknown_parameter", "unsupported_parameter"}.intersection(told.names):
        yield from _drop(told.param)
    for text in told.texts:
        for pattern, read in (*_WORDINGS, *OF_THINKING):
            for match in pattern.finditer(text):
                yield from read(match)


# --- a field ---


def _drop(location: str) -> Iterator[Lesson]:
    """Drop the field at a location. A name alone may be that of a nested field."""
    steps = split_location(location)
    paths = paths_of_name(steps[0]) if len(steps) == 1 else paths_of_location(steps)
    return (Lesson("drop", path) for path in paths)


def _dropped_where(match: re.Match[str]) -> Iterator[Lesson]:
    return _drop_exactly(split_location(match["where"]))


def _drop_exactly(steps: Sequence[str]) -> Iterator[Lesson]:
    if steps[:1] == ("messages",) and steps[-1] in _OF_THOUGHTS:
        return iter((Lesson("refused_blocks", "thinking"),))
    return (Lesson("drop", path) for path in paths_of_location(steps))


def _dropped_name(match: re.Match[str]) -> Iterator[Lesson]:
    """A name, with or without the place of the object that holds it."""
    place = split_location(match.groupdict().get("where") or "")
    name = match["name"]
    if len(place) > 1 and not is_place(place):
        return iter(())
    if is_place(place) and place != (name,):
        return _drop_exactly(place if place[-1:] == (name,) else (*place, name))
    return iter(()) if _is_about_tool(match) else _drop(name)


def _dropped_arguments(match: re.Match[str]) -> Iterator[Lesson]:
    for name in re.findall(r"\w[\w.\[\]]*", match["names"])[:16]:
        yield from _drop(name)


def _dropped_names(match: re.Match[str]) -> Iterator[Lesson]:
    return iter(()) if _is_about_tool(match) else _dropped_arguments(match)


def _is_about_tool(match: re.Match[str]) -> bool:
    """Whether a field without a place may be one of a tool's schema or of what a model gave the tool."""
    return _OF_TOOL.search(_QUOTED_WORD.sub("", _around(match))) is not None


def _around(match: re.Match[str]) -> str:
    return match.string[max(0, match.start() - _AROUND) : match.end() + _AROUND]


def _dropped_key(match: re.Match[str]) -> Iterator[Lesson]:
    """AWS: `#/thinking: extraneous key [display]`; a `#` alone is the request itself."""
    return _drop_exactly((*split_location(match["pointer"]), match["name"]))


def _dropped_reference(match: re.Match[str]) -> Iterator[Lesson]:
    """Jackson names the way to the field in full: `Request["messages"]->java.util.ArrayList[0]->…["scope"]`."""
    return _drop_exactly([word or number for word, number in re.findall(r'\["(\w+)"\]|\[(\d+)\]', match["chain"])])


_AROUND = 500
"""Characters on both sides of a wording that belong to it."""

_QUOTED_WORD = re.compile(rf"{_QUOTE}[\w.\[\]-]{{1,64}}{_QUOTE}")
_OF_TOOL = re.compile(r"(?i:schema|\b(?:tool|function|argument)s?\b)|Tool[A-Z]")

_OF_THOUGHTS = frozenset({"thinking", "reasoning_content", "reasoning", "thinking_blocks"})
"""Of a message or a block: the thinking that is given back, or what those that translate make of it."""

_OPTIONAL = (
    r"(?P<where>temperature|top_p|top_k|stop_sequences|metadata|service_tier|thinking|context_management|container"
    r"|mcp_servers|inference_geo|speed|output_config|output_format|output_config\.(?:effort|format|task_budget))"
)


# --- a value: a type, a role, a mode of thinking ---


def _of_choice(word: str, expected: str, steps: Sequence[str] = ()) -> Iterator[Lesson]:
    """A word that is none of the expected ones. They, or its place, tell what it is."""
    choices = re.findall(r"[A-Za-z]\w*", expected)
    keys = without_tags(steps)
    last = keys[-1] if keys else ""
    if steps and not keys:
        return
    if keys[:2] == ("output_config", "effort") or (not keys and word in EFFORTS and {"low", "high"} <= set(choices)):
        yield Lesson("drop", "output_config.effort")
    elif "user" in choices and "system" not in choices and "assistant" in choices:
        if (word or "system") == "system" and (not keys or (keys[0] == "messages" and last == "role")):
            yield Lesson("system_role", "user")
    elif keys in (("thinking",), ("thinking", "type")) or (not keys and word in MODES):
        yield from of_mode(word, choices)
    elif keys[:1] == ("context_management",):
        yield Lesson("drop", "context_management")
    elif keys[:1] == ("tools",) or (not keys and {"custom", "function"}.intersection(choices)):
        if last in ("", EACH, "type"):
            yield Lesson("refused_tools", word)
    elif keys[:1] in ((), ("messages",)) and last in ("", EACH, "type", "content") and "text" in choices:
        # Without a word it is the one that every conversation comes to hold.
        word = word or ("thinking" if keys and "thinking" not in choices else "")
        # Gateways that translate speak of their own dialect's parts.
        images = word in ("image", "image_url", "input_image")
        yield Lesson("images", "note") if images else Lesson("refused_blocks", word)


def _chosen(match: re.Match[str]) -> Iterator[Lesson]:
    found = match.groupdict()
    place = split_location(found.get("where") or "")
    if len(place) < 2 and not is_place(place):
        place = ()  # a word before the colon: "… into the target type: unknown variant …"
    expected, word = match["expected"], found.get("word") or ""
    if not word and (given := _GIVEN.search(expected)):
        expected, word = expected[: given.start()], given["word"]
    return _of_choice(word, expected, place)


def _of_placed(error: Placed) -> Iterator[Lesson]:
    if error.type == "extra_forbidden":
        yield from _drop_exactly(error.steps)
    elif error.type in ("literal_error", "enum"):
        yield from _of_choice(error.given, error.message.partition("Input should be")[2], error.steps)
    elif error.type == "union_tag_invalid":
        if match := _INPUT_TAG.search(error.message):
            yield from _of_choice(match["word"], match["expected"], error.steps)
    elif (
        error.type == "less_than_equal"
        and error.steps == ("max_tokens",)
        and (limit := re.search(r"less than or equal to (\d{1,9})$", error.message))
    ):
        yield Lesson("max_tokens", int(limit[1]))


# --- single wordings ---


def _fixed(rule: str, *values: str) -> Callable[[re.Match[str]], Iterator[Lesson]]:
    return lambda _: (Lesson(rule, value) for value in values)


def _refused_betas(match: re.Match[str]) -> Iterator[Lesson]:
    return (Lesson("drop_betas", value) for value in re.findall(r"`([^`\s]{1,100})`", match["values"]))


def _refused_block(match: re.Match[str]) -> Iterator[Lesson]:
    word = match["word"]
    if word == "image":
        yield Lesson("images", "note")
    elif is_block_type(word):
        yield Lesson("refused_blocks", word)


def _limit(match: re.Match[str]) -> Iterator[Lesson]:
    """The most that a model writes; not what the prompt of this one request has left of the context."""
    if not _OF_PROMPT.search(_around(match)):
        yield Lesson("max_tokens", int(match["limit"].replace(",", "")))


def _half_of_window(match: re.Match[str]) -> Iterator[Lesson]:
    """The window is told in place of a limit: half of it leaves as much for the prompt."""
    yield Lesson("max_tokens", int(match["limit"].replace(",", "")) // 2)


def _of_class(match: re.Match[str]) -> Iterator[Lesson]:
    """Anthropic's own gateway tells the class of a refusal. Classes that leave open what to do are not here."""
    name, value = match["class"], match["value"] or ""
    if name == "mid_conv_system":
        yield Lesson("system_role", "user")
    elif name == "cache_control_field":  # the two keys that are not in the API's reference
        yield from (Lesson("drop", f"{place}.cache_control.scope") for place in MARKED)
        yield Lesson("drop", "cache_control.evict_on_complete")
    elif name == "thinking_type" and value in ("enabled", "adaptive"):
        yield Lesson(f"thinking.{value}", "adaptive" if value == "enabled" else "enabled")
    elif name == "structured_outputs_unsupported":
        yield from (Lesson("drop", "output_config.format"), Lesson("drop", "output_format"))
    elif name == "effort_unsupported":
        yield Lesson("drop", "output_config.effort")
    elif name == "beta_header":
        yield Lesson("drop_betas", value)


_INPUT_TAG = re.compile(
    rf"Input tag '{_WORD}' found using '?'?type'?'? does not match any of the expected tags: {_EXPECTED}"
)
_GIVEN = re.compile(rf"[(,;] ?(?:but )?(?:got|received):? {_QUOTE}{_WORD}{_QUOTE}")
# Groq says of a limit of its own that it "is less than the `context_window`".
_OF_PROMPT = re.compile(r"remain|\bcontext\b|prompt|\binputs?\b(?! should be)|input_tokens", re.IGNORECASE)
_BLOCK = r"(?:content[_ ](?:block|part|item|type)|block type)(?:[_ ]type)?"
_MAX_TOKENS = r"\b(?:max_tokens|max_completion_tokens)\b"
_NUMBER = r"(?P<limit>\d[\d,]{1,11})"

_WORDINGS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Iterator[Lesson]]], ...] = tuple(
    (re.compile(pattern), read)
    for pattern, read in (
        # Anthropic, and those that copy it
        (rf"{_WHERE}: Extra inputs are not permitted", _dropped_where),
        (r"Unexpected value\(s\) (?P<values>`[^\n]{1,600}?) for the `anthropic-beta` header", _refused_betas),
        (rf"{_WHERE}: {_INPUT_TAG.pattern}", _chosen),
        (rf"{_WHERE}: Input should be {_EXPECTED}", _chosen),
        (r"\bmessages: Unexpected role \"system\"", _fixed("system_role", "user")),
        (rf"{_MAX_TOKENS}: \d+ > {_NUMBER}, which is the maximum allowed number of output tokens", _limit),
        (rf"`{_OPTIONAL}` is deprecated for this model", _dropped_where),
        # vLLM: "max_tokens=64000 cannot be greater than max_model_len=max_total_tokens=32768"
        (rf"{_MAX_TOKENS}=\d+ cannot be greater than (?:\w+=){{1,3}}{_NUMBER}", _half_of_window),
        # OpenAI
        (rf"Invalid 'max_(?:completion_)?tokens': integer above maximum value\. Expected a value <= {_NUMBER}", _limit),
        (r"\bcapability_rejected: (?P<class>\w{1,40})(?::(?P<value>[\w.-]{1,100}))?", _of_class),
        # Fireworks
        (rf"Extra inputs are not permitted, field: '{_WHERE}'", _dropped_where),
        # OpenAI
        (rf"Unknown parameter: {_QUOTE}{_WHERE}{_QUOTE}", _dropped_where),
        (rf"Unsupported parameter: {_QUOTE}{_WHERE}{_QUOTE} is not supported", _dropped_where),
        (rf"Unsupported value: '{_OPTIONAL}' does not support", _dropped_where),
        (r"Unsupported value: 'messages\[\d+\]\.role' does not support 'system'", _fixed("system_role", "user")),
        (rf"Invalid value: '{_WORD}'\. Supported values are: {_EXPECTED}", _chosen),
        (r"Unrecognized request arguments? supplied: (?P<names>[\w.\[\]]{1,200}(?:, ?[\w.\[\]]{1,200}){0,15})",
         _dropped_arguments),
        (rf"{_MAX_TOKENS} is too large: \d+\. This model supports at most {_NUMBER} (?:completion|output) tokens",
         _limit),
        # serde: the place is given by those who use serde_path_to_error; Go's encoding/json; MiniMax
        (rf"(?:{_WHERE}: )?\bunknown field {_QUOTE}{_NAME}{_QUOTE}", _dropped_name),
        (rf"(?:{_WHERE}: )?\bunknown variant [`']?{_WORD}[`']?, expected {_EXPECTED}", _chosen),
        # zod
        (rf"(?:{_WHERE}: )?\bInvalid enum value\. Expected (?P<expected>[^\n]{{1,400}}?), received '{_WORD}'", _chosen),
        (r"Unrecognized keys?(?:\(s\) in object)?: (?P<names>['\"]\w{1,64}['\"](?:, ['\"]\w{1,64}['\"]){0,15})",
         _dropped_names),
        # AWS
        (rf"(?P<pointer>#[\w/]{{0,200}}): extraneous key \[{_NAME}\] is not permitted", _dropped_key),
        (rf"requested exceeds the model limit of {_NUMBER}\. Try again with a maximum tokens value", _limit),
        # Jackson
        (r"Unrecognized field \"\w{1,64}\"[^\n]{0,2000}?\(through reference chain: (?P<chain>[^\n()]{1,1000})\)",
         _dropped_reference),
        (rf"Unrecognized field \"{_NAME}\"(?!(?s:.{{0,2000}})through reference chain)", _dropped_name),
        # Google
        (rf"Unknown name \"{_NAME}\"(?: at '{_WHERE}')?: Cannot find field", _dropped_name),
        # Groq, DeepSeek, Alibaba and others on the length of the answer
        (rf"{_MAX_TOKENS}{_QUOTE}? must be (?:less than or equal to|at most) `?{_NUMBER}", _limit),
        (rf"valid range of {_MAX_TOKENS} is \[\d+, ?{_NUMBER}\]", _limit),
        (rf"Range of {_MAX_TOKENS} should be \[\d+, ?{_NUMBER}\]", _limit),
        (rf"{_MAX_TOKENS}: Input should be less than or equal to {_NUMBER}", _limit),
        (rf"{_MAX_TOKENS} \(\d+\) exceeds (?:the )?(?:model's )?(?:maximum|limit)(?: of)? \(?{_NUMBER}\)?", _limit),
        (rf"(?:^|[.:] ){_QUOTE}?{_OPTIONAL}{_QUOTE}? is not supported (?:by|for|with|on) this model", _dropped_where),
        (r"(?i)\binvalid (?:message )?role:? [`'\"]?system\b", _fixed("system_role", "user")),
        # llama.cpp without a projector, in both of its dialects
        (r"(?i)\bimage input is not supported\b", _fixed("images", "note")),
        # Those that translate, of a content block
        (rf"(?i)\b(?:unsupported|unknown|invalid|unrecognized|unexpected) (?:message )?{_BLOCK}:? {_QUOTE}?{_WORD}",
         _refused_block),
        (rf"(?i)\b{_BLOCK}:? {_QUOTE}{_WORD}{_QUOTE} (?:is|are) not (?:supported|allowed|permitted|accepted)",
         _refused_block),
    )
)  # fmt: skip
