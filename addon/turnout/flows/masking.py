"""Keeps secrets out of everything mitmproxy stores, shows or exports."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from mitmproxy import http

from turnout.errors import RequestError
from turnout.redaction.body import without_known, without_secrets
from turnout.redaction.log import redacted_line
from turnout.redaction.names import is_secret_header
from turnout.redaction.secret import MASK, Secret
from turnout.redaction.streams import without_split_secrets
from turnout.redaction.text import masked_path, redact
from turnout.wire.compression import decompress
from turnout.wire.headers import Fields

LARGEST = 64 * 10**6
"""Bytes to which a compressed body is opened to look for secrets. One that is larger was refused."""

_MASK = MASK.encode()


class _Knowing(Protocol):
    @property
    def known(self) -> frozenset[Secret]: ...


@dataclass(frozen=True, slots=True)
class Masks:
    """What may be shown of a message: all but the known secrets, and what looks like one."""

    known: frozenset[Secret] = frozenset()

    def fields(self, fields: Fields) -> Fields:
        """The same header fields, with the values of secret ones and every secret in another replaced by `***`."""
        # One pass over the raw fields: every look-up in mitmproxy's headers goes through all of them.
        found = tuple((name, _MASK if _is_secret(name) else _without_user(name, value)) for name, value in fields)
        values = "\n".join(value.decode("utf-8", "surrogateescape") for _, value in found)
        if redact(values, self.known) == values:
            return found if found != fields else fields
        return tuple((name, self._redacted(value)) for name, value in found)

    def path(self, path: bytes) -> bytes:
        """A request's path; the reason of an answer is a path without a query."""
        text = path.decode("utf-8", "surrogateescape")
        masked = masked_path(text, self.known)
        return path if masked == text else masked.encode("utf-8", "surrogateescape")

    def text(self, text: str) -> str:
        """Words about a message, in which bytes of it may be quoted."""
        return redacted_line(text, self.known)

    def body(self, message: http.Message) -> bytes:
        """The body of a message; plain, when a compressed one holds a secret, and `***` when it cannot be opened."""
        raw = message.raw_content or b""
        content = _opened(message)
        if content is None:
            return _MASK
        streamed = message.headers.get("content-type", "").startswith("text/event-stream")
        masked = (without_split_secrets if streamed else without_secrets)(content, self.known)
        return raw if masked is content else masked

    def learnt(self, body: bytes, before: _Knowing) -> bytes:
        """A masked body without what was not known `before`: nothing else is looked for a second time."""
        return without_known(body, self.known - before.known)

    def _redacted(self, value: bytes) -> bytes:
        return redact(value.decode("utf-8", "surrogateescape"), self.known).encode("utf-8", "surrogateescape")


@lru_cache(1024)
def _is_secret(name: bytes) -> bool:
    return is_secret_header(name.decode("latin-1"))


def _without_user(name: bytes, value: bytes) -> bytes:
    """A Host without the user and password that may stand before it (RFC 3986, section 3.2.1)."""
    user, at, host = value.rpartition(b"@")
    return _MASK + at + host if user and name.lower() == b"host" else value


def _opened(message: http.Message) -> bytes | None:
    """The plain body; None for one that cannot be opened, or only into more memory than a request may take."""
    if isinstance(message, http.Response):
        return message.get_content(strict=False)
    try:
        return decompress(message.raw_content or b"", message.headers.get("content-encoding", ""), LARGEST)
    except RequestError:
        return None
