"""What mitmweb and the console keep: they show every flow for ever, and a week of conversations would fill the memory.

https://github.com/mitmproxy/mitmproxy/issues/7760 and 4129: by design there; clearing is left to addons.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from weakref import ref

from mitmproxy import http

from turnout.errors import ConfigError
from turnout.flows.backup import backup_of
from turnout.inspect.notes import MARKS
from turnout.settings.quantity import parse_size

EVERYTHING = "all"


@dataclass(frozen=True, slots=True)
class Keep:
    """Limits of the view; None: no limit."""

    flows: int | None = None
    size: int | None = None
    """Bytes of bodies."""

    @classmethod
    def parse(cls, text: str) -> Keep:
        """`1000`, `512MB`, `1000,512MB` or `all`. Raises ConfigError naming these forms."""
        if text.strip() == EVERYTHING:
            return cls()
        flows, size = None, None
        for word in map(str.strip, text.split(",")):
            try:
                if word.isdecimal():
                    flows = int(word)
                else:
                    size = parse_size(word)
            except ValueError:
                flows = 0
        if flows == 0 or size == 0:
            raise ConfigError(
                f"{text!r} does not say how much to keep",
                key="turnout_keep",
                suggestion="Write a number of flows and a size, as in 1000,512MB, one of them, or all",
            )
        return cls(flows, size)


class Trimmer:
    """Takes the oldest finished flows of Turnout out of the view. Those that the user has marked stay."""

    def __init__(self, keep: Keep, remove: Callable[[http.HTTPFlow], None]) -> None:
        self.keep = keep
        self._remove = remove
        # Flows that the user has removed must not stay in memory for this list.
        self._flows: OrderedDict[str, tuple[ref[http.HTTPFlow], int]] = OrderedDict()
        self._size = 0

    def over(self, flow: http.HTTPFlow) -> None:
        """A flow has come to its end; one that was sent again counts once, as the newest."""
        self._forget(flow.id)
        size = _size(flow)
        self._flows[flow.id] = ref(flow), size
        self._size += size
        while len(self._flows) > 1 and self._too_many():
            identifier, (kept, _) = next(iter(self._flows.items()))
            self._forget(identifier)
            oldest = kept()
            if oldest is not None and not oldest.live and (not oldest.marked or oldest.marked in MARKS):
                self._remove(oldest)

    def _forget(self, identifier: str) -> None:
        if identifier in self._flows:
            self._size -= self._flows.pop(identifier)[1]

    def _too_many(self) -> bool:
        flows, size = self.keep.flows, self.keep.size
        return (flows is not None and len(self._flows) > flows) or (size is not None and self._size > size)


def _size(flow: http.HTTPFlow) -> int:
    sent = flow.request.raw_content or b""
    backup = backup_of(flow)
    came = backup["request"]["content"] if backup is not None else sent
    answer = (flow.response.raw_content if flow.response is not None else None) or b""
    return len(sent) + len(answer) + (0 if came is sent else len(came or b""))
