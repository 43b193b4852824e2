"""How long lines of prose are folded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from turnout.inspect.conversation.layout import folded

WIDTH = 80


def test_long_lines_go_on_in_further_lines() -> None:
    assert folded("word " * 20 + "end") == " ".join(["word"] * 16) + "\n" + "word word word word end"


def test_a_margin_goes_with_its_line() -> None:
    first, second, *_ = folded("    " + "word " * 40).split("\n")
    assert first.startswith("    word") and second.startswith("    word")


def test_words_and_short_lines_stay_whole() -> None:
    link = "https://example.invalid/" + "a" * 200
    assert folded(f"short\n\n  as it is \n{link}") == f"short\n\n  as it is \n{link}"
    assert folded(f"see {link} there") == f"see\n{link}\nthere"


@given(st.text(alphabet=" \nabcdefgh\t", max_size=600))
def test_nothing_is_lost_and_lines_fit(text: str) -> None:
    shown = folded(text)
    assert shown.split() == text.split()
    for line in shown.split("\n"):
        margin = len(line) - len(line.lstrip())
        assert len(line) <= max(WIDTH, margin + WIDTH // 2) or " " not in line.strip()
