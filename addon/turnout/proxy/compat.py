"""What differs between the mitmproxy versions Turnout runs on, each with the version that changed it."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from mitmproxy.proxy.layers import http as layer

RequestProtocolError: Any = layer.RequestProtocolError
ResponseProtocolError: Any = layer.ResponseProtocolError

STOCK = "stands_for"
"""The attribute in which a class of ours keeps the class of mitmproxy whose place it takes."""


def stock(module: ModuleType, name: str) -> Any:
    """mitmproxy's own class of this name, also while one of ours, of this package or of one that it replaces, stands
    in its place."""
    found = getattr(module, name)
    return getattr(found, STOCK, found)


def abandoned(stream_id: int) -> Any:
    """The event that makes a server connection drop the exchange of `stream_id`.

    Since mitmproxy 12 an error code is mandatory; 11 knows none.
    """
    if hasattr(layer, "ErrorCode"):
        return RequestProtocolError(stream_id, "attempt abandoned", layer.ErrorCode.CANCEL)
    return RequestProtocolError(stream_id, "attempt abandoned")


def broken_off(stream_id: int, message: str) -> Any:
    """The event that tells a stream that its provider is gone, for reasons found here. Same difference as above."""
    if hasattr(layer, "ErrorCode"):
        return ResponseProtocolError(stream_id, message, layer.ErrorCode.GENERIC_SERVER_ERROR)
    return ResponseProtocolError(stream_id, message)


def client_gone(stream_id: int, message: str) -> Any:
    """The event that tells a stream that its client is gone, for reasons found here. Same difference as above."""
    if hasattr(layer, "ErrorCode"):
        return RequestProtocolError(stream_id, message, layer.ErrorCode.CLIENT_DISCONNECTED)
    return RequestProtocolError(stream_id, message)


def status_for_client(event: Any) -> int | None:
    """HTTP status of the error page that mitmproxy would send for this event; None when it would just close.

    mitmproxy 12 has an enum with `http_status_code()`; 11 has an int, where 444 (no response) just closes.
    """
    code = event.code
    if hasattr(code, "http_status_code"):
        status: int | None = code.http_status_code()
        return status
    return None if code == 444 else int(code)
