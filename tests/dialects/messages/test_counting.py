"""Point 7 of the rewriting: estimating input tokens on this machine."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
import splintr
from hypothesis import given
from hypothesis import strategies as st

from turnout.dialects.messages.counting import (
    IMAGE_CEILING,
    PAGE,
    PER_BLOCK,
    PER_MESSAGE,
    PER_TOOL,
    PIECE,
    TOKENIZER,
    TOOLS_PROMPT,
    count,
    image_tokens,
    tokenizer,
)
from turnout.errors import NotSupported

ADDON = Path(__file__).resolve().parents[3] / "addon"


def tokens(body: Any) -> int:
    return count(msgspec.json.decode(json.dumps(body), type=dict[str, msgspec.Raw]))


def in_a_message(*blocks: Any) -> int:
    return tokens({"messages": [{"role": "user", "content": list(blocks)}]}) - PER_MESSAGE


def of(text: str) -> int:
    return tokenizer()(text)


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0), ("hello world", 2), (" a" * 1000, 1000), ("tiktoken is great!", 6), ("お誕生日おめでとう", 8)],
)
def test_the_vocabulary_is_the_one_it_says(text: str, expected: int) -> None:
    """Counts of o200k_base by a second implementation (rs-bpe 0.1.0)."""
    assert TOKENIZER == "o200k_base"
    assert of(text) == expected


WEATHER = {"name": "weather", "description": "Tells the weather.", "input_schema": {"type": "object"}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, 0),
        ({"model": "m", "max_tokens": 99, "metadata": {"user_id": "hello world"}}, 0),
        ({"system": "hello world"}, 2),
        ({"system": [{"type": "text", "text": "hello world", "cache_control": {"type": "ephemeral"}}]}, 2),
        ({"messages": [{"role": "user", "content": "hello world"}] * 3}, 3 * (2 + PER_MESSAGE)),
        ({"tools": []}, 0),
    ],
)
def test_texts_are_counted_and_the_rest_is_not(body: Any, expected: int) -> None:
    assert tokens(body) == expected


def test_tools_are_counted_with_their_schema() -> None:
    parts = of("weather") + of("Tells the weather.") + of('{"type":"object"}')
    assert tokens({"tools": [WEATHER]}) == TOOLS_PROMPT + PER_TOOL + parts
    assert tokens({"tools": [WEATHER, WEATHER | {"cache_control": {}}]}) == TOOLS_PROMPT + 2 * (PER_TOOL + parts)
    server_tool = {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}
    assert tokens({"tools": [server_tool]}) == TOOLS_PROMPT + PER_TOOL + of('{"name":"web_search","max_uses":5}')


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({"type": "thinking", "thinking": "hello world", "signature": "x" * 999}, 2),
        ({"type": "redacted_thinking", "data": "x" * 160}, 30),
        ({"type": "tool_result", "tool_use_id": "toolu_1", "content": "hello world"}, PER_BLOCK + 2),
        ({"type": "tool_result", "content": [{"type": "text", "text": "hello world"}] * 2}, PER_BLOCK + 4),
        ({"type": "tool_result"}, PER_BLOCK),
        ({"type": "document", "source": {"type": "text", "data": "hello world"}, "title": "hello world"}, 4),
        ({"type": "document", "source": {"type": "content", "content": "hello world"}}, 2),
        ({"type": "document", "source": {"type": "base64", "data": "x" * 200_000}}, 3 * PAGE),
        ({"type": "document", "source": {"type": "url", "url": "https://example.org"}}, PAGE),
        ({"type": "image", "source": {"type": "url", "url": "https://example.org"}}, IMAGE_CEILING),
        ({"type": "image"}, IMAGE_CEILING),
        (
            {"type": "search_result", "title": "hello world", "source": "", "content": [{"type": "text", "text": "a"}]},
            3,
        ),
        ("hello world", 2),
    ],
)
def test_blocks(block: Any, expected: int) -> None:
    assert in_a_message(block) == expected


@pytest.mark.parametrize("kind", ["tool_use", "server_tool_use", "mcp_tool_use"])
def test_a_call_is_counted_with_its_input(kind: str) -> None:
    block = {"type": kind, "id": "toolu_1", "name": "weather", "input": {"city": "Zürich"}}
    assert in_a_message(block) == PER_BLOCK + of("weather") + of('{"city":"Zürich"}')


@pytest.mark.parametrize("odd", [1, True, {"a": [None]}, {"type": 1, "text": 2}, {"type": "new_block", "x": "y"}, [[]]])
def test_what_has_another_type_counts_as_its_json(odd: Any) -> None:
    bare = {key: value for key, value in odd.items() if key != "type"} if isinstance(odd, dict) else odd
    assert in_a_message(odd) == of(compact(bare))
    assert tokens({"system": {"type": "text", "text": odd}}) == of(compact(odd))


@pytest.mark.parametrize("raw", [b'"\\ud800"', b"1e999", b"[" * 200_000 + b"]" * 200_000, b"\xff", b"", b"["])
def test_what_cannot_be_read_counts_as_text(raw: bytes) -> None:
    text = raw.decode(errors="replace")
    assert count({name: msgspec.Raw(raw) for name in ("system", "messages", "tools")}) == 3 * of(text)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["content", "source", "data"]), inner),
    max_leaves=20,
)
_KINDS = ["text", "thinking", "image", "document", "search_result", "tool_use", "tool_result", "redacted_thinking"]
_BLOCKS = st.fixed_dictionaries(
    {"type": st.sampled_from(_KINDS)},
    optional={
        key: _JSON | st.fixed_dictionaries({"type": st.sampled_from(["text", "content", "base64"]), "data": st.text()})
        for key in ("text", "thinking", "source", "content", "input", "name", "data", "title")
    },
)


@given(st.fixed_dictionaries({}, optional={"system": _JSON, "messages": _JSON, "tools": _JSON}))
def test_nothing_makes_it_raise(body: Any) -> None:
    assert tokens(body) >= 0


@given(st.lists(_BLOCKS, max_size=4), _BLOCKS)
def test_a_block_more_never_counts_less(blocks: list[Any], another: Any) -> None:
    assert 0 <= in_a_message(*blocks) <= in_a_message(*blocks, another)


@given(st.text(min_size=1, max_size=40), st.integers(1, 3))
def test_cutting_a_long_text_costs_next_to_nothing(text: str, times: int) -> None:
    """What is tokenized at once is bounded, so that other threads get their turn."""
    long = text * (times * PIECE // len(text) + 1)
    whole = sum(of(long[start : start + PIECE]) for start in range(0, len(long), PIECE))
    assert of(long) == whole


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x06"


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + width.to_bytes(2, "little") + height.to_bytes(2, "little")


def jpeg(width: int, height: int) -> bytes:
    preview = b"\xff\xe1" + (60_000).to_bytes(2, "big") + bytes(59_998)
    frame = b"\xff\xff\xc2\x00\x11\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + b"\x03"
    return b"\xff\xd8" + preview + b"\xff\xc4\x00\x03\x00" + frame


def webp(kind: bytes, payload: bytes) -> bytes:
    return b"RIFF\0\0\0\0WEBP" + kind + b"\0\0\0\0" + payload.ljust(20, b"\0")


def webp_extended(width: int, height: int) -> bytes:
    return webp(b"VP8X", bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"))


def webp_lossless(width: int, height: int) -> bytes:
    return webp(b"VP8L", b"\x2f" + (width - 1 | height - 1 << 14).to_bytes(4, "little"))


def webp_lossy(width: int, height: int) -> bytes:
    return webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + width.to_bytes(2, "little") + height.to_bytes(2, "little"))


@pytest.mark.parametrize("make", [png, gif, jpeg, webp_extended, webp_lossless, webp_lossy])
@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (1, 1, 1),
        (750, 1, 1),
        (200, 200, 54),
        (1000, 1000, 1334),
        (3000, 300, 328),
        (300, 3000, 328),
        (9000, 9000, 1600),
    ],
)
def test_an_image_counts_by_its_size(make: Any, width: int, height: int, expected: int) -> None:
    """Anthropic's rule of thumb: width x height / 750, after scaling down to an edge of 1568."""
    data = base64.b64encode(make(width, height) + bytes(200_000)).decode()
    assert image_tokens(data) == expected
    assert in_a_message({"type": "image", "source": {"type": "base64", "data": data}}) == expected


@pytest.mark.parametrize("make", [png, gif, jpeg, webp_extended, webp_lossless, webp_lossy])
def test_an_image_that_is_cut_short_counts_as_large(make: Any) -> None:
    whole = make(20, 20)
    for end in (3, 9, 20, len(whole) // 2):
        assert image_tokens(base64.b64encode(whole[:end]).decode()) in (IMAGE_CEILING, 1)


@pytest.mark.parametrize("data", ["", "?", "ü", "AAAA", "A", base64.b64encode(png(0, 5)).decode()])
def test_an_image_of_unknown_size_counts_as_large(data: str) -> None:
    assert image_tokens(data) == IMAGE_CEILING


@given(st.binary(max_size=60), st.sampled_from([b"", b"\xff\xd8", b"\xff\xd8\xff", b"GIF89a", b"RIFF\0\0\0\0WEBPVP8 "]))
def test_no_image_makes_it_raise(data: bytes, beginning: bytes) -> None:
    assert 1 <= image_tokens(base64.b64encode(beginning + data).decode()) <= IMAGE_CEILING


def test_threads_count_alike() -> None:
    body = {"messages": [{"role": "user", "content": f"{number} bottles of beer " * 400} for number in range(20)]}
    expected = tokens(body)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(tokens, [body] * 32)) == {expected}


@pytest.fixture
def lengths(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The lengths of the texts that the encoder is given, one after the other. It encodes as ever."""
    encode = splintr.Tokenizer.from_pretrained(TOKENIZER).encode_ordinary
    given_lengths: list[int] = []

    class Recorded:
        @classmethod
        def from_pretrained(cls, name: str) -> Recorded:
            return cls()

        def encode_ordinary(self, text: str) -> list[int]:
            given_lengths.append(len(text))
            return encode(text)

    monkeypatch.setattr(splintr, "Tokenizer", Recorded)
    tokenizer.cache_clear()
    yield given_lengths
    tokenizer.cache_clear()


def test_other_threads_get_their_turn_while_it_counts(lengths: list[int]) -> None:
    """The encoder keeps the interpreter to itself, so it is never given more than a piece, wherever a text stands."""
    long = "some words of a long text " * (3 * PIECE // 26)
    tool = {"name": long, "description": long, "input_schema": {"type": "object", "title": long}}
    blocks = [{"type": "text", "text": long}, {"type": "tool_use", "name": "weather", "input": {"city": long}}]
    whole = {"system": long, "messages": [{"role": "user", "content": blocks}], "tools": [tool, {"name": long}]}
    unreadable = long.encode()
    tokens(whole)
    count({"system": msgspec.Raw(unreadable)})
    assert sum(lengths) > 8 * len(long)
    assert max(lengths) <= PIECE


@pytest.fixture
def no_tokenizer(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    tokenizer.cache_clear()
    monkeypatch.setitem(sys.modules, "splintr", None)
    yield
    tokenizer.cache_clear()


def test_without_the_extra_it_says_what_to_install(no_tokenizer: None) -> None:
    with pytest.raises(NotSupported, match=r"pip install 'turnout\[estimate\]'"):
        count({})


def test_the_tokenizer_is_loaded_with_the_first_count_and_from_no_network() -> None:
    """Sockets are refused in a process of its own."""
    script = """
import sys
sys.addaudithook(lambda event, _: exit(event) if event.startswith(("socket.", "urllib.")) else None)
from turnout.dialects.messages.counting import count, tokenizer
assert "splintr" not in sys.modules
count({})
assert tokenizer()("hello world") == 2
"""
    environment = {"PYTHONPATH": str(ADDON), "HOME": "/nonexistent"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
