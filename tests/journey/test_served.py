"""The name of who has answered, as a header may hold it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.exchange import Attempt, Target
from turnout.journey.served import served_by
from turnout.redaction.secret import Secret


def told(model: str, known: list[Secret] | None = None) -> str:
    return served_by(Attempt(1, Target("zai", "asked"), model, "env:KEY"), known or [])


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("glm-5.3", "zai/glm-5.3"),
        ("creator/model:free[1m]", "zai/creator/model:free[1m]"),
        ("a\r\nb: c", "zai/a??b:?c"),
        ("modèle\x00\x7f", "zai/mod?le??"),
        ("sk-ant-api03-0123456789abcdefghijklmnop", "zai/***"),
    ],
)
def test_the_model_that_was_asked_of_the_provider(model: str, name: str) -> None:
    assert told(model) == name


def test_a_known_secret_is_none_of_it() -> None:
    assert "open-sesame" not in told("m-open-sesame-m", [Secret("open-sesame")])


@given(st.text(max_size=40))
def test_whatever_the_name_is_it_stays_one_visible_word(model: str) -> None:
    name = told(model)
    assert name.isascii() and name.isprintable() and not set(name) & set(" \r\n")
