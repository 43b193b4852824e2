"""A mint knows its own thinking blocks again, and asks for them where Anthropic does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnout.testing.mint import Mint, thinking_blocks
from turnout.testing.strict import Refusal
from turnout.testing.wire import RecordedRequest

OWN, OTHER = Mint("anthropic", thinks_first=True), Mint("minimax")
CALL = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "done"}]}
ASKS = {"role": "user", "content": "hello"}


def thought(mint: Mint, text: str = "hm") -> dict[str, Any]:
    return {"type": "thinking", "thinking": text, "signature": mint.sign(text)}


def said(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def request(*messages: dict[str, Any], thinking: str = "enabled") -> RecordedRequest:
    body = {"thinking": {"type": thinking}, "messages": list(messages)}
    return RecordedRequest("POST", "/v1/messages", [], json.dumps(body).encode())


@pytest.mark.parametrize(
    "messages",
    [
        [ASKS],
        [ASKS, said(thought(OWN), CALL), RESULT],
        [ASKS, said(thought(OWN), CALL), RESULT, said(CALL), RESULT],
        [ASKS, said(CALL), RESULT, said(thought(OWN)), ASKS],
    ],
    ids=["a prompt", "a turn that thought", "a turn that went on without", "an earlier turn"],
)
def test_what_it_takes(messages: list[dict[str, Any]]) -> None:
    OWN.check(request(*messages))


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([ASKS, said(thought(OTHER))], "messages.1.content.0: Invalid `signature` in `thinking` block"),
        ([ASKS, said({**thought(OWN), "thinking": "so"})], "messages.1.content.0: Invalid `signature`"),
        ([ASKS, said(CALL, {**thought(OWN), "signature": ""})], "messages.1.content.1: Invalid `signature`"),
        ([ASKS, said(CALL), RESULT], "messages.1.content.0.type: Expected `thinking`"),
        ([ASKS, said(CALL), RESULT, said(thought(OWN), CALL), RESULT], "messages.1.content.0.type: Expected"),
    ],
    ids=["another's", "changed", "unsigned", "a turn that did not think", "a turn that thought too late"],
)
def test_what_it_refuses(messages: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(Refusal) as caught:
        OWN.check(request(*messages))
    assert (caught.value.status, caught.value.type) == (400, "invalid_request_error")
    assert caught.value.message.startswith(message)


def test_only_a_budget_asks_for_a_thought_at_the_beginning() -> None:
    turn = [ASKS, said(CALL), RESULT]
    OWN.check(request(*turn, thinking="adaptive"))
    OTHER.check(request(*turn))


def test_where_the_blocks_are() -> None:
    found = thinking_blocks(request(ASKS, said(CALL, thought(OWN)), RESULT))
    assert list(found) == [("messages.1.content.1", thought(OWN))]
