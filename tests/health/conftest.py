"""A clock that stands still until a test moves it."""

from __future__ import annotations

import pytest

START = 1_790_000_000.0


class Clock:
    """Unix time from START on."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()
