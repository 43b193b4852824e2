"""The one definition of what is secret: it shows itself to nobody."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.settings.secret import MASK, SECRET_HEADERS, Secret, redact

VALUE = "sk-ant-api03-value"


@pytest.mark.parametrize(
    "shown",
    [
        str(Secret(VALUE)),
        repr(Secret(VALUE)),
        f"{Secret(VALUE)}",
        f"{Secret(VALUE):>40}",
        "%s" % Secret(VALUE),  # noqa: UP031
        repr([Secret(VALUE)]),
        repr({"key": Secret(VALUE)}),
        str(pickle.loads(pickle.dumps(Secret(VALUE))).reveal()),
        copy.deepcopy(Secret(VALUE)).reveal(),
        repr(Secret(VALUE).fingerprint),
    ],
)
def test_a_secret_never_shows_itself(shown: str) -> None:
    assert VALUE not in shown and "value" not in shown


def test_reveal_is_the_way_in() -> None:
    assert Secret(VALUE).reveal() == VALUE
    assert pickle.loads(pickle.dumps(Secret(VALUE))).reveal() == MASK


def test_equality_hash_and_truth() -> None:
    assert Secret("a") == Secret("a") and hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b") and Secret("a") != "a"
    assert Secret("a") and not Secret("")


@pytest.mark.parametrize("value", ["a", "", "ä", "\udcff from os.environ", "\ud800"])
def test_fingerprints_name_a_value(value: str) -> None:
    fingerprint = Secret(value).fingerprint
    assert len(fingerprint) == 12 and int(fingerprint, 16) >= 0
    assert fingerprint == Secret(value).fingerprint != Secret(value + "x").fingerprint


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("key sk-ant-oat01-AbC_d-9 refused", "key *** refused"),
        ("sk-or-v1-0123456789 and sk-0123456789", "*** and ***"),
        ("Authorization: bearer abcdefgh.ijk=", "Authorization: ***"),
        ("token eyJhbGciOiJSUzI1.eyJzdWIiOiIx.c2lnbmF0dXJl!", "token ***!"),
        ("AKIAIOSFODNN7EXAMPLE", "***"),
        ("the task-force asked for sk-x", "the task-force asked for sk-x"),
        ("", ""),
    ],
)
def test_what_looks_like_a_secret_is_redacted(text: str, kept: str) -> None:
    assert redact(text) == kept


def test_a_secret_inside_another_leaves_no_rest() -> None:
    """A replaced part would leave the remainder of the longer one to be read."""
    known = [Secret("abcdefgh"), Secret("abcdefgh-ijklmnop")]
    for order in (known, known[::-1]):
        assert redact("the key abcdefgh-ijklmnop", order) == f"the key {MASK}"


def test_an_empty_secret_redacts_nothing() -> None:
    assert redact("text", [Secret("")]) == "text"


_ALPHABET = "abcXYZ019-_ "


@given(
    st.lists(st.text("abc019-", min_size=3, max_size=12), min_size=1, max_size=4),
    st.lists(st.text(_ALPHABET, max_size=8), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
)
def test_no_known_secret_gets_through(secrets: list[str], words: list[str], random: object) -> None:
    text = "".join(word + random.choice(secrets) for word in words)  # type: ignore[attr-defined]
    redacted = redact(text, map(Secret, secrets))
    assert not [secret for secret in secrets if secret in redacted]


def test_secret_headers_are_lower_case() -> None:
    assert {"authorization", "x-api-key", "cookie", "anthropic-workspace-id"} <= SECRET_HEADERS
    assert all(name == name.lower() for name in SECRET_HEADERS)


@pytest.mark.parametrize("text", ["task-budgets-2026-03-13", "risk-management-of-things"])
def test_names_that_only_contain_the_letters_are_left_alone(text: str) -> None:
    assert redact(text) == text
