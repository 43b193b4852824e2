"""The difference between two JSON texts: every change, and no more around it than is needed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.wire.difference import LONGEST_TEXT, _ByItem, _pretty, _same_length, diff


def changes(old: Any, new: Any) -> list[str]:
    return list(diff(json.dumps(old).encode(), json.dumps(new).encode()))


def test_each_region_has_the_path_of_its_first_change() -> None:
    old = {"a": [{"b": number} for number in range(9)], "c": "x"}
    new = {"a": [{"b": number if number != 4 else "4"} for number in range(9)], "c": "x", "d": {}}
    assert changes(old, new) == [
        "@@ a[4].b @@",
        "      },",
        "      {",
        '-       "b": 4',
        '+       "b": "4"',
        "      },",
        "      {",
        "@@ d @@",
        "    ],",
        '    "c": "x",',
        '+   "d": {}',
        "  }",
    ]


def test_the_comma_before_a_removed_last_member_is_kept() -> None:
    assert changes({"a": 1, "b": 2}, {"a": 1}) == ["@@ b @@", "  {", '    "a": 1,', '-   "b": 2', "  }"]


def test_a_body_that_is_no_object() -> None:
    assert changes([], 1) == ["@@ body @@", "- []", "+ 1"]


def test_a_long_string_does_not_flood_the_screen() -> None:
    prompt = "word\n" * 2000
    (added,) = [line for line in changes({}, {"system": prompt}) if "system" in line]
    assert added.endswith(' …" (10000 chars)')
    assert len(added) < 2 * LONGEST_TEXT


@pytest.mark.parametrize("place", [0, 40, 60, 5000, 9999])
def test_a_change_inside_a_long_string_is_shown(place: int) -> None:
    old = "x" * 10_000
    new = old[:place] + "CHANGED" + old[place + 7 :]
    shown = [line for line in changes({"a": {"text": old}}, {"a": {"text": new}}) if line[0] in "+-"]
    assert len(shown) == 2
    assert "CHANGED"[: 10_000 - place] in shown[1]
    assert all(len(line) < 2 * LONGEST_TEXT for line in shown)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_JSON, _JSON)
def test_a_diff_is_empty_when_nothing_changed_and_only_then(old: Any, new: Any) -> None:
    assert changes(old, old) == []
    assert bool(changes(old, new)) is (json.dumps(old) != json.dumps(new))
    assert all(line[:2] in ("- ", "+ ", "  ", "@@") for line in changes(old, new))


def rebuilt(old: Any, new: Any) -> bool:
    """Whether the regions that were found lead from one text to the other, without a gap."""
    before, after = (list(_pretty(json.loads(json.dumps(value)))) for value in (old, new))
    at, to = 0, 0
    for tag, a, b, c, d in _ByItem(before, after, _same_length(old, new)).get_opcodes():
        assert (a, c) == (at, to)
        assert (tag == "equal") is ([line.text for line in before[a:b]] == [line.text for line in after[c:d]])
        at, to = b, d
    return (at, to) == (len(before), len(after))


_ITEMS = st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 2), min_size=1), max_size=5)
_BODIES = st.dictionaries(st.sampled_from(["messages", "tools", "system", "a.b", "a[0"]), _ITEMS | st.integers(0, 1))


@given(_BODIES, _BODIES)
def test_what_is_found_item_by_item_is_a_difference_of_the_whole(old: Any, new: Any) -> None:
    assert rebuilt(old, new)
    assert changes(old, old) == []
    assert bool(changes(old, new)) is (json.dumps(old) != json.dumps(new))


def test_in_a_list_of_the_same_length_each_item_is_compared_with_its_own() -> None:
    """Blocks that many messages share must not be taken for those of another message."""
    block = {"type": "text", "text": "yes", "cache_control": {"type": "ephemeral"}}
    bare = {"type": "text", "text": "yes"}
    found = changes({"messages": [{"content": [block]}] * 300}, {"messages": [{"content": [bare]}] * 300})
    places = [line for line in found if line.startswith("@@")]
    assert places == [f"@@ messages[{number}].content[0].cache_control @@" for number in range(300)]
