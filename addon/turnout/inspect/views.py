"""The content view "Claude conversation" in mitmweb and the console, for the interfaces of mitmproxy 11 and 12."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mitmproxy import contentviews, http

from turnout.inspect.conversation import Body, Timing, renderer_of

NAME = "Claude conversation"
"""In mitmproxy 12 views are listed and asked for in lower case."""

_PRIORITY = 2.0
"""Above the view of any JSON, which has 1."""
_UNFIT = -1.0

_API: Any = contentviews
"""Untyped: each of the two versions lacks half of what is used here."""


def register() -> Callable[[], None]:
    """Offer the view. What is returned withdraws it, so that a reloaded script can offer its own."""
    return _register_in_12() if hasattr(_API, "Contentview") else _register_in_11()


class _View:
    """The view as mitmproxy 12 calls it. It goes by structure there, no base class is needed."""

    name = NAME
    syntax_highlight = "none"

    def prettify(self, data: bytes, metadata: Any) -> str:
        return _rendered(_body(data, metadata.content_type, metadata.flow, metadata.http_message))

    def render_priority(self, data: bytes, metadata: Any) -> float:
        return _priority(data, metadata.content_type)

    def __lt__(self, other: Any) -> bool:
        return bool(other.name > self.name)


def _register_in_12() -> Callable[[], None]:
    view = _View()
    _API.add(view)

    def unregister() -> None:
        # The registry has no way to remove a view: `contentviews.remove` does nothing and warns.
        views = getattr(_API.registry, "_by_name", {})
        if views.get(NAME.lower()) is view:
            del views[NAME.lower()]

    return unregister


def _register_in_11() -> Callable[[], None]:
    # Left behind by a script that was loaded before and has not been told that it is done; two are an error.
    for left in [view for view in _API.views if view.name == NAME]:
        _API.remove(left)
    view = _view_of_11()
    _API.add(view)

    def unregister() -> None:
        if view in _API.views:
            _API.remove(view)

    return unregister


def _view_of_11() -> Any:
    def call(
        self: Any, data: bytes, *, content_type: Any = None, flow: Any = None, http_message: Any = None, **_: Any
    ) -> tuple[str, Any]:
        text = _rendered(_body(data, content_type, flow, http_message))
        return NAME, iter([[("text", line)] for line in text.split("\n")])

    def render_priority(self: Any, data: bytes, *, content_type: Any = None, **_: Any) -> float:
        return _priority(data, content_type)

    # The base class is deprecated in 12, so it is used only where it is needed.
    members = {"name": NAME, "__call__": call, "render_priority": render_priority}
    return type("ClaudeConversationView", (_API.View,), members)()


def _priority(data: bytes, content_type: str | None) -> float:
    return _PRIORITY if data and renderer_of(Body(data, content_type or "")) is not None else _UNFIT


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
