"""Headers as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

Fields = tuple[tuple[bytes, bytes], ...]
"""Names and values in the order and spelling of the wire."""


class HeaderFields(Protocol):
    """Headers as on the wire. Only these are cheap: reading mitmproxy's as a mapping takes quadratic time."""

    @property
    def fields(self) -> Fields: ...


def lowered(headers: HeaderFields) -> dict[str, str]:
    """Values by lower-case name; those of a name that occurs more than once are joined by commas (RFC 9110 5.3)."""
    found: dict[str, str] = {}
    for raw_name, raw_value in headers.fields:
        name = raw_name.decode("utf-8", "surrogateescape").lower()
        value = raw_value.decode("utf-8", "surrogateescape")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def is_event_stream(headers: Mapping[str, str]) -> bool:
    """Whether a body of these headers is called a stream of events. Names are lower-case, or found in any case."""
    return headers.get("content-type", "").lower().startswith("text/event-stream")
