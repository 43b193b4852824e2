"""The command bar of mitmweb with the commands of Turnout, and with the filter that the search field lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.browser import scenery
from tests.browser.conftest import Mitmweb
from tests.browser.window import Window

pytestmark = [pytest.mark.e2e, pytest.mark.browser]


@pytest.fixture
def bar(window: Window) -> Iterator[Window]:
    """A window with the command bar. At the end nothing is pinned and nothing filtered."""
    window.show_commands()
    yield window
    window.command("turnout.reset")
    window.command("view.filter.set ''")


@pytest.mark.smoke
def test_status(bar: Window) -> None:
    lines = bar.command("turnout.status")
    assert lines[0].startswith("Turnout ") and lines[0].endswith(": ok")
    assert any("cooling down" in line and "529 overloaded" in line for line in lines)


def test_switch_and_reset(bar: Window, mitmweb: Mitmweb) -> None:
    assert bar.command("turnout.switch minimax").startswith("Pinned to minimax")
    assert any("Pinned" in line and "minimax" in line for line in bar.command("turnout.status"))
    assert scenery.send(mitmweb.process.url, scenery.say(scenery.HAIKU, "Where do you come from?")).status_code == 200
    bar.rows(f"{scenery.HAIKU} → minimax 200").wait_for()
    assert bar.command("turnout.reset").startswith("No provider is pinned any more.")
    assert scenery.send(mitmweb.process.url, scenery.say(scenery.HAIKU, "And now?")).status_code == 200
    assert mitmweb.providers.anthropic.messages[-1].json["messages"][0]["content"] == "And now?"


def test_a_wrong_name_is_explained(bar: Window) -> None:
    assert "'nobody' is not a provider of the configuration. Known: anthropic, minimax." in bar.command(
        "turnout.switch nobody"
    )


def test_explain_a_flow(bar: Window) -> None:
    """A filter names it, or `@` and the id from the address bar; `@focus` is the first one, whatever row is open."""
    lines = bar.command("""turnout.explain '~comment "2 tries"'""")
    assert lines[0].startswith(f"{scenery.OPUS} · ") and "body: identical" in lines
    assert any(line.startswith("rules: model") for line in lines)
    bar.choose(bar.rows(f"{scenery.SONNET} → minimax 400"))
    (found,) = re.findall(r"#/flows/([0-9a-f-]+)/", bar.page.url)
    assert bar.command(f"turnout.explain @{found}")[0].startswith(f"{scenery.SONNET} · ")
    assert bar.command("turnout.explain @focus")[0].startswith(f"{scenery.HAIKU} · ")


def test_retry_a_flow_on_another_provider(bar: Window, mitmweb: Mitmweb) -> None:
    """A new row, beside the old one."""
    before = len(mitmweb.providers.minimax.messages)
    assert bar.command("""turnout.retry '~comment "241 out"' minimax""").startswith("Sent again to minimax")
    retried = bar.rows("retry of").filter(has_text="claude-opus-4-6 → minimax 200")
    retried.wait_for()
    (asked,) = mitmweb.providers.minimax.messages[before:]
    assert len(asked.json["messages"]) == 3
    bar.choose(retried)
    bar.body.filter(has_text="Messages request · MiniMax-M3").wait_for()
    assert bar.rows("241 out").count() == 1


def test_flows_are_filtered_by_metadata(bar: Window) -> None:
    """mitmproxy's own filter, which knows `~meta` in both versions."""
    everything = bar.rows().count()
    bar.command("""view.filter.set '~meta "turnout.part: attempt"'""")
    bar.page.wait_for_function("document.querySelectorAll('.flow-table tr.has-request').length === 1")
    assert bar.cell(bar.rows(), "comment").inner_text().startswith("attempt 1/2")
    bar.command("""view.filter.set '~meta "turnout.provider: anthropic"'""")
    bar.rows("241 out").wait_for()
    assert 1 < bar.rows().count() < everything and bar.rows("minimax 200").count() == 0
    bar.command("view.filter.set ''")
    bar.rows("2 tries").wait_for()
    assert bar.rows().count() == everything
