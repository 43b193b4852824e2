"""Single texts: filler for what people and programs wrote, numbers for identifiers, stars for what is personal.

All of it keeps the length in bytes, works on text as it stands in JSON, where no escape is cut in two, and leaves
alone what it has made before.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from turnout.redaction.body import outside_escape, secret_spans, starred

LOREM = (
    b"Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore "
    b"magna aliqua. Ut enim ad minim veniam, quis nostrud exercitation ullamco laboris nisi ut aliquip ex ea commodo "
    b"consequat. Duis aute irure dolor in reprehenderit in voluptate velit esse cillum dolore eu fugiat nulla "
    b"pariatur. Excepteur sint occaecat cupidatat non proident, sunt in culpa qui officia deserunt mollit anim id est "
    b"laborum. "
)

SECRET = "secret"

_IN_PATH = rb"[^\s\"'`\\,;)<>]"
PERSONAL = {
    "e-mail address": (
        (b"@", b"%40"),
        re.compile(rb"(?<![\w.+-])[\w.+-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}\.[A-Za-z]{2,24}"),
    ),
    "path of a machine": (
        (b"/home", b"/Users", b"/root", b"/workspace", b"/tmp", b"/private", b"/mnt", b"/var/folders", b"Users", b"~/")
        + (b"-home-", b"%2"),
        re.compile(
            rb"(?:(?:(?<![A-Za-z0-9_.-])|(?<=\\[nrt]))/(?:home|Users|root|workspaces?|tmp|private|mnt|var/folders)\b|(?<!\w)~/)"
            rb"(?:" + _IN_PATH + rb"|\\u[0-9a-fA-F]{4})*"
            rb"|[A-Za-z]:(\\{1,4}|/)Users\b(?:\1" + _IN_PATH + rb"+)*"
            # As a part of a URL, and as Claude Code names the folder of a project.
            rb"|%2[Ff](?:home|Users)%2[Ff][\w.%-]+|/-(?:home|Users)-[\w.-]+"
        ),
    ),
    "address of a machine": (
        (b"10.", b"192.168.", b"172.", b"169.254.", b".local", b".lan", b".internal"),
        re.compile(
            rb"(?<![\w.])(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01])|169\.254)(?:\.\d{1,3}){2,3}(?![\w.])"
            rb"|(?<![\w.-])[\w-]{1,63}(?:\.[\w-]{1,63}){0,4}\.(?:local|lan|internal)\b(?![.(]\w|\()"
        ),
    ),
}
"""What may identify a person or a machine inside any text: what each holds at least, and how it looks."""

_KEPT_IN_PROSE = re.compile(rb"(\\[^u]|[\x00-\x1f])")
_IDENTIFIER_PREFIX = re.compile(
    rb"(?:(?:srv|mcp)?toolu|msg|msgbatch|req|file|container|call|resp|session|org|user|wrkspc|apikey|skill|env)_"
)
_WORD_BEGINS = rb"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt]))"
_IDENTIFIER = re.compile(
    _WORD_BEGINS + rb"(?:[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-f]{32,}|"
    rb"(?:" + _IDENTIFIER_PREFIX.pattern + rb"|chatcmpl-)[A-Za-z0-9]{12,})(?![A-Za-z0-9_-])"
)
_MOMENT = re.compile(rb"(?<!\d)\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?(?!\d)")
_FIXED_MOMENT = b"20231114221320" + b"0" * 20
"""The digits of EPOCH as a date and a time."""
_DIGIT = re.compile(rb"\d")


def prose(text: bytes) -> bytes:
    """Filler of the same length. Line breaks and JSON escapes (but of characters by number) stay where they are."""
    pieces = _KEPT_IN_PROSE.split(text)
    for position in range(0, len(pieces), 2):
        size = len(pieces[position])
        pieces[position] = (LOREM * (size // len(LOREM) + 1))[:size]
    return b"".join(pieces)


def personal_spans(data: bytes) -> Iterator[tuple[str, int, int]]:
    """Kind, start and end of everything that must not be in a published file."""
    for start, end in secret_spans(data):
        yield SECRET, start, end
    for kind, (parts, pattern) in PERSONAL.items():
        if any(part in data for part in parts):
            for found in pattern.finditer(data):
                start = outside_escape(data, found.start())
                if start < found.end():
                    yield kind, start, found.end()


def masked(text: bytes) -> bytes:
    """The text with everything personal in it starred out, length kept. The same object when there is nothing."""
    return starred(text, lambda data: ((start, end) for _, start, end in personal_spans(data)))


def fixed_moment(text: bytes) -> bytes:
    """A date and time in the same form that is always the same one."""
    digits = iter(_FIXED_MOMENT.decode())
    return _DIGIT.sub(lambda _: next(digits).encode(), text)


class Numbering:
    """Replaces identifiers by numbers in the order in which they appear: equal ones stay equal, length kept."""

    def __init__(self) -> None:
        self._seen: defaultdict[bytes, dict[bytes, int]] = defaultdict(dict)

    def __len__(self) -> int:
        """How many different identifiers there were."""
        return sum(map(len, self._seen.values()))

    def __call__(self, identifier: bytes) -> bytes:
        """`req_01Abc` → `req_00001`; the prefixes of known APIs and punctuation are kept."""
        prefix = _IDENTIFIER_PREFIX.match(identifier)
        start = prefix.end() if prefix else 0
        shape = identifier[:start] + re.sub(rb"[^-_.*]", b"0", identifier[start:])
        number = self._seen[shape].setdefault(identifier, len(self._seen[shape]) + 1)
        out = bytearray(shape)
        for position in reversed(range(start, len(out))):
            if out[position : position + 1] == b"0" and number:
                number, digit = divmod(number, 10)
                out[position] = ord("0") + digit
        return bytes(out)


def kept(text: bytes, numbering: Numbering, hosts: Iterable[str]) -> bytes:
    """Somebody's words, with the identifiers, times and hosts in them and everything personal replaced."""
    # What is personal goes first: without its host an e-mail address would not be known for one.
    words = numbered(masked(text), numbering)
    return without_hosts(_MOMENT.sub(lambda found: fixed_moment(found[0]), words), hosts)


def numbered(text: bytes, numbering: Numbering) -> bytes:
    """The text with everything in it that looks like an identifier replaced by its number."""
    return _IDENTIFIER.sub(lambda found: numbering(found[0]), text)


def without_hosts(text: bytes, hosts: Iterable[str]) -> bytes:
    """The text with these host names and addresses starred out."""
    for host in hosts:
        name = host.encode()
        if name in text:
            pattern = _WORD_BEGINS + re.escape(name) + rb"(?![A-Za-z0-9_-])"
            text = re.sub(pattern, b"*" * len(name), text)
    return text
