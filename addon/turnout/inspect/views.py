"""The content views of conversations in mitmweb and the console, for the interfaces of mitmproxy 11 and 12.

There is one for each API. By itself each shows what is of its own; asked for by name, all that is a conversation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mitmproxy import contentviews, http

from turnout.inspect.conversation import Body, Renderer, Timing, chat_answer, chat_request, renderer_of

NAME = "Claude conversation"
CHAT_NAME = "Chat conversation"
"""In mitmproxy 12 views are listed and asked for in lower case."""

_OF_CHAT: tuple[Renderer, ...] = (chat_request, chat_answer)

_PRIORITY = 2.0
"""Above the view of any JSON, which has 1."""
_UNFIT = -1.0

_API: Any = contentviews
"""Untyped: each of the two versions lacks half of what is used here."""


def register() -> Callable[[], None]:
    """Offer the views. What is returned withdraws them, so that a reloaded script can offer its own."""
    register_one = _register_in_12 if hasattr(_API, "Contentview") else _register_in_11
    withdrawals = [register_one(name) for name in (NAME, CHAT_NAME)]

    def unregister() -> None:
        for withdraw in withdrawals:
            withdraw()

    return unregister


class _View:
    """A view as mitmproxy 12 calls it. It goes by structure there, no base class is needed."""

    syntax_highlight = "none"

    def __init__(self, name: str) -> None:
        self.name = name

    def prettify(self, data: bytes, metadata: Any) -> str:
        return _rendered(_body(data, metadata.content_type, metadata.flow, metadata.http_message))

    def render_priority(self, data: bytes, metadata: Any) -> float:
        return _priority(self.name, data, metadata.content_type)

    def __lt__(self, other: Any) -> bool:
        return bool(other.name > self.name)


def _register_in_12(name: str) -> Callable[[], None]:
    view = _View(name)
    _API.add(view)

    def unregister() -> None:
        # The registry has no way to remove a view: `contentviews.remove` does nothing and warns.
        views = getattr(_API.registry, "_by_name", {})
        if views.get(name.lower()) is view:
            del views[name.lower()]

    return unregister


def _register_in_11(name: str) -> Callable[[], None]:
    # Left behind by a script that was loaded before and has not been told that it is done; two are an error.
    for left in [view for view in _API.views if view.name == name]:
        _API.remove(left)
    view = _view_of_11(name)
    _API.add(view)

    def unregister() -> None:
        if view in _API.views:
            _API.remove(view)

    return unregister


def _view_of_11(name: str) -> Any:
    def call(
        self: Any, data: bytes, *, content_type: Any = None, flow: Any = None, http_message: Any = None, **_: Any
    ) -> tuple[str, Any]:
        text = _rendered(_body(data, content_type, flow, http_message))
        return name, iter([[("text", line)] for line in text.split("\n")])

    def render_priority(self: Any, data: bytes, *, content_type: Any = None, **_: Any) -> float:
        return _priority(name, data, content_type)

    # The base class is deprecated in 12, so it is used only where it is needed.
    members = {"name": name, "__call__": call, "render_priority": render_priority}
    return type("ConversationView", (_API.View,), members)()


def _priority(name: str, data: bytes, content_type: str | None) -> float:
    renderer = renderer_of(Body(data, content_type or "")) if data else None
    if renderer is None or (renderer in _OF_CHAT) is not (name == CHAT_NAME):
        return _UNFIT
    return _PRIORITY


def _rendered(body: Body) -> str:
    renderer = renderer_of(body)
    if renderer is None:
        raise ValueError("This is no conversation that Turnout knows.")
    # mitmweb makes an element of each line, and one without text has no height.
    return "\n".join(line or " " for line in renderer.render(body).rstrip("\n").split("\n"))


def _body(data: bytes, content_type: str | None, flow: object, message: object) -> Body:
    timing = Timing()
    if isinstance(flow, http.HTTPFlow) and isinstance(message, http.Response):
        sent = flow.request.timestamp_end
        timing = Timing(_after(sent, message.timestamp_start), _after(sent, message.timestamp_end))
    return Body(data, content_type or "", timing)


def _after(start: float | None, end: float | None) -> float | None:
    return end - start if start and end and end >= start else None
