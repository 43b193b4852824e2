"""A flow in mitmweb: the view "Claude conversation" of request and answer, and the comment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser import scenery
from tests.browser.window import Window

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

NAME = "Claude conversation"


def shown(window: Window, text: str) -> str:
    """What the content view shows, once it shows this."""
    window.body.filter(has_text=text).wait_for()
    assert window.view_name.inner_text() == NAME
    return window.body.inner_text()


@pytest.mark.smoke
def test_a_request_is_shown_as_a_conversation(window: Window, artifact: Callable[[str], Path]) -> None:
    """Nobody has to choose the view: it comes first for a request of the Messages API."""
    window.choose(window.rows("2 tries"))
    page = shown(window, "Messages request")
    assert "Messages request · MiniMax-M3" in page
    assert "5 turns" in page and "2 cache marks" in page and "cache mark 5m" in page
    assert page.index("Turn 5 · user") < page.index("tool_use Edit") < page.index("Turn 1 · user")
    assert scenery.PROMPT in " ".join(page.split())
    window.screenshot(artifact("conversation-request"))


def test_an_answer_is_shown_as_a_conversation(window: Window, artifact: Callable[[str], Path]) -> None:
    """Thinking, text, tool call, usage and stop reason of a stream of two dozen events."""
    window.choose(window.rows("241 out"))
    window.tab("Response")
    page = shown(window, "Messages answer")
    assert scenery.THOUGHT in " ".join(page.split())
    assert scenery.FOUND in " ".join(page.split())
    assert "tool_use Edit · toolu_01edit" in page and '"file_path": "yard/signals.py"' in page
    assert "9 input · 3,592 cached · 388 cache write · 241 output" in page
    assert "stop reason         tool_use" in page
    window.screenshot(artifact("conversation"))


def test_an_error_is_shown_as_one(window: Window) -> None:
    window.choose(window.rows("attempt 1/2"))
    window.tab("Response")
    page = shown(window, "overloaded_error")
    assert "Overloaded" in page


def test_the_view_can_be_chosen_by_hand(window: Window) -> None:
    """Its name has a space, which the address of the view must carry."""
    window.choose(window.rows("241 out"))
    window.tab("Response")
    shown(window, "Messages answer")
    window.choose_view("raw")
    window.body.filter(has_text="event: message_start").wait_for()
    assert window.view_name.inner_text() == "Raw"
    window.choose_view(NAME.lower())
    shown(window, "Messages answer")


def test_lines_stay_apart_and_fit(window: Window) -> None:
    """mitmweb wraps nothing and gives an empty line no height: half of a laptop's screen shows all of each line."""
    window.choose(window.rows("241 out"))
    window.tab("Response")
    shown(window, "Messages answer")
    assert window.body.evaluate("page => [...page.children].every(line => line.offsetHeight > 0)")
    assert window.body.evaluate("page => page.scrollWidth <= page.clientWidth")


def test_every_tab_of_a_flow_that_failed_over(window: Window) -> None:
    """The comment tells the whole story. Keys are masked: the fixture looks for them in all that was shown."""
    window.choose(window.rows("2 tries"))
    shown(window, "Messages request")
    assert "authorization" in window.detail.inner_text() and "***" in window.detail.inner_text()
    window.tab("Response")
    shown(window, "Messages answer")
    window.tab("Connection")
    window.detail.filter(has_text="Server Connection").wait_for()
    window.tab("Timing")
    window.detail.filter(has_text="First response byte").wait_for()
    window.tab("Comment")
    window.detail.filter(has_text="claude-opus-4-6 → anthropic 529 overloaded → minimax 200 · 2 tries").wait_for()
