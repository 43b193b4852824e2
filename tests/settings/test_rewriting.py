"""`rewrite` tables: how profile, preset and the user's own rules add up, and what is told of mistakes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from turnout.errors import ConfigError
from turnout.settings.load import load, presets
from turnout.settings.model import Provider
from turnout.settings.rewriting import (
    Rewrite,
    complete,
    extended,
    pairs,
    parse_path,
    profiles,
    rules_for,
    usual_profile,
)


def provider(table: str, name: str = "mine", **environment: str) -> Provider:
    file = Path("mitm.conf").resolve()
    file.write_text(table, encoding="utf-8")
    return load(str(file), environment).providers[name]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


MINE = '[providers.mine]\nbase_url = "http://127.0.0.1:1"\n'


def test_a_provider_of_ones_own_is_safe_unless_it_says_otherwise() -> None:
    assert provider(MINE).rewrite.system_role == "user"
    assert provider(MINE).learns
    assert provider(MINE + 'rewrite.profile = "none"').rewrite == Rewrite(profile="none")
    first = provider(MINE + "first_party = true")
    assert first.rewrite == Rewrite(profile="none")
    assert not first.learns
    assert provider(MINE + "first_party = true\nrewrite.learn = true").learns


def test_anthropic_has_no_rules() -> None:
    """A request that nothing needs to change leaves byte for byte."""
    assert provider("", "anthropic").rewrite == Rewrite(profile="none")


def test_lists_of_the_user_add_to_those_of_preset_and_profile() -> None:
    own = 'rewrite.fields = "metadata"\nrewrite.keep_betas = ["mine-*"]\nrewrite.max_tokens = 8192\n'
    rules = provider(f"[providers.deepseek]\n{own}", "deepseek").rewrite
    assert rules.fields is not None and rules.fields[-1] == "metadata"
    assert "messages" in rules.fields
    assert rules.keep_betas == ("effort-*", "mine-*")
    assert rules.max_tokens == 8192


def test_a_named_profile_takes_the_place_of_the_presets_rules() -> None:
    assert provider('[providers.minimax]\nrewrite.profile = "none"', "minimax").rewrite == Rewrite(profile="none")


def test_rules_from_the_environment() -> None:
    assert provider(MINE, TURNOUT_PROVIDERS__MINE__REWRITE__MAX_TOKENS="4096").rewrite.max_tokens == 4096


@pytest.mark.parametrize(
    ("base", "over", "result"),
    [
        ({"drop": ["a"]}, {"drop": ["b", "a"]}, {"drop": ["a", "b"]}),
        ({"drop": ["a"]}, {"drop": "b"}, {"drop": ["a", "b"]}),
        ({"drop": ("a",)}, {"drop": ("b",)}, {"drop": ["a", "b"]}),
        ({"clamp": {"t": [0, 1]}}, {"clamp": {"t": [0, 2]}}, {"clamp": {"t": [0, 2]}}),
        ({"thinking": {"adaptive": "drop"}}, {"thinking": {"enabled": "drop"}},
         {"thinking": {"adaptive": "drop", "enabled": "drop"}}),
        ({"max_tokens": 1}, {"max_tokens": 2}, {"max_tokens": 2}),
        ({}, {"drop": ["a"]}, {"drop": ["a"]}),
        ({"models": {"m": {"drop": ["a"]}}}, {"models": {"m": {"drop": ["b"]}}},
         {"models": {"m": {"drop": ["a", "b"]}}}),
    ],
)  # fmt: skip
def test_extending(base: dict[str, Any], over: dict[str, Any], result: dict[str, Any]) -> None:
    assert extended(base, over) == result


def test_how_requests_are_written_adds_up_key_by_key() -> None:
    """The efforts of a model take the place of the provider's; what every request has is added to."""
    table = '''[providers.mine]
kind = "openai"
base_url = "http://127.0.0.1:1"
[providers.mine.rewrite.chat]
efforts = ["low", "high"]
thoughts = "reasoning"
extra = { a = 1, deep = { b = 2 } }
[providers.mine.rewrite.models."big*".chat]
efforts = "max"
extra = { deep = { c = 3 } }
[providers.mine.rewrite.models."*-1".chat]
efforts = []
'''
    rules = provider(table).rewrite
    small, big, first = (rules_for(rules, name).chat for name in ("small", "big-2", "big-1"))
    assert (small.efforts, big.efforts, first.efforts) == (("low", "high"), ("max",), ())
    assert small.extra == {"a": 1, "deep": {"b": 2}} and big.extra == {"a": 1, "deep": {"b": 2, "c": 3}}
    assert small.thoughts == big.thoughts == first.thoughts == "reasoning"


def test_rules_for_a_model() -> None:
    rules = Rewrite.model_validate({"drop": ["a"], "models": {"Big-*": {"drop": ["b"]}, "*": {"images": "note"}}})
    assert rules_for(rules, "big-1").drop == ("a", "b")
    assert rules_for(rules, "small").drop == ("a",)
    assert rules_for(rules, "small").images == "note"
    plain = Rewrite(drop=("a",))
    assert rules_for(plain, "any") is plain
    assert rules_for(plain, "any", ({"max_tokens": 5},)).max_tokens == 5


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('rewrite.dropp = ["a"]', "rewrite.dropp: unknown key. Did you mean drop?"),
        ('rewrite.drop = ["a b"]', "'a b' is not a path"),
        ('rewrite.clamp = { t = [2, 1] }', "the lowest value comes first"),
        ('rewrite.profile = "saef"', "mitm.conf: providers.mine.rewrite.profile: no such profile. Did you mean safe?"),
        ('rewrite.profile = "x"', "no such profile. Known profiles: none, safe, chat, claude"),
        ("rewrite.profile = 3", "rewrite.profile: is not a text in quotes. Known profiles: none, safe, chat, claude"),
        ('rewrite.profile = ["safe"]', "rewrite.profile: is not a text in quotes"),
        ('rewrite.models.chat.dropp = "a"', "rewrite.models.chat.dropp: unknown key. Did you mean drop?"),
        (
            'kind = "openai"\nrewrite.chat.effort = ["low"]',
            "rewrite.chat.effort: unknown key. Did you mean efforts?",
        ),
        (
            'kind = "openai"\nrewrite.chat.efforts = ["lowest"]',
            'rewrite.chat.efforts.0: "lowest" is not supported; known: none, minimal, low, medium, high, xhigh or max.',
        ),
        (
            'kind = "openai"\nrewrite.models.a.chat.zzz = 1',
            "rewrite.models.a.chat.zzz: unknown key. Known keys: output_limit, efforts",
        ),
        ("rewrite.drop = [1]", "rewrite.drop: is not a text in quotes"),
        ('rewrite.models."a".drop = ["x", 1]', "rewrite.models.a.drop: is not a text in quotes"),
        ('rewrite.clamp = { t = [0, "x"] }', "rewrite.clamp.t.1: is not a number"),
        ('rewrite.thinking = { adaptiv = "drop" }', "rewrite.thinking.adaptiv: unknown key. Did you mean adaptive?"),
        ('rewrite.tool_choice = { x = "drop" }', "rewrite.tool_choice.x: unknown key. Known keys: any, tool, none"),
        ('rewrite.set = { "messages[" = 1 }', "rewrite.set.messages[: 'messages[' is not a path"),
        ('rewrite.set = { "[key]" = 1 }', "rewrite.set.[key]: '[key]' is not a path"),
        ('rewrite."[key]" = 1', "rewrite.[key]: unknown key. Known keys: "),
        ('context_lengths = { "a[" = 1 }', "context_lengths.a[: 'a[' is not a valid glob"),
        ('rewrite.drop = "model"', "rewrite.drop: 'model' must stay: no request can do without model and messages"),
        ('rewrite.drop = ["metadata", "messages"]', "rewrite.drop: 'messages' must stay"),
        ('rewrite.models."a".drop = ["messages[*]"]', "rewrite.models.a.drop: 'messages[*]' must stay"),
        ('rewrite.rename = { model = "modell" }', "rewrite.rename.model: 'model' must stay"),
        ('rewrite.rename = { messages = "prompt" }', "rewrite.rename.messages: 'messages' must stay"),
        ('rewrite.thinking = { adaptive = "off" }', "known: keep, adaptive, enabled, disabled or drop"),
        ('rewrite.models."a*" = { profile = "saef" }', "rewrite.profile: no such profile. Did you mean safe?"),
        ('rewrite.models."a*".learn = false', "mine.rewrite.models: rules for single models hold no models"),
        ('rewrite.models.a.models.b.drop = "x"', "rewrite.models: rules for single models hold no models"),
        ('rewrite = "safe"', "a table is expected"),
        ('rewrite.max_tokens = 0', "must be at least 1"),
        ('count_tokens = "yes"', "is not supported; known: provider, anthropic, estimate or none"),
        ('context_lengths = { "*" = 0 }', "must be at least 1"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_key(table: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        provider(MINE + table)
    assert told in str(caught.value)
    assert "mitm.conf: providers.mine" in str(caught.value)


def test_a_profile_of_the_environment_is_told_with_its_variable() -> None:
    with pytest.raises(ConfigError) as caught:
        provider(MINE, TURNOUT_PROVIDERS__MINE__REWRITE__PROFILE="saef")
    assert str(caught.value) == "TURNOUT_PROVIDERS__MINE__REWRITE__PROFILE: no such profile. Did you mean safe?"


def test_the_same_mistake_is_told_once() -> None:
    with pytest.raises(ConfigError) as caught:
        provider(MINE + "rewrite.drop = [1, 2]")
    assert "Also" not in str(caught.value)


def test_fields_without_which_a_request_may_do() -> None:
    rules = provider(MINE + 'rewrite.drop = "max_tokens"\nrewrite.rename = { max_tokens = "max_output" }').rewrite
    assert "max_tokens" in rules.drop and rules.rename == {"max_tokens": "max_output"}


GATEWAY = MINE + '''rewrite.drop = "metadata"
rewrite.models."*claude*" = { profile = "claude", cache_fields = ["type"] }
rewrite.models."*haiku*".max_tokens = 32_000
'''


def test_a_model_with_a_profile_of_its_own_takes_none_of_the_others_rules() -> None:
    """A gateway serves models of Anthropic's and others; what its owner says holds for both."""
    rules = provider(GATEWAY).rewrite
    claude, haiku, other = (rules_for(rules, name) for name in ("x/claude-opus-5.5", "x/claude-haiku-4.5", "x/glm"))
    assert (claude.system_role, claude.cache_fields, claude.blocks) == ("keep", ("type",), None)
    assert (other.system_role, other.profile) == ("user", "safe")
    assert claude.drop == other.drop == ("metadata",)
    assert (haiku.max_tokens, haiku.profile, claude.max_tokens) == (32_000, "claude", None)


def test_the_data_is_sound() -> None:
    for name, table in profiles().items():
        assert Rewrite.model_validate(table), name
    for name, preset in presets().items():
        table = complete({}, preset.get("rewrite", {}), usual=usual_profile(preset))
        assert Rewrite.model_validate(table), name
    for pair in pairs():
        assert all(parse_path(path) for path in pair.fields)
    assert tomllib.loads(MINE)
