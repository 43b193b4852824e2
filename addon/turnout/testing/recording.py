"""A flow file as tests look at it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mitmproxy.flow import Flow
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader

from turnout.recordings.reading import RecordedExchange, read_recording


@dataclass(frozen=True)
class Recording:
    """A flow file. FileNotFoundError from `flows`, RecordingError from `exchanges` when there is no such file."""

    path: Path

    @cached_property
    def flows(self) -> list[HTTPFlow]:
        """Its HTTP flows, in order."""
        return [flow for flow in read_flows(self.path) if isinstance(flow, HTTPFlow)]

    @cached_property
    def exchanges(self) -> list[RecordedExchange]:
        """What clients asked, as they sent it, and what they were answered."""
        return list(read_recording(self.path).exchanges)


def read_flows(file: Path) -> list[Flow]:
    """The flows of a file. One that a process writes with -w is complete when the process has been stopped."""
    with file.open("rb") as stream:
        return list(FlowReader(stream).stream())
