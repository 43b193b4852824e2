"""Token counts since the start (issue item 11)."""

from __future__ import annotations

from turnout.inspect.usage import UsageTotals


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
