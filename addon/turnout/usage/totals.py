"""Token counts in memory: what was used since the start, by provider and model."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping

MOST_MODELS = 100
"""Models with counts of their own: a client can choose the names. What was used least lately is counted with others."""

OTHERS = "others"

_MOST_COUNTS = 40


class UsageTotals:
    """Sums of the usage that providers reported. Lost on restart by design; recordings keep the single values."""

    def __init__(self, most_models: int = MOST_MODELS) -> None:
        self._most_models = most_models
        self._totals: OrderedDict[str, Counter[str]] = OrderedDict()
        self._others: Counter[str] = Counter()

    def add(self, provider: str, model: str, usage: Mapping[str, int]) -> None:
        if not usage:
            return
        name = f"{provider}/{model}"
        totals = self._totals.setdefault(name, Counter())
        self._totals.move_to_end(name)
        totals["requests"] += 1
        _add(totals, usage)
        if len(self._totals) > self._most_models:
            _add(self._others, self._totals.popitem(last=False)[1])

    def snapshot(self) -> dict[str, dict[str, int]]:
        """`{"provider/model": {"requests": n, "input_tokens": n, …}}`, by name; `others` comes last."""
        found = {name: dict(counts) for name, counts in sorted(self._totals.items())}
        return found | ({OTHERS: dict(self._others)} if self._others else {})


def _add(totals: Counter[str], usage: Mapping[str, int]) -> None:
    """Providers choose the names of counts: there are only so many that are summed up."""
    for name, count in usage.items():
        if name in totals or len(totals) < _MOST_COUNTS:
            totals[name] += count
