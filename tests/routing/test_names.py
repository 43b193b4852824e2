"""Model names: family words, the `[1m]` suffix, globs, aliases (A2, D2, E5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.routing.names import FAMILIES, matches, split_long_context, upstream_name


@pytest.mark.parametrize(
    ("model", "name", "long"),
    [
        ("claude-opus-4-6", "claude-opus-4-6", False),
        ("claude-opus-4-6[1m]", "claude-opus-4-6", True),
        ("opus[1M]", "opus", True),
        ("opus[1m][1m]", "opus", True),
        ("[1m]", "[1m]", False),
        ("opus[1m]x", "opus[1m]x", False),
        ("", "", False),
    ],
)
def test_the_long_context_suffix(model: str, name: str, long: bool) -> None:
    assert split_long_context(model) == (name, long)


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
        ("some-opus-tune", ["opus"], False),
        ("opus-4", ["opus"], False),
        ("claude-opus-4-6[1m]", ["claude-opus-4-6"], True),
        ("claude-opus-4-6[1m]", ["opus"], True),
        ("claude-opus-4-6[1m]", ["claude-opus-*[1m]"], True),
        ("claude-opus-4-6", ["claude-opus-*[1m]"], False),
        ("claude-opus-4-6[1m]", ["*[1m]"], True),
        ("claude-opus-4-6[1M][1m]", ["*[1m]"], True),
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
    bare, _ = split_long_context(name)
    stripped, long = split_long_context(bare + "[1m]" * times)
    if bare and bare != "[1m]" and not split_long_context(bare)[1]:
        assert (stripped, long) == (bare, times > 0)


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        ("opus", "claude-opus-5-5"),
        ("Opus[1m]", "claude-opus-5-5"),
        ("claude-sonnet-5[1m]", "claude-sonnet-5"),
        ("Claude-X", "Claude-X"),
    ],
)
def test_the_name_a_provider_knows(model: str, sent: str) -> None:
    assert upstream_name(model, {"opus": "claude-opus-5-5"}) == sent


def test_families() -> None:
    assert FAMILIES == ("opus", "sonnet", "haiku")
