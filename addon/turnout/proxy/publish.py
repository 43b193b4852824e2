"""Shows a finished flow to every addon that displays or saves flows."""

from __future__ import annotations

from mitmproxy import ctx, http
from mitmproxy.proxy.layers.http import HttpErrorHook, HttpRequestHeadersHook, HttpResponseHook


async def publish(flow: http.HTTPFlow) -> None:
    """Make a flow that mitmproxy has not seen appear in the UIs and in `-w` files.

    Only the hooks that begin and end a flow are fired: `request` would let a server replay answer the flow and use up
    a recording that the next attempt needs.
    """
    await ctx.master.addons.handle_lifecycle(HttpRequestHeadersHook(flow))
    ended = HttpErrorHook(flow) if flow.response is None else HttpResponseHook(flow)
    await ctx.master.addons.handle_lifecycle(ended)
