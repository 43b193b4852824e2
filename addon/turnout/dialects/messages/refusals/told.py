"""What an error body tells, in whichever of the vendors' envelopes: its texts, and errors that name their place."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import msgspec

from turnout.dialects.messages.refusals.path import split_location
from turnout.wire.splice import UNREADABLE

MOST_BYTES = 65_536
"""Error bodies are shorter; what is longer is not read."""

_DEEPEST = 8
_MOST_PLACES = 64

_MESSAGES = ("message", "Message", "msg", "status_msg", "detail", "error", "base_resp", "errors", "metadata", "raw")
"""Keys under which envelopes keep their texts, or the next envelope. Never what quotes the request, such as `input`."""

# vLLM: the list of pydantic's errors, written out by Python.
_WRITTEN_ERROR = re.compile(
    r"'type': '(\w{1,40})', 'loc': (\([^()]{1,400}\)), 'msg': (\"[^\"]{1,400}\"|'[^']{1,400}')"
    r"(?:, 'input': '(\w{1,64})')?"
)
_STEP_OF_TUPLE = re.compile(r"'([^']*)'|\b(\d+)\b")
# pydantic: the place on a line of its own, the error below it.
_LISTED_ERROR = re.compile(
    r"^(?P<loc>[A-Za-z_][^\s:]{0,300})\n  (?P<msg>[^\n]{1,400}?) \[type=(?P<type>\w{1,40})"
    r"(?:, input_value='(?P<given>\w{1,64})')?",
    re.MULTILINE,
)


# Errors quote what a user wrote. Behind the word for a message, or in an exception as Python writes it, stands an error
# again, with quotations of its own. An apostrophe has a letter on one side, and so neither opens nor closes one.
_QUOTATION = re.compile(
    r"(?P<error>['\"]?\b(?:message|msg|error|detail)\\?['\"]?\s?[:=]\s?\\?['\"]|(?:Error|Exception)\(['\"])"
    r"|(?<!\w)(?:'.+?'|\".+?\"|`.+?`|‘.+?’)(?!\w)|“[^”]+”",
    re.DOTALL,
)
_CLOSING = "'\"`’”"


@dataclass(frozen=True, slots=True)
class Placed:
    """One error with its place, as validators list them."""

    type: str
    """pydantic's type of error, such as `extra_forbidden`."""
    steps: tuple[str, ...]
    message: str
    given: str = ""
    """The value that was refused, when it is a word."""


@dataclass(slots=True)
class Told:
    """All that an error body says."""

    texts: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    """Types and codes of the error."""
    param: str = ""
    """OpenAI: the parameter that is at fault."""
    placed: list[Placed] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    """llama.cpp: `n_prompt_tokens` and `n_ctx`."""


def read_told(body: bytes) -> Told | None:
    """What the body tells; None when it is too long, no text, or a web page. Never raises."""
    if len(body) > MOST_BYTES:
        return None
    told = Told()
    try:
        _collect(told, msgspec.json.decode(body), 0)
    except UNREADABLE:
        text = body.decode("utf-8", "replace")
        if text.lstrip().startswith("<"):
            return None
        _add_text(told, text, 0)
    return told


def without_quotations(text: str, most: int) -> str:
    """The first characters of a text, `most` of them, without what they quote.

    A single word in quotation marks stays, as it may be a name or a code.
    """
    if len(text) > most:
        text = f"{text[:most]} {_CLOSING}"  # of a quotation that goes on beyond
    return _QUOTATION.sub(lambda match: match[0] if match["error"] or not re.search(r"\s", match[0]) else "''", text)


def _collect(told: Told, value: Any, depth: int) -> None:
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        _add_text(told, value, depth)
    elif isinstance(value, list):
        for each in value[:_MOST_PLACES]:
            if isinstance(each, dict) and isinstance(each.get("loc"), list):
                _add_placed(told, each)
            elif isinstance(each, dict):
                _collect(told, each, depth + 1)
    elif isinstance(value, dict):
        _collect_object(told, value, depth)


def _collect_object(told: Told, value: dict[str, Any], depth: int) -> None:
    for name in ("type", "code"):
        if isinstance(value.get(name), str):
            told.codes.append(value[name])
    if isinstance(value.get("param"), str):
        told.param = told.param or value["param"]
    for name in ("n_prompt_tokens", "n_ctx"):
        if type(value.get(name)) is int:
            told.counts[name] = value[name]
    for name in _MESSAGES:
        if name in value:
            _collect(told, value[name], depth + 1)


def _add_text(told: Told, text: str, depth: int) -> None:
    """Gateways put the answer of their own upstream into the message, as JSON."""
    inner = text[text.find("{") : text.rfind("}") + 1]
    if inner.startswith('{"'):
        try:
            found = msgspec.json.decode(inner)
        except UNREADABLE:
            pass
        else:
            _collect(told, found, depth + 1)
            text = text[: text.find("{")]
    written = [*_WRITTEN_ERROR.finditer(text)][:_MOST_PLACES]
    if written:
        told.placed += [_of_written(match) for match in written]
        return  # the rest of it quotes the request
    for match in [*_LISTED_ERROR.finditer(text)][:_MOST_PLACES]:
        steps = split_location(match["loc"])
        told.placed.append(Placed(match["type"], steps, match["msg"], match["given"] or ""))
    if text.strip():
        told.texts.append(text.strip())


def _add_placed(told: Told, item: dict[str, Any]) -> None:
    type, message, given = item.get("type"), item.get("msg"), item.get("input")
    if isinstance(type, str) and isinstance(message, str):
        steps = tuple(str(step) for step in item["loc"] if isinstance(step, str | int))
        told.placed.append(Placed(type, _in_body(steps), message, given if isinstance(given, str) else ""))


def _of_written(match: re.Match[str]) -> Placed:
    steps = tuple(word or number for word, number in _STEP_OF_TUPLE.findall(match[2]))
    return Placed(match[1], _in_body(steps), match[3][1:-1], match[4] or "")


def _in_body(steps: tuple[str, ...]) -> tuple[str, ...]:
    return steps[1:] if steps[:1] == ("body",) else steps
