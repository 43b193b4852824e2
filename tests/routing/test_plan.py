"""From the facts of a request to its targets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.exchange import ClientRequest, Target
from turnout.routing.facts import Facts
from turnout.routing.plan import Plan, holds, make_plan, parse_target
from turnout.settings.model import Condition, Settings

PROVIDERS = {name: {"name": name, "base_url": "http://x"} for name in ("anthropic", "minimax", "zai")}


def facts(model: str = "claude-opus-4-6", headers: dict[str, str] | None = None, **fields: Any) -> Facts:
    return Facts(ClientRequest("POST", "/v1/messages", headers or {}, json.dumps({"model": model, **fields}).encode()))


def settings(*routes: dict[str, Any], **models: str) -> Settings:
    custom = {name: {"to": to} for name, to in models.items()}
    return Settings.model_validate({"providers": PROVIDERS, "routes": routes, "models": custom})


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("anthropic", Target("anthropic")),
        ("anthropic/", Target("anthropic")),
        ("minimax/MiniMax-M3", Target("minimax", "MiniMax-M3")),
        ("openrouter/anthropic/claude-x", Target("openrouter", "anthropic/claude-x")),
    ],
)
def test_targets(text: str, target: Target) -> None:
    assert parse_target(text) == target


@given(st.text("abc.-", min_size=1), st.none() | st.text("abc.-/", min_size=1))
def test_targets_come_back_from_their_text(provider: str, model: str | None) -> None:
    target = Target(provider, model)
    assert parse_target(str(target)) == target


def test_without_routes_everything_goes_to_anthropic() -> None:
    assert make_plan(facts("whatever"), settings()) == Plan("default", (Target("anthropic"),))


def test_the_first_match_wins_and_the_rest_goes_to_anthropic() -> None:
    """A2."""
    chosen = settings(
        {"model": "claude-haiku-*", "to": ["minimax/MiniMax-M2.5-highspeed", "anthropic"]},
        {"model": ["opus", "claude-haiku-*"], "to": "zai"},
    )
    haiku = make_plan(facts("claude-haiku-4-5-20251001"), chosen)
    assert haiku == Plan("routes.0", (Target("minimax", "MiniMax-M2.5-highspeed"), Target("anthropic")))
    assert make_plan(facts("claude-opus-4-6[1m]"), chosen) == Plan("routes.1", (Target("zai"),))
    assert make_plan(facts("claude-sonnet-5"), chosen) == Plan("default", (Target("anthropic"),))


def test_a_route_whose_condition_fails_is_passed_over() -> None:
    chosen = settings(
        {"model": "*", "when": {"tokens_over": 1000, "stream": True}, "to": "zai"}, {"model": "*", "to": "minimax"}
    )
    assert make_plan(facts(system="x" * 8000, stream=True), chosen).route == "routes.0"
    assert make_plan(facts(system="x" * 8000), chosen).route == "routes.1"
    assert make_plan(facts(stream=True), chosen).route == "routes.1"


@pytest.mark.parametrize("model", ["glm-4.6", "GLM-4.6", "glm-4.6[1m]"])
def test_custom_models_come_before_routes(model: str) -> None:
    """E8."""
    chosen = settings({"model": "*", "to": "minimax"}, **{"glm-4.6": "zai/glm-4.6", "other": "minimax"})
    assert make_plan(facts(model), chosen) == Plan("models.glm-4.6", (Target("zai", "glm-4.6"),))
    assert make_plan(facts("glm-4.7"), chosen).route == "routes.0"


def test_the_exact_name_of_a_custom_model_comes_first() -> None:
    chosen = settings(**{"x": "zai/plain", "x[1m]": "zai/long"})
    assert make_plan(facts("x[1m]"), chosen).targets == (Target("zai", "long"),)
    assert make_plan(facts("x"), chosen).targets == (Target("zai", "plain"),)


def test_a_pinned_provider_is_the_whole_plan() -> None:
    """C4."""
    chosen = settings({"model": "*", "to": ["minimax/MiniMax-M3", "anthropic"]})
    assert make_plan(facts(), chosen, "minimax") == Plan("pinned", (Target("minimax", "MiniMax-M3"),))
    assert make_plan(facts(), chosen, "zai") == Plan("pinned", (Target("zai"),))


@pytest.mark.parametrize(
    ("condition", "holding", "failing"),
    [
        ({}, facts(), None),
        ({"tokens_over": 100}, facts(system="x" * 1000), facts()),
        ({"tokens_over": 0}, facts(), None),
        ({"thinking": True}, facts(thinking={"type": "enabled"}), facts()),
        ({"thinking": False}, facts(), facts(thinking={"type": "enabled"})),
        ({"images": True}, facts(messages=[{"content": [{"type": "image"}]}]), facts(messages=[])),
        ({"images": False}, facts(), facts(messages=[{"content": [{"type": "image"}]}])),
        ({"stream": True}, facts(stream=True), facts()),
        ({"stream": False}, facts(), facts(stream=True)),
        ({"tools": "web_search*"}, facts(tools=[{"type": "web_search_20250305"}]), facts(tools=[{"name": "Bash"}])),
        ({"tools": ["Bash"]}, facts(tools=[{"name": "Read"}, {"name": "Bash"}]), facts()),
        (
            {"class": ["main", "compaction"]},
            facts(headers={"x-claude-code-request-class": "main"}),
            facts(headers={"x-claude-code-request-class": "auxiliary"}),
        ),
        ({"class": "main"}, facts(headers={"x-claude-code-request-class": "main"}), facts()),
        ({"agent": "Expl*"}, facts(headers={"x-claude-code-agent-type": "Explore"}), facts()),
        ({"agent": "*"}, facts(headers={"x-claude-code-agent-id": "1"}), facts()),
    ],
)
def test_conditions(condition: dict[str, Any], holding: Facts, failing: Facts | None) -> None:
    asked = Condition.model_validate(condition)
    assert holds(asked, holding)
    assert failing is None or not holds(asked, failing)


def test_cheap_questions_spare_the_dear_ones() -> None:
    class Unreadable(Facts):
        @property
        def images(self) -> bool:  # type: ignore[override]
            raise AssertionError("the messages were looked at")

    request = ClientRequest("POST", "/", {}, b'{"model":"x"}')
    assert not holds(Condition(stream=True, images=True), Unreadable(request))


@given(
    st.sets(st.sampled_from(["stream", "thinking", "images"])),
    st.sets(st.sampled_from(["stream", "thinking", "images"])),
)
def test_all_that_is_asked_must_hold(asked: set[str], present: set[str]) -> None:
    values = {"stream": True, "thinking": {"type": "enabled"}, "images": None}
    fields = {name: values[name] for name in present if name != "images"}
    if "images" in present:
        fields["messages"] = [{"type": "image"}]
    condition = Condition.model_validate(dict.fromkeys(asked, True))
    assert holds(condition, facts(**fields)) is (asked <= present)
