"""What a provider wants back, in the signature of a thinking block (D2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.dialects.chat.seal import Seal, opened, sealed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(JSON, max_size=3), st.dictionaries(st.text(), JSON, max_size=3))
def test_it_comes_back(details: list[object], calls: dict[str, object]) -> None:
    seal = Seal(details, calls)
    told = sealed(seal)
    assert told.isascii() and opened(told) == (seal if details or calls else None)


NOT_OURS = ["", "EqQBCkYIBxgCKkD", "chat.", "chat.*", "chat.YQ", "chat.W10", "chat.eyJjYWxscyI6MX0"]


@pytest.mark.parametrize("signature", NOT_OURS)
def test_what_is_none_of_ours(signature: str) -> None:
    assert opened(signature) is None
