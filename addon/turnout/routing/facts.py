"""What a route's conditions may ask of a request, each answered as cheaply as the body allows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import msgspec

from turnout.dialects.messages.rewrite.tools import typed_tools
from turnout.dialects.messages.stream import estimate_tokens
from turnout.exchange import ClientRequest
from turnout.wire.splice import UNREADABLE

_TRUE = b"true"

_RUN_BY_PROVIDER = re.compile(rb'"(?:web_search|web_fetch|code_execution)_\d{8}"')
"""Types of tools that a provider runs by itself (https://docs.claude.com/en/docs/agents-and-tools/tool-use/overview)."""

_IMAGE = re.compile(rb'"type"\s*:\s*"image"')

_NO_TOOLS = (b"", b"[]", b"null")
_LONGEST_PROMPT_ID = 64
_NONE = msgspec.Raw(b"[]")


class _Block(msgspec.Struct):
    type: str = ""


class _Message(msgspec.Struct):
    role: str = ""
    content: msgspec.Raw = msgspec.Raw(b"null")


_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_MESSAGE = msgspec.json.Decoder(_Message)
_BLOCKS = msgspec.json.Decoder(list[_Block])


def _blocks(content: msgspec.Raw) -> list[_Block]:
    return _BLOCKS.decode(content) if bytes(memoryview(content)[:64]).lstrip()[:1] == b"[" else []


class Facts:
    """Facts of one request. Nothing is decoded before it is asked for, and never the messages."""

    def __init__(self, request: ClientRequest) -> None:
        self._request = request

    @property
    def model(self) -> str:
        return self._request.model

    @cached_property
    def tokens(self) -> int:
        """Estimated input tokens, from the size of the body."""
        return estimate_tokens(self._request.body)

    @property
    def stream(self) -> bool:
        return self._raw("stream") == _TRUE

    @cached_property
    def thinking(self) -> bool:
        """The client asks for thinking in any form."""
        thinking = self._decode("thinking")
        return isinstance(thinking, Mapping) and thinking.get("type") not in (None, "disabled")

    @cached_property
    def images(self) -> bool:
        """The conversation holds an image (also one inside a tool result)."""
        return _IMAGE.search(self._raw("messages")) is not None

    @cached_property
    def tools(self) -> tuple[str, ...]:
        """Types and names of the tools offered."""
        tools = self._decode("tools")
        found: list[str] = []
        for tool in tools if isinstance(tools, list) else ():
            if isinstance(tool, Mapping):
                found += [tool[key] for key in ("type", "name") if isinstance(tool.get(key), str)]
        return tuple(found)

    @cached_property
    def server_tools(self) -> tuple[str, ...]:
        """Types of the tools that Anthropic defines: `web_search_20250305`."""
        try:
            return typed_tools(self._request.fields.get("tools"))
        except UNREADABLE:
            return ()

    @cached_property
    def needed_tools(self) -> tuple[str, ...]:
        """Types of the tools, run by the provider, of which the request needs one: without them its answer would be
        made up. It has no other tools, or demands this one.

        Claude Code's WebSearch sends such a request of its own.
        """
        if not _RUN_BY_PROVIDER.search(self._raw("tools")):
            return ()
        tools = [tool for tool in self._decode("tools") or () if isinstance(tool, Mapping)]
        run = [tool for tool in tools if _RUN_BY_PROVIDER.fullmatch(b'"%b"' % str(tool.get("type")).encode())]
        choice = self._decode("tool_choice")
        forced = choice.get("name") if isinstance(choice, Mapping) and choice.get("type") == "tool" else None
        needed = run if len(run) == len(tools) else [tool for tool in run if tool.get("name") == forced]
        return tuple(dict.fromkeys(tool["type"] for tool in needed))

    @cached_property
    def is_aside(self) -> bool:
        """It offers no tool that the client runs: a title, a search, a check beside the conversation of its session."""
        if self._raw("tools").strip() in _NO_TOOLS:
            return True
        needed = self.needed_tools
        return bool(needed) and all(tool.get("type") in needed for tool in self._decode("tools"))

    @cached_property
    def begins_turn(self) -> bool:
        """The user says something, and does not merely hand in what tools have found.

        Only the last messages are decoded, of those only the types of their blocks. Claude Code puts its reminders
        behind them, with the role of the system.
        """
        try:
            for raw in reversed(_LIST.decode(self._request.fields.get("messages", _NONE))):
                message = _MESSAGE.decode(raw)
                if message.role == "user":
                    return not any(block.type == "tool_result" for block in _blocks(message.content))
                if message.role == "assistant":
                    return False
        except UNREADABLE:
            pass
        return True

    @property
    def prompt(self) -> str:
        """The id that Claude Code gives to a prompt and all requests of its turn; empty when it sends none."""
        return self._request.headers.get("x-claude-code-prompt-id", "")[:_LONGEST_PROMPT_ID]

    @property
    def request_class(self) -> str:
        """Claude Code's request class; empty when the client sends none (PROTOCOL: routing hint headers)."""
        return self._request.headers.get("x-claude-code-request-class", "")

    @property
    def agent(self) -> str:
        """Claude Code's agent type; `subagent` when only an agent id is sent; empty on the main thread."""
        headers = self._request.headers
        kind = headers.get("x-claude-code-agent-type", "")
        return kind or ("subagent" if "x-claude-code-agent-id" in headers else "")

    def _raw(self, name: str) -> bytes:
        raw = self._request.fields.get(name)
        return bytes(raw) if raw is not None else b""

    def _decode(self, name: str) -> Any:
        raw = self._request.fields.get(name)
        if raw is None:
            return None
        try:
            return msgspec.json.decode(raw)
        except UNREADABLE:
            return None
