"""mitmweb as a person uses it. The selectors hold for mitmproxy 11 and 12."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


MISSING = "/src/css/vendor.less"
"""mitmweb 12.3 asks for this file, which mitmproxy does not ship."""


class Window:
    """A window with mitmweb in it. `errors` are those of its console."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self._texts: list[str] = []
        page.on("console", lambda said: self._told(said.type, f"{said.text} {said.location.get('url', '')}".rstrip()))
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _told(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not text.endswith(MISSING):
            self.errors.append(text)

    @property
    def shown(self) -> str:
        """All that `look` has found."""
        return "\n".join(self._texts)

    def look(self) -> None:
        """Take note of all that is in the window now."""
        self._texts.append(self.page.content())

    def open(self, address: str) -> None:
        self.page.goto(address)
        self.rows().first.wait_for()

    def screenshot(self, file: Path) -> None:
        self.page.mouse.move(0, 0)  # a row under the mouse shows its buttons
        self.page.evaluate("document.activeElement.blur()")
        self.page.screenshot(path=file, animations="disabled")

    # --- the list ---

    def rows(self, text: str = "") -> Locator:
        """The flows of the list, or those that show this text."""
        rows = self.page.locator(".flow-table tr.has-request")
        return rows.filter(has_text=text) if text else rows

    def cell(self, row: Locator, column: str) -> Locator:
        return row.locator(f"td.col-{column}")

    @property
    def search(self) -> Locator:
        return self.page.get_by_placeholder("Search")

    @property
    def search_refused(self) -> Locator:
        """There while mitmweb does not understand what stands in the search field."""
        return self.page.locator(".filter-input.has-error")

    # --- a flow ---

    def choose(self, row: Locator) -> None:
        row.locator("td.col-status").click()
        self.detail.wait_for()

    @property
    def detail(self) -> Locator:
        return self.page.locator(".flow-detail")

    def tab(self, name: str) -> None:
        self.look()
        self.detail.locator("nav").get_by_text(name, exact=True).click()

    @property
    def view_name(self) -> Locator:
        """The name of the content view that is shown."""
        return self.detail.locator(".contentview h5")

    @property
    def body(self) -> Locator:
        """What the content view shows."""
        return self.detail.locator(".contentview pre")

    def choose_view(self, name: str) -> None:
        self.detail.locator(".contentview .controls").get_by_text("View:").click()
        self.page.locator(".dropdown-menu").get_by_text(name, exact=True).click()

    # --- commands ---

    def show_commands(self) -> None:
        self.page.locator("header nav").get_by_text("Options", exact=True).click()
        self.page.get_by_text("Display Command Bar").click()

    def command(self, line: str) -> Any:
        """The result of a command: its value, or the text of its error; None for a command without a value."""
        results = self.page.locator(".command-result > div")
        count = results.count()
        field = self.page.get_by_placeholder("Enter command")
        field.fill(line)
        field.press("Enter")
        results.nth(count).wait_for()
        told = results.nth(count).inner_text().removeprefix(f"$ {line}").strip()
        return json.loads(told) if told else None
