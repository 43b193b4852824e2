"""What people read about an exchange (DESIGN 6)."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.exchange import Attempt, ClientRequest, Exchange, Target
from turnout.inspect.notes import ERROR_MARK, FAILOVER_MARK, attempt_comment, comment, mark, metadata, usage_line


def exchange(*attempts: Attempt, plan: int = 2, **changes: Any) -> Exchange:
    request = ClientRequest("POST", "/v1/messages", {"x-api-key": "sk-ant-secret-value"}, b'{"model":"opus"}')
    made = Exchange(request, "messages", id="abc", plan=(Target("anthropic"),) * plan, attempts=list(attempts))
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def attempt(number: int = 1, provider: str = "anthropic", **changes: Any) -> Attempt:
    return Attempt(number, Target(provider, changes.pop("asked", None)), "claude-x", "env:KEY", **changes)


FAILED = {"verdict": "quota", "reason": "429 quota", "status": 429}
USAGE = {
    "input_tokens": 300,
    "cache_read_input_tokens": 11_900,
    "cache_creation_input_tokens": 100,
    "output_tokens": 410,
}


def test_the_comment_of_the_design() -> None:
    served = attempt(2, "bedrock", verdict="ok", status=200, first_event=0.839)
    line = comment(exchange(attempt(**FAILED), served, usage=USAGE))
    assert line == (
        "opus → anthropic 429 quota → bedrock 200 · 2 tries · first event 0.84 s · 12.3k in (11.9k cached) 410 out"
    )


@pytest.mark.parametrize(
    ("attempts", "ending", "line"),
    [
        ([], "", "opus"),
        ([], "gave up with 400", "opus · gave up with 400"),
        ([attempt(verdict="ok", status=200)], "", "opus → anthropic 200"),
        ([attempt(verdict="ok")], "", "opus → anthropic 200"),
        ([attempt(reason="400")], "", "opus → anthropic 400"),
        ([attempt()], "client left", "opus → anthropic · client left"),
    ],
)
def test_comments(attempts: list[Attempt], ending: str, line: str) -> None:
    assert comment(exchange(*attempts), ending) == line


def test_a_connection_that_was_dialled_again_is_told() -> None:
    made = exchange(attempt(dialled_again=True, **FAILED), attempt(2, "bedrock", verdict="ok", dialled_again=True))
    line = "opus → anthropic (dialled again) 429 quota → bedrock (dialled again) 200 · 2 tries"
    assert comment(made) == line
    assert attempt_comment(made, made.attempts[0]) == "attempt 1/2 · anthropic · 429 quota, dialled again"


def test_another_ones_head_is_told() -> None:
    made = exchange(attempt(**FAILED), attempt(2, "bedrock", verdict="ok"), head_of="anthropic")
    assert comment(made).endswith("bedrock 200 · 2 tries · in the stream that anthropic had begun")


def test_what_was_rewritten_and_learned_is_told_but_for_the_model() -> None:
    line = 'rewrite.drop = ["metadata"]'
    found = exchange(attempt(verdict="ok"), rules=("model", "system_role", "betas"), learned=(line,))
    assert comment(found) == f"opus → anthropic 200 · rewritten: system_role, betas · learned: {line}"
    told = metadata(found)
    assert told["turnout.learned"] == line
    assert told["turnout.body"] == "rewritten: model, system_role, betas"


def test_an_answer_in_another_form_is_told() -> None:
    made = exchange(attempt(verdict="ok"), converted="JSON")
    assert comment(made) == "opus → anthropic 200 · converted from JSON"
    assert metadata(made)["turnout.answer"] == "converted from JSON"
    assert "turnout.answer" not in metadata(exchange(attempt(verdict="ok")))


def test_metadata_is_flat_text_of_what_is_known() -> None:
    assert metadata(exchange()) == {
        "turnout.exchange": "abc",
        "turnout.part": "exchange",
        "turnout.client_model": "opus",
        "turnout.body": "identical",
    }
    found = metadata(exchange(attempt(**FAILED), usage={"input_tokens": 1}, rules=("model",)))
    assert found == {
        "turnout.exchange": "abc",
        "turnout.part": "exchange",
        "turnout.client_model": "opus",
        "turnout.body": "rewritten: model",
        "turnout.attempt": "1/2",
        "turnout.provider": "anthropic",
        "turnout.model": "claude-x",
        "turnout.verdict": "quota",
        "turnout.reason": "429 quota",
        "turnout.usage": '{"input_tokens":1}',
    }


def test_retries_may_be_more_than_the_plan_has_targets() -> None:
    tries = [attempt(number, verdict="transient", reason="500") for number in (1, 2, 3)]
    assert metadata(exchange(*tries, plan=1))["turnout.attempt"] == "3/3"


def test_the_comment_of_a_failed_attempt() -> None:
    made = exchange(attempt(asked="x", **FAILED))
    assert attempt_comment(made, made.attempt) == "attempt 1/2 · anthropic/x · 429 quota"
    today = time.mktime((*time.localtime()[:3], 14, 5, 0, 0, 0, -1))
    made.attempt.until = today
    assert attempt_comment(made, made.attempt) == "attempt 1/2 · anthropic/x · 429 quota, resets 14:05"
    made.attempt.until = time.mktime((2031, 2, 3, 14, 5, 0, 0, 0, -1))
    assert attempt_comment(made, made.attempt).endswith("resets 2031-02-03 14:05")


@pytest.mark.parametrize(
    ("usage", "line"),
    [
        ({}, "0 in 0 out"),
        ({"input_tokens": 999, "output_tokens": 1000}, "999 in 1.0k out"),
        ({"input_tokens": 999_949, "output_tokens": 999_950}, "999.9k in 1.0M out"),
        ({"input_tokens": 999_999, "output_tokens": 2_340_000}, "1.0M in 2.3M out"),
        ({"input_tokens": 1, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 3}, "6 in (3 cached) 0 out"),
        ({"cache_creation.ephemeral_5m_input_tokens": 7}, "0 in 0 out"),
    ],
)
def test_usage_lines(usage: dict[str, int], line: str) -> None:
    assert usage_line(usage) == line


@given(st.dictionaries(st.sampled_from(sorted(USAGE)), st.integers(0, 10**9)))
def test_counts_stay_short(usage: dict[str, int]) -> None:
    assert all(len(word.strip("()")) <= 7 for word in usage_line(usage).split())


@pytest.mark.parametrize(
    ("verdicts", "refused", "marker"),
    [
        (["ok"], False, ""),
        (["quota", "ok"], False, FAILOVER_MARK),
        (["quota", "transient"], True, ERROR_MARK),
        (["request"], True, ERROR_MARK),
        (["quota", "cancelled"], False, FAILOVER_MARK),
        (["transient"], False, ERROR_MARK),  # a stream that broke off after its first event has the status 200
        ([], True, ERROR_MARK),
        ([], False, ""),
    ],
)
def test_the_marker_tells_how_an_exchange_ended(verdicts: list[str], refused: bool, marker: str) -> None:
    assert mark(exchange(*(attempt(verdict=verdict) for verdict in verdicts)), failed=refused) == marker
