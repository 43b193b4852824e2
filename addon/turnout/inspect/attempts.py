"""Publishes every failed attempt as a finished flow of its own, so that mitmweb, `-w` and filters see it."""

from __future__ import annotations

from mitmproxy import ctx, flow, http
from mitmproxy.proxy.layers.http import HttpErrorHook, HttpRequestHeadersHook, HttpResponseHook

from turnout.exchange import Exchange
from turnout.inspect.masking import mask_request
from turnout.inspect.notes import attempt_comment, metadata


async def publish(original: http.HTTPFlow, exchange: Exchange) -> None:
    """Show and save a copy of `original` as the failed attempt it is.

    Only the hooks that begin and end a flow are fired: `request` would let a server replay answer the copy and use up
    the recording that the next attempt needs.
    """
    copy = original.copy()
    copy.live = False
    copy.comment = attempt_comment(exchange, exchange.attempt)
    copy.metadata.update(metadata(exchange))
    mask_request(copy.request)
    if copy.response is None:
        copy.error = flow.Error(exchange.attempt.reason or "attempt failed")
    else:
        copy.response.stream = False
    await ctx.master.addons.handle_lifecycle(HttpRequestHeadersHook(copy))
    ended = HttpErrorHook(copy) if copy.response is None else HttpResponseHook(copy)
    await ctx.master.addons.handle_lifecycle(ended)
