"""Model names: family words, suffixes, globs, aliases (A2, D2, E5, E9)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.routing.names import FAMILIES, Asked, asked, matches, upstream_name


@pytest.mark.parametrize(
    ("model", "name", "long"),
    [
        ("claude-opus-4-6", "claude-opus-4-6", False),
        ("claude-opus-4-6[1m]", "claude-opus-4-6", True),
        ("opus[1M]", "opus", True),
        ("opus[1m][1m]", "opus", True),
        ("[1m]", "[1m]", False),
        ("opus[1m]x", "opus[1m]x", False),
        ("opus-1m", "opus", True),
        ("claude-sonnet-4-5-1M", "claude-sonnet-4-5", True),
        ("claude-sonnet-4-5-1m-reasoning-Low[1m]", "claude-sonnet-4-5", True),
        ("claude-sonnet-4-5-reasoning-low", "claude-sonnet-4-5", False),
        ("Qwen2.5-7B-Instruct-1M", "Qwen2.5-7B-Instruct-1M", False),
        ("Qwen2.5-7B-Instruct-1M[1m]", "Qwen2.5-7B-Instruct-1M", True),
        ("", "", False),
    ],
)
def test_the_long_context_suffix(model: str, name: str, long: bool) -> None:
    found = asked(model)
    assert (found.name, found.long_context) == (name, long)


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("claude-opus-4-6", Asked("claude-opus-4-6", False, None)),
        ("claude-opus-4-6[1m]", Asked("claude-opus-4-6", True, None)),
        ("opus-1m", Asked("opus", True, None)),
        ("Sonnet-Reasoning-HIGH", Asked("Sonnet", False, "high")),
        ("claude-sonnet-4-5-reasoning-high-1m", Asked("claude-sonnet-4-5", True, "high")),
        ("claude-sonnet-4-5-1m-reasoning-medium", Asked("claude-sonnet-4-5", True, "medium")),
        ("claude-sonnet-4-5[1m]-reasoning-low", Asked("claude-sonnet-4-5", True, "low")),
        ("haiku-reasoning-low[1m]", Asked("haiku", True, "low")),
        ("us.anthropic.claude-opus-4-6-v1:0-1m", Asked("us.anthropic.claude-opus-4-6-v1:0", True, None)),
        ("opus-reasoning-low-reasoning-high", Asked("opus", False, "high")),
        ("opus-reasoning-extreme", Asked("opus-reasoning-extreme", False, None)),
        ("opus-1m-preview", Asked("opus-1m-preview", False, None)),
        ("some-opus-1m", Asked("some-opus-1m", False, None)),
        ("Qwen2.5-7B-Instruct-1M", Asked("Qwen2.5-7B-Instruct-1M", False, None)),
        ("Qwen2.5-7B-Instruct-1M[1m]", Asked("Qwen2.5-7B-Instruct-1M", True, None)),
        ("deepseek-reasoning-high", Asked("deepseek-reasoning-high", False, None)),
        ("glm-5-reasoning-high[1m][1m]", Asked("glm-5-reasoning-high", True, None)),
        ("-1m", Asked("-1m", False, None)),
        ("-1m[1m]", Asked("-1m", True, None)),
        ("[1m]", Asked("[1m]", False, None)),
        ("", Asked("", False, None)),
    ],
)
def test_what_a_name_asks_for(model: str, found: Asked) -> None:
    """E5, E9: private suffixes in any order, on Claude's models alone."""
    assert asked(model) == found


_CLAUDES = st.sampled_from(["opus", "Haiku", "claude-sonnet-4-5", "anthropic/Claude-Opus-5", "claude"])
_SUFFIXES = st.lists(st.sampled_from(["[1m]", "-1m", "-reasoning-low", "-reasoning-medium", "-reasoning-high"]))


@given(_CLAUDES, _SUFFIXES, st.booleans())
def test_suffixes_come_off_in_any_order(name: str, suffixes: list[str], shout: bool) -> None:
    written = name + "".join(suffix.upper() if shout else suffix for suffix in suffixes)
    efforts = [suffix.rpartition("-")[2] for suffix in suffixes if "reasoning" in suffix]
    found = asked(written)
    assert found == Asked(name, "[1m]" in suffixes or "-1m" in suffixes, efforts[-1] if efforts else None)  # type: ignore[arg-type]
    assert asked(found.name) == Asked(name, False, None)
    assert upstream_name(written, {name.lower(): "sent"}) == "sent"
    assert matches(written, [name]) and matches(written, [name + "*"])


@given(st.text("abAB-.[]1m", max_size=12), _SUFFIXES)
def test_other_models_lose_the_official_suffix_alone(name: str, suffixes: list[str]) -> None:
    written = name + "".join(suffixes)
    found = asked(written)
    assert found.effort is None
    assert found.long_context is (found.name != written)
    assert written.startswith(found.name)
    assert set(written[len(found.name) :].lower().split("[1m]")) == {""}


def test_a_name_of_suffixes_alone_costs_no_time() -> None:
    written = "[1m]" * 20_000
    assert asked(written + "x") == Asked(written + "x", False, None)
    assert asked(written) == Asked(written, False, None)


@pytest.mark.parametrize(
    ("model", "patterns", "fits"),
    [
        ("claude-haiku-4-5-20251001", ["claude-haiku-*"], True),
        ("claude-haiku-4-5-20251001", ["*opus*", "claude-haiku-4-?-*"], True),
        ("claude-haiku-4-5", ["claude-haiku"], False),
        ("CLAUDE-Haiku-4-5", ["claude-haiku-*"], True),
        ("claude-haiku-4-5", ["Claude-HAIKU-*"], True),
        ("opus", ["opus"], True),
        ("Opus", ["opus"], True),
        ("claude-opus-4-6", ["opus"], True),
        ("us.anthropic.claude-opus-4-6-v1:0", ["opus"], True),
        ("claude-3-opus-20240229", ["opus"], True),
        ("claude-sonnet-5", ["opus"], False),
        ("claude-fable-5-2", ["fable"], True),
        ("my-fable", ["fable"], False),
        ("some-opus-tune", ["opus"], False),
        ("opus-4", ["opus"], False),
        ("claude-opus-4-6[1m]", ["claude-opus-4-6"], True),
        ("claude-opus-4-6[1m]", ["opus"], True),
        ("claude-opus-4-6[1m]", ["claude-opus-*[1m]"], True),
        ("claude-opus-4-6", ["claude-opus-*[1m]"], False),
        ("claude-opus-4-6[1m]", ["*[1m]"], True),
        ("claude-opus-4-6[1M][1m]", ["*[1m]"], True),
        ("claude-opus-4-6-1m", ["claude-opus-4-6"], True),
        ("claude-opus-4-6-reasoning-high[1m]", ["opus"], True),
        ("opus-reasoning-low", ["opus"], True),
        ("claude-x-1m", ["claude-*-1m"], True),
        ("Claude-X-1M", ["claude-*-1m"], True),
        ("claude-x-1m[1m]", ["claude-*-1m"], True),
        ("claude-x", ["claude-*-1m"], False),
        ("claude-x-reasoning-high-1m", ["*-reasoning-high-1m"], True),
        ("claude-x-reasoning-high", ["*-reasoning-*"], True),
        ("claude-x-reasoning-high", ["*-reasoning-low"], False),
        ("claude-x-1m", ["claude-*[1m]"], True),
        ("claude-x-1m-reasoning-low", ["claude-x[1m]"], True),
        ("claude-x-reasoning-low", ["claude-*[1m]"], False),
        ("Qwen2.5-7B-Instruct-1M", ["*instruct-1m"], True),
        ("Qwen2.5-7B-Instruct-1M", ["*instruct"], False),
        ("Qwen2.5-7B-Instruct-1M", ["*[1m]"], False),
        ("claude-opus-4-6", ["claude-opus-[45]-*"], True),
        ("claude-opus-3-6", ["claude-opus-[45]-*"], False),
        ("zai/glm-4.6", ["zai/*"], True),
        ("anything", ["*"], True),
        ("anything", [], False),
    ],
)
def test_patterns(model: str, patterns: list[str], fits: bool) -> None:
    assert matches(model, patterns) is fits


_NAMES = st.text("abcABC-.4/", min_size=1, max_size=12)


@given(_NAMES, st.text("abc*?[]!-1m", max_size=12))
def test_neither_case_nor_the_suffix_of_the_model_matters(model: str, pattern: str) -> None:
    fits = matches(model, [pattern])
    assert matches(model.swapcase(), [pattern]) is matches(model, [pattern.swapcase()]) is fits
    if not pattern.endswith("[1m]"):
        assert matches(model + "[1m]", [pattern]) is fits


@given(_NAMES)
def test_a_name_fits_itself_the_star_and_its_beginning(model: str) -> None:
    assert matches(model, [model]) and matches(model, ["*"]) and matches(model, [model[0] + "*"])
    assert not matches(model, [model + "?"])


@given(st.text(max_size=20), st.integers(0, 3))
def test_the_suffix_comes_off_whole(name: str, times: int) -> None:
    bare = asked(name).name
    found = asked(bare + "[1m]" * times)
    if bare and bare != "[1m]" and not asked(bare).long_context:
        assert (found.name, found.long_context) == (bare, times > 0)


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        ("opus", "claude-opus-5-5"),
        ("Opus[1m]", "claude-opus-5-5"),
        ("claude-sonnet-5[1m]", "claude-sonnet-5"),
        ("opus-1m-reasoning-high", "claude-opus-5-5"),
        ("claude-sonnet-5-reasoning-low-1m", "claude-sonnet-5"),
        ("Qwen-1M", "Qwen-1M"),
        ("Claude-X", "Claude-X"),
    ],
)
def test_the_name_a_provider_knows(model: str, sent: str) -> None:
    assert upstream_name(model, {"opus": "claude-opus-5-5"}) == sent


def test_families() -> None:
    assert FAMILIES == ("opus", "sonnet", "haiku", "fable")
