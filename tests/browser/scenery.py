"""A morning's traffic for mitmweb to show: scripted providers, and a conversation in which tools are used."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from turnout.testing import replies
from turnout.testing.events import (
    Event,
    folded,
    message_delta,
    message_start,
    message_stop,
    stream_of,
    text_block,
    thinking_block,
    tool_use_block,
)
from turnout.testing.mint import Mint
from turnout.testing.provider import ScriptedProviderThread
from turnout.testing.replies import Reply
from turnout.testing.wire import RecordedRequest

OPUS = "claude-opus-4-6"
SONNET = "claude-sonnet-4-6"
HAIKU = "claude-haiku-4-5-20251001"

CLIENT_KEY = "sk-ant-api03-browser-test-key-of-the-client"
ANTHROPIC_KEY = "sk-ant-api03-browser-test-key-of-anthropic"
MINIMAX_KEY = "browser-test-key-of-minimax"
SECRETS = (CLIENT_KEY, ANTHROPIC_KEY, MINIMAX_KEY)
ENVIRONMENT = {"REAL_ANTHROPIC_API_KEY": ANTHROPIC_KEY, "MINIMAX_API_KEY": MINIMAX_KEY}

PROMPT = "The lamp at the north signal stays red after the points have moved. Find out why, and mend it."
THOUGHT = (
    "The lamp is switched in signals.py. It asks whether the points are locked before the lock has had time to close: "
    "the order of the two calls in `clear` is wrong, not the lamp."
)
FOUND = "`clear` asks for the lock too early. I move the question behind `points.settle()`."
EDIT = {
    "file_path": "yard/signals.py",
    "old_string": "if self.points.locked():\n    self.points.settle()\n    self.lamp.green()",
    "new_string": "self.points.settle()\nif self.points.locked():\n    self.lamp.green()",
    "replace_all": False,
}
DONE = "The lamp turns green again: `clear` now waits for the points before it asks for the lock. All 41 tests pass."
REFUSED = "invalid params, the prompt contains sensitive content"
SLOWLY = "Tell me slowly which signals are green."

_SYSTEM = (
    "You are an interactive agent that helps the people of a railway yard with the software of their signals. Read "
    "before you change anything, keep to the style of the file, and run the tests of the yard afterwards."
)
_SOURCE = "\n".join(
    (
        "    41  class Signal:",
        "    42      def clear(self) -> None:",
        "    43          if self.points.locked():",
        "    44              self.points.settle()",
        "    45              self.lamp.green()",
    )
)
_CACHED = {"type": "ephemeral"}


def _tool(name: str, description: str, /, **properties: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {key: {"type": kind} for key, kind in properties.items()}}
    return {"name": name, "description": description, "input_schema": {**schema, "required": list(properties)}}


_TOOLS = [
    _tool("Bash", "Runs a command in a shell and returns what it prints.", command="string"),
    _tool("Edit", "Replaces a text in a file.", file_path="string", old_string="string", new_string="string"),
    _tool("Grep", "Searches the files of the project for a pattern.", pattern="string", path="string"),
    _tool("Read", "Reads a file, with the numbers of its lines.", file_path="string"),
]


@dataclass
class Providers:
    """Anthropic, which is overloaded once the tests have run, and MiniMax, which takes over."""

    mint: Mint = field(default_factory=lambda: Mint("anthropic"))
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """What MiniMax waits for in the middle of its answer when it is asked to speak slowly."""

    def __post_init__(self) -> None:
        self.anthropic = ScriptedProviderThread(self._anthropic, accepts=ANTHROPIC_KEY, gzip=True)
        self.minimax = ScriptedProviderThread(
            self._minimax,
            strict="minimax",
            accepts=MINIMAX_KEY,
            forbid=[ANTHROPIC_KEY, CLIENT_KEY],
            prefix="/anthropic",
        )

    @property
    def config(self) -> str:
        return f"""
            [providers.anthropic]
            base_url = "{self.anthropic.url}"
            credentials = ["env:REAL_ANTHROPIC_API_KEY"]
            [providers.minimax]
            base_url = "{self.minimax.url}"
            [[routes]]
            model = "{SONNET}"
            to = ["minimax/MiniMax-M2.5"]
            [[routes]]
            model = "*"
            to = ["anthropic", "minimax/MiniMax-M3"]
            [retry]
            max_elapsed = "0s"
        """

    def turns(self) -> list[list[Event]]:
        """Anthropic's answers: it thinks, reads, thinks again, and edits."""
        grep = {"pattern": "lamp", "path": "yard"}
        first = "Something must switch the lamp. I look for it first."
        return [
            _answer(
                "msg_01lamp1",
                (412, 0, 3180),
                [
                    *thinking_block(0, _parts(first), self.mint.sign(first)),
                    *tool_use_block(1, "Grep", grep, id="toolu_01grep"),
                    *tool_use_block(2, "Read", {"file_path": "yard/signals.py"}, id="toolu_01read"),
                ],
                86,
            ),
            _answer(
                "msg_01lamp2",
                (9, 3592, 388),
                [
                    *thinking_block(0, _parts(THOUGHT), self.mint.sign(THOUGHT)),
                    *text_block(1, _parts(FOUND)),
                    *tool_use_block(2, "Edit", EDIT, id="toolu_01edit"),
                ],
                241,
            ),
        ]

    def _anthropic(self, request: RecordedRequest) -> Reply:
        turn = sum(message["role"] == "assistant" for message in request.json["messages"])
        if request.model == HAIKU:
            return replies.sse(stream_of('{"title": "Red lamp at the north signal"}'))
        if turn < 2:
            return replies.sse(self.turns()[turn])
        return replies.error(529, "overloaded_error", "Overloaded")

    def _minimax(self, request: RecordedRequest) -> Reply:
        if SLOWLY.encode() in request.body:
            events = stream_of("All of them.")
            return replies.sse([*events[:-3], self.gate, *events[-3:]])
        if request.model == "MiniMax-M2.5":
            return replies.error(400, "invalid_request_error", REFUSED)
        return replies.sse(_answer("msg_01lamp3", (4051, 0, 0), text_block(0, _parts(DONE)), 33))

    def conversation(self) -> list[dict[str, Any]]:
        """Messages of the whole story, as a client sends them back with its third request."""
        asked, edited = (folded(turn, OPUS)["content"] for turn in self.turns())
        return [
            {"role": "user", "content": [{"type": "text", "text": PROMPT}]},
            {"role": "assistant", "content": asked},
            {
                "role": "user",
                "content": [
                    _result("toolu_01grep", "yard/signals.py:45:            self.lamp.green()"),
                    {**_result("toolu_01read", _SOURCE), "cache_control": _CACHED},
                ],
            },
            {"role": "assistant", "content": edited},
            {
                "role": "user",
                "content": [
                    _result("toolu_01edit", "The file yard/signals.py has been updated."),
                    {"type": "text", "text": "Run the tests too, please.", "cache_control": _CACHED},
                ],
            },
        ]


@contextmanager
def running(providers: Providers) -> Iterator[Providers]:
    """Both providers; at the end nothing may have reached them that no proxy may send."""
    with providers.anthropic, providers.minimax:
        yield providers
    assert [*providers.anthropic.violations, *providers.minimax.violations] == []


def opus_body(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """A request as an agent makes it: tools, a cached system prompt, adaptive thinking."""
    return {
        "model": OPUS,
        "max_tokens": 32000,
        "stream": True,
        "thinking": {"type": "adaptive"},
        "system": [
            {"type": "text", "text": "You help the people of a signal box."},
            {"type": "text", "text": _SYSTEM, "cache_control": _CACHED},
        ],
        "tools": _TOOLS,
        "messages": messages,
    }


def say(model: str, text: str) -> dict[str, Any]:
    """A request of one sentence."""
    return {"model": model, "max_tokens": 1024, "stream": True, "messages": [{"role": "user", "content": text}]}


def send(url: str, body: dict[str, Any]) -> httpx.Response:
    """One request of the client, answered to its end."""
    headers = {
        "x-api-key": CLIENT_KEY,
        "anthropic-version": "2023-06-01",
        "user-agent": "claude-cli/2.1 (external, cli)",
    }
    return httpx.post(f"{url}/v1/messages", json=body, headers=headers, timeout=30, trust_env=False)


FLOWS = 6
"""How many flows `fill` makes: a failed attempt is one of its own."""


def fill(url: str, providers: Providers) -> None:
    """The traffic: a title, two turns with tools, one that fails over, one that is refused."""
    messages = providers.conversation()
    traffic = [
        (say(HAIKU, PROMPT), 200),
        *((opus_body(messages[:length]), 200) for length in (1, 3, 5)),
        (say(SONNET, "Write the timetable of tomorrow."), 400),
    ]
    for body, status in traffic:
        answer = send(url, body)
        assert answer.status_code == status, answer.text


def _answer(id: str, tokens: tuple[int, int, int], blocks: Iterable[Event], output: int) -> list[Event]:
    """`tokens` of the input: fresh, read from the cache, written to it."""
    blocks = list(blocks)
    calls = any(block.data.get("content_block", {}).get("type") == "tool_use" for block in blocks)
    start = message_start(id=id, input_tokens=tokens[0], cache_read=tokens[1], cache_write=tokens[2])
    ending = message_delta("tool_use" if calls else "end_turn", output_tokens=output)
    return [start, *blocks, ending, message_stop()]


def _parts(text: str) -> list[str]:
    """A text in pieces of a few words, as models stream it."""
    return [text[start : start + 24] for start in range(0, len(text), 24)]


def _result(id: str, text: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id, "content": text}
