"""The part of mitmproxy's response that is looked at and changed here."""

from __future__ import annotations

from typing import Protocol

from turnout.wire.headers import HeaderFields


class ChangeableHeaders(HeaderFields, Protocol):
    def __setitem__(self, name: str, value: str, /) -> None: ...

    def __delitem__(self, name: str, /) -> None: ...

    def __contains__(self, name: object, /) -> bool: ...


class Response(Protocol):
    status_code: int
    content: bytes | None
    """The decoded body; setting it keeps content-length and content-encoding true."""

    @property
    def headers(self) -> ChangeableHeaders: ...

    def get_content(self, strict: bool = True) -> bytes | None: ...


def put_in_place(response: Response, body: bytes, content_type: str) -> None:
    """Give a response a body in another form, which is sent as it is."""
    if "content-encoding" in response.headers:
        del response.headers["content-encoding"]
    response.content = body
    response.headers["content-type"] = content_type
