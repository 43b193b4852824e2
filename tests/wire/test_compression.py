"""Compressed request bodies are opened within limits."""

from __future__ import annotations

import gzip
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.packing import flushed, pack, raw_deflate, zstd
from turnout.errors import InvalidRequest, RequestTooLarge
from turnout.wire.compression import MOST_OPENED, TooMuch, Unreadable, decompress, unpacked, unpacker


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


# --- answers ---

ENCODINGS = ["gzip", "x-gzip", "deflate", "br", "zstd", "gzip, br", "br,gzip", "deflate, zstd"]
HEADED = bytes.fromhex("1f8b081e00000000 0203 0400 61620000 6e616d65 00 776f726473 00".replace(" ", ""))
"""The head of a gzip member with all that it may hold: extra field, name, comment, and its checksum to come."""


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    marks = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in zip(marks, marks[1:], strict=False)]


def opened(packed: bytes, encoding: str, cuts: list[int]) -> bytes:
    machine = unpacker(encoding)
    assert machine is not None
    return b"".join(machine(piece) for piece in pieces(packed, cuts))


@given(st.sampled_from(ENCODINGS), st.binary(max_size=3000), st.lists(st.integers(0, 9999), max_size=8))
def test_however_it_is_cut_the_same_comes_out(encoding: str, body: bytes, cuts: list[int]) -> None:
    packed = pack(body, encoding)
    assert opened(packed, encoding, cuts) == body == unpacked(packed, encoding, 3000)


@given(
    st.sampled_from(["gzip", "zstd"]),
    st.lists(st.binary(max_size=300), min_size=1, max_size=5),
    st.lists(st.integers(0, 9999), max_size=8),
    st.sampled_from([b"", b"\0", b"\0\0\0\0\0", b"garbage", b"\x1f", b"\x28\xb5"]),
)
def test_parts_one_after_another(encoding: str, bodies: list[bytes], cuts: list[int], behind: bytes) -> None:
    """What follows the last is left aside, as browsers do."""
    packed = b"".join(pack(body, encoding) for body in bodies) + behind
    assert opened(packed, encoding, cuts) == b"".join(bodies)


@given(st.binary(max_size=3000), st.lists(st.integers(0, 9999), max_size=8))
def test_deflate_comes_without_the_header_of_zlib_too(body: bytes, cuts: list[int]) -> None:
    assert opened(raw_deflate(body), "deflate", cuts) == body
    assert opened(gzip.compress(body), "deflate", cuts) == body


@given(st.lists(st.integers(0, 9999), max_size=30))
def test_a_gzip_member_may_say_much_about_itself(cuts: list[int]) -> None:
    checksum = (zlib.crc32(HEADED) & 0xFFFF).to_bytes(2, "little")
    body = gzip.compress(b"hello")[10:]
    packed = HEADED + checksum + body
    assert opened(packed + gzip.compress(b" you"), "gzip", cuts) == b"hello you"


def test_a_frame_of_zstd_may_hold_nothing() -> None:
    skipped = b"\x5a\x2a\x4d\x18" + (7).to_bytes(4, "little") + b"comment"
    assert unpacked(zstd(b"a") + skipped + zstd(b"b"), "zstd", 100) == b"ab"


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_what_was_flushed_comes_out_at_once(encoding: str) -> None:
    machine = unpacker(encoding)
    assert machine is not None and machine(flushed(b"event: ping\n\n", encoding)) == b"event: ping\n\n"
    assert not machine.complete


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, br", "br, gzip"])
def test_a_bomb_in_an_answer_is_stopped_at_the_limit(encoding: str) -> None:
    packed = pack(b"a" * (MOST_OPENED + 1), encoding)
    with pytest.raises(TooMuch):
        unpacked(packed, encoding, 1_000_000)
    machine = unpacker(encoding)
    assert machine is not None
    with pytest.raises(TooMuch):
        machine(packed)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_bomb_of_many_parts(encoding: str) -> None:
    with pytest.raises(TooMuch):
        unpacked(pack(b"a" * 10_000, encoding) * 101, encoding, 1_000_000)
    assert len(unpacked(pack(b"a" * 10_000, encoding) * 100, encoding, 1_000_000)) == 1_000_000


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_exactly_the_limit_is_no_bomb(encoding: str) -> None:
    assert len(unpacked(pack(b"a" * 5000, encoding), encoding, 5000)) == 5000
    with pytest.raises(TooMuch):
        unpacked(pack(b"a" * 5001, encoding), encoding, 5000)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, br"])
def test_half_a_body_is_none(encoding: str) -> None:
    packed = pack(bytes(range(256)) * 4, encoding)
    with pytest.raises(Unreadable):
        unpacked(packed[: len(packed) // 2], encoding, 10_000)


@pytest.mark.parametrize("encoding", ["pack200", "gzip, pack200", "gzip,gzip,gzip,gzip,gzip"])
def test_what_nobody_opens(encoding: str) -> None:
    assert unpacker(encoding) is None
    with pytest.raises(Unreadable):
        unpacked(b"x", encoding, 10)


@pytest.mark.parametrize("encoding", ["", "identity", " Identity , ", "utf-8", "UTF8", "none"])
def test_what_is_not_compressed(encoding: str) -> None:
    machine = unpacker(encoding)
    assert machine is not None and machine(b"x") == b"x"
    with pytest.raises(TooMuch):
        unpacked(b"xx", encoding, 1)


@given(st.sampled_from(ENCODINGS), st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_whatever_comes_raises_nothing_else(encoding: str, body: bytes, cuts: list[int]) -> None:
    with suppress(Unreadable):
        opened(body, encoding, cuts)
