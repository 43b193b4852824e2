"""The last answer to an exchange that no target served: something the client can act on, never invented success."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from turnout.errors import (
    STATUS_OF_TYPE,
    AuthUnavailable,
    ModelCooldown,
    NotAuthenticated,
    NotFound,
    NotSupported,
    RequestError,
    error_body,
)
from turnout.exchange import Exchange, LocalAnswer
from turnout.health.judgement import USED_UP, WAITING_HELPS, Judgement, Verdict
from turnout.health.limits import told_wait
from turnout.health.waiting import LONGEST_ASKED, Wait, soonest, wait_asked
from turnout.journey.candidates import BUSY_RETRY
from turnout.journey.foreign import refused_credential, shaped_error, told_in, too_long_words, with_address
from turnout.journey.moved import moved_words
from turnout.journey.state import Blocked, Failure
from turnout.metadata import SERVED_BY
from turnout.settings.toml_lines import toml_key

_QUOTAS = {str(verdict) for verdict in (*USED_UP, Verdict.THROTTLE)}
_OVER_SOON = {*map(str, WAITING_HELPS), "busy", "probing"}

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "set-cookie"}

_WAITS = {"retry-after", "retry-after-ms"}
# By these Claude Code knows a used-up plan: with its own login it ends the turn, and tells when the plan begins anew.
_PLAN = "anthropic-ratelimit-unified-"

# What a page in the place of an answer may still tell the client. The rest would be taken for a missing model, or for a
# login that is over.
_SAID_BY_PAGES = {"rate_limit_error", "overloaded_error", "timeout_error", "request_too_large"}


def own_error(failures: Sequence[Failure], waits: Sequence[Wait]) -> LocalAnswer:
    """The primary's own error with `retry-after`: a first party's unmodified, all others in Anthropic's shape.

    `waits`: how long what the plan has is not to be had, as far as that is known.
    """
    primary = next((failure for failure in failures if _tellable(failure)), failures[0])
    headers: dict[str, str] = {}
    if _tellable(primary) and primary.answer is not None:
        status, body = primary.answer.status, primary.answer.body
        headers = _told_headers(primary.answer.headers, primary.judgement.retry_after)
        if not primary.candidate.provider.first_party:
            status, body = shaped_error(status, body, primary.judgement)
            if body is not primary.answer.body:
                headers["content-type"] = "application/json"
    else:
        status, body = _rebuilt(primary, failures)
        if primary.answer is not None and SERVED_BY in primary.answer.headers:
            headers[SERVED_BY] = primary.answer.headers[SERVED_BY]
    headers.setdefault("content-type", "application/json")
    if primary.candidate.guarded:
        _tell_of_plan(headers, primary.judgement, waits)
    else:
        _tell_of_target(headers, primary.judgement)
    if not _helps(failures, waits):
        headers["x-should-retry"] = "false"
    elif primary.candidate.guarded and headers.get("x-should-retry") == "false":
        del headers["x-should-retry"]  # it speaks for one target of several
    return LocalAnswer(status, headers, body)


def _tell_of_plan(headers: dict[str, str], judgement: Judgement, waits: Sequence[Wait]) -> None:
    """How long to wait for something of the plan, in the place of what one target has said of itself."""
    for name in _WAITS & headers.keys():
        del headers[name]
    seconds = wait_asked(waits)
    if seconds is not None:
        headers["retry-after"] = str(seconds)
    own = judgement.until - time.time() if judgement.until is not None else None
    if any(not wait.quota or (own is not None and wait.seconds < own - 1) for wait in waits):
        for name in [name for name in headers if name.startswith(_PLAN)]:
            del headers[name]


def _tell_of_target(headers: dict[str, str], judgement: Judgement) -> None:
    """The client's own credential at its only target: what that one says stands."""
    if judgement.retry_after is not None and not _WAITS & headers.keys():
        own = Wait(judgement.retry_after, told=True, quota=judgement.verdict in USED_UP)
        headers["retry-after"] = str(wait_asked((own,)))


def _helps(failures: Sequence[Failure], waits: Sequence[Wait]) -> bool:
    """Whether it helps that the client asks again by itself."""
    first = soonest(waits)
    soon = first is not None and first <= LONGEST_ASKED
    judged = [failure.judgement for failure in failures if failure.judgement.retryable is not False]
    return bool(judged) and (soon or any(judgement.verdict in WAITING_HELPS for judgement in judged))


def _told_headers(headers: Mapping[str, str], believed: float | None) -> dict[str, str]:
    """The provider's headers without those about its connection, and without a wait that Turnout itself does not keep.

    `believed`: seconds that the provider's wait counts for; None when it gave none that can be meant.
    """
    kept = {name: value for name, value in headers.items() if name not in _HOP_BY_HOP}
    for name in _WAITS & kept.keys():
        wait = told_wait(name, kept[name], time.time())
        if wait is None or believed is None or wait > believed + 1:
            del kept[name]
    return kept


def _tellable(failure: Failure) -> bool:
    """Whether the provider's own answer may stand: an error as JSON, and not about a credential the proxy owns.

    A 401 about the proxy's credential would send Claude Code into its own login loop. An error that another provider
    put into a success may stand when it has a message; it is given a status.
    """
    answer = failure.answer
    if answer is None or (failure.judgement.verdict is Verdict.CREDENTIAL and failure.candidate.credential.owned):
        return False
    begin = answer.body.lstrip()[:1]
    if answer.status >= 400 and begin == b"{":
        return True
    foreign = not failure.candidate.provider.first_party and not 300 <= answer.status <= 399
    return foreign and begin in (b"{", b"[") and told_in(answer.body, failure.judgement).whole_message != ""


def _rebuilt(primary: Failure, failures: Sequence[Failure]) -> tuple[int, bytes]:
    judgement, candidate = primary.judgement, primary.candidate
    if judgement.page is not None:
        kind = judgement.error_type if judgement.error_type in _SAID_BY_PAGES else "api_error"
        who = judgement.address or candidate.provider.host
        message = (
            f"{who} answered {judgement.status} with a {judgement.page}, not as an API does. "
            "Something on the way (a proxy, a firewall, a login page) has answered, or base_url leads elsewhere"
            f"{f'; {judgement.advice}' if judgement.advice else ''}"
        )
    elif judgement.location:
        kind, message = "api_error", moved_words(candidate, judgement, primary.endpoint)
    elif judgement.verdict is Verdict.CREDENTIAL and candidate.credential.owned:
        kind = "api_error"
        said = f": {judgement.message}" if judgement.of_account and judgement.message else ""
        message = refused_credential(candidate.provider, candidate.credential) + said
    else:
        kind = judgement.error_type
        message = with_address(judgement.message or judgement.reason, judgement)
    if judgement.overflow is not None:
        return 400, error_body("anthropic", kind, too_long_words(message, judgement.overflow))
    told = dict.fromkeys(f"{failure.candidate.target}: {failure.judgement.reason}" for failure in failures)
    text = f"{message} (all targets failed: {'; '.join(told)})" if len(told) > 1 else f"{candidate.target}: {message}"
    # "api_error" without an answer of the provider's own is about the way to it.
    return 502 if kind == "api_error" else STATUS_OF_TYPE.get(kind, 502), error_body("anthropic", kind, text)


def nothing_to_try(exchange: Exchange, blocked: Blocked, recent: Mapping[str, Sequence[int | str]]) -> LocalAnswer:
    """The answer when no attempt could even be made (D3, D4)."""
    error = _reason(exchange, blocked, recent)
    exchange.ending = error.message
    return LocalAnswer(error.status, error.headers(), error.body("anthropic"))


def _reason(exchange: Exchange, blocked: Blocked, recent: Mapping[str, Sequence[int | str]]) -> RequestError:
    model = exchange.request.model
    providers = ", ".join(target.provider for target in exchange.plan)
    kinds = set(blocked.counts)
    if kinds == {"unsupported"}:
        missing = f", and no credential was found for {', '.join(blocked.missing)}" if blocked.missing else ""
        return NotSupported(f"{providers}: does not count tokens{missing}; {_estimated(exchange)}")
    rests = kinds - {"unsupported", "no credential"}
    if rests and "unsupported" in kinds and exchange.endpoint == "count_tokens":
        # Claude Code counts by itself then; told to wait, its /context stands still for a minute (2.1.332).
        return NotSupported(f"No provider of {providers} counts tokens now ({_counted(blocked)})")
    kinds.discard("unsupported")
    if kinds == {"no credential"}:
        looked_for = ", ".join(dict.fromkeys(blocked.missing))
        remedies = " ".join(dict.fromkeys(blocked.remedies))
        return NotAuthenticated(f"No credential could be found for {looked_for}. {remedies}".rstrip())
    model_kinds = kinds - {"no credential"}
    if model_kinds == {str(Verdict.NOT_FOUND)}:
        if exchange.endpoint == "count_tokens":
            return NotSupported(f"{providers}: does not count tokens; {_estimated(exchange)}")
        return NotFound(f"model: {model} was not found at {providers}")
    details = {"blocked": dict(blocked.counts), "recent": {name: list(codes) for name, codes in recent.items()}}
    wait = wait_asked(blocked.waits or (Wait(BUSY_RETRY, told=False),), refused_here=True)
    advice = f"; try again in {wait} s"
    first = soonest(blocked.waits)
    hopeless = bool(kinds) and not kinds & _OVER_SOON and (first is None or first > LONGEST_ASKED)
    if kinds and kinds <= _QUOTAS:
        message = f"All credentials for model {model} are cooling down via {providers}{advice}"
        return ModelCooldown(message, retry_after=wait, details=details, hopeless=hopeless)
    message = f"No target for model {model} is available ({_counted(blocked) or 'none available'}){advice}"
    return AuthUnavailable(message, retry_after=wait, details=details, hopeless=hopeless)


def _estimated(exchange: Exchange) -> str:
    """What to set for a count. The first target's setting decides when it is the first that can count."""
    key = f"providers.{toml_key(exchange.plan[0].provider)}"
    return f'set count_tokens = "estimate" for {key} in mitm.conf to have it estimated here'


def _counted(blocked: Blocked) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in blocked.counts.items())
