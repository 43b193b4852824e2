"""Compressed request bodies are opened within limits."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.errors import InvalidRequest, RequestTooLarge
from turnout.wire.compression import decompress


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_plain_bodies_are_the_same_object(encoding: str) -> None:
    body = b'{"a":1}'
    assert decompress(body, encoding, 100) is body


@given(st.binary(max_size=2000))
def test_round_trips(body: bytes) -> None:
    assert decompress(gzip.compress(body), "gzip", 2000) == body
    assert decompress(zlib.compress(body), "deflate", 2000) == body


def test_a_bomb_is_stopped_at_the_limit() -> None:
    with pytest.raises(RequestTooLarge):
        decompress(gzip.compress(b"a" * 10_000_000), "gzip", 1000)


@pytest.mark.parametrize(
    ("body", "encoding", "told"),
    [
        (b"not gzip", "gzip", "not valid gzip"),
        (gzip.compress(b"a" * 1000, mtime=0)[:-9], "gzip", "ends in the middle"),
        (b"x", "br", "'br' is not understood"),
        (b"x", "gzip, br", "is not understood"),
    ],
)
def test_what_cannot_be_opened_is_a_400(body: bytes, encoding: str, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        decompress(body, encoding, 10_000)
