"""The real Claude Code through Turnout: a tool turn on every road the README promises."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.claude_code import (
    HAIKU,
    RESULT,
    OpenHouse,
    Run,
    providers,
    run_claude,
    sign_in,
    tool_turn_script,
)
from tests.e2e.turns import asked_twice
from tests.scripted.tap import TapThread
from turnout.testing import replies
from turnout.testing.provider import ScriptedProviderThread
from turnout.testing.replies import Reply
from turnout.testing.wire import RecordedRequest

pytestmark = [pytest.mark.e2e, pytest.mark.claude]

CLIENT_KEY = "sk-ant-api03-fake-key-of-the-client"
OAUTH = "sk-ant-oat01-fake-token-of-the-client"
KEYS = {"FIRST_KEY": "sk-ant-api03-fake-key-of-the-first", "SECOND_KEY": "sk-ant-api03-fake-key-of-the-second"}


def assert_tool_turn(requests: Sequence[RecordedRequest]) -> None:
    """Two requests, the second with the result of the tool that the first one's answer asked for."""
    assert len(requests) == 2
    assert requests[0].tool_results == []
    assert RESULT in json.dumps(requests[1].tool_results)


def assert_unnoticed(run: Run, tap: TapThread) -> None:
    """The client had its answer from two requests and retried nothing."""
    run.assert_answered()
    assert len(tap.messages) == 2 and asked_twice(tap.messages) == []


@pytest.mark.smoke
def test_plain_passthrough_is_byte_identical(opened: OpenHouse, claude_home: Path) -> None:
    """A1, A8 (a genuine client credential), C3: nothing changes on the way."""
    anthropic = ScriptedProviderThread(tool_turn_script(), accepts=CLIENT_KEY, gzip=True)
    with providers(anthropic), opened(f'[providers.anthropic]\nbase_url = "{anthropic.url}"\n') as house:
        run = run_claude(house.tap.url, claude_home, {"ANTHROPIC_API_KEY": CLIENT_KEY})
        assert_unnoticed(run, house.tap)
        flows = house.flows()
    assert_tool_turn(anthropic.messages)
    assert [request.sha256 for request in anthropic.messages] == [request.sha256 for request in house.tap.messages]
    assert {request.path for request in anthropic.messages} == {"/v1/messages"}
    assert [request.target for request in anthropic.messages] == [request.target for request in house.tap.messages]
    assert [request.betas for request in anthropic.messages] == [request.betas for request in house.tap.messages]
    assert [flow.metadata["turnout.body"] for flow in flows] == ["identical"] * 2


def test_a_sentinel_is_replaced_by_the_real_key(opened: OpenHouse, claude_home: Path) -> None:
    """A6, A8: `proxy-managed` enters, REAL_ANTHROPIC_API_KEY leaves."""
    anthropic = ScriptedProviderThread(tool_turn_script(), accepts=KEYS["FIRST_KEY"])
    environment = {"REAL_ANTHROPIC_API_KEY": KEYS["FIRST_KEY"]}
    with providers(anthropic), opened(f'[providers.anthropic]\nbase_url = "{anthropic.url}"\n', environment) as house:
        run = run_claude(house.tap.url, claude_home, {"ANTHROPIC_API_KEY": "proxy-managed"})
        assert_unnoticed(run, house.tap)
    assert_tool_turn(anthropic.messages)


def test_haiku_goes_to_a_second_provider(opened: OpenHouse, claude_home: Path) -> None:
    """A2, A6, C6: MiniMax gets its own key as Bearer and its own model name, and nothing of Anthropic's."""
    anthropic = ScriptedProviderThread(accepts=CLIENT_KEY)
    minimax = ScriptedProviderThread(
        tool_turn_script(), accepts="minimax-fake-key", serves=["MiniMax-*"], forbid=["sk-ant"], prefix="/anthropic"
    )
    with providers(anthropic, minimax):
        config = f"""
            [providers.anthropic]
            base_url = "{anthropic.url}"
            [providers.minimax]
            base_url = "{minimax.url}"
            credentials = ["env:MINIMAX_API_KEY"]
            rewrite.profile = "none"
            [[routes]]
            model = "claude-haiku-*"
            to = ["minimax/MiniMax-M2.5-highspeed", "anthropic"]
        """
        with opened(config, {"MINIMAX_API_KEY": "minimax-fake-key"}) as house:
            credential = {"ANTHROPIC_API_KEY": CLIENT_KEY}
            assert_unnoticed(run_claude(house.tap.url, claude_home, credential, "--model", HAIKU), house.tap)
    assert anthropic.requests == []
    assert_tool_turn(minimax.messages)
    for arrived, sent in zip(minimax.messages, house.tap.messages, strict=True):
        assert arrived.lower["authorization"] == "Bearer minimax-fake-key"
        assert arrived.body == sent.body.replace(f'"{HAIKU}"'.encode(), b'"MiniMax-M2.5-highspeed"', 1)


def two_targets(first: ScriptedProviderThread, second: ScriptedProviderThread) -> str:
    return f"""
        [providers.first]
        base_url = "{first.url}"
        credentials = ["env:FIRST_KEY"]
        rewrite.profile = "none"
        [providers.second]
        base_url = "{second.url}"
        credentials = ["env:SECOND_KEY"]
        rewrite.profile = "none"
        [[routes]]
        model = "*"
        to = ["first", "second"]
        [retry]
        max_elapsed = "0s"
    """


def quota() -> Reply:
    """A plan quota that is used up for the next hour."""
    headers = {
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-reset": str(int(time.time()) + 3600),
        "retry-after": "3600",
    }
    return replies.error(429, "rate_limit_error", "This request would exceed your account's rate limit.", headers)


@pytest.mark.parametrize(
    "failure",
    [quota(), replies.close_before_headers(), replies.close_after(0)],
    ids=["429", "dies before headers", "dies before the first event"],
)
def test_the_second_target_serves_when_the_first_fails(opened: OpenHouse, claude_home: Path, failure: Reply) -> None:
    """B2, C1: the same client request goes on, and the client sees one clean stream."""
    first = ScriptedProviderThread(failure, accepts=KEYS["FIRST_KEY"], forbid=[CLIENT_KEY, KEYS["SECOND_KEY"]])
    second = ScriptedProviderThread(
        tool_turn_script(), accepts=KEYS["SECOND_KEY"], forbid=[CLIENT_KEY, KEYS["FIRST_KEY"]]
    )
    with providers(first, second), opened(two_targets(first, second), KEYS) as house:
        run = run_claude(house.tap.url, claude_home, {"ANTHROPIC_API_KEY": CLIENT_KEY})
        assert_unnoticed(run, house.tap)
        flows = house.flows()
    assert_tool_turn(second.messages)
    assert first.messages[0].sha256 == second.messages[0].sha256 == house.tap.messages[0].sha256
    served = [flow.metadata["turnout.provider"] for flow in flows if flow.response and flow.response.status_code == 200]
    assert served[-1] == "second"


def test_its_own_login_passes_through(opened: OpenHouse, claude_home: Path) -> None:
    """A5, B1: the OAuth token from its .credentials.json arrives as Bearer with the oauth beta, once."""
    sign_in(claude_home, OAUTH)
    anthropic = ScriptedProviderThread(tool_turn_script(), accepts=OAUTH)
    with providers(anthropic), opened(f'[providers.anthropic]\nbase_url = "{anthropic.url}"\n') as house:
        assert_unnoticed(run_claude(house.tap.url, claude_home, {}), house.tap)
    assert_tool_turn(anthropic.messages)
    for request in anthropic.messages:
        assert request.lower["authorization"] == f"Bearer {OAUTH}"
        assert request.betas.count("oauth-2025-04-20") == 1
