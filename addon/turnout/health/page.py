"""Telling a web page from an answer of an API: who answers with one stands on the way, or in the place of the API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from http import HTTPStatus

_READ = 16_384
"""Bytes: a title stands at the beginning. Pages of error are short, login pages are not."""
_LONGEST_TITLE = 80
_SHORT = 400
"""Characters: of a page without title or heading, this much is title enough."""

_TITLE = re.compile(r"<title\b[^>]*>(.*?)</title\s*>", re.IGNORECASE | re.DOTALL)
_HEADING = re.compile(r"<h1\b[^>]*>(.*?)</h1\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>?")
_PAGES = ("text/html", "application/xhtml+xml", "text/xml", "application/xml")

# Cloudflare; Go's net/http; Envoy, Istio; Kubernetes' ingress-nginx; Heroku, Vercel. No API of models says any of it.
_PLAIN = re.compile(
    r"error code: \d{3,4}\b|client sent an http request to an https server|upstream connect error\b|no healthy upstream"
    r"|upstream request timeout|rbac: access denied|default backend - \d{3}|no such app\b|the deployment could not be"
    r"|the page could not be found|(?:\d{3} )?page not found|the plain http request was sent to https port",
    re.IGNORECASE,
)
# Those of earlier and later RFCs, which are not in every version of Python, and nginx's.
_OTHER_PHRASES = (
    "Request Entity Too Large", "Payload Too Large", "Content Too Large", "Request-URI Too Long", "URI Too Long",
    "Request-URI Too Large", "Unprocessable Entity", "Unprocessable Content", "Not Allowed",
    "Service Temporarily Unavailable", "Gateway Time-out", "Request Time-out",
)  # fmt: skip
_PHRASES = "|".join(re.escape(phrase) for phrase in {*(status.phrase for status in HTTPStatus), *_OTHER_PHRASES})
# The words that belong to a status, and nothing else.
_BARE = re.compile(rf"(?:http )?(?:error )?(?:[3-5]\d\d:? )?(?:{_PHRASES})\.?", re.IGNORECASE)
# A server that asks for a key may be that short.
_MAY_BE_BARE = frozenset({401, 402, 403, 404, 422, 429})


@dataclass(frozen=True, slots=True)
class Page:
    """What stood where an answer of an API was expected."""

    title: str = ""
    """On one line, at most 80 characters."""
    text: bool = False
    """It was a line of text, not HTML."""

    def __str__(self) -> str:
        kind = "line of text" if self.text else "web page"
        return f'{kind} ("{self.title}")' if self.title else kind


def read_page(status: int, headers: Mapping[str, str], body: bytes) -> Page | None:
    """The page that an answer holds; None for JSON, an event stream, an empty body, and text that may be an API's.

    Header names are lower-case. Never raises.
    """
    start = body[:_READ].decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if not start or start[0] in "{[":
        return None
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if start[0] == "<" or kind in _PAGES:
        found = _TITLE.search(start) or _HEADING.search(start)
        return Page(_one_line(found[1] if found else start if len(start) <= _SHORT else ""))
    first = start.partition("\n")[0].strip()
    bare = status not in _MAY_BE_BARE and _BARE.fullmatch(start.strip())
    return Page(_one_line(first), text=True) if bare or _PLAIN.match(start) else None


def _one_line(text: str) -> str:
    words = " ".join(unescape(_TAG.sub(" ", text)).split())
    return "".join(letter if letter.isprintable() else "?" for letter in words)[:_LONGEST_TITLE]
