"""Every error of Turnout, and the one place that turns an error into the body a client understands.

    TurnoutError
    ├── ConfigError            the configuration cannot be used: file, key, reason, suggestion
    ├── CredentialError        a credential that is configured could not be read
    └── RequestError           a request is answered here, with a status and an error type
        ├── InvalidRequest     400 invalid_request_error
        ├── NotAuthenticated   401 authentication_error
        ├── NotPermitted       403 permission_error
        ├── NotFound           404 not_found_error
        ├── RequestTooLarge    413 request_too_large
        ├── NotSupported       501 not_supported
        ├── ModelCooldown      429 rate_limit_error, code model_cooldown
        ├── AuthUnavailable    503 overloaded_error, code auth_unavailable
        └── InternalError      500 api_error: a fault of Turnout itself

Shapes and types of the bodies: https://docs.claude.com/en/api/errors and
https://platform.openai.com/docs/guides/error-codes.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import msgspec

Dialect = Literal["anthropic", "openai"]


STATUS_OF_TYPE: Mapping[str, int] = MappingProxyType(
    {
        "invalid_request_error": 400,
        "authentication_error": 401,
        "billing_error": 402,
        "permission_error": 403,
        "not_found_error": 404,
        "conflict_error": 409,
        "request_too_large": 413,
        "rate_limit_error": 429,
        "api_error": 500,
        "not_supported": 501,
        "timeout_error": 504,
        "overloaded_error": 529,
    }
)
"""The status that goes with each of Anthropic's error types, and with `not_supported` of its gateway protocol."""

TYPE_OF_STATUS: Mapping[int, str] = MappingProxyType(
    {
        **{status: type for type, status in STATUS_OF_TYPE.items()},
        408: "timeout_error",
        424: "api_error",  # a failed dependency is no fault of the request
        434: "permission_error",  # Z.AI's "no permission"
        498: "overloaded_error",  # Groq's "flex tier at capacity"
        499: "api_error",
        503: "overloaded_error",
    }
)
"""The error type that goes with a status."""

STATUS_OF_CODE: Mapping[str, int] = MappingProxyType(
    {
        **STATUS_OF_TYPE,
        "policy_blocked": 400,  # Anthropic's gateway protocol
        # https://platform.openai.com/docs/guides/error-codes
        "context_length_exceeded": 400,
        "invalid_api_key": 401,
        "model_not_found": 404,
        "insufficient_quota": 429,
        "rate_limit_exceeded": 429,
        "server_error": 500,
    }
)
"""The status that a type or code of any vendor stands for."""


LONGEST_MESSAGE = 1000
"""Characters. Messages go to the client, into the log and into comments, and some quote what a client sent."""


def dialect_of(path: str) -> Dialect:
    """The dialect in which errors on this path are written."""
    return "openai" if "/chat/completions" in path else "anthropic"


class TurnoutError(Exception):
    """Root of the tree. The message says what happened, where, and what to do."""


class ConfigError(TurnoutError):
    """The configuration cannot be used.

    `file` is None for values that come from the environment or an option, `key` is a dotted path in the file.
    """

    def __init__(self, reason: str, *, file: Path | None = None, key: str = "", suggestion: str = "") -> None:
        self.reason = reason
        self.file = file
        self.key = key
        self.suggestion = suggestion
        place = ": ".join(part for part in (str(file) if file else "", key) if part)
        text = f"{place}: {reason}" if place else reason
        super().__init__(f"{text}. {suggestion}" if suggestion else text)


class CredentialError(TurnoutError):
    """A credential that is configured could not be read. The message never holds its value."""


class RequestError(TurnoutError):
    """A request that Turnout answers itself."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "api_error"
    code: ClassVar[str | None] = None
    retry: ClassVar[bool | None] = None
    """What `x-should-retry` tells the client's SDK; None leaves the decision to its own rules."""

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        details: Mapping[str, Any] | None = None,
        hopeless: bool = False,
    ) -> None:
        """`hopeless`: to ask again does not help, whatever is the rule for the type."""
        self.message = _tellable(message)
        super().__init__(self.message)
        self.retry_after = retry_after
        self.details = dict(details or {})
        self.hopeless = hopeless

    def headers(self) -> dict[str, str]:
        """Response headers that belong to this error, lower-case names."""
        headers = {"content-type": "application/json"}
        retry = False if self.hopeless else self.retry
        if retry is not None:
            headers["x-should-retry"] = "true" if retry else "false"
        if self.retry_after is not None:
            headers["retry-after"] = str(max(1, round(self.retry_after)))
        return headers

    def body(self, dialect: Dialect, request_id: str | None = None) -> bytes:
        """The JSON body in the shape that clients of this dialect parse."""
        return error_body(dialect, self.type, self.message, code=self.code, request_id=request_id, details=self.details)


def _tellable(message: str) -> str:
    """What a client sent may be quoted in it: headers and paths need not be UTF-8, and may hold control characters."""
    text = message if len(message) <= LONGEST_MESSAGE else f"{message[: LONGEST_MESSAGE - 1]}…"
    return text if text.isprintable() else "".join(letter if letter.isprintable() else "?" for letter in text)


class InvalidRequest(RequestError):
    status, type, retry = 400, "invalid_request_error", False


class NotAuthenticated(RequestError):
    status, type, retry = 401, "authentication_error", False


class NotPermitted(RequestError):
    status, type, retry = 403, "permission_error", False


class NotFound(RequestError):
    status, type, retry = 404, "not_found_error", False


class RequestTooLarge(RequestError):
    status, type, retry = 413, "request_too_large", False


class NotSupported(RequestError):
    status, type, retry = 501, "not_supported", False


class ModelCooldown(RequestError):
    """Every credential that could serve the model is cooling down."""

    status, type, code = 429, "rate_limit_error", "model_cooldown"


class AuthUnavailable(RequestError):
    """No credential can be used right now for reasons other than a quota."""

    status, type, code = 503, "overloaded_error", "auth_unavailable"


FAILED = "Turnout failed; see its log."
"""What a client is told of a fault of Turnout itself."""


def trace_of(error: BaseException) -> str:
    """Where an error came from, for the log: lines without one at the end."""
    return "".join(traceback.format_exception(error)).rstrip()


class InternalError(RequestError):
    """A fault of Turnout. The details are in its log, not in the answer."""

    status, retry = 500, False


def error_body(
    dialect: Dialect,
    type: str,
    message: str,
    *,
    code: str | None = None,
    request_id: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> bytes:
    """An error as one JSON object in the client's dialect.

    `details` are extra keys inside `error`; both families of clients ignore keys they do not know.
    """
    error: dict[str, Any] = {"type": type, "message": message, **(details or {})}
    if dialect == "openai":
        return msgspec.json.encode({"error": {"param": None, **error, "code": code}})
    if code is not None:
        error["code"] = code
    body: dict[str, Any] = {"type": "error", "error": error}
    if request_id is not None:
        body["request_id"] = request_id
    return msgspec.json.encode(body)


def error_event(dialect: Dialect, type: str, message: str) -> bytes:
    """An error as the last event of a stream that has already begun."""
    body = error_body(dialect, type, message)
    if dialect == "openai":
        return b"data: " + body + b"\n\n"
    return b"event: error\ndata: " + body + b"\n\n"
