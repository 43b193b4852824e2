"""Every test of the layer runs with Turnout's classes in place, and with a clock of its own if it asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.layer.scenery import Clock
from turnout.proxy import failover
from turnout.proxy.installing import install, uninstall


@pytest.fixture(autouse=True)
def failover_streams() -> Iterator[None]:
    install()
    yield
    uninstall()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(failover.FailoverStream, "clock", staticmethod(clock))
    return clock
