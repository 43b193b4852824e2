"""Durations and sizes as people write them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from turnout.settings.quantity import Duration, Size, Wait, parse_duration, parse_size


class _Quantities(BaseModel):
    duration: Duration = 1
    wait: Wait = 1
    size: Size = 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("10s", 10),
        ("5m", 300),
        ("1.5h", 5400),
        (".5 S", 0.5),
        (" 2 d ", 172_800),
        ("7", 7),
        (7, 7),
        (0.25, 0.25),
    ],
)
def test_durations(text: object, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "size"),
    [("32MB", 32_000_000), ("512KiB", 524_288), ("1 gib", 2**30), ("1.5kb", 1500), ("10B", 10), ("10", 10), (10, 10)],
)
def test_sizes(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "ms", "5 weeks", "-5s", "1e3s", "5m30s", "1..5s", "five", "5sm"])
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="write for example 500ms"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["", "MB", "5 TB", "-5MB", "5mbit", "9" * 400, "9" * 400 + "GB"])
def test_what_is_no_size_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="write for example 512KB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("duration", 0),
        ("duration", "0s"),
        ("duration", math.inf),
        ("duration", math.nan),
        ("duration", "9" * 400 + "s"),
        ("wait", -1),
        ("wait", math.inf),
        ("size", 0),
        ("size", "0.4B"),
        ("size", math.inf),
        ("size", None),
    ],
)
def test_bounds(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        _Quantities.model_validate({field: value})


def test_a_wait_may_be_nothing() -> None:
    assert _Quantities.model_validate({"wait": "0s"}).wait == 0


@given(st.text(max_size=30) | st.from_regex(r"\s*\d{1,400}(\.\d{1,5})?\s*(ms|s|m|h|d|KB|MiB|GB|B)?\s*", fullmatch=True))
def test_any_text_is_a_quantity_or_a_value_error(text: str) -> None:
    for parse in (parse_duration, parse_size):
        try:
            assert parse(text) >= 0
        except ValueError as error:
            assert "write for example" in str(error)


@given(st.integers(0, 10**9), st.sampled_from(["ms", "s", "m", "h", "d"]), st.text(" \t", max_size=2))
def test_units_and_space_commute(number: int, unit: str, space: str) -> None:
    plain = parse_duration(f"{number}{unit}")
    assert parse_duration(f"{space}{number}{space}{unit.upper()}{space}") == plain
    assert plain == pytest.approx(number * parse_duration(f"1{unit}"))


@given(st.integers(0, 2**52))
def test_whole_numbers_of_bytes_are_exact(number: int) -> None:
    assert parse_size(str(number)) == parse_size(f"{number}B") == number
