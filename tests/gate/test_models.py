"""The models that clients may choose from (D6, E8, E11)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnout.errors import NotFound
from turnout.gate.models import list_models, models, one_model
from turnout.settings.model import Settings

PROVIDERS: dict[str, Any] = {
    "anthropic": {"base_url": "https://a", "models": ["claude-a", "claude-b"]},
    "minimax": {"base_url": "https://m", "models": ["MiniMax-M3", "MiniMax-M2"]},
    "zai": {"base_url": "https://z", "models": ["glm-5"]},
}


def settings(*routes: dict[str, Any], **custom: Any) -> Settings:
    providers = {name: {**table, "name": name} for name, table in PROVIDERS.items()}
    return Settings.model_validate({"providers": providers, "routes": routes, "models": custom})


def names(chosen: Settings) -> list[str]:
    return [model["id"] for model in models(chosen)]


def test_without_routes_the_default_providers_models() -> None:
    assert names(settings()) == ["claude-a", "claude-b"]


def test_custom_models_come_first_with_what_is_known_of_them() -> None:
    """E8, E11."""
    custom = {"to": "zai/x", "context_length": 100_000, "max_completion_tokens": 512, "owned_by": "me"}
    first, second, *_ = models(settings(mine=custom))
    assert first == {
        "type": "model",
        "id": "mine",
        "display_name": "mine",
        "created_at": "2025-01-01T00:00:00Z",
        "max_input_tokens": 100_000,
        "max_tokens": 512,
        "owned_by": "me",
    }
    assert second["id"] == "x" and "owned_by" not in second


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ([{"model": "claude-*", "to": "minimax/MiniMax-M2"}], ["MiniMax-M2", "claude-a", "claude-b"]),
        ([{"model": "x", "to": "minimax"}], ["x", "MiniMax-M3", "MiniMax-M2", "claude-a", "claude-b"]),
        ([{"model": ["opus", "claude-a", "c*", "c?", "c[ab]"], "to": "anthropic"}], ["opus", "claude-a", "claude-b"]),
        (
            [{"model": "*", "to": ["zai", "minimax/or/x"]}, {"model": "*", "to": "zai"}],
            ["or/x", "glm-5", "claude-a", "claude-b"],
        ),
    ],
)
def test_what_routes_can_reach_is_listed_once(routes: list[dict[str, Any]], expected: list[str]) -> None:
    """Preset models of a provider that gets the client's own model name; the others are named by their targets."""
    assert names(settings(*routes)) == expected


def test_the_list_as_claude_code_reads_it() -> None:
    """D6."""
    answer = list_models(settings())
    page = json.loads(answer.body)
    assert answer.status == 200 and answer.headers == {"content-type": "application/json"}
    assert page["has_more"] is False and (page["first_id"], page["last_id"]) == ("claude-a", "claude-b")
    assert all(model.keys() == {"type", "id", "display_name", "created_at"} for model in page["data"])


def test_an_empty_list() -> None:
    bare = Settings.model_validate({"providers": {"anthropic": {"name": "anthropic", "base_url": "http://a"}}})
    assert json.loads(list_models(bare).body) == {"data": [], "has_more": False, "first_id": None, "last_id": None}


def test_one_model() -> None:
    assert json.loads(one_model(settings(), "claude-b").body)["id"] == "claude-b"
    with pytest.raises(NotFound, match="model: glm-5"):
        one_model(settings(), "glm-5")
