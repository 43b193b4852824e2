"""The last answer to an exchange that no target served (A9, D3, D4)."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from turnout.credentials.chain import Credential
from turnout.dialects.messages.refusals import Overflow
from turnout.exchange import ClientRequest, Endpoint, Exchange, LocalAnswer, Target
from turnout.health.page import Page
from turnout.health.verdict import Judgement, Verdict
from turnout.health.waiting import Wait
from turnout.journey.candidates import BUSY_RETRY
from turnout.journey.endings import nothing_to_try, own_error
from turnout.journey.state import Blocked, Candidate, Failure
from turnout.redaction.secret import Secret
from turnout.settings.model import Provider


def failure(
    verdict: Verdict,
    status: int | None = None,
    body: bytes = b'{"type":"error"}',
    *,
    name: str = "first",
    owned: bool = True,
    first_party: bool = False,
    guarded: bool = True,
    headers: Mapping[str, str] | None = None,
    **judged: Any,
) -> Failure:
    credential = Credential("env:KEY" if owned else "client", Secret("s"), owned=owned, oauth=False, header="x-api-key")
    provider = Provider(name=name, base_url="https://x", first_party=first_party)
    candidate = Candidate(Target(name), provider, "m", credential, scope="s", guarded=guarded)
    answer = None if status is None else LocalAnswer(status, headers or {}, body)
    return Failure(candidate, Judgement(verdict, judged.pop("reason", f"{status} {verdict}"), **judged), answer)


def told(answer: LocalAnswer) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(answer.body)["error"]
    return error


# --- something was tried ---


def test_a_first_partys_own_error_stands_unmodified() -> None:
    body = b'{"type":"error",  "error":{"type":"rate_limit_error"}}'
    headers = {
        "content-type": "application/json; charset=utf-8",
        "request-id": "r",
        "connection": "close",
        "keep-alive": "timeout=5",
        "content-length": "5",
        "content-encoding": "gzip",
        "set-cookie": "c",
        "transfer-encoding": "chunked",
    }
    primary = failure(Verdict.QUOTA, 429, body, headers=headers, first_party=True)
    answer = own_error([primary, failure(Verdict.OVERLOADED, 529)], [])
    assert (answer.status, answer.body) == (429, body)
    assert answer.headers == {"content-type": "application/json; charset=utf-8", "request-id": "r"}


@pytest.mark.parametrize(
    ("status", "first_party", "stands"),
    [(400, True, True), (200, True, False), (299, False, True), (300, False, False), (399, False, False)],
)
def test_which_answers_may_stand(status: int, first_party: bool, stands: bool) -> None:
    """An error may; of a success of another provider, what it says; a redirect says nothing about the request."""
    body = b'{"error":{"message":"own words"}}'
    told_by = failure(
        Verdict.QUOTA, status, body, first_party=first_party, reason="ours", error_type="rate_limit_error"
    )
    error = json.loads(own_error([told_by], []).body)["error"]
    assert ("own words" in error["message"]) is stands and ("ours" in error["message"]) is not stands


def test_an_overflow_that_came_as_no_error_is_told_as_anthropic_tells_it() -> None:
    """On these words the client compacts the conversation."""
    refusal = Overflow(used=2000, limit=1000)
    page = failure(Verdict.REQUEST, 502, b"<html>", error_type="invalid_request_error", message="no", refusal=refusal)
    answer = own_error([page], [])
    assert answer.status == 400 and json.loads(answer.body)["type"] == "error"
    assert told(answer)["type"] == "invalid_request_error"
    assert told(answer)["message"] == "prompt is too long: 2000 tokens > 1000 maximum (no)"


def test_an_error_of_our_own_has_anthropics_shape() -> None:
    assert json.loads(own_error([failure(Verdict.TRANSIENT)], []).body)["type"] == "error"


LONG = "quota " * 100


@pytest.mark.parametrize(
    ("status", "body", "sent", "said"),
    [
        (429, json.dumps({"error": {"code": "1308", "message": LONG}}).encode(), 429, LONG.strip()),
        (424, b'{"message":"no backend"}', 500, "no backend"),
        (429, b'[{"error":{"code":429,"message":"slow"}}]', 429, "slow"),
        (529, b"{}", 529, "529 quota"),
        (200, b'{"base_resp":{"status_code":2056,"status_msg":"usage limit"}}', 429, "usage limit"),
    ],
)
def test_another_providers_error_takes_anthropics_shape(status: int, body: bytes, sent: int, said: str) -> None:
    """A10: with the message it gave, uncut, and its headers."""
    headers = {"content-type": "text/json", "request-id": "r"}
    primary = failure(Verdict.QUOTA, status, body, headers=headers, error_type="rate_limit_error", message="cut")
    if status == 529:
        primary = failure(Verdict.QUOTA, status, body, headers=headers, error_type="rate_limit_error")
    answer = own_error([primary], [])
    assert (answer.status, answer.headers["content-type"], answer.headers["request-id"]) == (
        sent,
        "application/json",
        "r",
    )
    assert json.loads(answer.body) == {"type": "error", "error": {"type": "rate_limit_error", "message": said}}


@pytest.mark.parametrize("status", [429, 422])
def test_another_providers_error_in_anthropics_shape_stands_unmodified(status: int) -> None:
    body = b'{"type":"error",  "error":{"type":"rate_limit_error","message":"slow"}, "request_id":"r"}'
    answer = own_error([failure(Verdict.THROTTLE, status, body, headers={"content-type": "a"})], [])
    assert (answer.status, answer.body, answer.headers["content-type"]) == (status, body, "a")


SPENT = {"told": True, "quota": True}


def named(seconds: float) -> Wait:
    return Wait(seconds, told=True)


def guessed(seconds: float) -> Wait:
    return Wait(seconds, told=False)


@pytest.mark.parametrize(
    ("headers", "waits", "expected"),
    [
        # Nobody named a time: the client knows better.
        ({}, [], None),
        ({}, [guessed(20)], None),
        ({"retry-after": "nan"}, [guessed(66)], None),
        ({"retry-after": "99999999999"}, [guessed(20), guessed(60)], None),
        # Somebody did: the soonest of all, and never more than a client waits for.
        ({"retry-after": "17"}, [named(17.2)], "18"),
        ({"retry-after": "17"}, [named(17.2), guessed(5.5)], "6"),
        ({"retry-after": "300", "retry-after-ms": "300000"}, [named(300)], "60"),
        ({"retry-after": "3600"}, [named(3600), Wait(7200, **SPENT)], "60"),
        ({}, [named(0.2)], "1"),
        # Everything is used up until a time that is known: then that.
        ({"retry-after": "9000"}, [Wait(9000, **SPENT)], "9000"),
        ({"retry-after": "9000"}, [Wait(9000, **SPENT), Wait(500_000, **SPENT)], "9000"),
        ({"retry-after": "9000"}, [Wait(9000, **SPENT), Wait(300, told=False, quota=True)], "60"),
    ],
)
def test_retry_after(headers: dict[str, str], waits: list[Wait], expected: str | None) -> None:
    """Claude Code waits for 60 s, and ends its turn at 61."""
    answer = own_error([failure(Verdict.THROTTLE, 429, headers=headers)], waits)
    assert answer.headers.get("retry-after") == expected and "retry-after-ms" not in answer.headers


@pytest.mark.parametrize(
    ("headers", "retry_after", "expected"),
    [
        ({"retry-after": "300"}, 300.0, "300"),
        ({"retry-after": "0.4"}, 0.4, "0.4"),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, None, None),
        ({"x-ratelimit-reset-requests": "6m0s"}, 360.0, "60"),
        ({}, 30.4, "31"),
    ],
)
def test_what_the_only_target_says_to_the_clients_own_credential_stands(
    headers: dict[str, str], retry_after: float | None, expected: str | None
) -> None:
    failed = failure(Verdict.THROTTLE, 429, headers=headers, retry_after=retry_after, guarded=False)
    assert own_error([failed], []).headers.get("retry-after") == expected


PLAN = {"anthropic-ratelimit-unified-status": "rejected", "anthropic-ratelimit-unified-reset": "1"}


@pytest.mark.parametrize(
    ("waits", "kept"),
    [
        ([Wait(7200, **SPENT)], True),
        ([Wait(7200, **SPENT), Wait(9000, **SPENT)], True),
        ([Wait(7200, **SPENT), Wait(600, **SPENT)], False),
        ([Wait(7200, **SPENT), guessed(20)], False),
    ],
)
def test_a_used_up_plan_is_told_only_where_nothing_else_comes_before_it(waits: list[Wait], kept: bool) -> None:
    """On these headers Claude Code ends the turn, and names the time when the plan begins anew."""
    spent = failure(Verdict.QUOTA, 429, headers=PLAN, first_party=True, until=time.time() + 7200)
    answer = own_error([spent, failure(Verdict.TRANSIENT)], waits)
    assert (PLAN.keys() <= answer.headers.keys()) is kept
    assert not kept or answer.headers["retry-after"] == "7200"


@pytest.mark.parametrize(
    ("verdicts", "may"),
    [
        ([Verdict.QUOTA], False),
        ([Verdict.NOT_FOUND, Verdict.CREDENTIAL], False),
        ([Verdict.QUOTA, Verdict.OVERLOADED], True),
        ([Verdict.TRANSIENT], True),
        ([Verdict.THROTTLE], True),
    ],
)
def test_retrying_is_called_off_when_it_cannot_help(verdicts: list[Verdict], may: bool) -> None:
    answer = own_error([failure(verdict, 500, headers={}) for verdict in verdicts], [])
    assert answer.headers.get("x-should-retry") == (None if may else "false")


@pytest.mark.parametrize(
    ("failed", "waits", "may"),
    [
        ([failure(Verdict.QUOTA, 429)], [Wait(30, **SPENT)], True),
        ([failure(Verdict.QUOTA, 429)], [Wait(61, **SPENT)], False),
        ([failure(Verdict.QUOTA, 402)], [Wait(30, told=False, quota=True)], False),
        ([failure(Verdict.TRANSIENT, 503, retryable=False)], [], False),
        ([failure(Verdict.TRANSIENT, 503, retryable=False), failure(Verdict.TRANSIENT, 500)], [], True),
        ([failure(Verdict.NOT_FOUND, 404), failure(Verdict.QUOTA, 429)], [named(300)], False),
    ],
)
def test_asking_again_helps_where_something_is_back_within_a_minute(
    failed: list[Failure], waits: list[Wait], may: bool
) -> None:
    """One provider's `x-should-retry: false` does not speak for the others."""
    headers = {"x-should-retry": "false"}
    failed = [replace(each, answer=replace(each.answer, headers=headers)) for each in failed if each.answer]
    assert own_error(failed, waits).headers.get("x-should-retry") == (None if may else "false")


PAGE = Page("405 Not Allowed")


@pytest.mark.parametrize(
    ("status", "kind", "sent", "said"),
    [
        (405, "api_error", 502, "api_error"),
        (404, "not_found_error", 502, "api_error"),
        (403, "api_error", 502, "api_error"),
        (413, "request_too_large", 413, "request_too_large"),
        (429, "rate_limit_error", 429, "rate_limit_error"),
        (503, "overloaded_error", 529, "overloaded_error"),
        (504, "timeout_error", 504, "timeout_error"),
    ],
)
def test_a_web_page_is_told_as_one(status: int, kind: str, sent: int, said: str) -> None:
    """A 401, 403 or 404 would be taken for a login that is over, or for a model that is missing."""
    failed = failure(Verdict.TRANSIENT, status, b"<html>", error_type=kind, page=PAGE, first_party=True)
    failed = replace(failed, judgement=replace(failed.judgement, status=status))
    answer = own_error([failed], [])
    assert (answer.status, told(answer)["type"]) == (sent, said)
    assert f'x answered {status} with a web page ("405 Not Allowed")' in told(answer)["message"]
    assert answer.headers["content-type"] == "application/json"


def test_a_web_page_is_told_with_what_to_set() -> None:
    failed = failure(Verdict.TRANSIENT, 404, b"<html>", page=PAGE)
    failed = replace(failed, judgement=replace(failed.judgement, advice="set this"))
    assert told(own_error([failed], []))["message"].endswith("or base_url leads elsewhere; set this")


def test_the_first_answer_that_can_be_told_wins() -> None:
    failures = [failure(Verdict.TRANSIENT), failure(Verdict.CREDENTIAL, 401), failure(Verdict.OVERLOADED, 529, b"{}")]
    assert own_error(failures, []).status == 529


def test_a_refused_credential_of_ours_is_not_the_clients_login() -> None:
    """Its 401 would send Claude Code to log in again."""
    answer = own_error([failure(Verdict.CREDENTIAL, 401, error_type="authentication_error")], [])
    assert answer.status == 502 and told(answer) == {
        "type": "api_error",
        "message": "first: first refused the configured credential env:KEY",
    }


@pytest.mark.parametrize(
    ("kind", "status", "sent"),
    [
        ("authentication_error", 401, 401),
        ("permission_error", 403, 403),
        ("authentication_error", 200, 401),
        ("permission_error", 200, 403),
    ],
)
def test_the_clients_own_credential_is_the_clients_business(kind: str, status: int, sent: int) -> None:
    """Also when the error rides on a 200."""
    failed = failure(Verdict.CREDENTIAL, status, owned=False, error_type=kind, message="invalid x-api-key")
    answer = own_error([failed], [])
    assert answer.status == sent
    if status == 200:
        assert told(answer) == {"type": kind, "message": "first: invalid x-api-key"}


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("overloaded_error", 529),
        ("timeout_error", 504),
        ("api_error", 502),
        ("rate_limit_error", 429),
        ("billing_error", 402),
        ("not_found_error", 404),
        ("brand_new_error", 502),
    ],
)
def test_an_error_without_a_status_of_its_own_gets_the_one_of_its_type(kind: str, status: int) -> None:
    """An error event inside a 200, a broken connection."""
    for answered in (None, 200):
        answer = own_error([failure(Verdict.OVERLOADED, answered, error_type=kind, message="too busy")], [])
        assert answer.status == status and told(answer) == {"type": kind, "message": "first: too busy"}
        assert answer.headers["content-type"] == "application/json"


def test_all_failures_are_told() -> None:
    failures = [
        failure(Verdict.TRANSIENT, reason="connection refused"),
        failure(Verdict.TRANSIENT, name="b", reason="idle"),
    ]
    message = told(own_error(failures, []))["message"]
    assert message == "connection refused (all targets failed: first: connection refused; b: idle)"


# --- nothing could be tried ---


def ending(*waits: Wait, endpoint: Endpoint = "messages", **counts: int) -> tuple[LocalAnswer, dict[str, Any]]:
    request = ClientRequest("POST", "/v1/messages", {}, b'{"model":"opus"}')
    exchange = Exchange(request, endpoint, plan=(Target("a"), Target("b", "x")))
    blocked = Blocked(
        {name.replace("_", " ") if name == "no_credential" else name: n for name, n in counts.items()},
        waits,
        ("a (env:A)", "b (env:B)"),
        ("Set A.", "Set B.", "Set A."),
    )
    answer = nothing_to_try(exchange, blocked, {"a": [429, 200], "b": []})
    return answer, told(answer)


def test_no_target_counts_tokens() -> None:
    """A9."""
    answer, error = ending(unsupported=2)
    assert answer.status == 501 and error["type"] == "not_supported" and answer.headers["x-should-retry"] == "false"
    told = "a, b: does not count tokens, and no credential was found for a (env:A), b (env:B); "
    assert error["message"].startswith(f'{told}set count_tokens = "estimate" for providers.a in')


@pytest.mark.parametrize("counts", [{"no_credential": 2}, {"no_credential": 1, "unsupported": 1}])
def test_no_credential_is_401(counts: dict[str, int]) -> None:
    """A8."""
    answer, error = ending(**counts)
    assert (
        answer.status == 401
        and error["type"] == "authentication_error"
        and error["message"] == "No credential could be found for a (env:A), b (env:B). Set A. Set B."
    )


@pytest.mark.parametrize(
    "counts",
    [
        {"quota": 1, "quota_model": 1, "throttle": 1},
        {"quota": 2},
        {"quota_model": 1, "throttle": 1},
        {"quota": 1, "unsupported": 1},
    ],
)
def test_all_credentials_cooling_is_429(counts: dict[str, int]) -> None:
    """D3."""
    answer, error = ending(Wait(301.4, told=True), **counts)
    assert answer.status == 429 and answer.headers["retry-after"] == "60"
    assert (error["type"], error["code"]) == ("rate_limit_error", "model_cooldown")
    assert error["blocked"] == counts and error["recent"] == {"a": [429, 200], "b": []}
    assert error["message"] == "All credentials for model opus are cooling down via a, b; try again in 60 s"


@pytest.mark.parametrize("resting", ["quota", "throttle", "overloaded"])
def test_a_count_waits_for_nobody(resting: str) -> None:
    """Claude Code counts by itself after a 501; told to wait, its /context stands still."""
    answer, error = ending(Wait(90, told=True), endpoint="count_tokens", **{resting: 1, "unsupported": 2})
    assert answer.status == 501 and "retry-after" not in answer.headers
    assert error["message"] == f"No provider of a, b counts tokens now (1 {resting}, 2 unsupported)"


@pytest.mark.parametrize(
    ("waits", "wait", "hopeless"),
    [
        ([Wait(7200.5, **SPENT)], "7201", True),
        ([Wait(45, **SPENT)], "45", False),
        ([Wait(300, told=False, quota=True)], "60", True),
    ],
)
def test_a_quota_is_told_as_what_it_is(waits: list[Wait], wait: str, hopeless: bool) -> None:
    """The header and the words name one time."""
    answer, error = ending(*waits, quota=1)
    assert answer.headers.get("retry-after") == wait
    assert answer.headers.get("x-should-retry") == ("false" if hopeless else None)
    assert error["message"].endswith(f"via a, b; try again in {wait} s")


@pytest.mark.parametrize(
    ("counts", "waits", "wait", "hopeless"),
    [
        ({"busy": 1}, [named(BUSY_RETRY)], "5", False),
        ({"overloaded": 1, "quota": 1}, [named(12), named(400)], "12", False),
        ({"overloaded": 1}, [guessed(20)], "20", False),
        ({"probing": 1}, [named(3)], "3", False),
        ({"credential": 1, "no_credential": 1}, [guessed(300)], "60", True),
        ({}, [], "5", False),
    ],
)
def test_blocked_for_other_reasons_is_503(
    counts: dict[str, int], waits: list[Wait], wait: str, hopeless: bool
) -> None:
    """D4."""
    answer, error = ending(*waits, **counts)
    assert answer.status == 503 and answer.headers.get("retry-after") == wait
    assert answer.headers.get("x-should-retry") == ("false" if hopeless else None)
    assert (error["type"], error["code"]) == ("overloaded_error", "auth_unavailable")
    assert sum(error["blocked"].values()) == sum(counts.values()) and error["recent"]["a"] == [429, 200]
    counted = ", ".join(f"{count} {name.replace('no_', 'no ')}" for name, count in counts.items()) or "none available"
    assert error["message"] == f"No target for model opus is available ({counted}); try again in {wait} s"


@pytest.mark.parametrize(("endpoint", "status"), [("messages", 404), ("count_tokens", 501)])
def test_what_nobody_has_is_not_asked_for_again(endpoint: Endpoint, status: int) -> None:
    answer, _ = ending(guessed(60), endpoint=endpoint, not_found=2)
    assert answer.status == status and answer.headers["x-should-retry"] == "false"
    assert "retry-after" not in answer.headers
