"""Errors of providers that are not first party, made Anthropic's, with what the provider said kept in full."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from turnout.dialects.messages.refusals import Overflow
from turnout.dialects.messages.shaped import shaped_type
from turnout.errors import STATUS_OF_TYPE, TYPE_OF_STATUS, error_body
from turnout.health.fault import read_fault
from turnout.health.verdict import Judgement, Outcome, Verdict, judge
from turnout.settings.model import Provider
from turnout.wire.splice import UNREADABLE

# What clients of Anthropic have a meaning for: https://docs.claude.com/en/api/errors, 408 and 503 of its SDKs.
_KNOWN_STATUSES = frozenset((*STATUS_OF_TYPE.values(), 408, 503))

_SAYING = ("message", "msg", "detail", "error", "errors", "details")
"""Keys that hold a message or lead to one, in this order."""
# On the first Claude Code compacts, on the second it asks for less output.
_TOO_LONG = "prompt is too long:"
_TOO_MUCH = "input length and `max_tokens` exceed context limit"

_DEEPEST = 6
"""Levels of lists and objects that are searched for messages."""


def is_shaped(body: bytes) -> bool:
    """Whether this is an error as Anthropic sends it."""
    return bool(shaped_type(body))


def _stands(body: bytes) -> bool:
    """Shaped, and not around the error of another, whose reason is to be told."""
    fault = read_fault(body, failed=True) if is_shaped(body) else None
    return fault is not None and not fault.inner


def shaped_error(status: int, body: bytes, judgement: Judgement) -> tuple[int, bytes]:
    """Status and body of an error answer as a client of Anthropic understands them; a 2xx may hold the error.

    One that is an error of Anthropic's already is returned as it is. A status that clients know stays, unless the
    error stands for another: what a gateway wraps, a spent plan or a missing model in a 400.
    """
    if judgement.overflow is not None:
        return 400, shaped_body(body, judgement)
    if status >= 400 and _stands(body):
        return status, body
    if status >= 400 and judgement.status is not None:
        status = judgement.status
    if status < 400:
        status = STATUS_OF_TYPE.get(judgement.error_type, 500)
    if status not in _KNOWN_STATUSES:
        kind = TYPE_OF_STATUS.get(status, "invalid_request_error" if status < 500 else "api_error")
        status = STATUS_OF_TYPE[kind]
    return status, shaped_body(body, judgement)


def shaped_body(body: bytes, judgement: Judgement) -> bytes:
    """An error, of a stream or of a whole answer, in Anthropic's shape."""
    if judgement.overflow is not None:
        return too_long_body(body, judgement.overflow)
    if _stands(body):
        return body
    message = whole_message(body) or judgement.message or judgement.reason
    message = with_address(message, judgement)
    return error_body("anthropic", judgement.error_type, message.encode(errors="replace").decode())


def with_address(message: str, judgement: Judgement) -> str:
    """The message, with the address that was asked where that may be the wrong one."""
    address = judgement.address
    return f"{message} (asked for {address})" if address and address not in message else message


def shaped_event(provider: Provider, data: bytes) -> bytes:
    """An error event as Anthropic would send it."""
    judgement = judge(Outcome(status=200, body=data), error_codes=provider.error_codes, now=time.time())
    if judgement.verdict is Verdict.OK:
        judgement = Judgement(Verdict.TRANSIENT, f"{provider.name} reported an error without words")
    return shaped_body(data, judgement)


def too_long_body(body: bytes, overflow: Overflow) -> bytes:
    """The error on which Claude Code compacts the conversation, or asks for less output where that is enough.

    In Anthropic's words, with the provider's own behind them.
    """
    message = whole_message(body)
    words = too_long_words(message, overflow)
    if words is message and _stands(body):
        return body
    return error_body("anthropic", "invalid_request_error", words.encode(errors="replace").decode())


def too_long_words(message: str, overflow: Overflow) -> str:
    """Anthropic's words for an overflow that a provider told in its own; the same object when they are."""
    if _TOO_LONG in message or _TOO_MUCH in message:
        return message
    room, limit = overflow.leaves_room, overflow.limit
    if room is not None and room > 0:
        sum_told = f"{overflow.prompt} + {overflow.output} > {limit}"
        return f"{_TOO_MUCH}: {sum_told}, decrease input length or `max_tokens` ({message})"
    if overflow.used and limit:
        return f"{_TOO_LONG} {overflow.used} tokens > {limit} maximum ({message})"
    return f"{_TOO_LONG} {message}"


def whole_message(body: bytes) -> str:
    """What the provider says is wrong, uncut; "" for pages of HTML and what else holds no message.

    The entries of a list, as FastAPI and pydantic give them, are joined, each with its path as Anthropic writes it:
    "messages.0.content: Field required; top_k: Extra inputs are not permitted".
    """
    fault = read_fault(body, failed=True)
    is_list = body.lstrip()[:1] == b"["  # of which it reads the first entry only
    if fault is not None and fault.message and (fault.inner or not is_list):
        return fault.message
    try:
        return _messages(msgspec.json.decode(body), _DEEPEST)
    except UNREADABLE:
        text = body.decode("utf-8", "replace").strip()
    return "" if text[:1] in ("<", "{", "[") else text


def _messages(value: Any, depth: int) -> str:
    if isinstance(value, str):
        return value.strip()
    if not depth:
        return ""
    if isinstance(value, list):
        return "; ".join(dict.fromkeys(text for item in value if (text := _messages(item, depth - 1))))
    if not isinstance(value, dict):
        return ""
    told = (_messages(value.get(name), depth - 1) for name in _SAYING)
    text = next(filter(None, told), "")
    place = value.get("loc")
    path = ".".join(str(step) for step in place if step != "body") if isinstance(place, list) else ""
    return f"{path}: {text}" if path and text else text
