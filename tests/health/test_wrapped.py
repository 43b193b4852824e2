"""Errors inside the errors of gateways: the inner reason is what is judged, and what the client is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.dialects.error_body import read_error_body
from turnout.dialects.error_body.envelope import MOST_LAYERS
from turnout.dialects.error_body.wrapped import Embedded, wrapped
from turnout.dialects.messages.refusals import Overflow
from turnout.health.verdict import Outcome, Verdict, judge
from turnout.journey.foreign import shaped_error


def anthropic(type: str = "invalid_request_error", message: str = "the reason", **more: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": type, "message": message, **more}}


def openrouter(raw: Any, code: int = 400) -> dict[str, Any]:
    metadata = {"raw": raw, "provider_name": "Anthropic"}
    return {"error": {"message": "Provider returned error", "code": code, "metadata": metadata}, "user_id": "u"}


def litellm(inner: Any, name: str = "BadRequestError", end: str = "") -> dict[str, Any]:
    message = f"litellm.{name}: AnthropicException - {inner if isinstance(inner, str) else json.dumps(inner)}{end}"
    return {"error": {"message": message, "type": "None", "param": None, "code": "400"}}


REASON = anthropic()
GROUP = ". Received Model Group=claude\nAvailable Model Group Fallbacks=None {'x': 1}"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (openrouter(json.dumps(REASON)), "the reason"),
        (openrouter(REASON), "the reason"),
        (openrouter("Upstream says no\n"), "Upstream says no"),
        (openrouter(json.dumps({"detail": "the reason"})), "the reason"),
        (openrouter(json.dumps(openrouter(json.dumps(REASON)))), "the reason"),
        (litellm(REASON), "the reason"),
        (litellm(REASON, end=GROUP), "the reason"),
        (litellm(repr(json.dumps(REASON).encode())), "the reason"),
        (litellm(repr(json.dumps(anthropic(message='he said "no"')).encode())), 'he said "no"'),
        (litellm(json.dumps(REASON).replace('"', '\\"')), "the reason"),
        ({"error": litellm(REASON)["error"]["message"]}, "the reason"),
        ({"error": {"message": f"upstream error: {json.dumps(REASON)}", "type": "upstream_error"}}, "the reason"),
        ({"error": {"message": f"status code: 400, body: {json.dumps(REASON)}", "type": "x"}}, "the reason"),
        ({"error": {"message": json.dumps(REASON), "type": "upstream_error"}}, "the reason"),
        ({"detail": REASON}, "the reason"),
        ({"detail": {"message": "the reason"}}, "the reason"),
        ({"detail": json.dumps(REASON)}, "the reason"),
        ({"message": f"Error from provider: {json.dumps(REASON)}"}, "the reason"),
        ({"type": "error", "error": {"type": "api_error", "message": json.dumps(REASON)}}, "the reason"),
        ([openrouter(json.dumps(REASON))], "the reason"),
        ({"error": {"error": {"message": "the reason"}}}, "the reason"),
    ],
)
def test_the_inner_reason(body: Any, said: str) -> None:
    """editor-code-assistant/eca#209, maxnowack/anthropic-proxy#5."""
    content = json.dumps(body).encode()
    fault = read_error_body(content)
    assert fault.inner and fault.message == said
    judgement = judge(Outcome(400, {}, content), now=0.0)
    status, told = shaped_error(400, content, judgement)
    assert judgement.verdict is Verdict.REQUEST and status == 400
    assert json.loads(told) == {"type": "error", "error": {"type": "invalid_request_error", "message": said}}


@pytest.mark.parametrize(
    "message",
    [
        'tools.0.input_schema: {"type": "object", "message": "x"} is not valid',
        'messages.1.content: could not read {"error": {"message": "x"}}',
        'messages.0: Input should be a valid dictionary, got {"message": "hi"}',
        "no braces",
        'upstream error: {"type": "object"}',
        'upstream error: {"message":',
        "error: {",
    ],
)
def test_what_an_error_quotes_is_no_inner_error(message: str) -> None:
    fault = read_error_body(json.dumps(anthropic(message=message)).encode())
    assert fault is not None and not fault.inner and fault.message == message


@pytest.mark.parametrize(
    "wrap",
    [openrouter, litellm, lambda inner: {"detail": inner}, lambda inner: openrouter(json.dumps(inner), 500)],
)
@pytest.mark.parametrize("status", [400, 500, 200])
@pytest.mark.parametrize(
    ("inner", "verdict", "sent"),
    [
        (anthropic("overloaded_error", "Overloaded"), Verdict.OVERLOADED, 529),
        (anthropic("rate_limit_error", "slow"), Verdict.THROTTLE, 429),
        (anthropic("api_error", "Internal"), Verdict.TRANSIENT, 500),
        (anthropic("not_found_error", "model: x"), Verdict.NOT_FOUND, 404),
        (anthropic("invalid_request_error", "thinking.x: no"), Verdict.REQUEST, 400),
        (anthropic("authentication_error", "invalid x-api-key"), Verdict.CREDENTIAL, 401),
        (anthropic("invalid_request_error", "Model Not Exist"), Verdict.NOT_FOUND, 404),
    ],
)  # fmt: skip
def test_the_inner_error_is_judged(wrap: Any, status: int, inner: Any, verdict: Verdict, sent: int) -> None:
    content = json.dumps(wrap(inner)).encode()
    if status == 200 and b"detail" in content[:10]:
        return  # no success of the Messages API has an `error`, but some may have a `detail`
    judgement = judge(Outcome(status, {}, content), now=0.0)
    assert judgement.verdict is verdict and shaped_error(status, content, judgement)[0] == sent
    assert judgement.model_only is (verdict is Verdict.CREDENTIAL), "the gateway's own key may be good for others"


def test_a_prompt_that_is_too_long_compacts() -> None:
    inner = anthropic(message="prompt is too long: 210000 tokens > 200000 maximum")
    for body in (openrouter(json.dumps(inner)), litellm(inner), {"detail": inner}):
        content = json.dumps(body).encode()
        judgement = judge(Outcome(500, {}, content), now=0.0)
        assert judgement.refusal == Overflow(210_000, 200_000)
        status, told = shaped_error(500, content, judgement)
        assert status == 400 and json.loads(told)["error"]["message"].startswith("prompt is too long: 210000 tokens")


def test_envelopes_without_end() -> None:
    body: dict[str, Any] = REASON
    for _ in range(MOST_LAYERS + 3):
        body = openrouter(body)
    fault = read_error_body(json.dumps(body).encode())
    assert fault.message == "Provider returned error"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["error", "message", "detail", "metadata", "raw", "type", "code"]), inner),
)


@given(JSON_VALUES, st.text())
def test_never_raises(value: Any, text: str) -> None:
    wrapped({"error": value, "detail": text}, Embedded())
    for body in (value, {"error": value}, litellm(value), openrouter(text), {"detail": text}):
        judge(Outcome(400, {}, json.dumps(body).encode()), now=0.0)
