"""Keeps secrets out of everything mitmproxy stores, shows or exports once an exchange is over."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from mitmproxy import http

from turnout.errors import RequestError
from turnout.settings.secret import MASK, Secret, is_secret_header, masked_path, redact, without_secrets
from turnout.wire.compression import decompress
from turnout.wire.headers import Fields
from turnout.wire.split_secrets import without_split_secrets

LARGEST = 64 * 10**6
"""Bytes to which a compressed body is opened to look for secrets. One that is larger was refused, and is not kept."""

_MASK = MASK.encode()


def mask_request(request: http.Request, known: Iterable[Secret] = ()) -> None:
    """Mask header, path and body. Call it when the request has left: the wire copy is not affected."""
    known = tuple(known)
    request.headers.fields = masked_fields(request.headers.fields, known)
    _mask_trailers(request, known)
    path = masked_path(request.path, known)
    if path != request.path:
        request.path = path
    content = _opened(request)
    if content is None:
        request.raw_content = b""
    else:
        _replace_body(request, content, _masked_body(request, content, known))


def masked_response(response: http.Response, known: Iterable[Secret] = ()) -> http.Response:
    """A copy without secrets in header and body; the same object when it holds none.

    The original stays as it is, because it may still have to be sent.
    """
    known = tuple(known)
    fields = masked_fields(response.headers.fields, known)
    content = response.get_content(strict=False) or b""
    masked = _masked_body(response, content, known)
    reason = redact(response.reason, known)
    if fields == response.headers.fields and masked is content and reason == response.reason and not response.trailers:
        return response
    copy = response.copy()
    copy.headers.fields = fields
    _mask_trailers(copy, known)
    copy.reason = reason
    _replace_body(copy, content, masked)
    return copy


def masked_fields(fields: Fields, known: Iterable[Secret] = ()) -> Fields:
    """The same header fields, with the values of secret ones and every secret in another replaced by `***`."""
    # One pass over the raw fields: every look-up in mitmproxy's headers goes through all of them.
    found = tuple((name, _MASK if _is_secret(name) else value) for name, value in fields)
    values = "\n".join(value.decode("utf-8", "surrogateescape") for _, value in found)
    if redact(values, known) == values:
        return found
    return tuple((name, _redacted(value, known)) for name, value in found)


@lru_cache(1024)
def _is_secret(name: bytes) -> bool:
    return is_secret_header(name.decode("latin-1"))


def _redacted(value: bytes, known: Iterable[Secret]) -> bytes:
    return redact(value.decode("utf-8", "surrogateescape"), known).encode("utf-8", "surrogateescape")


def _mask_trailers(message: http.Message, known: tuple[Secret, ...]) -> None:
    if message.trailers:
        message.trailers.fields = masked_fields(message.trailers.fields, known)


def _opened(request: http.Request) -> bytes | None:
    """The plain body; None for one that cannot be opened, or only into more memory than a request may take."""
    try:
        return decompress(request.raw_content or b"", request.headers.get("content-encoding", ""), LARGEST)
    except RequestError:
        return None


def _masked_body(message: http.Message, content: bytes, known: tuple[Secret, ...]) -> bytes:
    streamed = message.headers.get("content-type", "").startswith("text/event-stream")
    return without_split_secrets(content, known) if streamed else without_secrets(content, known)


def _replace_body(message: http.Message, content: bytes, masked: bytes) -> None:
    """A compressed body that holds a secret is kept decoded."""
    if masked is not content:
        message.decode(strict=False)
        message.raw_content = masked
