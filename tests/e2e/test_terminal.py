"""The real Claude Code in a terminal, in auto mode, while its first provider comes and goes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.claude_code import House, OpenHouse, claude_environment, executable, providers, version
from tests.e2e.config import CLIENT_KEY, ENVIRONMENT, anthropic_table, route, table, vendor
from tests.e2e.scenarios import png
from tests.e2e.terminal import Terminal, furnish, terminal, tmux
from tests.e2e.turns import TITLE, asked_twice, asks_for_title, is_subagent, with_verdicts
from turnout.testing.events import Event, stream_of, tool_turn
from turnout.testing.provider import ScriptedProviderThread
from turnout.testing.replies import Reply, error, sse
from turnout.testing.wire import RecordedRequest

pytestmark = [pytest.mark.e2e, pytest.mark.claude]

TRACE, PICTURE, SCOUT = "Leave a trace please.", "Look at the picture please.", "Send a scout please."
SCOUT_PROMPT = "Look around."
SCOUTED = "The scout saw nothing."
YES = r"❯ (\d\. )?Yes"
"""The answer that is chosen; where nobody has judged the call, "No" is at first."""

AWAY = error(529, "overloaded_error", "Overloaded")


@dataclass
class Session:
    """A conversation that two providers know by heart: what either answers depends on what it is asked alone."""

    project: Path
    away: bool = False
    """Anthropic is overloaded; for subagents it always is."""
    anthropic: ScriptedProviderThread = field(init=False)
    minimax: ScriptedProviderThread = field(init=False)

    def __post_init__(self) -> None:
        self.anthropic = ScriptedProviderThread(accepts=CLIENT_KEY, forbid=["fake-key-of-the-v"])
        self.minimax = vendor("minimax")
        self.anthropic.play(self._anthropic)
        self.minimax.play(lambda request: sse(self.answer(request)))

    @property
    def config(self) -> str:
        return (
            anthropic_table(self.anthropic) + table(self.minimax, "minimax") + route("anthropic", "minimax/MiniMax-M3")
        )

    def _anthropic(self, request: RecordedRequest) -> Reply:
        if self.away or is_subagent(request):
            return AWAY
        events = self.answer(request)
        return sse(with_verdicts(events) if "safeguards" in request.json else events)

    def answer(self, request: RecordedRequest) -> list[Event]:
        if asks_for_title(request):
            return stream_of(TITLE)
        if is_subagent(request):
            return stream_of(SCOUTED)
        said = json.dumps(request.json["messages"])
        prompt = max(self.calls, key=said.rfind)
        if said.rfind(prompt) < 0 or f"toolu_{prompt[:4].lower()}" in said:
            return stream_of(done(prompt))
        return tool_turn(*self.calls[prompt], id=f"toolu_{prompt[:4].lower()}")

    @property
    def trace(self) -> Path:
        """Outside of the project, where auto mode does nothing without a verdict."""
        return self.project.parent / "trace"

    @property
    def calls(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """The tool that each prompt leads to."""
        scout = {"description": "look around", "prompt": SCOUT_PROMPT, "subagent_type": "general-purpose"}
        return {
            TRACE: ("Bash", {"command": f"touch {self.trace}", "description": "Leave a trace"}),
            PICTURE: ("Read", {"file_path": str(self.project / "picture.png")}),
            SCOUT: ("Agent", scout),
        }


def done(prompt: str) -> str:
    """The last word of a turn. It does not repeat the prompt, which is on the screen already."""
    return f"Done with: {prompt.split()[-2]}."


@pytest.fixture
def session(claude_home: Path) -> Session:
    tmux()
    project = claude_home / "project"
    project.mkdir()
    (project / "picture.png").write_bytes(png())
    furnish(claude_home, project)
    return Session(project)


def judged_by_the_server() -> None:
    """Earlier versions ask a model of their own about each action, in a request that no script here knows."""
    if version() < (2, 1, 290):
        pytest.skip("auto mode asks for safeguards from 2.1.290 on")


@contextmanager
def sitting(session: Session, house: House, home: Path, *, nonessential: bool = True) -> Iterator[Terminal]:
    """Claude Code at its prompt, in auto mode."""
    credential = {"ANTHROPIC_AUTH_TOKEN": CLIENT_KEY}
    environment = claude_environment(house.tap.url, home, credential, nonessential=nonessential)
    command = [str(executable()), "--permission-mode", "auto"]
    with terminal(command, environment, session.project) as screen:
        screen.shows("auto mode on")
        yield screen


def test_a_session_goes_on_while_providers_come_and_go(opened: OpenHouse, claude_home: Path, session: Session) -> None:
    """A10, B2: title, a tool in auto mode, a subagent, an image and a compaction, the last three without Anthropic."""
    judged_by_the_server()
    with providers(session.anthropic, session.minimax), opened(session.config, ENVIRONMENT) as house:
        with sitting(session, house, claude_home) as screen:
            for prompt, away in ((TRACE, False), (SCOUT, False), (PICTURE, True)):
                session.away = away
                screen.type(prompt)
                screen.shows(done(prompt))
            screen.type("/compact")
            screen.shows("[Cc]ompacted")
        flows = house.flows()
    assert session.trace.is_file()
    foreign = session.minimax.messages
    assert any('"image"' in json.dumps(result) for request in foreign for result in request.tool_results)
    assert any(SCOUT_PROMPT in json.dumps(request.json["messages"][0]) for request in foreign), "the subagent's own"
    assert not any(is_subagent(request) for request in foreign), "a vendor does not learn whose request it is"
    assert any(asks_for_title(request) for request in house.tap.messages)
    assert asked_twice(house.tap.messages) == []
    assert any("safeguards" in request.json for request in session.anthropic.messages), "auto mode asks for a verdict"
    assert not any(b"classifier_context" in request.body for request in foreign)
    assert {flow.metadata["turnout.provider"] for flow in flows if flow.response.status_code == 200} == {
        "anthropic", "minimax",
    }  # fmt: skip


def test_a_vendor_in_auto_mode_leads_to_a_question(opened: OpenHouse, claude_home: Path, session: Session) -> None:
    """A10: nobody has judged the call, so a person is asked about this one, and the session stays in auto mode."""
    judged_by_the_server()
    session.away = True
    with (
        providers(session.anthropic, session.minimax),
        opened(session.config, ENVIRONMENT) as house,
        sitting(session, house, claude_home, nonessential=False) as screen,
    ):
        screen.type(TRACE)
        asked = screen.shows("Do you want|gateway")
        assert "gateway" not in asked, asked
        if not re.search(YES, asked):
            screen.press("Down")
        screen.shows(YES)
        screen.press("Enter")
        assert "auto mode on" in screen.shows(done(TRACE))
    assert session.trace.is_file()
    assert asked_twice(house.tap.messages) == []


def test_the_title_request_is_accepted(opened: OpenHouse, claude_home: Path, session: Session) -> None:
    """A10: it brings no tools and a schema for the answer, which no vendor has heard of."""
    provider = vendor("generic")
    provider.play(lambda request: sse(session.answer(request)))
    with providers(provider), opened(table(provider, "mine") + route("mine/some-model"), ENVIRONMENT) as house:
        with sitting(session, house, claude_home) as screen:
            screen.type("Say hello please.")
            screen.shows("Done with")
        flows = house.flows()
    (title,) = [request for request in provider.messages if asks_for_title(request)]
    (sent,) = [request for request in house.tap.messages if asks_for_title(request)]
    assert sent.json["output_config"]["format"]["type"] == "json_schema"
    assert "format" not in title.json.get("output_config", {})
    assert all(flow.metadata["turnout.body"].startswith("rewritten: ") for flow in flows)
    assert asked_twice(house.tap.messages) == []
