"""Puts FailoverStream into the place of mitmproxy's own stream, and takes it out again."""

from __future__ import annotations

from collections.abc import Callable

from mitmproxy import hooks
from mitmproxy.proxy.layers import http as layer

from turnout.proxy.failover import FailoverStream
from turnout.proxy.steering import UpstreamFailedHook


def install() -> Callable[[], None]:
    """Make every new HTTP stream of this process a FailoverStream; returns the function that undoes it.

    `HttpLayer.make_stream` looks the name up when a request arrives, so client replay is covered too.
    """
    stock = layer.HttpStream
    layer.HttpStream = FailoverStream  # type: ignore[misc]
    hooks.all_hooks[UpstreamFailedHook.name] = UpstreamFailedHook

    def restore() -> None:
        layer.HttpStream = stock  # type: ignore[misc]
        # After a hot reload a new class takes the name; mitmproxy warns of two under one.
        hooks.all_hooks.pop(UpstreamFailedHook.name, None)

    return restore
