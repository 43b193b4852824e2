"""Scrubs flow files, one flow in memory at a time, and writes nothing that was not searched to the last byte."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from mitmproxy.exceptions import FlowReadException
from mitmproxy.flow import Flow
from mitmproxy.io import FlowReader, FlowWriter

from turnout.recordings.scrub.flow import Scrubber, ScrubError, is_exchange
from turnout.recordings.scrub.text import personal_spans

__all__ = ["ScrubError", "Scrubbed", "findings", "scrub", "scrub_file"]

_TOLD = 5
"""Findings that one message names."""


@dataclass(slots=True)
class Scrubbed:
    """What was done to a recording."""

    flows: int = 0
    size: int = 0
    """Bytes that were written."""
    texts: int = 0
    """Texts that became filler, or had something personal or an identifier in them."""
    identifiers: int = 0
    """Different ones that became numbers."""
    headers: int = 0
    """Header values that became `***`."""
    hosts: int = 0
    """Addresses that were renamed."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Flows that are no HTTP exchanges, by type."""


def scrub(recording: bytes, hosts: Mapping[str, str] | None = None, *, keep_text: bool = False) -> bytes:
    """A flow file without secrets, people and machines, and without anybody's prose unless `keep_text` is set.

    `hosts` as for Scrubber. Raises ScrubError when something that must not be published would be left.
    """
    out = BytesIO()
    _scrub(BytesIO(recording), out, Scrubber(hosts, keep_text=keep_text))
    return out.getvalue()


def scrub_file(
    source: Path, target: Path, hosts: Mapping[str, str] | None = None, *, keep_text: bool = False
) -> Scrubbed:
    """The same from file to file. `target` is replaced at the end, as a whole, or not at all.

    Raises ScrubError as `scrub` does, and when a file cannot be read or written.
    """
    scrubber = Scrubber(hosts, keep_text=keep_text)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with source.open("rb") as recording:
            try:
                # What people wrote is in it still when texts are kept.
                mode = 0o600 if keep_text else 0o666
                with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
                    done = _scrub(recording, out, scrubber)
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)
    except OSError as error:
        file = target if error.filename == str(part) else error.filename
        raise ScrubError(f"{file}: {error.strerror}. Nothing was written.") from None
    return done


def findings(data: bytes) -> list[str]:
    """What must not be in a published file: kind and position of each, never the text itself."""
    return [f"{kind} at byte {start}" for kind, start, _ in personal_spans(data)]


def _scrub(recording: BinaryIO, out: BinaryIO, scrubber: Scrubber) -> Scrubbed:
    done = Scrubbed()
    for number, flow in enumerate(_flows(recording), 1):
        if not is_exchange(flow):
            done.left_out[flow.type if flow.type != "http" else "websocket"] += 1
            continue
        written = BytesIO()
        FlowWriter(written).add(scrubber.flow(flow))
        data = written.getvalue()
        if left := findings(data):
            more = f" and {len(left) - _TOLD} more" if len(left) > _TOLD else ""
            raise ScrubError(f"Left in flow {number}: {'; '.join(left[:_TOLD])}{more}. Nothing was written.")
        out.write(data)
        done.flows += 1
        done.size += len(data)
    if not done.flows:
        raise ScrubError("The recording holds no HTTP exchange. Nothing was written.")
    done.texts, done.headers = scrubber.filler.texts, scrubber.headers
    done.identifiers, done.hosts = len(scrubber.numbering), len(scrubber.hosts)
    return done


def _flows(recording: BinaryIO) -> Iterator[Flow]:
    count = 0
    try:
        for flow in FlowReader(recording).stream():
            yield flow
            count += 1
    # Of a damaged file mitmproxy's reader lets more through than it means to.
    except (FlowReadException, LookupError, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise ScrubError(_damaged(count, str(error).rstrip("."))) from None


def _damaged(count: int, reason: str) -> str:
    if not count:
        return f"This is no flow file, and no HAR file either ({reason}). Nothing was written."
    whole = f"after {count} whole flow{'s' if count > 1 else ''}"
    return (
        f"The recording breaks off {whole}, as when mitmproxy is killed ({reason}). Nothing was written. "
        "mitmdump -nr IN -w OUT saves the whole flows, although it ends with an error."
    )
