"""mitmproxy's log lines as `turnout run` shows them."""

from __future__ import annotations

import asyncio
import logging

import pytest

from turnout.cli.lines import Announcement, is_news
from turnout.cli.run import DEAD_TARGET


def record(text: str, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, None) if error else None
    return logging.LogRecord("x", logging.INFO, "", 0, text, (), info)


@pytest.mark.parametrize("address", ["127.0.0.1:4711", "[::1]:4711", "127.0.0.1:4711 and [::1]:4711"])
def test_the_first_line_about_listening_becomes_the_announcement(address: str) -> None:
    ports: list[int] = []
    lines = Announcement(ports.append, DEAD_TARGET)
    listening = record(f"reverse proxy to {DEAD_TARGET} listening at {address}.")
    assert [lines.filter(listening), lines.filter(listening)] == [False, False]
    assert ports == [4711]


def test_other_listeners_and_other_lines_are_shown() -> None:
    ports: list[int] = []
    lines = Announcement(ports.append, DEAD_TARGET)
    assert lines.filter(record(f"stopped reverse proxy to {DEAD_TARGET}"))
    assert lines.filter(record("HTTP(S) proxy listening at *:8080."))
    assert ports == [8080]


def test_a_cancelled_connection_is_no_news() -> None:
    assert not is_news(record("Exception in callback", asyncio.CancelledError()))
    assert is_news(record("Exception in callback", ValueError()))
    assert is_news(record("Exception in callback"))
