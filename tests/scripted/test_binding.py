"""A mint that binds what it signs: to the model, the account, and every word before."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnout.testing.binding import BETA, BoundMint
from turnout.testing.refusal import Refusal
from turnout.testing.wire import RecordedRequest

MINT = BoundMint("anthropic")
MODEL = "claude-opus-5-5"
ASKED = [{"role": "user", "content": "hello"}]
ON = {"role": "user", "content": "go on"}


def request(messages: list[Any], *, account: str = "one", betas: str = "", **fields: Any) -> RecordedRequest:
    body = {"model": MODEL, "system": "be brief", "messages": messages, **fields}
    headers = [("x-api-key", account), ("anthropic-beta", betas)]
    return RecordedRequest("POST", "/v1/messages", headers, json.dumps(body).encode())


def answered(mint: BoundMint = MINT) -> list[Any]:
    thought = {"type": "thinking", "thinking": "hm", "signature": mint.seal(request(ASKED), "hm")}
    return [*ASKED, {"role": "assistant", "content": [thought, {"type": "text", "text": "hi"}]}, ON]


MARKED = [{"role": "user", "content": [{"type": "text", "text": "hello", "cache_control": {"type": "ephemeral"}}]}]


@pytest.mark.parametrize("before", [ASKED, MARKED], ids=["as it was", "with a marker"])
def test_the_same_conversation(before: list[Any]) -> None:
    MINT.check(request([*before, *answered()[1:]]))


@pytest.mark.parametrize(
    ("fields", "before"),
    [({"system": "be kind"}, ASKED), ({"tools": []}, ASKED), ({}, [{"role": "user", "content": "Hello"}])],
    ids=["another prompt", "other tools", "another question"],
)
def test_another_conversation(fields: dict[str, Any], before: list[Any]) -> None:
    messages = [*before, *answered()[1:]]
    with pytest.raises(Refusal, match="messages.1.content.0: Invalid `signature`.* bound to a different conversation"):
        MINT.check(request(messages, **fields))
    drops = {"thinking": {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}}
    with pytest.raises(Refusal, match="bound to a different conversation"):
        MINT.check(request(messages, **fields, **drops))
    MINT.check(request(messages, **fields, **drops, betas=BETA))


def test_another_model_reads_nothing_of_it() -> None:
    asked = request(answered(), model="claude-sonnet-5-5")
    MINT.check(asked)
    assert MINT.transformations(asked) == [
        {"type": "thinking_dropped", "path": "messages.1.content.0", "reason": "model_binding_mismatch"}
    ]


def test_another_account() -> None:
    asked = request(answered(), account="two")
    with pytest.raises(Refusal, match="messages.1.content.0: Invalid `signature` in `thinking` block'"):
        MINT.check(asked)
    BoundMint("anthropic", of_other_accounts="dropped").check(asked)


@pytest.mark.parametrize("signature", ["", "c2lnbmVk", BoundMint("other").seal(request(ASKED), "hm")])
def test_what_it_has_not_made(signature: str) -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": signature}
    with pytest.raises(Refusal, match="Invalid `signature`"):
        MINT.check(request([*ASKED, {"role": "assistant", "content": [thought]}, ON]))
