"""The last answer to an exchange that no target served (A9, D3, D4)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from turnout.credentials.chain import Credential
from turnout.exchange import ClientRequest, Exchange, LocalAnswer, Target
from turnout.health.verdict import Judgement, Verdict
from turnout.journey.endings import BUSY_RETRY, nothing_to_try, own_error
from turnout.journey.state import Blocked, Candidate, Failure
from turnout.settings.model import Provider
from turnout.settings.secret import Secret
from turnout.wire.refusal import Overflow


def failure(
    verdict: Verdict,
    status: int | None = None,
    body: bytes = b'{"type":"error"}',
    *,
    name: str = "first",
    owned: bool = True,
    first_party: bool = False,
    headers: Mapping[str, str] | None = None,
    **judged: Any,
) -> Failure:
    credential = Credential("env:KEY" if owned else "client", Secret("s"), owned=owned, oauth=False, header="x-api-key")
    provider = Provider(name=name, base_url="https://x", first_party=first_party)
    candidate = Candidate(Target(name), provider, "m", credential, scope="s")
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
    answer = own_error([primary, failure(Verdict.OVERLOADED, 529)], None)
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
    error = json.loads(own_error([told_by], None).body)["error"]
    assert ("own words" in error["message"]) is stands and ("ours" in error["message"]) is not stands


def test_an_overflow_that_came_as_no_error_is_told_as_anthropic_tells_it() -> None:
    """On these words the client compacts the conversation."""
    refusal = Overflow(used=2000, limit=1000)
    page = failure(Verdict.REQUEST, 502, b"<html>", error_type="invalid_request_error", message="no", refusal=refusal)
    answer = own_error([page], None)
    assert answer.status == 400 and json.loads(answer.body)["type"] == "error"
    assert told(answer)["type"] == "invalid_request_error"
    assert told(answer)["message"] == "prompt is too long: 2000 tokens > 1000 maximum (no)"


def test_an_error_of_our_own_has_anthropics_shape() -> None:
    assert json.loads(own_error([failure(Verdict.TRANSIENT)], None).body)["type"] == "error"


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
    answer = own_error([primary], None)
    assert (answer.status, answer.headers["content-type"], answer.headers["request-id"]) == (
        sent,
        "application/json",
        "r",
    )
    assert json.loads(answer.body) == {"type": "error", "error": {"type": "rate_limit_error", "message": said}}


@pytest.mark.parametrize("status", [429, 422])
def test_another_providers_error_in_anthropics_shape_stands_unmodified(status: int) -> None:
    body = b'{"type":"error",  "error":{"type":"rate_limit_error","message":"slow"}, "request_id":"r"}'
    answer = own_error([failure(Verdict.THROTTLE, status, body, headers={"content-type": "a"})], None)
    assert (answer.status, answer.body, answer.headers["content-type"]) == (status, body, "a")


@pytest.mark.parametrize(
    ("headers", "retry_after", "free_in", "expected"),
    [
        ({"retry-after": "17"}, 17.0, 99.0, "17"),
        ({}, 30.4, 99.0, "30"),
        ({}, None, 99.0, "99"),
        ({}, 0.0, 99.0, "1"),
        ({}, None, None, None),
        ({"retry-after": "0.4"}, 0.4, 99.0, "0.4"),
        ({"retry-after": "99999999999"}, None, 60.0, "60"),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, None, 60.0, "60"),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, None, None, None),
        ({"retry-after": "561635"}, 3600.0, 3600.0, "3600"),
        ({"retry-after": "561635", "retry-after-ms": "1500"}, 1.5, 2.0, "2"),
        ({"retry-after": "nan"}, None, 60.0, "60"),
    ],
)
def test_retry_after(
    headers: dict[str, str], retry_after: float | None, free_in: float | None, expected: str | None
) -> None:
    answer = own_error([failure(Verdict.THROTTLE, 429, headers=headers, retry_after=retry_after)], free_in)
    assert answer.headers.get("retry-after") == expected


def test_no_header_tells_a_wait_that_is_not_kept() -> None:
    headers = {"retry-after-ms": "9" * 20, "retry-after": "12"}
    answer = own_error([failure(Verdict.THROTTLE, 429, headers=headers, retry_after=12.0)], None)
    assert answer.headers == {"content-type": "application/json", "retry-after": "12"}


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
    answer = own_error([failure(verdict, 500, headers={}) for verdict in verdicts], None)
    assert answer.headers.get("x-should-retry") == (None if may else "false")


def test_the_first_answer_that_can_be_told_wins() -> None:
    failures = [failure(Verdict.TRANSIENT), failure(Verdict.CREDENTIAL, 401), failure(Verdict.OVERLOADED, 529, b"{}")]
    assert own_error(failures, None).status == 529


def test_a_refused_credential_of_ours_is_not_the_clients_login() -> None:
    """Its 401 would send Claude Code to log in again."""
    answer = own_error([failure(Verdict.CREDENTIAL, 401, error_type="authentication_error")], None)
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
    answer = own_error([failed], None)
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
        answer = own_error([failure(Verdict.OVERLOADED, answered, error_type=kind, message="too busy")], None)
        assert answer.status == status and told(answer) == {"type": kind, "message": "first: too busy"}
        assert answer.headers["content-type"] == "application/json"


def test_all_failures_are_told() -> None:
    failures = [
        failure(Verdict.TRANSIENT, reason="connection refused"),
        failure(Verdict.TRANSIENT, name="b", reason="idle"),
    ]
    message = told(own_error(failures, None))["message"]
    assert message == "connection refused (all targets failed: first: connection refused; b: idle)"


# --- nothing could be tried ---


def ending(free_in: float | None = None, **counts: int) -> tuple[LocalAnswer, dict[str, Any]]:
    request = ClientRequest("POST", "/v1/messages", {}, b'{"model":"opus"}')
    exchange = Exchange(request, "messages", plan=(Target("a"), Target("b", "x")))
    blocked = Blocked(
        {name.replace("_", " ") if name == "no_credential" else name: n for name, n in counts.items()},
        free_in,
        ("a (env:A)", "b (env:B)"),
    )
    answer = nothing_to_try(exchange, blocked, {"a": [429, 200], "b": []})
    return answer, told(answer)


def test_no_target_counts_tokens() -> None:
    """A9."""
    answer, error = ending(unsupported=2)
    assert answer.status == 501 and error["type"] == "not_supported" and answer.headers["x-should-retry"] == "false"
    assert error["message"] == "a, b: does not count tokens, and no credential was found for a (env:A), b (env:B)"


@pytest.mark.parametrize("counts", [{"no_credential": 2}, {"no_credential": 1, "unsupported": 1}])
def test_no_credential_is_401(counts: dict[str, int]) -> None:
    """A8."""
    answer, error = ending(**counts)
    assert (
        answer.status == 401
        and error["type"] == "authentication_error"
        and "No credential could be found for a (env:A), b (env:B)" in error["message"]
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
    answer, error = ending(301.4, **counts)
    assert answer.status == 429 and answer.headers["retry-after"] == "301"
    assert (error["type"], error["code"]) == ("rate_limit_error", "model_cooldown")
    assert error["blocked"] == counts and error["recent"] == {"a": [429, 200], "b": []}
    assert error["message"] == "All credentials for model opus are cooling down via a, b"


@pytest.mark.parametrize(
    ("counts", "free_in", "wait"),
    [
        ({"busy": 1}, None, str(round(BUSY_RETRY))),
        ({"overloaded": 1, "quota": 1}, 12.0, "12"),
        ({"probing": 1}, 3.0, "3"),
        ({"credential": 1, "no_credential": 1}, 60.0, "60"),
        ({}, None, "5"),
    ],
)
def test_blocked_for_other_reasons_is_503(counts: dict[str, int], free_in: float | None, wait: str) -> None:
    """D4."""
    answer, error = ending(free_in, **counts)
    assert answer.status == 503 and answer.headers["retry-after"] == wait
    assert (error["type"], error["code"]) == ("overloaded_error", "auth_unavailable")
    assert sum(error["blocked"].values()) == sum(counts.values()) and error["recent"]["a"] == [429, 200]
    counted = ", ".join(f"{count} {name.replace('no_', 'no ')}" for name, count in counts.items()) or "none available"
    assert error["message"] == f"No target for model opus is available ({counted})"
