"""Answers of a thinking model that works with tools, each with a thought of its own, signed by its provider."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests.e2e.claude_code import FINAL_TEXT
from turnout.testing.events import (
    Event,
    event,
    message_delta,
    message_start,
    message_stop,
    text_block,
    thinking_block,
    tool_use_block,
)
from turnout.testing.mint import Mint, thinking_blocks
from turnout.testing.replies import Reply, sse
from turnout.testing.wire import RecordedRequest

REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)

TITLE = '{"title": "Where it was"}'


class Thinker:
    """The script of one provider. `signs` False gives thinking blocks an empty signature, as many vendors do."""

    def __init__(self, name: str, *, signs: bool = True) -> None:
        self.name = name
        self.mint = Mint(name, thinks_first=name == "anthropic")
        self.blocks: list[dict[str, Any]] = []
        """Every thinking block it has answered with, as a client has to send it back."""
        self._signs = signs

    def call(self) -> Reply:
        """Thinks, then has Bash reckon: the n-th answer of `minimax` yields "minimax-10n"."""
        number = len(self.blocks)
        command = {"command": f"echo {self.name}-$(({number} + 100))", "description": "Say where it was"}
        call = tool_use_block(1, "Bash", command, id=f"toolu_{self.name}{number}")
        return sse(self._answer([*self._thinks(), *call], "tool_use"))

    def says(self, text: str = FINAL_TEXT) -> Reply:
        """Thinks, then ends the turn."""
        return sse(self._answer([*self._thinks(), *text_block(1, [text])], "end_turn"))

    def _thinks(self) -> list[Event]:
        thought = f"{self.name} thinks for the {len(self.blocks) + 1}. time"
        signature = self.mint.sign(thought) if self._signs else ""
        self.blocks.append({"type": "thinking", "thinking": thought, "signature": signature})
        return thinking_block(0, [thought[:9], thought[9:]], signature)

    def _answer(self, blocks: Iterable[Event], reason: str) -> list[Event]:
        start = message_start(id=f"msg_{self.name}{len(self.blocks)}")
        return [start, *blocks, message_delta(reason), message_stop()]


def asks_for_title(request: RecordedRequest) -> bool:
    """The one request of Claude Code that brings no tools."""
    return not request.json.get("tools")


def is_subagent(request: RecordedRequest) -> bool:
    """A subagent's own conversation."""
    return "x-claude-code-agent-id" in request.lower


def is_search(request: RecordedRequest) -> bool:
    """The request behind the tool WebSearch: a conversation of its own with the provider's search as its one tool."""
    return any(tool.get("type", "").startswith("web_search") for tool in request.json.get("tools", []))


def tool_names(request: RecordedRequest) -> list[str]:
    """What the model may call now."""
    return [tool["name"] for tool in request.json.get("tools", [])]


def with_verdicts(events: Iterable[Event], outcome: str = "not_flagged") -> list[Event]:
    """The same answer with what auto mode wants to hear about each call of a tool: `safeguard_results`.

    Measured with 2.1.332; the answers of earlier versions are read without them.
    """
    events = list(events)
    started = [item.data["content_block"] for item in events if item.name == "content_block_start"]
    calls = {block["id"]: {"type": "evaluated", "outcome": outcome} for block in started if block["type"] == "tool_use"}
    results = [{"type": "dangerous_tool_use", "status": {"type": "available", "tool_uses": calls}}]
    return [_with_results(item, results) if item.name == "message_delta" else item for item in events]


def _with_results(item: Event, results: list[dict[str, Any]]) -> Event:
    return Event(item.name, {**item.data, "delta": {**item.data["delta"], "safeguard_results": results}})


def searched(query: str, url: str) -> list[Event]:
    """The answer of a provider that searched the web itself."""
    use = {"type": "server_tool_use", "id": "srvtoolu_scripted", "name": "web_search", "input": {}}
    page = {"type": "web_search_result", "url": url, "title": query, "encrypted_content": "c2NyaXB0ZWQ="}
    result = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_scripted", "content": [page]}
    said = {"type": "input_json_delta", "partial_json": json.dumps({"query": query})}
    return [
        message_start(),
        event("content_block_start", index=0, content_block=use),
        event("content_block_delta", index=0, delta=said),
        event("content_block_stop", index=0),
        event("content_block_start", index=1, content_block=result),
        event("content_block_stop", index=1),
        *text_block(2, [f"Found {url}."]),
        message_delta("end_turn"),
        message_stop(),
    ]


def tool_outputs(request: RecordedRequest) -> list[str]:
    """What the tools of a conversation have said, without what Claude Code reminds the model of in the same place."""
    return [REMINDER.sub("", text_of(result["content"])).strip() for result in request.tool_results]


def asked_twice(requests: Iterable[RecordedRequest]) -> list[str]:
    """Conversations that were sent more than once: each time but the first, a request failed for the client.

    `x-stainless-retry-count` tells nothing of it: Claude Code makes its retries itself and always sends 0. It may
    also leave something out the second time, so that only what was said is compared: no markers, options, thoughts.
    """
    posted = [request for request in requests if request.method == "POST" and request.path == "/v1/messages"]
    counted = Counter(_said(request) for request in posted)
    return [said for said, times in counted.items() if times > 1]


def _said(request: RecordedRequest) -> str:
    body = request.json
    said = [(message["role"], part) for message in body["messages"] for part in _parts(message["content"])]
    return json.dumps([body["model"], bool(body.get("tools")), is_subagent(request), said])


def _parts(content: Any) -> list[str]:
    """Texts, calls and results of a message."""
    if isinstance(content, str):
        return [content]
    parts = []
    for block in content:
        if block["type"] not in ("thinking", "redacted_thinking"):
            inner = block.get("text") or block.get("id") or block.get("tool_use_id") or block["type"]
            parts.append(f"{inner}")
    return parts


def texts(request: RecordedRequest) -> list[str]:
    """Every text of the conversation, whoever said it, in order."""
    contents = [message["content"] for message in request.json["messages"]]
    blocks = [[{"type": "text", "text": each}] if isinstance(each, str) else each for each in contents]
    return [block["text"] for content in blocks for block in content if block["type"] == "text"]


def text_of(content: Any) -> str:
    return content if isinstance(content, str) else "".join(block.get("text", "") for block in content)


def thoughts(request: RecordedRequest) -> list[dict[str, Any]]:
    """The thinking blocks of a conversation."""
    return [block for _, block in thinking_blocks(request)]
