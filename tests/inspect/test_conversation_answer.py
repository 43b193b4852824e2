"""Answers of the Messages API as text."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.inspect.conversation import Body, Timing, messages_answer, renderer_of
from turnout.testing import events as make
from turnout.testing.events import Event

NOT_TIMED = Timing()


def stream(events: Iterable[Event]) -> bytes:
    return b"".join(event.encode("claude-opus-4-8") for event in events)


def shown(data: bytes, timing: Timing = NOT_TIMED) -> str:
    body = Body(data, timing=timing)
    renderer = renderer_of(body)
    assert renderer is messages_answer
    return renderer.render(body)


WHOLE = [
    make.message_start(input_tokens=25, cache_read=12000, cache_write=300),
    *make.thinking_block(0, ["let me ", "see"], "c2ln"),
    *make.text_block(1, ["Hello ", "world"]),
    *make.tool_use_block(2, "Bash", {"command": "ls"}),
    make.ping(),
    make.message_delta("tool_use", output_tokens=77),
    make.message_stop(),
]


def test_a_stream_is_read_as_one_message() -> None:
    page = shown(stream(WHOLE), Timing(0.84, 3.2))
    assert page.startswith("━━ Messages answer · claude-opus-4-8 · ")
    rows = dict(line.split(maxsplit=1) for line in page.splitlines() if line.startswith(("timing", "usage", "form")))
    assert rows == {
        "usage": "25 input · 12,000 cached · 300 cache write · 77 output",
        "timing": "first byte after 0.84 s · last byte after 3.20 s",
        "form": f"stream of {len(WHOLE)} events",
    }
    assert "stop reason         tool_use\n" in page
    assert "97% of 12,325 input tokens came from the cache" in page
    blocks = [
        "  thinking · signature of 4 characters\n    let me see\n",
        "  text\n    Hello world\n",
        '  tool_use Bash · toolu_01scripted\n    {\n      "command": "ls"\n    }\n',
    ]
    places = [page.index(block) for block in blocks]
    assert places == sorted(places)
    assert page.endswith("  1  message_delta\n  1  message_stop\n") and "  8  content_block_delta\n" in page
    assert "CUT OFF" not in page


def test_a_json_message_says_the_same_but_for_the_events() -> None:
    message = make.folded(WHOLE, "claude-opus-4-8")
    page, streamed = shown(json.dumps(message).encode()), shown(stream(WHOLE))
    assert "one piece of JSON" in page and "Events" not in page
    content = page.split("━━ Content")[1]
    assert content and content.rstrip() in streamed


def test_a_cut_stream_says_so_and_shows_what_came() -> None:
    # The last of the pieces of the tool's input is cut in the middle of its frame.
    page = shown(stream(WHOLE)[: len(stream(WHOLE[:-5])) + 60])
    assert "CUT OFF" in page.splitlines()[0]
    assert "the stream ends without message_stop" in page and "stop reason         none" in page
    assert "Hello world" in page and "INPUT CUT SHORT" in page


def test_an_input_that_is_cut_short_is_shown_as_it_came() -> None:
    tool = make.tool_use_block(0, "Write", {"path": "/a", "text": "b"})
    page = shown(stream([make.message_start(), *tool[:3]]))
    assert "tool_use Write · toolu_01scripted · INPUT CUT SHORT\n    {" in page


def test_an_error_in_the_middle_of_a_stream() -> None:
    page = shown(stream([make.message_start(), *make.text_block(0, ["half"]), make.error("api_error", "It broke.")]))
    assert "ENDS IN AN ERROR" in page.splitlines()[0]
    assert "  api_error\n    It broke.\n" in page and "    half" in page and "CUT OFF" not in page


@pytest.mark.parametrize("data", [stream([make.error()]), json.dumps(make.error().data).encode()])
def test_an_error_alone(data: bytes) -> None:
    page = shown(data)
    assert page.startswith("━━ Error · ") and "  overloaded_error\n    Overloaded\n" in page


def test_other_members_are_not_lost() -> None:
    details = {"type": "refusal", "category": "cyber"}
    message: dict[str, Any] = {
        "type": "message",
        "content": [],
        "stop_reason": "refusal",
        "stop_details": details,
        "usage": None,
    }
    error = {"type": "error", "error": {"type": "x", "message": "y", "details": {"error_code": "z"}}}
    assert "stop_details        refusal, category cyber" in shown(json.dumps(message).encode())
    assert '"error_code": "z"' in shown(json.dumps(error).encode())


def test_a_stream_of_pings_has_no_message() -> None:
    assert shown(stream([make.ping()])).startswith("━━ Answer without a message · ")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"<html></html>",
        b'{"error": {"message": "of somebody else"}}',
        b'{"type": "message"}',
        b'data: {"object":"text_completion"}\n\n',
        b"event: response.created\ndata: {}\n\n",
    ],
)
def test_other_bodies_do_not_match(data: bytes) -> None:
    assert renderer_of(Body(data)) is None


@given(st.integers(0, len(stream(WHOLE))), st.binary(max_size=30))
def test_every_cut_and_any_noise_is_shown_or_refused(cut: int, noise: bytes) -> None:
    data = stream(WHOLE)[:cut] + noise
    renderer = renderer_of(Body(data))
    if renderer is not None:
        try:
            assert renderer.render(Body(data)).startswith("━━ ")
        except ValueError as refused:
            assert "no answer" in str(refused)


JSON_VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = st.dictionaries(st.sampled_from(["usage", "stop_reason", "model", "id", "container"]), JSON_VALUES)


@given(MEMBERS, st.lists(JSON_VALUES, max_size=3))
def test_any_json_message_is_shown(members: dict[str, Any], content: list[Any]) -> None:
    assert shown(json.dumps({"type": "message", "content": content, **members}).encode())


@given(st.dictionaries(st.sampled_from(["type", "message", "other"]), JSON_VALUES))
def test_any_json_error_is_shown(error: dict[str, Any]) -> None:
    assert shown(json.dumps({"type": "error", "error": error}).encode()).startswith("━━ Error")


def test_a_stream_of_megabytes_is_fast() -> None:
    """The limit of the issue is 150 ms for 1.5 MB."""
    data = stream([make.message_start(), *make.text_block(0, ["hello wor"] * 14_000), make.message_delta()])
    assert len(data) > 1_400_000
    best = 1.0
    for _ in range(3):
        begun = time.process_time()
        page = shown(data)
        best = min(best, time.process_time() - begun)
    assert "14,000  content_block_delta" in page and best < 0.15
