"""What an answer comes to, and in what two answers differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.recordings.replay.comparing import Substance, ToolCall, differences, faults, readable, substance
from turnout.testing.events import (
    Event,
    error,
    event,
    message_delta,
    message_start,
    message_stop,
    ping,
    stream_of,
    text_block,
    thinking_turn,
    tool_turn,
)

STREAM, JSON = "text/event-stream", "application/json"


def of(events: Sequence[Event], status: int = 200) -> Substance:
    return substance(status, STREAM, b"".join(each.encode("some-model") for each in events))


def of_json(value: Any, status: int = 200) -> Substance:
    return substance(status, JSON, json.dumps(value).encode())


def failed(status: int, type: str, message: str = "no") -> Substance:
    return of_json({"type": "error", "error": {"type": type, "message": message}}, status)


HELLO = of(stream_of("Hello there, how are you?"))


def test_a_stream() -> None:
    found = of(tool_turn("Bash", {"command": "ls"}, say="Let me look."))
    assert found == Substance(
        200,
        True,
        (
            "message_start", "content_block_start", "content_block_delta", "content_block_stop",
            "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop",
        ),
        "Let me look.",
        "",
        (ToolCall("Bash", {"command": "ls"}),),
        "tool_use",
        {"input_tokens": 25, "output_tokens": 15},
    )  # fmt: skip


def test_thinking_and_text_are_kept_apart() -> None:
    found = of(thinking_turn("Hm.", "Yes."))
    assert (found.thinking, found.text) == ("Hm.", "Yes.")


def test_an_error_body() -> None:
    found = failed(429, "rate_limit_error", "Slow down.")
    assert (found.complete, found.error, found.error_message) == (True, "rate_limit_error", "Slow down.")


def test_an_error_inside_a_stream() -> None:
    found = of([message_start(), error("overloaded_error")])
    assert (found.complete, found.error, found.events) == (False, "overloaded_error", ("message_start", "error"))


def test_counted_tokens_are_usage() -> None:
    """B6: /v1/messages/count_tokens."""
    found = of_json({"input_tokens": 12})
    assert (found.complete, found.usage) == (True, {"input_tokens": 12})
    assert [each.explanation for each in differences(found, of_json({"input_tokens": 13}))] == ["input_tokens 12 → 13"]


def test_names_that_a_provider_gives_itself_do_not_count() -> None:
    one = tool_turn("Bash", {"command": "ls"}, id="toolu_01a")
    other = [message_start("MiniMax-M3", id="msg_other"), *tool_turn("Bash", {"command": "ls"}, id="call_7")[1:]]
    assert differences(of(one), of(other)) == ()


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=8),
    st.lists(st.integers(0, 8), max_size=4),
)
def test_chunks_and_pings_do_not_count(parts: list[str], pings: list[int]) -> None:
    """However a text is cut into deltas, and wherever pings stand."""

    def answer(parts: list[str]) -> list[Event]:
        return [message_start(), *text_block(0, parts), message_delta(), message_stop()]

    events = answer(parts)
    for place in pings:
        events.insert(min(place, len(events)), ping())
    assert of(events) == of(answer(["".join(parts)]))


@given(st.binary(max_size=300), st.binary(max_size=300), st.sampled_from([STREAM, JSON, "text/html", ""]))
def test_no_answer_raises(one: bytes, other: bytes, kind: str) -> None:
    first, second = substance(200, kind, one), substance(200, kind, other)
    assert bool(differences(first, second)) == (first != second)


_JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_EVENTS = st.lists(
    st.builds(
        event,
        st.sampled_from(
            ["message_start", "content_block_start", "content_block_delta", "message_delta", "error", "ping", "odd"]
        ),
        index=_JSON_VALUES | st.just(0),
        message=_JSON_VALUES | st.just({"model": "m", "content": [], "usage": {"input_tokens": 3}}),
        content_block=_JSON_VALUES | st.just({"type": "tool_use", "name": "Bash", "input": {}}),
        delta=_JSON_VALUES | st.just({"type": "input_json_delta", "partial_json": '{"a'}),
        usage=_JSON_VALUES,
        error=_JSON_VALUES,
    ),
    max_size=6,
)


@given(_EVENTS, _EVENTS)
def test_no_stream_raises(one: list[Event], other: list[Event]) -> None:
    def answer(events: list[Event]) -> Substance:
        return substance(200, STREAM, b"".join(map(_encoded, events)))

    first, second = answer(one), answer(other)
    assert differences(first, first) == ()
    names = [each.name for each in differences(first, second)]
    assert names == [each.name for each in differences(second, first)]
    assert all(each.explanation.isprintable() for each in differences(first, second))


def _encoded(each: Event) -> bytes:
    return f"event: {each.name}\ndata: {json.dumps(each.data)}\n\n".encode()


TOOL = of(tool_turn("Bash", {"command": "ls -l", "timeout": 3}))


@pytest.mark.parametrize(
    ("now", "name", "explanation"),
    [
        (
            of(stream_of("Hello there, who are you?")),
            "text",
            'recorded "Hello there, how are you?", now "Hello there, who are you?" '
            "(at character 14; 25 characters and 25)",
        ),
        (replace(HELLO, text=""), "text", "recorded 25 characters, now none"),
        (replace(HELLO, thinking="Hm."), "thinking", "recorded none, now 3 characters"),
        (replace(HELLO, stop_reason="max_tokens"), "stop_reason", "recorded end_turn, now max_tokens"),
        (replace(HELLO, stop_reason=None), "stop_reason", "recorded end_turn, now none"),
        (
            replace(HELLO, usage={"input_tokens": 25, "output_tokens": 7, "cache_read_input_tokens": 4}),
            "usage",
            "output_tokens 15 → 7, cache_read_input_tokens 0 → 4",
        ),
        (replace(HELLO, tools=(ToolCall("Bash", {}),)), "tools", "recorded none; now Bash"),
        (replace(HELLO, events=()), "events", "recorded a stream, now no stream"),
        (
            replace(HELLO, events=(*HELLO.events[:3], "content_block_start", *HELLO.events[3:])),
            "events",
            "event 4: recorded content_block_stop, now content_block_start (6 and 7 events)",
        ),
        (
            replace(HELLO, events=HELLO.events[:-1]),
            "events",
            "event 6: recorded message_stop, now the end (6 and 5 events)",
        ),
        (
            replace(HELLO, complete=False),
            "complete",
            "the recorded answer is whole, the new one breaks off or is none of the API",
        ),
        (failed(529, "overloaded_error", "\x1b[2J"), "status", "recorded 200, now 529 (overloaded_error: \\x1b[2J)"),
        (replace(HELLO, error="api_error"), "error", "recorded no error, now api_error"),
    ],
)  # fmt: skip
def test_a_difference_in_words(now: Substance, name: str, explanation: str) -> None:
    (found,) = differences(HELLO, now)
    assert (found.name, found.explanation) == (name, explanation)


@pytest.mark.parametrize(
    ("calls", "explanation"),
    [
        ([("Read", {"path": "a"})], "recorded Bash; now Read"),
        (
            [("Bash", {"command": "ls -a", "timeout": 3})],
            'input of Bash (call 1): recorded "{"command": "ls -l", "timeout": 3}", '
            'now "{"command": "ls -a", "timeout": 3}" (at character 18; 34 characters and 34)',
        ),
        ([("Bash", {"command": "ls -l", "timeout": 3}), ("Bash", {})], "recorded Bash; now Bash, Bash"),
    ],
)
def test_different_tool_calls(calls: list[tuple[str, Any]], explanation: str) -> None:
    now = replace(TOOL, tools=tuple(ToolCall(*call) for call in calls))
    assert [each.explanation for each in differences(TOOL, now)] == [explanation]


def test_the_order_of_keys_in_a_tool_input_does_not_count() -> None:
    assert differences(TOOL, of(tool_turn("Bash", {"timeout": 3, "command": "ls -l"}))) == ()


def test_a_long_text_is_shown_around_the_difference() -> None:
    one = "a" * 500 + "left" + "b" * 500
    (found,) = differences(replace(HELLO, text=one), replace(HELLO, text=one.replace("left", "right")))
    assert found.explanation == (
        f'recorded "…{"a" * 24}left{"b" * 20}…", now "…{"a" * 24}right{"b" * 19}…" '
        "(at character 501; 1004 characters and 1005)"
    )


ALL = stream_of("Hello there, how are you?")
CUT = ALL[:4]


@pytest.mark.parametrize(
    ("one", "other", "names"),
    [
        (CUT, [*CUT, error("api_error", "minimax: connection closed")], []),
        ([*CUT, error("api_error", "a: b")], [*CUT, error("api_error", "minimax: connection closed")], []),
        (CUT, [*CUT, error("overloaded_error", "minimax: too busy")], ["error", "events"]),
        (CUT, [*CUT, error("api_error", "Internal server error")], ["error", "events"]),
        (CUT, [*CUT[:3], error("api_error", "minimax: connection closed")], ["events", "text"]),
        (ALL, [*CUT, error("api_error", "minimax: connection closed")], ["complete", "error", "events", "text"]),
    ],
)
def test_that_a_stream_broke_off_may_be_said(one: list[Event], other: list[Event], names: list[str]) -> None:
    """A recording holds what the provider sent; Turnout tells its client in an event that there is no more."""
    ignored = {"stop_reason", "usage"}
    for before, after in ((one, other), (other, one)):
        assert [each.name for each in differences(of(before), of(after)) if each.name not in ignored] == names


def test_success_that_became_failure_is_one_difference() -> None:
    assert [each.name for each in differences(HELLO, failed(401, "authentication_error"))] == ["status"]


@pytest.mark.parametrize(
    ("recorded", "now", "name"),
    [
        (HELLO, of(stream_of("Something else")), None),
        (HELLO, of(stream_of()[:-1]), "complete"),
        (HELLO, substance(200, "text/html", b"<html>"), "complete"),
        (HELLO, failed(500, "api_error"), "status"),
        (of(stream_of()[:-1]), HELLO, None),
        (of(stream_of()[:-1]), of(stream_of()[:-2]), None),
        (failed(429, "rate_limit_error"), failed(400, "invalid_request_error"), None),
        (failed(429, "rate_limit_error"), HELLO, "status"),
        (None, HELLO, None),
        (None, of(stream_of()[:-1]), "complete"),
        (None, failed(529, "overloaded_error"), "status"),
    ],
)
def test_faults(recorded: Substance | None, now: Substance, name: str | None) -> None:
    assert [each.name for each in faults(recorded, now)] == ([name] if name else [])


def test_readable() -> None:
    assert readable("Ä\x1b[31m\n\x9b\ud800") == "Ä\\x1b[31m\\n\\x9b\\ud800"
