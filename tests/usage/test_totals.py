"""Token counts since the start (issue item 11)."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from turnout.usage.totals import MOST_MODELS, OTHERS, UsageTotals


def test_sums_by_provider_and_model() -> None:
    totals = UsageTotals()
    assert totals.snapshot() == {}
    totals.add("anthropic", "claude-x", {"input_tokens": 3, "output_tokens": 1})
    totals.add("anthropic", "claude-x", {"input_tokens": 4, "cache_creation.a": 2})
    totals.add("minimax", "or/M3", {"output_tokens": 5})
    totals.add("minimax", "silent", {})
    assert totals.snapshot() == {
        "anthropic/claude-x": {"requests": 2, "input_tokens": 7, "output_tokens": 1, "cache_creation.a": 2},
        "minimax/or/M3": {"requests": 1, "output_tokens": 5},
    }


def test_a_snapshot_is_a_copy() -> None:
    totals = UsageTotals()
    totals.add("a", "b", {"input_tokens": 1})
    totals.snapshot()["a/b"]["input_tokens"] = 99
    assert totals.snapshot()["a/b"]["input_tokens"] == 1


def test_models_that_clients_invent_are_counted_together() -> None:
    totals = UsageTotals()
    for number in range(3 * MOST_MODELS):
        totals.add("a", f"invented-{number}", {"output_tokens": 2})
        totals.add("a", "real", {"output_tokens": 1})
    found = totals.snapshot()
    assert len(found) == MOST_MODELS + 1 and list(found)[-1] == OTHERS
    assert found["a/real"] == {"requests": 3 * MOST_MODELS, "output_tokens": 3 * MOST_MODELS}
    assert found[OTHERS] == {"requests": 2 * MOST_MODELS + 1, "output_tokens": 4 * MOST_MODELS + 2}


def test_counts_that_providers_invent_are_few() -> None:
    totals = UsageTotals(most_models=2)
    for number in range(1000):
        totals.add("a", f"m{number % 5}", {"output_tokens": 1, f"invented-{number}": 1})
    assert len(json.dumps(totals.snapshot())) < 10_000
    assert sum(counts["output_tokens"] for counts in totals.snapshot().values()) == 1000


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 9))))
def test_nothing_is_counted_twice_or_lost(steps: list[tuple[str, int]]) -> None:
    totals = UsageTotals(most_models=3)
    for model, count in steps:
        totals.add("p", model, {"output_tokens": count})
    found = totals.snapshot()
    assert len(found) <= 4
    assert sum(counts["output_tokens"] for counts in found.values()) == sum(count for _, count in steps)
    assert sum(counts["requests"] for counts in found.values()) == len(steps)
