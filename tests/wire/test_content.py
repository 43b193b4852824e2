"""What of a stream is a word of the answer, and what only says that there will be one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnout.wire.content import is_error, says_something
from turnout.wire.sse import Event


def event(name: str, **data: Any) -> Event:
    return Event(name, json.dumps({"type": name, **data}).encode())


def block(**members: Any) -> Event:
    return event("content_block_start", index=0, content_block=members)


def delta(**members: Any) -> Event:
    return event("content_block_delta", index=0, delta=members)


SILENT = [
    event("message_start", message={"id": "msg_1", "content": []}),
    event("ping"),
    event("content_block_stop", index=0),
    event("message_delta", delta={"stop_reason": None}, usage={"output_tokens": 1}),
    event("unheard_of", text="x"),
    block(type="text", text=""),
    block(type="text", text="", citations=None),
    block(type="thinking", thinking="", signature=""),
    block(type="tool_use", id="toolu_1", name="Bash", input={}),
    block(type="tool_use", id="toolu_1", name="Bash", input={}, caller={"type": "direct"}),
    block(type="server_tool_use", id="srvtoolu_1", name="web_search", input={}),
    delta(type="text_delta", text=""),
    delta(type="thinking_delta", thinking="", estimated_tokens=0),
    delta(type="input_json_delta", partial_json=""),
    Event("content_block_delta", b"{"),
    Event("content_block_delta", b"[1]"),
    Event("content_block_delta", b'{"delta":"x"}'),
    Event("content_block_start", b'{"content_block":["x"]}'),
    Event("message_delta", b""),
]

TELLING = [
    delta(type="text_delta", text=" "),
    delta(type="thinking_delta", thinking="Hm"),
    delta(type="thinking_delta", thinking="", estimated_tokens=50),
    delta(type="signature_delta", signature="EqQB"),
    delta(type="input_json_delta", partial_json="{"),
    delta(type="citations_delta", citation={"type": "char_location"}),
    delta(type="compaction_delta", content="x"),
    block(type="text", text="Hi"),
    block(type="tool_use", id="toolu_1", name="Bash", input={"command": "ls"}),
    block(type="redacted_thinking", data="EqQB"),
    block(type="web_search_tool_result", tool_use_id="srvtoolu_1", content=[]),
    block(type="fallback", model="claude-sonnet-5"),
    event("message_delta", delta={"stop_reason": "end_turn"}),
    event("message_stop"),
    Event("", b'{"type":"content_block_delta","delta":{"text":"Hi"}}'),
]


@pytest.mark.parametrize("said", SILENT, ids=repr)
def test_nothing_is_said(said: Event) -> None:
    assert not says_something(said)


@pytest.mark.parametrize("said", TELLING, ids=repr)
def test_something_is_said(said: Event) -> None:
    assert says_something(said)


@pytest.mark.parametrize(
    ("told", "error"),
    [
        (Event("error", b""), True),
        (Event("", b'{"type":"error"}'), True),
        (Event("", b'{"error":{"code":502}}'), True),
        (Event("", b'{"error":null}'), False),
        (Event("", b"[DONE]"), False),
        (Event("ping", b'{"type":"error"}'), False),
    ],
)
def test_errors(told: Event, error: bool) -> None:
    assert is_error(told) is error
