"""An answer that may come of a wrong kind of provider says what to set."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mitmproxy import http

from turnout.exchange import Endpoint
from turnout.health.verdict import Judgement, Verdict
from turnout.journey.expectation import Expectation
from turnout.journey.foreign import shaped_error
from turnout.journey.judging import Judging
from turnout.settings.model import Provider

ADDRESS = "http://127.0.0.1:8000/v1/messages"
CHAT = 'if this server speaks Chat Completions, set kind = "openai" for providers.mine in mitm.conf'
MESSAGES = 'if this server speaks Anthropic\'s Messages API, set kind = "anthropic" for providers.mine in mitm.conf'
HTML = b"<html><h1>404 Not Found</h1></html>"


def judged(status: int, body: Any, *, endpoint: Endpoint = "messages", **provider: Any) -> tuple[bytes, Judgement]:
    given = {"name": "mine", "base_url": "http://127.0.0.1:8000", **provider}
    judging = Judging(Provider.model_validate(given), Expectation(endpoint, False, None, address=ADDRESS))
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    judging.head_of(http.Response.make(status, content, {"content-type": "application/json"}))
    return content, judging.judged(content)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"detail": "Not Found"}),
        (404, {"error": {"message": "Invalid URL (POST /v1/messages)", "type": "invalid_request_error"}}),
        (404, HTML),
        (404, b""),
        (405, {"detail": "Method Not Allowed"}),
    ],
)
def test_a_path_that_is_not_there_may_be_of_another_kind(status: int, body: Any) -> None:
    content, judgement = judged(status, body)
    assert judgement.advice == CHAT
    assert judgement.reason.endswith(f" at {ADDRESS} ({CHAT})")
    message = json.loads(shaped_error(status, content, judgement)[1])["error"]["message"]
    assert message.count(CHAT) == message.count(ADDRESS) == 1
    assert judged(status, body, kind="openai")[1].advice == MESSAGES


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"error": {"message": "The model `x` does not exist", "code": "model_not_found"}}),
        (404, {"error": {"message": "`x` does not exist", "code": "model_not_found"}}),
        (404, {"error": {"message": "The API deployment does not exist.", "code": "DeploymentNotFound"}}),
        (404, {"error": {"message": "No endpoints found for x/y", "code": 404}}),
        (404, {"type": "error", "error": {"type": "not_found_error", "message": "File not found: file_abc"}}),
        (407, {"detail": "Proxy Authentication Required"}),
        (400, {"detail": "Not Found"}),
    ],
)
def test_a_model_or_a_file_that_is_not_there_is_not(status: int, body: Any) -> None:
    for kind in ("anthropic", "openai"):
        judgement = judged(status, body, kind=kind)[1]
        assert judgement.advice == ""
        assert "kind =" not in judgement.reason


def test_what_says_nothing_of_the_kind() -> None:
    """Many servers of the Messages API do not count tokens; a first party's answers are the client's."""
    assert judged(404, {"detail": "Not Found"}, endpoint="count_tokens")[1].advice == ""
    assert judged(404, {"detail": "Not Found"}, first_party=True)[1].advice == ""


def test_a_name_is_written_as_the_file_wants_it() -> None:
    assert 'providers."my one" in' in judged(404, HTML, name="my one")[1].advice


def test_a_method_that_is_not_allowed_is_not_tried_again() -> None:
    judgement = judged(405, {"detail": "Method Not Allowed"})[1]
    assert (judgement.verdict, judgement.retryable) == (Verdict.TRANSIENT, False)


@pytest.mark.parametrize("error", ["cannot connect: [Errno 111] Connect call failed", "cannot connect: OpenSSL Error"])
def test_who_was_never_reached_is_told_with_the_address(error: str) -> None:
    """To the client, whose user may have written a wrong one; comments and the log keep to the fault itself."""
    judging = Judging(
        Provider.model_validate({"name": "mine", "base_url": "http://127.0.0.1:8000"}),
        Expectation("messages", False, None, address=ADDRESS),
    )
    judgement = judging.judged(b"", error)
    assert (judgement.address, ADDRESS in judgement.reason) == (ADDRESS, False)
    assert judging.judged(b"", "connection closed").address == ""
