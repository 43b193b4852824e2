"""A flow file as tests look at it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mitmproxy.flow import Flow
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader


@dataclass(frozen=True)
class Recording:
    """A flow file: `flows` are its HTTP flows, in order; FileNotFoundError when there is no such file."""

    path: Path

    @cached_property
    def flows(self) -> list[HTTPFlow]:
        return [flow for flow in read_flows(self.path) if isinstance(flow, HTTPFlow)]


def read_flows(file: Path) -> list[Flow]:
    """The flows of a file. One that a process writes with -w is complete when the process has been stopped."""
    with file.open("rb") as stream:
        return list(FlowReader(stream).stream())
