"""mitmproxy's backup of a flow: the state to which "Revert" takes it back, saved with it."""

from __future__ import annotations

from typing import Any, cast

from mitmproxy import http


def backup_of(flow: http.HTTPFlow) -> dict[str, Any] | None:
    """The state itself, not a copy; it has the shape of `get_state()`."""
    return cast("dict[str, Any] | None", flow._backup)  # mitmproxy annotates it as a flow


def set_backup(flow: http.HTTPFlow, state: dict[str, Any] | None) -> None:
    flow._backup = cast(Any, state)
