"""The list of mitmweb: the story of each exchange, markers, filters, and flows that are still under way."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import scenery
from tests.browser.conftest import Mitmweb
from tests.browser.window import Window

if TYPE_CHECKING:
    from playwright.sync_api import Locator

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

MARKS = {"served": "", "failed over": "🔀", "attempt": "⚠", "error": "❌"}


def told(window: Window, row: Locator) -> tuple[str, str, str]:
    """Path with the marker in front, status, comment."""
    path, status, comment = (window.cell(row, column).inner_text() for column in ("path", "status", "comment"))
    return re.sub(r"\s+|http://127\.0\.0\.1:\d+", "", path), status, comment


@pytest.mark.smoke
def test_each_exchange_tells_its_story(window: Window) -> None:
    """A13: path, status, comment and marker of a flow that was served, failed over, failed, or is a failed attempt."""
    served = told(window, window.rows("241 out"))
    assert served[:2] == (f"{MARKS['served']}/v1/messages", "200")
    assert re.fullmatch(
        r"claude-opus-4-6 → anthropic 200 · first event [\d.]+ s · 4\.0k in \(3\.6k cached\) 241 out", served[2]
    )

    moved = told(window, window.rows("2 tries"))
    assert moved[:2] == (f"{MARKS['failed over']}/anthropic/v1/messages", "200")
    assert moved[2].startswith("claude-opus-4-6 → anthropic 529 overloaded → minimax 200 · 2 tries · first event")

    attempt = told(window, window.rows("attempt 1/2"))
    assert attempt[:2] == (f"{MARKS['attempt']}/v1/messages", "529")
    assert attempt[2].startswith("attempt 1/2 · anthropic · 529 overloaded, resets ")

    error = told(window, window.rows(scenery.SONNET))
    assert error[:2] == (f"{MARKS['error']}/anthropic/v1/messages", "400")
    assert error[2] == f"claude-sonnet-4-6 → minimax 400 · {scenery.REFUSED}"


def in_search(window: Window, expression: str) -> list[str]:
    """Comments of the flows that are left by a filter which does not leave all."""
    count = "count => document.querySelectorAll('.flow-table tr.has-request').length {} count"
    window.search.fill("")
    window.page.wait_for_function(count.format(">="), arg=scenery.FLOWS)
    window.search.fill(expression)
    window.page.wait_for_function(count.format("<"), arg=scenery.FLOWS)
    assert window.search_refused.count() == 0
    return window.cell(window.rows(), "comment").all_inner_texts()


FOUND = {
    '~comment "^attempt"': ["attempt 1/2"],
    "~comment attempt": ["attempt 1/2"],
    '~comment "529 overloaded"': ["claude-opus", "attempt 1/2"],
    '~comment "→ minimax 200 · 2"': ["claude-opus"],
    '~comment "2 tries" & ~c 200': ["claude-opus"],
    '~comment "(529|400) "': ["claude-opus", "attempt 1/2", "claude-sonnet"],
    "~marked": ["claude-opus", "attempt 1/2", "claude-sonnet"],
    "~marked & ~c 200": ["claude-opus"],
    "~c 529": ["attempt 1/2"],
}
FOUND_IN_11 = {"~marker 🔀": ["claude-opus"], "~marker ⚠": ["attempt 1/2"], "~marker ❌": ["claude-sonnet"]}
FOUND_IN_12 = {"~marker twisted": ["claude-opus"], "~marker warning": ["attempt 1/2"], "~marker :x:": ["claude-sonnet"]}


def test_the_search_field_finds_by_comment_and_marker(window: Window, mitmweb: Mitmweb) -> None:
    """For `~marker` mitmweb 12 looks at the name of the emoji, mitmweb 11 at the emoji itself."""
    for expression, beginnings in {**FOUND, **(FOUND_IN_12 if mitmweb.version >= 12 else FOUND_IN_11)}.items():
        found = in_search(window, expression)
        assert len(found) == len(beginnings), (expression, found)
        assert all(map(str.startswith, found, beginnings)), (expression, found)


def test_the_search_field_knows_no_metadata(window: Window) -> None:
    """Neither version's; the command bar does, see test_command_bar."""
    window.search.fill('~meta "turnout.provider: minimax"')
    window.search_refused.wait_for()


def test_a_flow_is_there_while_it_streams(window: Window, mitmweb: Mitmweb) -> None:
    """A row appears with the request; the comment is written when the answer is over."""
    count = window.rows().count()
    newest = window.rows().nth(count)
    with ThreadPoolExecutor(1) as client:
        answer = client.submit(scenery.send, mitmweb.process.url, scenery.say(scenery.SONNET, scenery.SLOWLY))
        newest.wait_for()
        assert window.cell(newest, "comment").inner_text() == ""
        mitmweb.providers.minimax.open(mitmweb.providers.gate)
        newest.filter(has_text="claude-sonnet-4-6 → minimax 200 · first event").wait_for()
        assert answer.result().status_code == 200
    assert told(window, newest)[:2] == ("/anthropic/v1/messages", "200")


def test_without_the_path_the_comment_is_wide(window: Window, artifact: Callable[[str], Path]) -> None:
    """Beside a path mitmweb gives the comment 150 pixels; without one, the columns share all the width."""
    window.screenshot(artifact("flow-list-with-path"))
    assert not fits(window, "attempt 1/2")
    window.show_commands()
    window.command("set web_columns status comment time")
    try:
        window.page.locator("th.col-path").wait_for(state="detached")
        assert fits(window, "attempt 1/2") and fits(window, "241 out")
        window.page.locator("header nav").get_by_text("Options", exact=True).click()
        window.page.get_by_text("Display Command Bar").click()
        window.page.locator("header nav").get_by_text("Flow List", exact=True).click()
        window.page.set_viewport_size({"width": 1400, "height": 420})
        window.screenshot(artifact("flow-list"))
    finally:
        window.show_commands()
        window.command("set web_columns path status comment size time")


def fits(window: Window, text: str) -> bool:
    """Whether the comment of this row is not cut."""
    cell = window.cell(window.rows(text), "comment")
    return bool(cell.evaluate("cell => cell.scrollWidth <= cell.clientWidth"))
