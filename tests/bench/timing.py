"""Processor time, the best of many."""

from __future__ import annotations

import time
from collections.abc import Callable


def best(run: Callable[[], object], seconds: float = 1.0) -> float:
    """Seconds of the fastest of the runs for which there is time, and of three at least."""
    found, begun, runs = float("inf"), time.process_time(), 0
    while runs < 3 or time.process_time() - begun < seconds:
        before = time.process_time()
        run()
        found = min(found, time.process_time() - before)
        runs += 1
    return found
