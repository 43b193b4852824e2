"""One tree of errors, and one place that turns them into bodies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from turnout import errors
from turnout.errors import (
    LONGEST_MESSAGE,
    AuthUnavailable,
    ConfigError,
    CredentialError,
    InternalError,
    InvalidRequest,
    ModelCooldown,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    NotSupported,
    RequestError,
    RequestTooLarge,
    TurnoutError,
    error_body,
    error_event,
)


def test_one_tree() -> None:
    own = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    own = [error for error in own if error.__module__ == errors.__name__]
    assert len(own) == 13 and all(issubclass(error, TurnoutError) for error in own)


@pytest.mark.parametrize(
    ("file", "key", "suggestion", "text"),
    [
        (None, "", "", "broken"),
        (Path("m.conf"), "", "", "m.conf: broken"),
        (None, "a.b", "", "a.b: broken"),
        (Path("m.conf"), "a.b", "Mend it", "m.conf: a.b: broken. Mend it"),
    ],
)
def test_config_errors_say_where_and_what_to_do(file: Path | None, key: str, suggestion: str, text: str) -> None:
    error = ConfigError("broken", file=file, key=key, suggestion=suggestion)
    assert str(error) == text and (error.file, error.key, error.suggestion) == (file, key, suggestion)


def test_credential_errors_are_told_as_they_are() -> None:
    assert str(CredentialError("no such entry")) == "no such entry"


@pytest.mark.parametrize(
    ("error", "status", "kind", "code", "retry"),
    [
        (InvalidRequest, 400, "invalid_request_error", None, "false"),
        (NotAuthenticated, 401, "authentication_error", None, "false"),
        (NotPermitted, 403, "permission_error", None, "false"),
        (NotFound, 404, "not_found_error", None, "false"),
        (RequestTooLarge, 413, "request_too_large", None, "false"),
        (NotSupported, 501, "not_supported", None, "false"),
        (ModelCooldown, 429, "rate_limit_error", "model_cooldown", None),
        (AuthUnavailable, 503, "overloaded_error", "auth_unavailable", None),
        (InternalError, 500, "api_error", None, "false"),
        (RequestError, 500, "api_error", None, None),
    ],
)
def test_request_errors(error: type[RequestError], status: int, kind: str, code: str | None, retry: str | None) -> None:
    """A9, C5, D3, D4 in status and type."""
    made = error("what happened")
    assert (made.status, made.headers().get("x-should-retry")) == (status, retry)
    assert made.headers()["content-type"] == "application/json" and "retry-after" not in made.headers()
    body = json.loads(made.body("anthropic", "req_1"))
    expected = {"type": kind, "message": "what happened"} | ({"code": code} if code else {})
    assert body == {"type": "error", "error": expected, "request_id": "req_1"}
    openai = json.loads(made.body("openai"))
    assert openai == {"error": {"type": kind, "message": "what happened", "param": None, "code": code}}


@pytest.mark.parametrize(("seconds", "header"), [(0.2, "1"), (0, "1"), (-5, "1"), (59.6, "60"), (3600, "3600")])
def test_retry_after_is_whole_seconds_and_never_at_once(seconds: float, header: str) -> None:
    assert ModelCooldown("wait", retry_after=seconds).headers()["retry-after"] == header


def test_details_stand_inside_the_error() -> None:
    body = json.loads(AuthUnavailable("none", details={"blocked": {"busy": 2}}).body("anthropic"))
    assert body["error"]["blocked"] == {"busy": 2} and "request_id" not in body


def test_bytes_that_are_no_text_can_be_told() -> None:
    """mitmproxy gives such headers and paths as lone surrogates."""
    error = NotFound("GET /\udcff is not served here")
    assert str(error) == error.message == "GET /? is not served here"
    assert json.loads(error.body("anthropic"))["error"]["message"] == "GET /? is not served here"


def test_what_a_client_sent_is_not_told_without_end() -> None:
    error = NotFound(f"GET /{'x' * 60_000}\n\x1b[2J is not served here.")
    assert len(error.message) == LONGEST_MESSAGE and error.message.endswith("x…")


def test_control_characters_are_not_told() -> None:
    """A message stands in the log and in comments; a model name in a path may be encoded."""
    assert NotFound("model: a\nb\x1b[2J").message == "model: a?b?[2J"


def test_error_events() -> None:
    event = error_event("anthropic", "api_error", "gone\nnow")
    assert event.startswith(b"event: error\ndata: {") and event.endswith(b"}\n\n") and event.count(b"\n") == 3
    assert json.loads(event.partition(b"data: ")[2]) == json.loads(error_body("anthropic", "api_error", "gone\nnow"))
    chunk = error_event("openai", "api_error", "gone")
    assert chunk.startswith(b"data: {") and json.loads(chunk[6:])["error"]["message"] == "gone"
