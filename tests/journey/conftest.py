"""A stage for the tests of policy: no sockets, no stores, and time that moves when a test says so."""

from __future__ import annotations

import pytest

from tests.journey.scenery import Claims, Clock, Scene
from turnout.journey.dispatch import Dispatcher


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    clock = Clock()
    monkeypatch.setattr("time.time", clock)
    monkeypatch.setattr("turnout.journey.dispatch.Cooldowns", lambda: Claims(clock))
    return Scene(Dispatcher(), clock)
