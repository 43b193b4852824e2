"""Thinking blocks as one provider signs them, and its check of those that come back to it.

Rules: https://docs.claude.com/en/docs/build-with-claude/extended-thinking. Texts of the refusals follow the API's,
because clients and proxies key on them.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from turnout.testing.strict import Refusal
from turnout.testing.wire import RecordedRequest

_TURN_MUST_THINK = (
    "Expected `thinking` or `redacted_thinking`, but found `{found}`. When `thinking` is enabled, a final `assistant` "
    "message must start with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks)."
)


@dataclass(frozen=True)
class Mint:
    """Two mints of different names do not know each other's signatures."""

    name: str
    thinks_first: bool = False
    """Whether it asks, as Anthropic does, that a turn with tool calls began with a thought of its own."""

    def sign(self, thought: str) -> str:
        digest = hashlib.sha512(f"{self.name}\0{thought}".encode()).digest()
        return base64.b64encode(digest).decode()

    def made(self, block: dict[str, Any]) -> bool:
        """Whether this block carries this mint's signature for the very text it has."""
        return block.get("signature") == self.sign(str(block.get("thinking")))

    def check(self, request: RecordedRequest) -> None:
        """Raises Refusal for a block that this mint did not make, or made otherwise, and for one that is missing."""
        for place, block in thinking_blocks(request):
            if not self.made(block):
                raise _refused(f"{place}: Invalid `signature` in `thinking` block")
        if self.thinks_first and request.json.get("thinking", {}).get("type") == "enabled":
            _check_turn(request.json["messages"])


def thinking_blocks(request: RecordedRequest) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every thinking block of a conversation with its place, such as `messages.1.content.0`."""
    for position, message in enumerate(request.json["messages"]):
        for number, block in enumerate(message["content"] if isinstance(message["content"], list) else []):
            if block["type"] == "thinking":
                yield f"messages.{position}.content.{number}", block


def _check_turn(messages: list[dict[str, Any]]) -> None:
    """With a budget for thinking (models up to 4.5), a turn that calls tools has begun with a thought.

    A turn reaches over its tool results; only its first message must think.
    """
    first = None
    for position, message in enumerate(messages):
        content = message["content"]
        if message["role"] == "user" and not any(block["type"] == "tool_result" for block in _listed(content)):
            first = None
        elif message["role"] == "assistant" and first is None:
            first = position, _listed(content)
    if first is None:
        return
    position, blocks = first
    calls = any(block["type"] == "tool_use" for block in blocks)
    if calls and blocks[0]["type"] not in ("thinking", "redacted_thinking"):
        raise _refused(f"messages.{position}.content.0.type: {_TURN_MUST_THINK.format(found=blocks[0]['type'])}")


def _listed(content: Any) -> list[dict[str, Any]]:
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


def _refused(message: str) -> Refusal:
    return Refusal(400, "invalid_request_error", message)
