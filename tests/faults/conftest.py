"""The client of the running proxy's tests, and a clock on which minutes pass in seconds."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.proxy.conftest import client
from turnout.proxy import ticks
from turnout.proxy.failover import FailoverStream

__all__ = ["client"]


@pytest.fixture
def quick_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Callable[[], float]]:
    """`clock = quick_time(20)`: from now on 20 seconds of every deadline pass in one; returns the clock."""

    def pass_at(rate: float) -> Callable[[], float]:
        def clock() -> float:
            return time.monotonic() * rate

        monkeypatch.setattr(FailoverStream, "clock", staticmethod(clock))
        monkeypatch.setattr(ticks, "TICK", 1.0 / rate)
        return clock

    return pass_at
