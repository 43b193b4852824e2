"""Which of mitmproxy's log lines `turnout run` shows."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable

TALKATIVE = ("mitmproxy.proxy.server", "mitmproxy.addons.script", "httpx")
"""Loggers with a line per connection, per script and per request: Turnout's own line per exchange says more."""

_LISTENING = re.compile(r" listening at \S+:(\d+)")


def trim(announce: Callable[[int], None], dead_target: str, *, talkative: bool) -> None:
    """Leave out lines that say nothing, or the wrong thing, to somebody who did not start mitmproxy."""
    if not talkative:
        for name in TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("mitmproxy.proxy.mode_servers").addFilter(Announcement(announce, dead_target))
    logging.getLogger("asyncio").addFilter(is_news)


class Announcement(logging.Filter):
    """Calls `announce` with the port when the proxy begins to listen, and hides the line with the dead target."""

    def __init__(self, announce: Callable[[int], None], dead_target: str) -> None:
        super().__init__()
        self._announce = announce
        self._dead_target = dead_target
        self._announced = False

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        listening = _LISTENING.search(text)
        if listening is None:
            return True
        if not self._announced:
            self._announced = True
            self._announce(int(listening[1]))
        return self._dead_target not in text


def is_news(record: logging.LogRecord) -> bool:
    """On Python 3.11 asyncio reports every connection that is still open when the proxy ends as an error."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))
