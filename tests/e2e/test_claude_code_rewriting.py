"""The real Claude Code through Turnout to providers that know less than Anthropic and refuse what they do not know."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.claude_code import HAIKU, House, OpenHouse, Run, providers, run_claude
from tests.e2e.config import CLIENT_KEY, CREDENTIAL, ENVIRONMENT, anthropic_table, route, table, vendor
from tests.e2e.turns import Thinker, asked_twice, texts, thoughts, tool_outputs
from turnout.testing.provider import ScriptedProviderThread
from turnout.testing.replies import base_resp, error

pytestmark = [pytest.mark.e2e, pytest.mark.claude]

OPUS = "claude-opus-5-5"
MODELS = pytest.mark.parametrize("model", [OPUS, HAIKU], ids=["opus", "haiku"])

NEWEST = {
    "minimax": "MiniMax-M3",
    "moonshot": "kimi-k3",
    "zai": "glm-5.3",
    "deepseek": "deepseek-v4-pro",
    "generic": "some-model",
}
"""`generic` is no preset: for Turnout it is a provider of the user's own, of which nothing is known."""

WITH_RULES_OF_THEIR_OWN = [("minimax", "MiniMax-M2.5", OPUS), ("moonshot", "kimi-k2.5", OPUS), ("zai", "glm-4.6", OPUS)]

DIALECT = {
    "claude-code-20250219",
    "context-management-2025-06-27",
    "per-turn-control-2026-07-01",
    "mid-conversation-tool-changes-2026-07-01",
    "advanced-tool-use-2025-11-20",
    "prompt-caching-scope-2026-01-05",
}
"""Betas of Claude Code that only Anthropic knows."""


def run(house: House, home: Path, model: str, *options: str) -> Run:
    return run_claude(house.tap.url, home, CREDENTIAL, "--model", model, *options)


def assert_nothing_retried(house: House) -> None:
    """The client had each of its answers at once."""
    assert asked_twice(house.tap.messages) == []


def told(flow: Any) -> str:
    return str(flow.metadata["turnout.body"])


@pytest.mark.parametrize("alias", ["opus", "sonnet", "haiku", "fable"])
def test_a_strict_vendor_takes_what_an_alias_stands_for(opened: OpenHouse, claude_home: Path, alias: str) -> None:
    """A10: the client's own names for its newest models, each with the options that it has for that model."""
    thinker = Thinker("vendor")
    provider = vendor("generic", thinker)
    provider.play([thinker.call(), thinker.says()])
    with providers(provider), opened(table(provider, "mine") + route("mine/some-model"), ENVIRONMENT) as house:
        run(house, claude_home, alias).assert_answered()
    assert_nothing_retried(house)
    assert tool_outputs(provider.messages[-1]) == ["vendor-100"]
    assert len(provider.messages) == 2


@pytest.mark.parametrize(
    ("name", "upstream", "model"),
    [(name, upstream, model) for name, upstream in NEWEST.items() for model in (OPUS, HAIKU)] + WITH_RULES_OF_THEIR_OWN,
)
def test_a_strict_vendor_takes_a_whole_conversation(
    opened: OpenHouse, claude_home: Path, name: str, upstream: str, model: str
) -> None:
    """A10, E6: two tool turns and an answer, then a second prompt on top of them; the vendor refuses nothing."""
    thinker = Thinker("vendor")
    provider = vendor(name, thinker)
    provider.play([thinker.call(), thinker.call(), thinker.says(), thinker.call(), thinker.says()])
    with providers(provider), opened(table(provider, name) + route(f"{name}/{upstream}"), ENVIRONMENT) as house:
        run(house, claude_home, model).assert_answered()
        run(house, claude_home, model, "--continue").assert_answered()
        flows = house.flows()
    assert_nothing_retried(house)
    last = provider.messages[-1]
    assert len(provider.messages) == len(house.tap.messages) == 5
    assert {request.model for request in provider.messages} == {upstream}
    assert tool_outputs(last) == ["vendor-100", "vendor-101", "vendor-103"]
    assert thoughts(last) == thinker.blocks[:4], "a vendor's own thoughts go back to it as they were"
    assert not DIALECT & set(last.betas)
    everything = json.dumps(last.json["messages"])
    lost = [text for text in texts(house.tap.messages[-1]) if json.dumps(text)[1:-1] not in everything]
    assert lost == [], "nothing of what was said is lost, by whomever"
    assert all(told(flow).startswith("rewritten: ") for flow in flows)
    assert all(" · rewritten: " in flow.comment for flow in flows)
    assert [flow.metadata["turnout.attempt"] for flow in flows] == ["1/1"] * 5


@MODELS
def test_what_a_vendor_refuses_is_learned_before_the_client_notices(
    opened: OpenHouse, claude_home: Path, model: str
) -> None:
    """A18, E10: of a provider that names one field after another, rewritten by nothing but what it teaches."""
    thinker = Thinker("vendor")
    provider = vendor("generic", thinker)
    provider.play([thinker.call(), thinker.says(), thinker.call(), thinker.says()])
    with providers(provider, problems=True):
        config = table(provider, "mine", 'rewrite.profile = "none"') + route("mine/some-model")
        with opened(config, ENVIRONMENT) as house:
            run(house, claude_home, model).assert_answered()
            refused = len(provider.problems)
            learned = httpx.get(f"{house.tap.url}/health").json()["providers"]["mine"]["learned"]
            run(house, claude_home, model, "--continue").assert_answered()
            flows = house.flows()
    assert_nothing_retried(house)
    assert refused == len(provider.problems) > 3, "the second run has nothing to learn"
    suggestions = [entry["suggestion"] for entry in learned]
    assert 'rewrite.drop_betas = ["claude-code-20250219"]' in suggestions
    assert {(entry["endpoint"], entry["model"]) for entry in learned} == {("messages", "some-model")}
    served = [flow for flow in flows if flow.response.status_code == 200]
    assert [flow.metadata["turnout.provider"] for flow in served] == ["mine"] * 4
    assert all(word in served[0].metadata["turnout.learned"] for word in suggestions)
    assert not any("turnout.learned" in flow.metadata for flow in served[1:])
    assert tool_outputs(provider.messages[-1]) == ["vendor-100", "vendor-102"]


class Journey:
    """A conversation that begins at Anthropic, goes on at MiniMax and comes back."""

    def __init__(self, *, signs: bool = True) -> None:
        self.own, self.other = Thinker("anthropic"), Thinker("minimax", signs=signs)
        self.anthropic = ScriptedProviderThread(accepts=CLIENT_KEY, mint=self.own.mint, forbid=["fake-key-of-the-v"])
        self.minimax = vendor("minimax", self.other, minted=signs)

    @property
    def config(self) -> str:
        minimax = table(self.minimax, "minimax")
        return anthropic_table(self.anthropic) + minimax + route("anthropic", "minimax/MiniMax-M3")

    def assert_kept_apart(self, house: House) -> None:
        """The client replayed all it had got; each provider saw its own thoughts, unchanged and in order."""
        sent = thoughts(house.tap.messages[-1])
        assert {str(block) for block in sent} >= {str(block) for block in self.other.blocks}
        for provider, thinker in ((self.anthropic, self.own), (self.minimax, self.other)):
            for request in provider.messages:
                assert thoughts(request) == thinker.blocks[: len(thoughts(request))]
        assert thoughts(self.anthropic.messages[-1]) == [block for block in sent if block in self.own.blocks]


FORGOTTEN = r"messages\.\d+\.content\.\d+: Invalid `signature` in `thinking` block"
OVERLOADED = error(529, "overloaded_error", "Overloaded")
USED_UP = base_resp(2056, "usage limit exceeded")


@MODELS
@pytest.mark.parametrize("signs", [True, False], ids=["signed", "unsigned"])
def test_a_conversation_goes_to_minimax_and_comes_back(
    opened: OpenHouse, claude_home: Path, model: str, signs: bool
) -> None:
    """B2, E9: in one tool turn, and again in the next prompt; Anthropic verifies each signature it is sent."""
    way = Journey(signs=signs)
    own, other = way.own, way.other
    way.anthropic.play([own.call(), own.call(), OVERLOADED, own.call(), own.says(), own.call(), own.says()])
    way.minimax.play([other.call(), other.call(), USED_UP])
    with providers(way.anthropic, way.minimax), opened(way.config, ENVIRONMENT) as house:
        run(house, claude_home, model).assert_answered()
        run(house, claude_home, model, "--continue").assert_answered()
        flows = house.flows()
    assert_nothing_retried(house)
    way.assert_kept_apart(house)
    served = [flow.metadata["turnout.provider"] for flow in flows if flow.metadata["turnout.verdict"] == "ok"]
    assert served == ["anthropic"] * 2 + ["minimax"] * 2 + ["anthropic"] * 4
    assert [len(thoughts(request)) for request in way.anthropic.messages] == [0, 1, 2, 2, 3, 4, 5]
    assert [len(thoughts(request)) for request in way.minimax.messages] == [0, 1, 2]
    assert tool_outputs(way.anthropic.messages[-1]) == [
        "anthropic-100", "anthropic-101", "minimax-100", "minimax-101", "anthropic-102", "anthropic-104",
    ]  # fmt: skip


@MODELS
def test_a_turn_that_began_at_minimax_ends_at_anthropic(opened: OpenHouse, claude_home: Path, model: str) -> None:
    """E9: no thought of Anthropic's is in the turn; models that think on a budget then refuse to think in it."""
    way = Journey()
    way.anthropic.play([OVERLOADED, way.own.call(), way.own.says()])
    way.minimax.play([way.other.call(), USED_UP])
    with providers(way.anthropic, way.minimax), opened(way.config, ENVIRONMENT) as house:
        run(house, claude_home, model).assert_answered()
    assert_nothing_retried(house)
    way.assert_kept_apart(house)


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "forgotten"])
def test_turnout_starts_anew_in_the_middle_of_a_conversation(opened: OpenHouse, claude_home: Path, kept: bool) -> None:
    """E9: with `store.signatures` nothing foreign reaches Anthropic. Without, what is refused is left out at once."""
    way = Journey()
    own = way.own
    way.anthropic.play([own.call(), OVERLOADED, own.call(), own.says()])
    way.minimax.play([way.other.call(), way.other.says()])
    with way.anthropic, way.minimax:
        config = way.config + f"[store]\nsignatures = {str(kept).lower()}\n"
        with opened(config, ENVIRONMENT) as house:
            run(house, claude_home, OPUS).assert_answered()
            assert house.process.stop() == 0
        with opened(config, ENVIRONMENT) as house:
            run(house, claude_home, OPUS, "--continue").assert_answered()
    assert way.anthropic.violations == way.minimax.violations == []
    assert not way.minimax.problems and not way.minimax.refusals
    refused = [refusal.message for refusal in way.anthropic.refusals]
    if kept:
        assert refused == []
        assert thoughts(way.anthropic.messages[-1]) == own.blocks[:2]
    else:
        assert refused and all(re.fullmatch(FORGOTTEN, message) for message in refused)
    assert_nothing_retried(house)


def test_anthropic_may_be_asked_again_without_foreign_thoughts(opened: OpenHouse, claude_home: Path) -> None:
    """E9, E10: with `rewrite.learn`, Turnout does what Claude Code would have to do, and the client notices nothing."""
    way = Journey()
    way.anthropic.play([way.own.call(), OVERLOADED, way.own.call(), way.own.says()])
    way.minimax.play([way.other.call(), way.other.says()])
    with way.anthropic, way.minimax:
        config = way.config.replace('cooldown = "1ms"', 'cooldown = "1ms"\nrewrite.learn = true')
        with opened(config, ENVIRONMENT) as house:
            run(house, claude_home, OPUS).assert_answered()
            assert house.process.stop() == 0
        with opened(config, ENVIRONMENT) as house:
            run(house, claude_home, OPUS, "--continue").assert_answered()
            flows = house.flows()
    assert_nothing_retried(house)
    assert [len(thoughts(request)) for request in house.tap.messages] == [3, 4]
    assert thoughts(way.anthropic.messages[-1]) == way.own.blocks[1:2]
    assert way.anthropic.refusals
    assert any("refuses a thinking signature" in flow.comment for flow in flows)
