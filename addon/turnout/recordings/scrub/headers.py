"""What becomes of the values of headers: known harmless ones stay, identifiers become numbers, all others `***`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import formatdate

from turnout.recordings.scrub.text import Numbering, masked
from turnout.redaction.names import is_secret_header
from turnout.redaction.secret import MASK

EPOCH = 1_700_000_000.0
"""Unix time of the first flow; each further one begins ten seconds later, and its steps are a tenth apart."""

HARMLESS_HEADERS = re.compile(
    r"accept|accept-encoding|anthropic-(?:beta|version|dangerous-direct-browser-access)|anthropic-ratelimit-.+"
    r"|cache-control|connection|content-(?:length|type)|retry-after(?:-ms)?|server|transfer-encoding"
    r"|user-agent|x-app|x-ratelimit-.+|x-should-retry|x-stainless-.+",
)
IDENTIFYING_HEADERS = frozenset(
    ("anthropic-organization-id", "cf-ray", "request-id", "x-claude-code-session-id", "x-request-id")
)

_KNOWN_CLIENT = re.compile(
    r"(?:claude-(?:cli|code)|(?:Async)?(?:Anthropic|OpenAI)/\w+|python-httpx|curl|node|undici|axios|Bun)(?:[/ ].*)?"
)


def header_value(name: str, value: bytes, shift: float, numbering: Numbering) -> bytes:
    """The value that a header (lower-case name) is published with. Times move by `shift` seconds."""
    if is_secret_header(name):
        return MASK.encode()
    if name in IDENTIFYING_HEADERS:
        return value if value == MASK.encode() else numbering(value)
    if name == "date":
        return formatdate(EPOCH, usegmt=True).encode()
    if name.startswith("anthropic-ratelimit-") and name.endswith("-reset"):
        return _moved(value.decode("latin-1"), shift).encode()
    if name == "user-agent" and not _KNOWN_CLIENT.fullmatch(value.decode("latin-1")):
        return MASK.encode()
    if HARMLESS_HEADERS.fullmatch(name):
        return masked(value)
    return value if name == "host" else MASK.encode()


def _moved(moment: str, shift: float) -> str:
    """A point in time, as Unix seconds or ISO 8601, as far from the request as it was, to the minute."""
    try:
        if moment.isascii() and moment.isdecimal():
            return str(_minute(int(moment) + shift))
        then = _minute(datetime.fromisoformat(moment).timestamp() + shift)
        return datetime.fromtimestamp(then, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return MASK


def _minute(moment: float) -> int:
    return round(moment / 60) * 60
