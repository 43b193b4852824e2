"""A proof of a client key: good for one request at one socket, for a minute."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.gate.proof import LIFETIME, Asked, proof, proves

KEY, OTHER = b"a-key-of-this-proxy", b"another"
ASKED = Asked("GET", "/health", "127.0.0.1", 9000)
NOW = 1_800_000_000.9


def test_it_holds_for_what_was_asked_and_does_not_hold_the_key() -> None:
    made = proof(KEY, ASKED, NOW)
    assert proves(made, [OTHER, KEY], ASKED, NOW)
    assert KEY.decode() not in made


@pytest.mark.parametrize(
    "change",
    [{"method": "POST"}, {"path": "/health?x"}, {"path": "/"}, {"address": "127.0.0.2"}, {"address": "::1"}]
    + [{"port": 8082}],
)
def test_it_cannot_be_passed_on(change: dict[str, Any]) -> None:
    """What listens on another port, or in the other family of addresses, sends it to the Turnout that it imitates."""
    assert not proves(proof(KEY, ASKED, NOW), [KEY], replace(ASKED, **change), NOW)


@pytest.mark.parametrize(("age", "held"), [(LIFETIME - 1, True), (1 - LIFETIME, True), (61, False), (-62, False)])
def test_it_is_good_for_a_minute(age: float, held: bool) -> None:
    assert proves(proof(KEY, ASKED, NOW), [KEY], ASKED, NOW + age) is held


@pytest.mark.parametrize("keys", [[], [OTHER], [b""]])
def test_another_key_proves_nothing(keys: list[bytes]) -> None:
    assert not proves(proof(KEY, ASKED, NOW), keys, ASKED, NOW)


def test_the_time_is_part_of_it() -> None:
    _, _, code = proof(KEY, ASKED, NOW - 600).split(" ")
    assert not proves(f"1 {int(NOW)} {code}", [KEY], ASKED, NOW)


@pytest.mark.parametrize("address", ["::ffff:127.0.0.1", "127.0.0.1"])
def test_ipv4_on_a_socket_for_both_families(address: str) -> None:
    assert proves(proof(KEY, ASKED, NOW), [KEY], replace(ASKED, address=address), NOW)


def test_a_path_that_is_not_ascii() -> None:
    asked = replace(ASKED, path="/v1/\udcff?é=\U0001f600")
    assert proves(proof(KEY, asked, NOW), [KEY], asked, NOW)


@pytest.mark.parametrize("address", ["", "::1%lo", "no address"])
def test_an_address_that_is_none(address: str) -> None:
    asked = replace(ASKED, address=address)
    assert proves(proof(KEY, asked, NOW), [KEY], asked, NOW)


@given(st.text(st.characters(codec=None), max_size=40) | st.from_regex(r"1 [0-9²]{1,20} [a-f0-9]{0,64}"))
def test_nothing_that_is_sent_makes_it_raise(given: str) -> None:
    assert not proves(given, [KEY], ASKED, NOW)
