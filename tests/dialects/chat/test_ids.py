"""Ids of tool calls: such as a client of Anthropic can send back, and the provider's own again (D2)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.dialects.chat.ids import ClientIds, provider_id

FIT = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@pytest.mark.parametrize("given_id", ["call_0", "toolu_01A", "chatcmpl-tool-1f", "x" * 40])
def test_an_id_that_anthropic_takes_stays(given_id: str) -> None:
    assert ClientIds().of(given_id) == given_id == provider_id(given_id)


@pytest.mark.parametrize("given_id", ["functions.Bash:0", "call 1", "é", "a/b+c", "tc64_YQ"])
def test_another_is_wrapped_and_comes_back(given_id: str) -> None:
    told = ClientIds().of(given_id)
    assert FIT.fullmatch(told) and told != given_id and provider_id(told) == given_id


@given(st.lists(st.text(max_size=90), max_size=8))
def test_every_call_has_an_id_of_its_own(given_ids: list[str]) -> None:
    taken = ["call_0", "toolu_1"]
    ids = ClientIds(taken)
    told = [ids.of(each) for each in given_ids]
    assert all(map(FIT.fullmatch, told)) and len({*told, *taken}) == len(told) + len(taken)
    for mine, its in zip(told, given_ids, strict=True):
        known = provider_id(mine)
        assert known in (its, mine) or (len(known) <= 40 < max(len(its), len(mine)))


def test_an_id_of_an_earlier_turn_is_not_used_again() -> None:
    """Gemini begins at call_0 in every answer."""
    assert ClientIds(["call_0"]).of("call_0") != "call_0"


@given(st.text(max_size=80))
def test_nine_letters_and_digits(client_id: str) -> None:
    made = provider_id(client_id, nine=True)
    assert re.fullmatch("[a-zA-Z0-9]{9}", made)
    assert provider_id(client_id, nine=True) == made == provider_id(made, nine=True)


def test_an_id_that_is_too_long_for_openai() -> None:
    """vLLM's have 46 characters, and the conversation may go on elsewhere."""
    one, other = (f"chatcmpl-tool-{letter * 32}" for letter in "ab")
    assert ClientIds().of(one) == one
    assert len(provider_id(one)) == 37 and provider_id(one) == provider_id(one) != provider_id(other)


def test_what_only_looks_wrapped_stays() -> None:
    assert provider_id("tc64_*") == "tc64_*" and provider_id("tc64_a") == "tc64_a"
