"""Questions about mitmproxy's modes: which flows are served, and where it listens."""

from __future__ import annotations

from collections.abc import Iterable

from mitmproxy import http
from mitmproxy.proxy.mode_specs import ProxyMode, ReverseMode


def is_reverse(flow: http.HTTPFlow) -> bool:
    """Whether the flow came in (or was recorded) in reverse mode."""
    return isinstance(flow.client_conn.proxy_mode, ReverseMode)


def listen_hosts(modes: Iterable[str], default: str) -> list[str]:
    """The addresses on which the reverse modes among these specs listen; `default` is the option `listen_host`."""
    parsed = [ProxyMode.parse(text) for text in modes]
    return [mode.listen_host(default) for mode in parsed if isinstance(mode, ReverseMode)]
