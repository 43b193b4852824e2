"""Thinking blocks are recognised by what they carry."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.test_sse import streams
from turnout.dialects.messages.signatures import FINGERPRINT_LENGTH, fingerprint, minted, thoughts_of


def sse(name: str, **data: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()


def started(index: int, **block: Any) -> bytes:
    return sse("content_block_start", index=index, content_block=block)


def delta(index: int, kind: str, value: str) -> bytes:
    key = {"thinking_delta": "thinking", "signature_delta": "signature", "text_delta": "text"}[kind]
    return sse("content_block_delta", index=index, delta={"type": kind, key: value})


THINKING = started(0, type="thinking", thinking="", signature="")


class TestFingerprint:
    def test_the_signature_counts_and_without_one_the_text(self) -> None:
        assert fingerprint("s", "a") == fingerprint("s", "b") != fingerprint("", "a") != fingerprint("", "b")
        assert fingerprint("", "s") == fingerprint("s", "")

    @given(st.text(st.characters(), max_size=5), st.text(st.characters(), max_size=5))
    def test_short_and_hexadecimal(self, signature: str, thinking: str) -> None:
        found = fingerprint(signature, thinking)
        assert len(found) == FINGERPRINT_LENGTH and set(found) <= set("0123456789abcdef")

    def test_a_lone_surrogate_is_no_fault(self) -> None:
        assert fingerprint("\ud800", "")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (THINKING + delta(0, "thinking_delta", "hm") + delta(0, "signature_delta", "sig"), [("sig", "")]),
        (THINKING + delta(0, "thinking_delta", "he said ") + delta(0, "thinking_delta", "no"), [("", "he said no")]),
        (started(0, type="thinking", thinking="a", signature=""), [("", "a")]),
        # Claude Code leaves out what content_block_start holds, and keeps the last of the signature deltas.
        (started(0, type="thinking", thinking="a", signature="sig"), [("sig", ""), ("", "a")]),
        (started(0, type="thinking", thinking="a") + delta(0, "thinking_delta", "b"), [("", "b"), ("", "ab")]),
        (
            started(0, type="thinking", thinking="a", signature="sig") + delta(0, "thinking_delta", "b"),
            [("sig", ""), ("", "b"), ("", "ab")],
        ),
        (
            THINKING + delta(0, "signature_delta", "s1") + delta(0, "signature_delta", "s2"),
            [("s1s2", ""), ("s2", "")],
        ),
        (
            started(0, type="thinking", thinking="a", signature="s0")
            + delta(0, "thinking_delta", "b")
            + delta(0, "signature_delta", "s1"),
            [("s1", ""), ("s0s1", "")],
        ),
        (
            THINKING + delta(0, "thinking_delta", "b") + delta(0, "signature_delta", ""),
            [("", "b")],
        ),
        (
            THINKING + delta(0, "thinking_delta", "a ") + delta(0, "thinking_delta", "signature_delta"),
            [("", "a signature_delta")],
        ),
        (delta(0, "thinking_delta", "b"), [("", "b")]),
        (started(0, type="redacted_thinking", data="sealed"), [("sealed", "")]),
        (
            THINKING
            + delta(0, "signature_delta", "one")
            + started(1, type="text", text="")
            + delta(1, "text_delta", 'a "thinking_delta" of signature_delta')
            + started(2, type="thinking", thinking="")
            + delta(2, "thinking_delta", "two"),
            [("one", ""), ("", "two")],
        ),
        (THINKING + delta(0, "signature_delta", "s") + started(1, type="thinking", signature="s"), [("s", "")]),
        (THINKING, []),
        (delta(0, "text_delta", "plain") * 2, []),
        (sse("message_start", message={"thinking": 1}) + sse("content_block_start", index=[], content_block=1), []),
        (b'event: content_block_delta\ndata: {"thinking"\n\n', []),
        (b'event: x\ndata: {"delta":{"type":"signature_delta","signature":"s"},"index":true}\n\n"thinking"', []),
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_events(answer: bytes, expected: list[tuple[str, str]], end: bytes) -> None:
    assert minted(answer.replace(b"\n", end)) == [fingerprint(*each) for each in expected]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([{"type": "thinking", "thinking": "t", "signature": "s"}], [("s", "")]),
        ([{"type": "thinking", "thinking": "t"}], [("", "t")]),
        ([{"type": "redacted_thinking", "data": "d"}, {"type": "thinking", "thinking": "u"}], [("d", ""), ("", "u")]),
        ([1, None, {"type": "thinking", "thinking": 5}, {"type": ["thinking"]}], []),
        ([{"type": "text", "text": "thinking", "signature": "s"}], []),
        ({"type": "thinking"}, []),
        (None, []),
    ],
)
def test_messages(content: Any, expected: list[tuple[str, str]]) -> None:
    body = json.dumps({"type": "message", "content": content}, indent=1).encode()
    assert minted(body) == minted(b" \n" + body) == [fingerprint(*each) for each in expected]


def test_an_answer_that_breaks_off() -> None:
    assert minted(THINKING + delta(0, "signature_delta", "s")[:-1]) == [fingerprint("s", "")]


pieces = st.sampled_from(
    [b'"thinking"', b"signature_delta", b"thinking_delta", THINKING, b"\n\n", b"{", b'{"content":[']
)


@given(st.lists(st.binary(max_size=20) | pieces | streams, max_size=6))
def test_never_raises(parts: list[bytes]) -> None:
    assert isinstance(minted(b"".join(parts)), list)


@pytest.mark.parametrize("type", [["thinking"], {"thinking": 1}, None, 1])
def test_a_type_that_is_no_text_is_passed_over(type: object) -> None:
    block = {"type": type, "thinking": "t", "signature": "s"}
    assert minted(json.dumps({"content": [block]}).encode()) == []
    start = {"type": "content_block_start", "index": 0, "content_block": block}
    assert minted(b"event: content_block_start\ndata: " + json.dumps(start).encode() + b"\n\n") == []


def test_what_a_request_gives_back() -> None:
    """As a client writes it; what is no block is passed over."""
    thoughts = [
        {"type": "thinking", "thinking": "hm", "signature": "a"},
        {"type": "thinking", "thinking": "hm", "signature": None},
        {"type": "redacted_thinking", "data": "b"},
        {"type": "text", "text": "hm"},
        "hm",
    ]
    messages = [{"role": "user", "content": "hm"}, 7, {"role": "assistant", "content": thoughts}]
    found = thoughts_of(msgspec.json.encode({"messages": messages}))
    assert found == [fingerprint("a", ""), fingerprint("", "hm"), fingerprint("b", "")]
    assert thoughts_of(b"{") == thoughts_of(b'{"messages": 7}') == []
