"""Token counts in memory: what was used since the start, by provider and model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping


class UsageTotals:
    """Sums of the usage that providers reported. Lost on restart by design; recordings keep the single values."""

    def __init__(self) -> None:
        self._totals: defaultdict[tuple[str, str], defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))

    def add(self, provider: str, model: str, usage: Mapping[str, int]) -> None:
        if not usage:
            return
        totals = self._totals[provider, model]
        totals["requests"] += 1
        for name, count in usage.items():
            totals[name] += count

    def snapshot(self) -> dict[str, dict[str, int]]:
        """`{"provider/model": {"requests": n, "input_tokens": n, …}}`."""
        return {f"{provider}/{model}": dict(counts) for (provider, model), counts in self._totals.items()}
