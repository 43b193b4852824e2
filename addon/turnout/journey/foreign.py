"""Errors of providers that are not first party, made Anthropic's, with what the provider said kept in full."""

from __future__ import annotations

import time

from turnout.credentials.chain import Credential
from turnout.dialects.error_body import ErrorBody, read_error_body
from turnout.dialects.messages.refusals import Overflow
from turnout.errors import STATUS_OF_TYPE, TYPE_OF_STATUS, error_body
from turnout.health.verdict import Judgement, Outcome, Verdict, judge
from turnout.settings.model import Provider

# What clients of Anthropic have a meaning for: https://docs.claude.com/en/api/errors, 408 and 503 of its SDKs.
_KNOWN_STATUSES = frozenset((*STATUS_OF_TYPE.values(), 408, 503))

# On the first Claude Code compacts, on the second it asks for less output.
_TOO_LONG = "prompt is too long:"
_TOO_MUCH = "input length and `max_tokens` exceed context limit"


def told_in(body: bytes, judgement: Judgement) -> ErrorBody:
    """What an error body says. Of a stream not the whole, but one event may have been judged."""
    told = judgement.told
    return told if told is not None and told.body == body else read_error_body(body)


def shaped_error(status: int, body: bytes, judgement: Judgement) -> tuple[int, bytes]:
    """Status and body of an error answer as a client of Anthropic understands them; a 2xx may hold the error.

    One that is an error of Anthropic's already is returned as it is. A status that clients know stays, unless the
    error stands for another: what a gateway wraps, a spent plan or a missing model in a 400.
    """
    if judgement.overflow is not None:
        return 400, shaped_body(body, judgement)
    if status >= 400 and told_in(body, judgement).stands:
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
    told = told_in(body, judgement)
    if judgement.overflow is not None:
        return _too_long_body(told, judgement.overflow)
    if told.stands:
        return body
    message = told.whole_message or judgement.message or judgement.reason
    message = with_address(message, judgement)
    return error_body("anthropic", judgement.error_type, message.encode(errors="replace").decode())


def with_address(message: str, judgement: Judgement) -> str:
    """The message, with the address that was asked where that may be the wrong one, and what to do then."""
    asked = f"asked for {judgement.address}" if judgement.address and judgement.address not in message else ""
    advice = judgement.advice if judgement.advice not in message else ""
    added = "; ".join(filter(None, (asked, advice)))
    return f"{message} ({added})" if added else message


def shaped_event(provider: Provider, credential: Credential, data: bytes) -> bytes:
    """An error event as Anthropic would send it. Of a credential of Turnout's own nothing is told but its name: errors
    quote keys, and clients would log in anew."""
    judgement = judge(Outcome(status=200, body=data), error_codes=provider.error_codes, now=time.time())
    if judgement.verdict is Verdict.OK:
        judgement = Judgement(Verdict.TRANSIENT, f"{provider.name} reported an error without words")
    if judgement.verdict is Verdict.CREDENTIAL and credential.owned:
        return error_body("anthropic", "api_error", refused_credential(provider, credential))
    return shaped_body(data, judgement)


def refused_credential(provider: Provider, credential: Credential) -> str:
    if credential.secret is None:
        remedy = 'take out auth = "none"' if provider.credentials else 'set credentials = ["env:NAME"]'
        return f"{provider.name} wants a credential and is sent none: {remedy} under [providers.{provider.name}]"
    return f"{provider.name} refused the configured credential {credential.label}"


def _too_long_body(told: ErrorBody, overflow: Overflow) -> bytes:
    """The error on which Claude Code compacts the conversation, or asks for less output where that is enough.

    In Anthropic's words, with the provider's own behind them.
    """
    words = too_long_words(told.whole_message, overflow)
    if words is told.whole_message and told.stands:
        return told.body
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
