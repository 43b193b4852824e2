"""Puts Turnout's layers into the places of mitmproxy's own."""

from __future__ import annotations

from typing import Any

from mitmproxy import hooks
from mitmproxy.net import tls
from mitmproxy.proxy import mode_servers
from mitmproxy.proxy.layers import http, modes
from mitmproxy.proxy.layers.http import _upstream_proxy

from turnout.proxy.compat import stock
from turnout.proxy.dialling import GuardedConnectionHandler
from turnout.proxy.failover import FailoverStream
from turnout.proxy.http1 import http1_client, http1_server
from turnout.proxy.reverse import HttpReverseProxy
from turnout.proxy.steering import UpstreamFailedHook
from turnout.proxy.trusting import server_context
from turnout.proxy.tunnel import Tunnel

PLACES = (
    (http, "HttpStream", FailoverStream),
    (http, "Http1Server", http1_server),
    (http, "Http1Client", http1_client),
    (_upstream_proxy, "HttpUpstreamProxy", Tunnel),
    (tls, "create_proxy_server_context", server_context),
    (modes, "ReverseProxy", HttpReverseProxy),
    (mode_servers, "ProxyConnectionHandler", GuardedConnectionHandler),
)
"""Where mitmproxy looks a class up when a connection or a request arrives, and what it finds there from now on. Client
replay makes its streams in the same way."""


def install(addon: Any = None) -> Any:
    """Every new connection in reverse mode, and every new HTTP stream of this process, is Turnout's.

    They stay when the addon is unloaded: without its hooks they refuse every request in reverse mode, where mitmproxy's
    own would send it to the target. Returns the addon of the installation before, if it has not ended.
    """
    before = vars(http.HttpStream).get("addon")
    for module, name, ours in PLACES:
        setattr(module, name, ours)
    FailoverStream.addon = addon
    hooks.all_hooks[UpstreamFailedHook.name] = UpstreamFailedHook
    return before


def ended() -> None:
    """The addon that was installed serves nothing any more."""
    FailoverStream.addon = None


def forget_hook() -> None:
    """After a reload a new class takes the name of our hook; mitmproxy warns of two under one."""
    hooks.all_hooks.pop(UpstreamFailedHook.name, None)


def uninstall() -> None:
    """mitmproxy's own classes take their places again. For programs that go on without Turnout, as tests do."""
    for module, name, _ in PLACES:
        setattr(module, name, stock(module, name))
    ended()
    forget_hook()
