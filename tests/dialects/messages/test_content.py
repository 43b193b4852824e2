"""What of a stream is a word of the answer, and what only says that there will be one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnout.dialects.messages.content import says_something
from turnout.dialects.messages.events import Recognised, recognise


def event(name: str, **data: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()


def told(frame: bytes) -> Recognised:
    found = recognise(frame)
    assert found is not None
    return found


def block(**members: Any) -> bytes:
    return event("content_block_start", index=0, content_block=members)


def delta(**members: Any) -> bytes:
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
    b"event: content_block_delta\ndata: {\n\n",
    b"event: content_block_delta\ndata: [1]\n\n",
    b'event: content_block_delta\ndata: {"delta":"x"}\n\n',
    b'event: content_block_start\ndata: {"content_block":["x"]}\n\n',
    b"event: message_delta\ndata: \n\n",
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
    b'data: {"type":"content_block_delta","delta":{"text":"Hi"}}\n\n',
]


@pytest.mark.parametrize("said", SILENT, ids=repr)
def test_nothing_is_said(said: bytes) -> None:
    assert not says_something(told(said))


@pytest.mark.parametrize("said", TELLING, ids=repr)
def test_something_is_said(said: bytes) -> None:
    assert says_something(told(said))
