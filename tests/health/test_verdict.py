"""What outcomes mean: the header sets and error bodies that providers send, and garbage."""

from __future__ import annotations

import errno
import json
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from importlib.resources import files
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.health.limits import LONGEST_THROTTLE, LONGEST_WINDOW
from turnout.health.verdict import Judgement, Outcome, Verdict, judge

NOW = 1_790_000_000.0
PRESETS: Mapping[str, Any] = tomllib.loads(files("turnout.settings").joinpath("presets.toml").read_text("utf-8"))


def of(
    status: int | None, body: object = None, *, preset: str = "", error: str | None = None, **headers: str
) -> Judgement:
    """Judge one answer; header names are written with underscores."""
    return judge(
        Outcome(
            status=status,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            body=b"" if body is None else body if isinstance(body, bytes) else msgspec.json.encode(body),
            error=error,
        ),
        error_codes=PRESETS[preset].get("error_codes", {}) if preset else {},
        now=NOW,
    )


def unified(**values: str) -> dict[str, str]:
    """Headers of a subscription; `_` in a claim abbreviation is kept by writing it as `__`."""
    return {
        "anthropic-ratelimit-unified-" + name.replace("__", "~").replace("_", "-").replace("~", "_"): value
        for name, value in values.items()
    }


def anthropic_error(type: str, message: str = "no", **details: str) -> dict[str, object]:
    return {"type": "error", "error": {"type": type, "message": message, "details": details}, "request_id": "req_1"}


def limited(
    headers: Mapping[str, str], message: str = "This request would exceed your account's rate limit."
) -> Judgement:
    body = msgspec.json.encode(anthropic_error("rate_limit_error", message))
    return judge(Outcome(429, headers, body), now=NOW)


class TestPlanQuota:
    """429 with unified headers is a quota of the subscription, cooled to the latest rejected reset."""

    def test_five_hour_window(self) -> None:
        judgement = limited(
            unified(
                status="rejected",
                reset=f"{NOW + 7200:.0f}",
                representative_claim="five_hour",
                **{"5h_status": "rejected", "5h_reset": f"{NOW + 7200:.0f}", "5h_utilization": "1.02"},
                **{"7d_status": "allowed_warning", "7d_reset": f"{NOW + 400_000:.0f}", "7d_utilization": "0.8"},
                overage_status="rejected",
                overage_reset=f"{NOW + 900_000:.0f}",
                overage_disabled_reason="org_level_disabled",
            )
        )
        assert judgement.verdict is Verdict.QUOTA
        assert judgement.until == NOW + 7200
        assert judgement.reason == "429 quota (five_hour)"
        assert judgement.error_type == "rate_limit_error"

    def test_the_latest_of_several_rejected_windows(self) -> None:
        windows = {"5h_status": "rejected", "5h_reset": f"{NOW + 60:.0f}"}
        windows |= {"7d_status": "rejected", "7d_reset": f"{NOW + 90_000:.0f}"}
        judgement = limited(
            unified(status="rejected", reset=f"{NOW + 60:.0f}", representative_claim="seven_day", **windows)
        )
        assert (judgement.verdict, judgement.until) == (Verdict.QUOTA, NOW + 90_000)

    @pytest.mark.parametrize("claim", ["seven_day_opus", "seven_day_sonnet", "seven_day_overage_included"])
    def test_a_claim_about_models_leaves_the_others_free(self, claim: str) -> None:
        windows = {"7d_status": "allowed", "7d__oi_status": "rejected", "7d__oi_reset": f"{NOW + 500:.0f}"}
        judgement = limited(unified(status="rejected", representative_claim=claim, **windows))
        assert (judgement.verdict, judgement.until) == (Verdict.QUOTA_MODEL, NOW + 500)
        assert judgement.reason == f"429 quota ({claim})"

    def test_a_claim_about_models_does_not_hide_a_used_up_plan(self) -> None:
        judgement = limited(
            unified(
                status="rejected",
                representative_claim="seven_day_overage_included",
                **{"5h_status": "rejected", "5h_reset": f"{NOW + 60:.0f}"},
            )
        )
        assert judgement.verdict is Verdict.QUOTA

    @pytest.mark.parametrize(
        "claim", ["five_hour", "seven_day", "seven_day_oauth_apps", "seven_day_cowork", "overage", ""]
    )
    def test_a_claim_about_the_plan(self, claim: str) -> None:
        judgement = limited(unified(status="rejected", reset=f"{NOW + 30:.0f}", representative_claim=claim))
        assert (judgement.verdict, judgement.until) == (Verdict.QUOTA, NOW + 30)

    def test_a_rejected_window_without_the_overall_status(self) -> None:
        judgement = limited(unified(**{"7d_status": "rejected", "7d_reset": f"{NOW + 30:.0f}"}))
        assert (judgement.verdict, judgement.until) == (Verdict.QUOTA, NOW + 30)

    def test_a_reset_in_the_past_says_nothing(self) -> None:
        judgement = limited(unified(status="rejected", reset=f"{NOW - 30:.0f}") | {"retry-after": "17"})
        assert (judgement.until, judgement.retry_after) == (None, 17.0)

    def test_an_allowed_plan_does_not_lock_the_credential_until_its_reset(self) -> None:
        judgement = limited(unified(status="allowed", reset=f"{NOW + 9000:.0f}", representative_claim="five_hour"))
        assert (judgement.verdict, judgement.until) == (Verdict.QUOTA, None)

    def test_an_in_stream_limit_of_an_allowed_plan_is_a_throttle(self) -> None:
        body = msgspec.json.encode(anthropic_error("rate_limit_error"))
        judgement = judge(Outcome(200, unified(status="allowed", reset=f"{NOW + 9000:.0f}"), body), now=NOW)
        assert judgement.verdict is Verdict.THROTTLE


ABSURD = [
    "9" * 20,
    "9" * 400,
    "1e300",
    "inf",
    "nan",
    str(1000 * LONGEST_WINDOW + 1),
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Fri, 31 Dec 9999 23:59:59 -2359",
    format_datetime(datetime.fromtimestamp(NOW + LONGEST_WINDOW + 60, UTC), usegmt=True),
]


class TestTimesThatCannotBeMeant:
    """A reset beyond the longest window of a plan is a mistake of the provider or of a clock: as if none were given."""

    @pytest.mark.parametrize("value", ABSURD)
    @pytest.mark.parametrize("name", ["retry_after", "retry_after_ms"])
    @pytest.mark.parametrize("status", [429, 503, 529, 500, 401, 402, 404])
    def test_retry_after(self, status: int, name: str, value: str) -> None:
        judgement = of(status, anthropic_error("x"), **{name: value})
        assert (judgement.until, judgement.retry_after) == (None, None)

    @pytest.mark.parametrize("value", ["9999h", "200h", "9" * 30 + "s", "192h0m1s", "1e12"])
    def test_openai_resets(self, value: str) -> None:
        assert of(429, anthropic_error("rate_limit_error"), x_ratelimit_reset_requests=value).retry_after is None
        used_up = {"x_ratelimit_remaining_requests": "0", "x_ratelimit_reset_requests": value}
        assert of(429, None, **used_up, x_ratelimit_reset_tokens="2s").retry_after is None, "those are not used up"

    def test_the_next_header_is_asked(self) -> None:
        headers = {"retry_after_ms": "9" * 20, "retry_after": "9" * 20, "x_ratelimit_reset_tokens": "2s"}
        assert of(429, None, **headers).retry_after == 2.0
        assert of(429, None, **headers | {"retry_after": "4"}).retry_after == 4.0

    @pytest.mark.parametrize("value", ["9" * 12, "9999-12-31T23:59:59Z", f"{NOW * 1000:.0f}", "inf", "nan"])
    def test_limits_of_a_plan_and_of_a_key(self, value: str) -> None:
        plan = unified(status="rejected", reset=value, **{"7d_status": "rejected", "7d_reset": value})
        assert (limited(plan).verdict, limited(plan).until) == (Verdict.QUOTA, None)
        assert limited(plan | {"retry-after": "90000"}).retry_after == 90_000
        key = {"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": value}
        assert (limited(key).until, limited(key).retry_after) == (None, None)

    def test_a_plan_keeps_the_reset_of_its_other_window(self) -> None:
        windows = {"7d_status": "rejected", "7d_reset": "9" * 12, "5h_status": "rejected"}
        judgement = limited(unified(status="rejected", **windows, **{"5h_reset": f"{NOW + 60:.0f}"}))
        assert judgement.until == NOW + 60


class TestWaitsThatNoQuotaConfirms:
    """An hour at most: router-for-me/CLIProxyAPI#4724, an account served minutes after `retry-after: 561635`."""

    @pytest.mark.parametrize("status", [429, 503, 529, 500, 408, 401, 404])
    def test_an_hour_at_most(self, status: int) -> None:
        assert of(status, anthropic_error("x"), retry_after="561635").retry_after == LONGEST_THROTTLE == 3600
        assert of(status, anthropic_error("x"), retry_after="3599").retry_after == 3599

    def test_limits_of_a_key(self) -> None:
        key = {"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": f"{NOW + 90_000:.0f}"}
        judgement = limited(key)
        assert (judgement.until, judgement.retry_after) == (NOW + 3600, 3600)

    def test_a_plan_that_is_not_used_up(self) -> None:
        headers = unified(status="allowed", reset=f"{NOW + 90_000:.0f}") | {"retry-after": "561635"}
        assert (limited(headers).verdict, limited(headers).retry_after) == (Verdict.QUOTA, 3600)

    @pytest.mark.parametrize(
        "judgement",
        [
            limited(unified(status="rejected") | {"retry-after": "561635"}),
            limited({"retry-after": "561635"}, "You exceeded your current quota, please check your plan."),
            of(402, anthropic_error("billing_error"), retry_after="561635"),
            of(403, {"error": {"message": "Quota exceeded for this billing cycle"}}, retry_after="561635"),
        ],
    )
    def test_a_quota_keeps_its_days(self, judgement: Judgement) -> None:
        assert (judgement.verdict, judgement.retry_after) == (Verdict.QUOTA, 561_635)


class TestThrottle:
    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({"retry_after": "12"}, 12.0),
            ({"retry_after": "0.5"}, 0.5),
            ({"retry_after": "12", "retry_after_ms": "1500"}, 1.5),
            ({"retry_after": format_datetime(datetime.fromtimestamp(NOW + 90, UTC), usegmt=True)}, 90.0),
            ({"retry_after": format_datetime(datetime.fromtimestamp(NOW - 90, UTC), usegmt=True)}, None),
            ({"retry_after": "0"}, None),
            ({"retry_after": "-3"}, None),
            ({"retry_after": "nan"}, None),
            ({"retry_after": "soon"}, None),
            ({"x_ratelimit_reset_requests": "6m0s"}, 360.0),
            ({"x_ratelimit_reset_tokens": "20ms", "x_ratelimit_reset_requests": "1s"}, 1.0),
            ({"x_ratelimit_reset_tokens": "2m59.56s"}, 179.56),
            (
                {
                    "x_ratelimit_reset_tokens": "2s",
                    "x_ratelimit_remaining_tokens": "0",
                    "x_ratelimit_reset_requests": "1h",
                    "x_ratelimit_remaining_requests": "40",
                },
                2.0,
            ),
            ({"x_ratelimit_reset_requests": "6m0s", "retry_after": "3"}, 3.0),
            ({"x_ratelimit_reset_requests": "later"}, None),
        ],
    )
    def test_wait(self, headers: dict[str, str], seconds: float | None) -> None:
        judgement = of(429, anthropic_error("rate_limit_error"), **headers)
        assert judgement.verdict is Verdict.THROTTLE
        assert judgement.retry_after == pytest.approx(seconds)
        assert judgement.reason == "429 throttle"

    def test_limits_of_an_api_key(self) -> None:
        headers = {
            "anthropic-ratelimit-requests-remaining": "0",
            "anthropic-ratelimit-requests-reset": "2026-09-21T14:13:30Z",
            "anthropic-ratelimit-input-tokens-remaining": "0",
            "anthropic-ratelimit-input-tokens-reset": "2026-09-21T14:14:00Z",
            "anthropic-ratelimit-output-tokens-remaining": "8000",
            "anthropic-ratelimit-output-tokens-reset": "2026-09-21T18:00:00Z",
        }
        judgement = limited(headers)
        assert judgement.verdict is Verdict.THROTTLE
        assert judgement.until == datetime(2026, 9, 21, 14, 14, tzinfo=UTC).timestamp()
        assert judgement.retry_after == judgement.until - NOW
        assert limited(headers | {"retry-after": "4"}).until is None

    @pytest.mark.parametrize("kind", ["input", "output"])
    def test_fast_mode_has_a_pool_of_its_own(self, kind: str) -> None:
        fast = {f"anthropic-fast-{kind}-tokens-remaining": "0", "anthropic-ratelimit-tokens-remaining": "1000"}
        assert limited(fast).verdict is Verdict.THROTTLE_REQUEST
        assert limited(fast | {"anthropic-ratelimit-tokens-remaining": "0"}).verdict is Verdict.THROTTLE
        assert limited(fast | unified(status="rejected")).verdict is Verdict.QUOTA

    @pytest.mark.parametrize(
        "message",
        ["Extra usage is required for long context requests.", "Usage credits are required for long context requests."],
    )
    def test_long_context_concerns_this_request(self, message: str) -> None:
        assert limited({}, message).verdict is Verdict.THROTTLE_REQUEST
        assert (
            limited(unified(status="rejected", overage_status="rejected"), message).verdict is Verdict.THROTTLE_REQUEST
        )
        assert limited(unified(**{"5h_status": "rejected"}), message).verdict is Verdict.QUOTA


@pytest.mark.parametrize(
    ("status", "body", "preset", "verdict", "reason"),
    [
        # Anthropic
        (429, anthropic_error("rate_limit_error", error_code="enforced_spend_limit_reached"), "anthropic", "quota",
         "429 quota (enforced_spend_limit_reached)"),
        (429, anthropic_error("rate_limit_error", error_code="contract_spend_limit_reached"), "anthropic", "quota",
         "429 quota (contract_spend_limit_reached)"),
        (429, anthropic_error("rate_limit_error", error_code="enforced_spend_limit_reached"), "", "quota", None),
        (429, anthropic_error("rate_limit_error", error_code="credits_required"), "anthropic", "throttle_request",
         "429 throttle of this request"),
        (400, anthropic_error("invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
         "anthropic", "quota", "400 quota"),
        (400, anthropic_error("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
         "anthropic", "request", "400 invalid_request_error"),
        (401, anthropic_error("authentication_error"), "anthropic", "credential", "401 authentication_error"),
        (402, anthropic_error("billing_error"), "anthropic", "quota", "402 quota"),
        (403, anthropic_error("permission_error"), "anthropic", "credential", "403 permission_error"),
        (404, anthropic_error("not_found_error", "model: x"), "anthropic", "not_found", "404 not_found_error"),
        (409, anthropic_error("conflict_error"), "anthropic", "request", None),
        (413, anthropic_error("request_too_large"), "anthropic", "request", "413 request_too_large"),
        (500, anthropic_error("api_error"), "anthropic", "transient", "500 api_error"),
        (504, anthropic_error("timeout_error"), "anthropic", "transient", "504 timeout_error"),
        (529, anthropic_error("overloaded_error"), "anthropic", "overloaded", "529 overloaded"),
        (500, anthropic_error("overloaded_error"), "anthropic", "overloaded", "500 overloaded"),
        (500, {"error": {"code": 500, "message": "image input is not supported - hint: …", "type": "server_error"}},
         "llamacpp", "request", "500 server_error"),
        (501, anthropic_error("not_supported"), "anthropic", "not_found", "501 not_supported"),
        # DeepSeek
        (402, {"error": {"message": "Insufficient Balance", "type": "unknown_error"}}, "deepseek", "quota", None),
        (422, {"error": {"message": "unknown variant"}}, "deepseek", "request", "422 invalid_request_error"),
        (503, None, "deepseek", "overloaded", "503 overloaded"),
        # MiniMax, inside a 200 and with an honest status
        (200, {"base_resp": {"status_code": 1002, "status_msg": "rate limit"}}, "minimax", "throttle",
         "200 with base_resp 1002"),
        (200, {"base_resp": {"status_code": 1004, "status_msg": "login fail"}}, "minimax", "credential", None),
        (200, {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}, "minimax", "quota", None),
        (200, {"base_resp": {"status_code": 2013, "status_msg": "invalid params"}}, "minimax", "request", None),
        (200, {"base_resp": {"status_code": 9999, "status_msg": "?"}}, "minimax", "transient",
         "200 with base_resp 9999"),
        (200, {"type": "message", "content": [], "base_resp": {"status_code": 1002}}, "minimax", "throttle", None),
        (200, {"type": "message", "content": [], "base_resp": {"status_code": 0, "status_msg": ""}}, "minimax", "ok",
         "200"),
        (500, {"base_resp": {"status_code": 2056, "status_msg": "usage limit"}}, "minimax", "quota",
         "500 quota (2056)"),
        # Kimi
        (429, {"error": {"type": "engine_overloaded_error", "message": "busy"}}, "moonshot", "overloaded",
         "429 overloaded"),
        (429, {"error": {"type": "exceeded_current_quota_error", "message": "pay"}}, "moonshot", "quota", None),
        (429, {"error": {"type": "rate_limit_reached_error", "message": "slow"}}, "moonshot", "throttle", None),
        (401, {"error": {"type": "incorrect_api_key_error", "message": "no"}}, "moonshot", "credential", None),
        (400, {"error": {"type": "content_filter", "message": "no"}}, "moonshot", "request", None),
        (403, {"error": {"message": "You've reached your usage limit for this billing cycle."}}, "", "quota", None),
        (403, {"error": {"message": "Kimi For Coding is only available for Coding Agents"}}, "", "credential", None),
        (403, {"error": {"message": "insufficient balance"}}, "moonshot", "quota", "403 quota"),
        # Z.AI
        (429, {"error": {"code": "1302", "message": "rate"}}, "zai", "throttle", "429 throttle"),
        (429, {"error": {"code": "1305", "message": "busy"}}, "zai", "overloaded", "429 overloaded"),
        (429, {"error": {"code": "1113", "message": "recharge"}}, "zai", "quota", "429 quota (1113)"),
        (429, {"error": {"code": 1308, "message": "period"}}, "zai", "quota", None),
        (400, {"error": {"code": "1214", "message": "messages illegal"}}, "zai", "request", None),
        (503, {"error": "DNS resolution failure"}, "zai", "overloaded", None),
        (200, {"code": 500, "msg": "404 NOT_FOUND", "success": False}, "zai", "not_found", "200 with code 500"),
        (200, {"code": 500, "msg": "internal"}, "zai", "transient", "200 with code 500"),
        (200, {"code": 1302, "msg": "rate"}, "zai", "throttle", None),
        (200, {"code": 200, "msg": "ok"}, "zai", "ok", None),
        # OpenRouter
        (200, {"error": {"code": 502, "message": "provider down"}}, "openrouter", "transient", "200 with error 502"),
        (200, {"error": {"code": 429, "message": "slow"}}, "openrouter", "throttle", "200 with error 429"),
        (200, {"error": {"code": 402, "message": "credits"}}, "openrouter", "quota", None),
        (200, {"id": "1", "choices": [], "error": {"code": 503, "message": "none"}}, "openrouter", "overloaded", None),
        (403, {"error": {"code": 403, "message": "Your model requires moderation and your input was flagged"}},
         "openrouter", "request", None),
        # OpenAI shapes, Groq, Gemini's list, LiteLLM
        (429, {"error": {"message": "You exceeded your current quota", "type": "insufficient_quota", "param": None,
                         "code": "insufficient_quota"}}, "", "quota", "429 quota (insufficient_quota)"),
        (429, {"error": {"message": "slow", "type": "requests", "code": "rate_limit_exceeded"}}, "", "throttle", None),
        (498, {"error": {"message": "flex", "type": "capacity_exceeded"}}, "", "overloaded", "498 overloaded"),
        (424, None, "", "transient", None),
        (429, [{"error": {"code": 429, "message": "Insufficient balance", "status": "RESOURCE_EXHAUSTED"}}], "",
         "quota", "429 quota"),
        (404, {"detail": "Not Found"}, "", "not_found", "404 not_found_error"),
        # no body, or none that is JSON
        (307, None, "", "not_found", None),
        (502, b"<html>bad gateway</html>", "", "transient", '502 web page ("bad gateway")'),
        (524, None, "", "transient", None),
        (505, None, "", "transient", None),
        (418, None, "", "transient", "418 api_error"),
        (408, None, "", "transient", "408 timeout_error"),
        (204, None, "", "ok", "204"),
    ],
)  # fmt: skip
def test_provider_bodies(status: int, body: object, preset: str, verdict: str, reason: str | None) -> None:
    """A10: errors inside a 200 count as failures; codes of a preset win over the status."""
    judgement = of(status, body, preset=preset)
    assert judgement.verdict == verdict
    assert reason is None or judgement.reason == reason


@pytest.mark.parametrize(
    ("type", "verdict"),
    [
        ("overloaded_error", Verdict.OVERLOADED),
        ("rate_limit_error", Verdict.THROTTLE),
        ("api_error", Verdict.TRANSIENT),
        ("timeout_error", Verdict.TRANSIENT),
        ("authentication_error", Verdict.CREDENTIAL),
        ("permission_error", Verdict.CREDENTIAL),
        ("billing_error", Verdict.QUOTA),
        ("not_found_error", Verdict.NOT_FOUND),
        ("invalid_request_error", Verdict.REQUEST),
        ("request_too_large", Verdict.REQUEST),
        ("never_heard_of", Verdict.TRANSIENT),
    ],
)
def test_first_event_of_a_stream(type: str, verdict: Verdict) -> None:
    """C1: an error event inside a 200 means what its type means."""
    judgement = of(200, anthropic_error(type, "told"))
    assert (judgement.verdict, judgement.reason, judgement.message) == (verdict, f"200 with {type}", "told")


@pytest.mark.parametrize(
    ("body", "preset", "verdict"),
    [
        ({"type": "error", "error": {"type": "error", "message": "x"}}, "", Verdict.TRANSIENT),
        ({"type": "error", "error": "overloaded"}, "", Verdict.TRANSIENT),
        ({"type": "error", "message": "x"}, "", Verdict.TRANSIENT),
        ({"type": "error", "error": {"type": "rate_limit_error", "code": "1305"}}, "zai", Verdict.OVERLOADED),
        ({"type": "error", "code": 1308, "msg": "period"}, "zai", Verdict.QUOTA),
        ({"type": "error", "error": {"code": 529, "message": "x"}}, "", Verdict.OVERLOADED),
        ({"type": "error", "base_resp": {"status_code": 1008}}, "minimax", Verdict.QUOTA),
    ],
)
def test_an_error_in_the_midst_of_a_stream(body: object, preset: str, verdict: Verdict) -> None:
    """A10: the answer has begun with status 200 and the headers of a success."""
    headers = unified(status="allowed", reset=f"{NOW + 9000:.0f}", representative_claim="five_hour")
    codes = PRESETS[preset]["error_codes"] if preset else {}
    judgement = judge(Outcome(200, headers, msgspec.json.encode(body)), error_codes=codes, now=NOW)
    assert (judgement.verdict, judgement.until) == (verdict, None)


@pytest.mark.parametrize(
    ("status", "body", "cools"),
    [
        # the model
        (404, anthropic_error("not_found_error", "model: claude-opus-9"), True),
        (404, {"error": {"message": "The model `x` does not exist", "code": "model_not_found"}}, True),
        (404, {"error": {"message": "`x` does not exist", "type": "invalid_request_error", "code": "model_not_found"}},
         True),
        (404, {"error": 'model "x" not found, try pulling it first'}, True),
        (404, {"error": {"code": "DeploymentNotFound", "message": "The API deployment does not exist."}}, True),
        # the endpoint
        (404, {"error": {"message": "No endpoints found for x/y.", "code": 404}}, True),
        (404, {"error": {"message": "Invalid URL (POST /v1/v1/messages)", "type": "invalid_request_error"}}, True),
        (404, anthropic_error("not_found_error", "Not Found"), True),
        (404, {"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}}, True),
        (404, {"detail": "Not Found"}, True),
        (404, {"error": {"type": "not_found_error"}}, True),
        (404, b"<html>404</html>", True),
        (404, None, True),
        (404, {}, True),
        (301, {"error": {"message": "Moved: file_abc"}}, True),
        (307, None, True),
        (501, anthropic_error("not_supported", "no batches"), True),
        (200, {"code": 500, "msg": "404 NOT_FOUND", "success": False}, True),
        # the request
        (404, anthropic_error("not_found_error", "File not found: file_abc"), False),
        (404, anthropic_error("not_found_error", "Container container_01 not found or expired"), False),
        (404, {"error": {"message": "No endpoints found that support tool use.", "code": 404}}, False),
        (200, anthropic_error("not_found_error", "File not found: file_abc"), False),
    ],
)  # fmt: skip
def test_one_request_with_a_missing_file_cools_nobody(status: int, body: object, cools: bool) -> None:
    """C1: it fails over, but others go on using the model."""
    judgement = of(status, body)
    assert (judgement.verdict, judgement.cools) == (Verdict.NOT_FOUND, cools)


@pytest.mark.parametrize(
    ("status", "body", "preset", "model_only"),
    [
        (401, anthropic_error("authentication_error"), "anthropic", False),
        (403, anthropic_error("permission_error"), "anthropic", True),
        (403, None, "", True),
        (434, {"error": {"message": "no permission"}}, "zai", True),
        (200, anthropic_error("permission_error"), "anthropic", True),
        (200, anthropic_error("authentication_error"), "anthropic", False),
        (200, {"base_resp": {"status_code": 1004, "status_msg": "login fail"}}, "minimax", False),
    ],
)
def test_what_a_refused_credential_is_refused_for(status: int, body: object, preset: str, model_only: bool) -> None:
    """D5: a key without access to one model serves others."""
    judgement = of(status, body, preset=preset)
    assert (judgement.verdict, judgement.model_only, judgement.cools) == (Verdict.CREDENTIAL, model_only, True)
    assert judgement.error_type == ("permission_error" if model_only else "authentication_error")


@pytest.mark.parametrize(
    "body",
    [
        {"type": "message_start", "message": {"id": "msg_1", "content": []}},
        {"type": "ping"},
        {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "\"error\": 404"}]},
        {"type": "message", "content": [], "error": None},
        {"input_tokens": 12},
        {"id": "c", "object": "chat.completion", "choices": [], "error": None},
        {"data": [], "has_more": False},
        {},
    ],
)  # fmt: skip
def test_success(body: object) -> None:
    assert of(200, body) == Judgement(Verdict.OK, "200")


@pytest.mark.parametrize(
    ("status", "error", "reason", "timed_out"),
    [
        (None, "connection refused", "connection refused", False),
        (None, "connect timeout after 10 s", "connect timeout after 10 s", True),
        (None, "TLS handshake failed:\n certificate expired", "TLS handshake failed: certificate expired", False),
        (200, "no first event within 120 s", "200 no first event within 120 s", True),
        (200, "the stream ended before its first event", "200 the stream ended before its first event", False),
        (200, "empty stream", "200 empty stream", False),
        (None, None, "no response", False),
    ],
)
def test_network_faults(status: int | None, error: str | None, reason: str, timed_out: bool) -> None:
    """C1: network errors, deadlines and empty streams are failures of the target."""
    judgement = of(status, error=error)
    assert (judgement.verdict, judgement.reason, judgement.timed_out) == (Verdict.TRANSIENT, reason, timed_out)
    assert judgement.error_type == ("timeout_error" if timed_out else "api_error")


@pytest.mark.parametrize("before", ["", "cannot connect: "])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (f"[Errno {errno.ECONNREFUSED}] Connect call failed ('127.0.0.1', 1)", "connection refused"),
        (f"Multiple exceptions: [Errno {errno.ECONNREFUSED}] Connect call failed ('::1', 1, 0, 0), "
         "[Errno 99] Cannot assign requested address", "connection refused"),
        ("[Errno -2] Name or service not known", "name not known"),
        ("[Errno 8] nodename nor servname provided, or not known", "name not known"),
        ("[Errno -3] Temporary failure in name resolution", "name not known"),
        ("[Errno -5] No address associated with hostname", "name not known"),
        ("[Errno 11001] getaddrinfo failed", "name not known"),
        (
            "Certificate verify failed: self-signed certificate in certificate chain",
            "TLS certificate not trusted; name its authority in SSL_CERT_FILE or tls.ca",
        ),
        ("Certificate verify failed: hostname mismatch", "TLS certificate not trusted: hostname mismatch"),
        (
            "Upstream proxy 10.0.0.1:3128 refused HTTP CONNECT request: 407 Proxy Authentication Required",
            "CONNECT refused with 407 Proxy Authentication Required",
        ),
        ("OpenSSL Error([('SSL routines', '', 'certificate verify failed')])", "TLS certificate not trusted"),
        ("OpenSSL Error([('SSL routines', '', 'sslv3 alert handshake failure')])", "TLS handshake failed"),
        ("The remote server does not speak TLS.", "TLS handshake failed"),
        ("The remote server and mitmproxy cannot agree on a TLS version to use. You may need to adjust mitmproxy's "
         "tls_version_server_min option.", "TLS handshake failed"),
        ("ssl/tls alert bad certificate", "TLS handshake failed"),
        ("tlsv1 alert unknown ca", "TLS handshake failed"),
        ("Cannot parse HTTP response: Bad HTTP response line: b'SSH-2.0'", "not HTTP"),
        ("Cannot parse HTTP response: b'connection closed, idle: Name or service not known'", "not HTTP"),
        ("HTTP/1 protocol error: peer closed connection without sending complete message body "
         "(received 5 bytes, expected 10)", "broke off mid-answer"),
        ("server closed connection", "connection closed"),
        ("connection closed", "connection closed"),
        ("HTTP/2 connection closed: <ConnectionTerminated error_code:0>", "connection closed"),
        (
            f"through the proxy http://p:1: [Errno {errno.ECONNREFUSED}] Connect call failed ('10.0.0.1', 443)",
            "connection refused through the proxy http://p:1",
        ),
        ("[Errno 113] Connect call failed ('10.0.0.1', 443)", "[Errno 113] Connect call failed ('10.0.0.1', 443)"),
        ("HTTP/1 protocol error: illegal chunk header", "HTTP/1 protocol error: illegal chunk header"),
        ("several\r\nlines\u2028long " + "x" * 500, "several lines long " + "x" * 141),
    ],
)  # fmt: skip
def test_faults_of_the_connection_in_plain_words(before: str, error: str, reason: str) -> None:
    """C1: what the person reads says what is wrong, not where in which library."""
    judgement = of(None, error=before + error)
    assert (judgement.verdict, judgement.reason) == (Verdict.TRANSIENT, reason)
    assert (judgement.unreachable, judgement.timed_out) == (before != "", False)


def test_a_connect_timeout_keeps_its_words() -> None:
    judgement = of(None, error="cannot connect: connect timeout after 10 s")
    assert (judgement.reason, judgement.unreachable, judgement.timed_out) == ("connect timeout after 10 s", True, True)
    assert of(None, error="cannot connect: ").reason == of(None, error="cannot connect").reason == "cannot connect"
    assert of(None, error="cannot connected").unreachable is False


def test_a_fault_after_the_status_keeps_the_status() -> None:
    assert of(200, error="server closed connection").reason == "200 connection closed"


def test_the_status_speaks_before_a_cut_body() -> None:
    assert of(529, error="connection reset").verdict is Verdict.OVERLOADED
    assert of(200, anthropic_error("overloaded_error"), error="connection reset").verdict is Verdict.OVERLOADED


def test_a_client_that_left_is_nobodys_fault() -> None:
    outcome = Outcome(529, cancelled=True, error="cancelled")
    assert judge(outcome, now=NOW) == Judgement(Verdict.CANCELLED, "client left")


def test_own_spend_limit_names_the_day() -> None:
    message = "You have reached your specified API usage limits. You will regain access on 2026-09-28 at 00:00 UTC."
    judgement = of(400, anthropic_error("invalid_request_error", message))
    assert judgement.verdict is Verdict.QUOTA
    assert judgement.until == datetime(2026, 9, 28, tzinfo=UTC).timestamp()
    for day in ("2026-19-71", "2026-12-31", "9999-12-31", "2026-01-01"):
        other = of(400, anthropic_error("invalid_request_error", message.replace("2026-09-28", day)))
        assert (other.verdict, other.until) == (Verdict.QUOTA, None)


@pytest.mark.parametrize(("value", "retryable"), [("true", True), ("false", False), ("False", None), ("", None)])
def test_should_retry_is_compared_exactly(value: str, retryable: bool | None) -> None:
    assert of(503, x_should_retry=value).retryable is retryable


@pytest.mark.parametrize(
    ("status", "body", "error_type"),
    [
        (402, None, "billing_error"),
        (429, {"error": {"code": "insufficient_quota", "message": "x"}}, "billing_error"),
        (429, None, "rate_limit_error"),
        (401, None, "authentication_error"),
        (403, None, "permission_error"),
        (404, None, "not_found_error"),
        (501, None, "not_supported"),
        (409, None, "conflict_error"),
        (413, None, "request_too_large"),
        (422, None, "invalid_request_error"),
        (503, None, "overloaded_error"),
        (504, None, "timeout_error"),
        (502, None, "api_error"),
    ],
)
def test_error_type(status: int, body: object, error_type: str) -> None:
    assert of(status, body).error_type == error_type


def test_the_message_is_trimmed() -> None:
    assert of(400, anthropic_error("invalid_request_error", "x" * 5000)).message == "x" * 300


def test_a_word_that_is_no_verdict_is_passed_over() -> None:
    outcome = Outcome(429, body=b'{"error":{"code":"7"}}')
    assert judge(outcome, error_codes={"7": "nonsense"}, now=NOW).verdict is Verdict.THROTTLE


def test_every_code_of_the_presets_maps_to_a_verdict() -> None:
    words = {word for preset in PRESETS.values() for word in preset.get("error_codes", {}).values()}
    assert words and words <= {verdict.value for verdict in Verdict}


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (b'{"error":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001, Verdict.OK),
        (b'{"error":' * 100_000, Verdict.OK),
        (b'{"error":{"code":"' + b"9" * 5000 + b'","message":"x"}}', Verdict.TRANSIENT),
        (b'{"code":' + b"9" * 6000 + b',"msg":"x"}', Verdict.OK),
        (b'{"code":99999999999999999999999,"msg":"x"}', Verdict.TRANSIENT),
        (b'{"error":{"message":"\xff\xfe"}}', Verdict.OK),
        (b'{"\xff":1}', Verdict.OK),
        (b'{"type":"error"', Verdict.OK),
        (b'{"type":"error"}', Verdict.TRANSIENT),
        (b"[]", Verdict.OK),
        (b"[1]", Verdict.OK),
    ],
    ids=range(11),
)
def test_hostile_bodies(body: bytes, verdict: Verdict) -> None:
    """A body that cannot be read says nothing; the status alone then speaks."""
    assert of(200, body).verdict is verdict
    assert of(500, body).verdict is Verdict.TRANSIENT


HEADER_NAMES = st.sampled_from(
    [
        "retry-after", "retry-after-ms", "x-should-retry", "x-ratelimit-reset-tokens", "x-ratelimit-remaining-tokens",
        "anthropic-ratelimit-unified-status", "anthropic-ratelimit-unified-reset",
        "anthropic-ratelimit-unified-representative-claim", "anthropic-ratelimit-unified-5h-status",
        "anthropic-ratelimit-unified-5h-reset", "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset", "anthropic-fast-input-tokens-remaining",
    ]
) | st.text(max_size=30)  # fmt: skip
HEADER_VALUES = st.sampled_from(
    ["0", "rejected", "allowed", "1e400", "-inf", "9" * 400, "0001-01-01T00:00:00+23:59", "1" * 5000 + "s", "6m0s",
     "Mon, 99 Foo 0000 99:99:99 GMT", "Sun, 31 Dec 9999 23:59:59 -2359"]
) | st.floats().map(str) | st.text(max_size=30)  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
    | st.sampled_from(["404", "1002", "²³¹", "overloaded_error", "rate_limit_error", "error", "9" * 5000])
)  # fmt: skip
KEYS = st.sampled_from(
    ["error", "type", "code", "message", "msg", "base_resp", "status_code", "status_msg", "details", "error_code"]
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=12
)
BODIES = st.binary(max_size=200) | JSON.map(msgspec.json.encode)


@given(
    status=st.none() | st.integers(-5, 1200) | st.sampled_from([200, 400, 403, 429, 503]),
    headers=st.dictionaries(HEADER_NAMES, HEADER_VALUES, max_size=6),
    body=BODIES,
    error=st.none() | st.text(max_size=40),
    cancelled=st.booleans(),
    error_codes=st.dictionaries(st.text(max_size=6), st.text(max_size=6) | st.sampled_from(list(Verdict)), max_size=3),
)
def test_garbage_never_raises(
    status: int | None,
    headers: dict[str, str],
    body: bytes,
    error: str | None,
    cancelled: bool,
    error_codes: dict[str, str],
) -> None:
    judgement = judge(Outcome(status, headers, body, error, cancelled), error_codes=error_codes, now=NOW)
    assert isinstance(judgement.verdict, Verdict)
    assert len(judgement.reason.splitlines()) <= 1
    assert len(judgement.reason) <= 80 and len(judgement.message) <= 300
    longest = LONGEST_WINDOW if judgement.verdict in (Verdict.QUOTA, Verdict.QUOTA_MODEL) else LONGEST_THROTTLE
    assert judgement.until is None or NOW < judgement.until <= NOW + longest
    assert judgement.retry_after is None or 0 < judgement.retry_after <= longest


@pytest.mark.parametrize("status", [405, 407, 421, 425, 426])
def test_what_something_on_the_way_says_is_not_about_the_request(status: int) -> None:
    """A wrong method, a proxy that wants a login, another server: the next target may do better (RFC 9110, 15.5)."""
    outcome = Outcome(status=status, headers={"content-type": "text/html"}, body=b"<html>no</html>")
    assert judge(outcome, now=0).verdict is Verdict.TRANSIENT


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (404, "model_not_found", "404 model_not_found"),
        (401, "invalid_api_key", "401 invalid_api_key"),
        (400, "unsupported_value", "400 invalid_request_error"),
        (400, None, "400 invalid_request_error"),
    ],
)
def test_what_openai_says_by_its_code(status: int, code: str | None, reason: str) -> None:
    """Its type is the same for all of them."""
    body = json.dumps({"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": code}})
    assert judge(Outcome(status, {}, body.encode()), now=0.0).reason == reason
