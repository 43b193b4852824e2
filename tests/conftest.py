"""What all tests have in common: the fixtures of `turnout.testing`, a clean environment, mitmproxy's task semantics."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["turnout.testing.fixtures"]

# Hypothesis builds its tables of Unicode on first use, which takes a second; a busy computer takes longer for anything.
settings.register_profile("turnout", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("turnout")

CLAUDE = os.environ.get("TURNOUT_CLAUDE")
"""The Claude Code executable for end-to-end tests; read before the environment is cleaned."""


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Async tests see the task semantics of production: from Python 3.12 on mitmproxy starts tasks eagerly."""
    return {"mitmproxy": _loop}


def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    if sys.version_info >= (3, 12):
        loop.set_task_factory(asyncio.eager_task_factory)
    return loop


@pytest.fixture(autouse=True)
def _at_home(home: Path) -> None:
    """No test sees the machine's own environment."""
