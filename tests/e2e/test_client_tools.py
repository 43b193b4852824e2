"""Tools of the real Claude Code that send requests of their own: a search in the web, and the count of its context."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.claude_code import FINAL_TEXT, OpenHouse, providers, run_claude
from tests.e2e.config import CLIENT_KEY, CREDENTIAL, ENVIRONMENT, anthropic_table, route, table, vendor
from tests.e2e.turns import is_search, searched, tool_names, tool_outputs
from turnout.testing.events import Event, stream_of, tool_turn
from turnout.testing.provider import ScriptedProviderThread
from turnout.testing.replies import sse
from turnout.testing.wire import RecordedRequest

pytestmark = [pytest.mark.e2e, pytest.mark.claude]

PAGE = "https://example.com/turnout"


def searcher(request: RecordedRequest) -> list[Event]:
    """Has the client search once; where its tools are deferred, the tool is looked for first."""
    if is_search(request):
        return searched("turnout", PAGE)
    if any(result["tool_use_id"] == "toolu_search" for result in request.tool_results):
        return stream_of(FINAL_TEXT)
    if "WebSearch" in tool_names(request):
        return tool_turn("WebSearch", {"query": "turnout"}, id="toolu_search")
    return tool_turn("ToolSearch", {"query": "select:WebSearch"}, id="toolu_look")


def test_a_search_goes_where_it_can_be_made(opened: OpenHouse, claude_home: Path) -> None:
    """A10: the request of the tool WebSearch holds a tool that the provider runs; its findings reach the model."""
    anthropic = ScriptedProviderThread(lambda request: sse(searcher(request)), accepts=CLIENT_KEY)
    with providers(anthropic), opened(anthropic_table(anthropic)) as house:
        run_claude(house.tap.url, claude_home, CREDENTIAL, tools="WebSearch,ToolSearch").assert_answered()
    (search,) = [request for request in anthropic.messages if is_search(request)]
    assert search.sha256 in {request.sha256 for request in house.tap.messages}
    assert PAGE in tool_outputs(anthropic.messages[-1])[-1]


def test_a_search_that_nobody_can_make_is_told(opened: OpenHouse, claude_home: Path) -> None:
    """A10: a vendor that cannot search would make something up; the model hears that the tool failed, and goes on."""
    other = vendor("generic")
    other.play(lambda request: sse(searcher(request)))
    with providers(other), opened(table(other, "mine") + route("mine/some-model"), ENVIRONMENT) as house:
        run_claude(house.tap.url, claude_home, CREDENTIAL, tools="WebSearch,ToolSearch").assert_answered()
    assert [request for request in house.tap.messages if is_search(request)]
    assert not any("web_search" in json.dumps(request.json.get("tools")) for request in other.messages)
    (failed,) = [result for result in other.messages[-1].tool_results if result["tool_use_id"] == "toolu_search"]
    assert PAGE not in json.dumps(failed) and "mine" in json.dumps(failed), failed


def test_the_context_is_counted_by_anthropic(opened: OpenHouse, claude_home: Path) -> None:
    """`/context` asks for dozens of counts at once; each is answered."""
    anthropic = ScriptedProviderThread(accepts=CLIENT_KEY)
    with providers(anthropic), opened(anthropic_table(anthropic)) as house:
        run = run_claude(house.tap.url, claude_home, CREDENTIAL, prompt="/context")
    counts = [request for request in anthropic.requests if request.path == "/v1/messages/count_tokens"]
    assert run.exit_code == 0 and "tokens" in run.stdout.lower(), run
    assert len(counts) == len(house.tap.requests) > 3


def test_a_vendor_that_counts_nothing_does_no_harm(opened: OpenHouse, claude_home: Path) -> None:
    """`/context` is shown all the same, from what the client reckons itself."""
    other = vendor("generic")
    with other, opened(table(other, "mine") + route("mine/some-model"), ENVIRONMENT) as house:
        run = run_claude(house.tap.url, claude_home, CREDENTIAL, prompt="/context")
    assert run.exit_code == 0 and "tokens" in run.stdout.lower(), run
    assert other.violations == []
