"""What comes as a faulty request and is about the account or the model; and what looks like it, and is not."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.health.verdict import Outcome, Verdict, judge
from turnout.health.wording import About, about

SPENT = [
    "You're out of extra usage. Add more at claude.ai/settings/usage and keep going.",
    "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade.",
    "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.",
    "Third-party apps now draw from your extra usage, not your plan limits. Ask your workspace admin to add more.",
    "Insufficient Balance",
    "Insufficient balance or no resource package. Please recharge.",
    "余额不足或无可用资源包,请充值。",
    "Access denied, please make sure your account is in good standing.",
    "Your account has an overdue balance",
    "The account balance is insufficient",
    "You exceeded your current quota, please check your plan and billing details.",
    "Insufficient credits. Add more using https://openrouter.ai/settings/credits",
    "You have reached your weekly usage limit.",
    "Your account is in arrears, please top up.",
    "Your plan's allowance is exhausted, please upgrade your plan",
    "You've hit your session limit",
]
REFUSED = [
    "This organization has been disabled.",
    "Your organization has been disabled. Please contact support.",
    "This credential is only authorized for use with Claude Code and cannot be used for other API requests.",
    "API key expired. Please renew the API key.",
    "API key not valid. Please pass a valid API key.",
    "Your account org-123 <ak-1> is suspended",
    "The account has been deactivated",
    "Your API key has been disabled",
    "Your account has been temporarily locked",
    "Incorrect API key provided: x.",
    "Your trial has expired, please subscribe",
    "Your plan is inactive",
    "invalid api key",
    "User location is not supported for the API use.",
    "OAuth authentication is currently not supported for this organization",
]
MISSING = [
    "Model Not Exist",
    "Not supported model foo",
    "Unknown Model, please check the model code.",
    "foo/bar is not a valid model ID",
    "/v1/messages: Invalid model name passed in model=foo. Call `/v1/models` to view available models for your key.",
    "The model `foo` does not exist.",
    "The model `foo/Bar-7B` does not exist or you do not have access to it.",
    "model 'foo' not found, try pulling it first",
    'model "foo:latest" not found',
    "Not found the model foo or Permission denied",
    "invalid params, unknown model 'foo' (2013)",
    "The provided model identifier is invalid.",
    "The model `foo` has been decommissioned and is no longer supported.",
    "Publisher Model `projects/p/locations/l/publishers/anthropic/models/foo` was not found",
    "Model claude-x is not servable in region us-east5.",
    "The requested model is not supported.",
    "Invalid model: foo",
    "model: foo does not exist",
    "No such model: foo",
    "Model with id foo not found",
    "The 'foo' model does not exist",
    "This model version has reached the end of its life.",
    "No available channel for model foo under group default (distributor)",
    "当前分组 default 下对于模型 foo 无可用渠道",
]
OF_THE_REQUEST = [
    "messages.4.content.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_1",
    "messages.2: the model `x` does not exist",
    "messages.0.content.0.text: your account has been suspended",
    "messages: text content blocks must be non-empty",
    "model: Field required",
    "model: Input should be a string",
    "Invalid model parameters: temperature must be <= 1",
    "Invalid model type",
    "Not supported model parameters",
    "The plan of the user is blocked",
    "This model does not support assistant message prefill. The conversation must end with a user message.",
    "This model does not support the effort parameter",
    "adaptive thinking is not supported on this model",
    "Thinking is not supported for this model",
    "`tool_choice` is not supported by this model",
    "The model does not support images",
    "the model `x` is not available with tools",
    "The image model input is not supported",
    "model output could not be found",
    "Model messages not found",
    "Tool model_search not found in tools",
    "The tool `x` does not exist",
    "The container does not exist",
    "previous_message_id not found",
    "File not found: file_abc",
    "Unexpected value(s) `x` for the `anthropic-beta` header.",
    "prompt is too long: 210000 tokens > 200000 maximum",
    "Invalid value: 'your account has been suspended, sorry'",
    "Could not parse \"out of credits and the model does not exist\"",
    "image dimensions exceed max allowed size",
    "You have exceeded your maximum number of images",
    "max_tokens: 128000 > 64000, which is the maximum allowed number of output tokens for claude",
    "Output blocked by content filtering policy",
    "The user message is blocked",
    "The key of this object is disabled by its schema",
    "tool_use ids were found without tool_result blocks",
]
TOLD = [
    *((text, "quota") for text in SPENT),
    *((text, "account") for text in REFUSED),
    *((text, "model") for text in MISSING),
    *((text, None) for text in OF_THE_REQUEST),
]
VERDICTS = {"quota": Verdict.QUOTA, "account": Verdict.CREDENTIAL, "model": Verdict.NOT_FOUND, None: Verdict.REQUEST}


@pytest.mark.parametrize(("text", "meant"), TOLD)
def test_by_words(text: str, meant: About | None) -> None:
    assert about(text) == meant


@pytest.mark.parametrize(("text", "meant"), TOLD)
@pytest.mark.parametrize("status", [400, 422])
def test_the_verdict(text: str, meant: About | None, status: int) -> None:
    """router-for-me/CLIProxyAPI#3305, #3409, tiann/hapi#1427, deepseek-ai/DeepSeek-V3#1103."""
    for body in ({"type": "error", "error": {"type": "invalid_request_error", "message": text}}, {"detail": text}):
        judgement = judge(Outcome(status, {}, msgspec.json.encode(body)), now=0.0)
        assert judgement.verdict is VERDICTS[meant]
        assert judgement.of_account is (meant == "account")
        assert meant is None or judgement.cools and not judgement.model_only


@pytest.mark.parametrize(
    ("code", "meant"),
    [
        ("Arrearage", "quota"),
        ("insufficient_user_quota", "quota"),
        ("billing_not_active", "quota"),
        ("account_deactivated", "account"),
        ("region_not_supported", "account"),
        ("model_not_found", "model"),
        ("ModelNotFound", "model"),
        ("invalid_request_error", None),
        ("400", None),
    ],
)
def test_by_code(code: str, meant: About | None) -> None:
    assert about("no", (code,)) == meant


@pytest.mark.parametrize(
    ("status", "error", "verdict"),
    [
        # Their statuses say it themselves, or say when.
        (401, {"message": "invalid api key"}, Verdict.CREDENTIAL),
        (403, {"message": "You're out of extra usage."}, Verdict.QUOTA),
        (403, {"message": "This organization has been disabled."}, Verdict.CREDENTIAL),
        (404, {"message": "The model `x` does not exist"}, Verdict.NOT_FOUND),
        (429, {"message": "Your account is suspended, please check your plan"}, Verdict.QUOTA),
        (429, {"message": "The model x is not available"}, Verdict.THROTTLE),
        (503, {"message": "The model `x` is not available"}, Verdict.OVERLOADED),
        (500, {"message": "The model `x` does not exist"}, Verdict.TRANSIENT),
        # one-api and its kin
        (503, {"message": "No available channel for model x", "code": "model_not_found"}, Verdict.NOT_FOUND),
        (500, {"message": "quota", "code": "insufficient_user_quota"}, Verdict.QUOTA),
    ],
)
def test_under_other_statuses(status: int, error: dict[str, str], verdict: Verdict) -> None:
    judgement = judge(Outcome(status, {}, msgspec.json.encode({"error": error})), now=0.0)
    assert judgement.verdict is verdict and not judgement.of_account


def test_a_code_of_the_preset_that_blames_the_request_may_be_wrong() -> None:
    """MiniMax has one code for every parameter, the model among them."""
    body = {"base_resp": {"status_code": 2013, "status_msg": "invalid params, unknown model 'foo' (2013)"}}
    for status in (200, 400):
        outcome = Outcome(status, {}, msgspec.json.encode(body))
        assert judge(outcome, error_codes={"2013": "request"}, now=0.0).verdict is Verdict.NOT_FOUND


def test_the_status_and_the_type_that_belong_to_it() -> None:
    def told(message: str) -> tuple[int | None, str, str]:
        judgement = judge(Outcome(400, {}, msgspec.json.encode({"error": {"message": message}})), now=0.0)
        return judgement.status, judgement.error_type, judgement.reason

    assert told("Insufficient Balance") == (402, "billing_error", "400 quota")
    assert told("Model Not Exist") == (404, "not_found_error", "400 no such model")
    assert told("This organization has been disabled.") == (400, "authentication_error", "400 account refused")


@given(st.text(max_size=2000), st.lists(st.text(max_size=30), max_size=3))
def test_never_raises(message: str, codes: list[str]) -> None:
    assert about(message, codes) in ("quota", "account", "model", None)
