"""The content views in mitmproxy's own registry, as mitmweb and the console ask for it, in 11 and 12."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import contentviews, ctx, http, options
from mitmproxy.io import FlowReader
from mitmproxy.test import tflow

from turnout.inspect import views
from turnout.testing import events as make

API: Any = contentviews
NEW = hasattr(API, "Contentview")
RECORDINGS = Path(__file__).parents[2] / "recordings"
JSON = "application/json"
REQUEST = json.dumps({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}).encode()
ANSWER = b"".join(event.encode("m") for event in make.stream_of("Hello."))
CHAT_REQUEST = json.dumps({"model": "m", "messages": [{"role": "system", "content": "x"}]}).encode()
CHAT_ANSWER = b'data: {"choices":[{"delta":{"content":"Hello."},"finish_reason":"stop"}]}\n\n'


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # mitmproxy 12 reads an option of the running process before it shows anything.
    monkeypatch.setattr(ctx, "options", options.Options(), raising=False)
    withdraw = views.register()
    yield
    withdraw()


def names() -> list[str]:
    return [name.lower() for name in (API.registry if NEW else [view.name for view in API.views])]


def look(message: Any, flow: http.HTTPFlow, view: str = "auto") -> tuple[str, str]:
    """The name of the view that was used (or why it was not), and the text."""
    if NEW:
        result = API.prettify_message(message, flow, view)
        return f"{result.view_name} {result.description}", result.text
    description, lines, _ = API.get_message_content_view(view, message, flow)
    return description, "\n".join("".join(text for _, text in line) for line in lines)


def exchange(request: bytes = REQUEST, answer: bytes = ANSWER, kind: str = JSON) -> http.HTTPFlow:
    flow = tflow.tflow(resp=True)
    flow.request.headers["content-type"] = JSON
    flow.request.content = request
    assert flow.response is not None
    flow.response.headers["content-type"] = kind
    flow.response.content = answer
    return flow


@pytest.mark.usefixtures("registered")
def test_a_conversation_is_shown_without_asking_for_it() -> None:
    flow = exchange(kind="text/event-stream; charset=utf-8")
    used, page = look(flow.request, flow)
    assert used.startswith("Claude conversation") and page.startswith("━━ Messages request · m")
    used, page = look(flow.response, flow)
    assert used.startswith("Claude conversation") and page.startswith("━━ Messages answer · m") and "Hello." in page


@pytest.mark.usefixtures("registered")
def test_one_of_chat_completions_has_a_view_of_its_own() -> None:
    flow = exchange(CHAT_REQUEST, CHAT_ANSWER, "text/event-stream")
    used, page = look(flow.request, flow)
    assert used.startswith("Chat conversation") and page.startswith("━━ Chat request · m")
    used, page = look(flow.response, flow)
    assert used.startswith("Chat conversation") and page.startswith("━━ Chat answer") and "Hello." in page


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("name", ["Claude conversation", "claude conversation", "Chat conversation"])
def test_each_view_shows_all_conversations_when_it_is_asked_for(name: str) -> None:
    flow = exchange(answer=CHAT_ANSWER)
    assert look(flow.request, flow, name)[1].startswith("━━ Messages request")
    assert look(flow.response, flow, name)[1].startswith("━━ Chat answer")


@pytest.mark.usefixtures("registered")
def test_the_times_of_an_answer() -> None:
    flow = exchange()
    assert flow.response is not None
    flow.request.timestamp_end, flow.response.timestamp_start, flow.response.timestamp_end = 100.0, 100.5, 103.0
    assert "first byte after 0.50 s · last byte after 3.00 s" in look(flow.response, flow)[1]
    flow.response.timestamp_end = None
    assert "first byte after 0.50 s\n" in look(flow.response, flow)[1]
    assert "timing" not in look(flow.request, flow)[1]


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("body", [b'{"a": 1}', b"", b"plain", b'{"model": "m", "messages": [{"role": "us'])
def test_other_bodies_keep_their_views(body: bytes) -> None:
    flow = exchange(body)
    used, page = look(flow.request, flow)
    assert "conversation" not in used and "━━" not in page


@pytest.mark.usefixtures("registered")
def test_a_broken_body_falls_back_to_raw() -> None:
    """The outermost structure is right, so the view is chosen; what is inside cannot be decoded."""
    flow = exchange(b'{"model": "m", "messages": [{"role": "user", "content": "\xff"}]}')
    used, page = look(flow.request, flow)
    assert "failed to parse" in used or "falling back to Raw" in used
    assert page.startswith('{"model": "m"')


@pytest.mark.usefixtures("registered")
def test_asked_for_by_name_and_not_fit_it_is_an_error_and_no_crash() -> None:
    flow = exchange(b'{"a": 1}')
    used, page = look(flow.request, flow, "Claude conversation")
    assert "Couldn't parse" in used + page


def test_a_reload_leaves_one_view_each_and_the_end_leaves_none() -> None:
    def count() -> list[int]:
        return [names().count(f"{api} conversation") for api in ("claude", "chat")]

    before = names()
    withdraw = views.register()
    assert count() == [1, 1]
    withdraw()
    assert names() == before
    # A script that is loaded again before the first one is done.
    first, second = views.register(), views.register()
    assert count() == [1, 1]
    first()
    assert count() == [1, 1]
    second()
    second()
    assert names() == before


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.mitm")), ids=lambda path: path.name)
def test_every_recorded_body_is_shown(path: Path) -> None:
    count = 0
    with path.open("rb") as file:
        for flow in FlowReader(file).stream():
            assert isinstance(flow, http.HTTPFlow)
            answer = flow.response if flow.response and flow.response.status_code < 400 else None
            for message in (flow.request, answer):
                if message is not None and message.content and _is_of_the_api(message, flow):
                    used, page = look(message, flow)
                    view = "Chat" if flow.request.path.endswith("/chat/completions") else "Claude"
                    assert used.startswith(f"{view} conversation") and page.startswith("━━ ")
                    count += 1
    assert count


def _is_of_the_api(message: http.Message, flow: http.HTTPFlow) -> bool:
    """Not so what a provider says in a shape of its own."""
    streamed = message.headers.get("content-type", "").startswith("text/event-stream")
    of_one = "/v1/messages" in flow.request.path or flow.request.path.endswith("/chat/completions")
    return of_one and (message is flow.request or streamed)
