"""A secret that a model says piece by piece is found in what the pieces add up to."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from turnout.dialects.messages.assembled import assembled
from turnout.redaction.secret import Secret
from turnout.redaction.streams import without_split_secrets
from turnout.testing.events import message_start, message_stop, text_block, tool_use_block

KEY = "sk-ant-api03-Canary0123456789abcdef"


def stream(pieces: list[str]) -> bytes:
    return b"".join(event.encode() for event in (message_start(), *text_block(0, pieces), message_stop()))


def text(body: bytes) -> str:
    found = assembled(body, "text/event-stream")
    assert found is not None
    return "".join(block.get("text", "") for block in found.message["content"])


@given(st.lists(st.integers(0, len(KEY) + 12), max_size=6), st.booleans())
def test_wherever_the_pieces_end(cuts: list[int], known: bool) -> None:
    secret = "correct horse battery staple 123456" if known else KEY
    whole = f"My key {secret} ends"
    edges = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    body = stream([whole[start:end] for start, end in zip(edges, edges[1:], strict=False)])
    masked = without_split_secrets(body, [Secret(secret)] if known else ())
    assert len(masked) == len(body)
    assert text(masked) == f"My key {'*' * len(secret)} ends"


@given(st.lists(st.text(alphabet="abc-_ \n\"\\é", max_size=9), max_size=8))
def test_a_stream_without_secrets_stays_the_same_object(pieces: list[str]) -> None:
    body = stream(pieces)
    assert without_split_secrets(body) is body


def test_the_input_of_a_tool_stays_json() -> None:
    body = b"".join(event.encode() for event in tool_use_block(0, "Bash", {"command": f"echo {KEY}"}))
    masked = without_split_secrets(body)
    deltas = [json.loads(line[6:]) for line in masked.splitlines() if line.startswith(b"data: ")]
    joined = "".join(event["delta"]["partial_json"] for event in deltas if event["type"] == "content_block_delta")
    assert "Canary" not in joined and json.loads(joined)["command"].startswith("echo *")


def test_a_thought_that_every_event_tells_twice() -> None:
    """As OpenRouter does: each member adds up to a text of its own."""
    pieces = ("My key ", KEY[:9], KEY[9:], " ends")
    deltas = [{"reasoning": piece, "reasoning_details": [{"text": piece}]} for piece in pieces]
    masked = without_split_secrets(b"".join(b"data: " + json.dumps(delta).encode() + b"\n\n" for delta in deltas))
    told = [json.loads(line[6:]) for line in masked.splitlines() if line]
    whole = f"My key {'*' * len(KEY)} ends"
    assert "".join(delta["reasoning"] for delta in told) == whole
    assert "".join(delta["reasoning_details"][0]["text"] for delta in told) == whole
