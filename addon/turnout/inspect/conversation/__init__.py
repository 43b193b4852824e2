"""Conversations as text to read: one renderer for each kind of body, none of them knows mitmproxy.

A new dialect is a module with the two functions of `Renderer`, and its place in `RENDERERS`.
"""

from __future__ import annotations

from turnout.inspect.conversation import chat_answer, chat_request, messages_answer, messages_request
from turnout.inspect.conversation.renderer import Body, Renderer, Timing

__all__ = ["RENDERERS", "Body", "Renderer", "Timing", "renderer_of"]

RENDERERS: tuple[Renderer, ...] = (chat_request, messages_request, chat_answer, messages_answer)
"""The first one that matches a body renders it: those that look closer come before those that look at less."""


def renderer_of(body: Body) -> Renderer | None:
    """The renderer that knows bodies like this one, at the cost of a look at its outermost structure."""
    return next((renderer for renderer in RENDERERS if renderer.matches(body)), None)
